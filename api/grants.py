"""Grants: what the actions have proved in a turn changes whose conversation it is; nothing else does."""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from core.binding import apply_grant
from core.conversation import Conversation, Message
from core.identity import BadToken, read_grant, turn_of

log = structlog.get_logger("api.grants")


def apply_grants(
    session: Session, conversation: Conversation, message: Message, tokens: tuple[str, ...], *, key: str, now: datetime
) -> bool:
    """Apply the grants of the turn that answers `message`.

    Return False, with nothing changed, if one is forged, too old, or of another conversation or turn: then the turn
    must not tell the customer that anything was done.
    """
    turn = turn_of(conversation.id, message.at)
    try:
        grants = [read_grant(key, token, now=now, conversation_id=conversation.id, turn=turn) for token in tokens]
    except BadToken as error:
        log.error("grant_refused", conversation=conversation.id, seq=message.seq, error=str(error))
        return False
    for grant in grants:
        apply_grant(session, conversation, grant, now=now)
        log.info("grant_applied", conversation=conversation.id, seq=message.seq, added=len(grant.add),
                 removed=len(grant.remove), assured=len(grant.assured))  # fmt: skip
    return True
