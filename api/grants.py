"""Grants: what the actions have proved in a turn changes whose conversation it is; nothing else does.

With one they also say what the customer chose to hear of.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from core.channel.writer import grant_to
from core.conversation import Conversation, Message
from core.identity import BadToken, Grant, read_grant, turn_of
from core.proactive.choices import BadChoice, customers_in
from core.proactive.speaker import choose_all
from core.proactive.tables import OFFER
from core.recommend.refusals import wants_again

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
    if not _choose(session, conversation, message, grants, now=now):
        return False
    for grant in grants:
        if not (grant.add or grant.remove or grant.assured):
            continue
        grant_to(session, conversation, message, grant, now=now)
        log.info("grant_applied", conversation=conversation.id, seq=message.seq, added=len(grant.add),
                 removed=len(grant.remove), assured=len(grant.assured))  # fmt: skip
    return True


def _choose(
    session: Session, conversation: Conversation, message: Message, grants: Sequence[Grant], *, now: datetime
) -> bool:
    """Keep what was chosen; false, with nothing kept, if it cannot be."""
    chosen = [grant for grant in grants if grant.choices]
    if not chosen:
        return True
    try:
        with session.begin_nested():
            for grant in chosen:
                choose_all(session, grant.subject, grant.choices, conversation_id=conversation.id, now=now)
                if any(wish.kind == OFFER and wish.wanted for wish in grant.choices):
                    wants_again(session, customers_in(grant.subject), [conversation.id])
    except (BadChoice, ValueError) as error:
        log.error("choice_refused", conversation=conversation.id, seq=message.seq, error=str(error))
        return False
    count = sum(len(grant.choices) for grant in chosen)
    log.info("choices_kept", conversation=conversation.id, seq=message.seq, count=count)
    return True
