"""Recommendations that go with an answer: after all the rest of it, once written down, or not at all.

So do the offers of campaigns, which wait for an answer to follow (docs/decisions/0022).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from core.campaign import had_lately
from core.channel.join import talks_of
from core.conversation import Conversation, Draft, Message
from core.identity import BadToken, read_grant, turn_of
from core.proactive.choices import customer
from core.proactive.kinds import Notices
from core.proactive.said import bring_offer
from core.recommend.choosing import is_quiet
from core.recommend.record import Decided, Told, decide, keep, read
from core.recommend.refusals import BadOffer, refused
from core.recommend.rules import recommend_rules
from core.recommend.tables import ALL

log = structlog.get_logger("api.offers")
RECOMMENDATION = "recommendation"  # type of the message
UNKNOWN = frozenset({"nlu_fallback", "out_of_scope"})


def parted(drafts: Sequence[Draft]) -> tuple[list[Draft], list[Draft]]:
    """Return the answer, and the recommendations beside it."""
    offers = [draft for draft in drafts if draft.type == RECOMMENDATION]
    return [draft for draft in drafts if draft.type != RECOMMENDATION], offers


def settled(
    session: Session, conversation: Conversation, message: Message, offers: Sequence[Draft], tokens: Sequence[str], *,
    welcome: bool, key: str, now: datetime,
) -> list[Draft]:  # fmt: skip
    """Keep what the grants of a turn say of recommendations; return what of `offers` may be said, one at most.

    What the customer decided is kept in any case; a new recommendation only where it is `welcome`: the answer stands,
    and the bot has the conversation. Two wishes in one message get none: the second may be another matter.
    """
    said: list[Draft] = []
    for found in _read(conversation, message, tokens, key=key, now=now):
        if isinstance(found, Decided):
            talks = (conversation.id, *talks_of(session, conversation.id))
            decide(session, found, now=now, conversation=conversation, talks=talks)
        elif welcome and _is_single(message) and not said and _kept(session, conversation, found, now=now):
            said = [] if found.held_out else list(offers[:1])
            welcome = False
    if offers and not said:
        log.info("offer_dropped", conversation=conversation.id, seq=message.seq)
    return said


def follow(
    session: Session, conversation: Conversation, message: Message, notices: Notices | None, *, now: datetime
) -> None:  # fmt: skip
    """Append an offer of a campaign that waits for this customer, where nothing matters more than the answer did.

    What nobody has understood, as the bot was away, was not answered either.
    """
    understood = message.understood or {}
    if notices is None or not understood or understood.get("form"):
        return
    if understood.get("intent") in UNKNOWN or not _is_single(message):
        return

    def busy() -> bool:
        talks = (conversation.id, *talks_of(session, conversation.id))
        customers = (conversation.customer_no,) if conversation.customer_no else ()
        recipients = [customer(one) for one in customers]
        # What was refused before it was known who that is has switched no choice of the customer's off.
        if ALL in refused(session, customers, talks) or had_lately(session, recommend_rules(), recipients, now=now):
            return True
        return is_quiet(session, recommend_rules(), talks=talks, now=now, customers=customers)

    if bring_offer(session, conversation, notices, unless=busy, now=now):
        log.info("campaign_told", conversation=conversation.id, seq=message.seq)


def _kept(session: Session, conversation: Conversation, told: Told, *, now: datetime) -> bool:
    talks = (conversation.id, *talks_of(session, conversation.id))
    return keep(session, recommend_rules(), told, conversation_id=conversation.id, talks=talks, now=now)


def _read(
    conversation: Conversation, message: Message, tokens: Sequence[str], *, key: str, now: datetime
) -> list[Told | Decided]:  # fmt: skip
    turn, found = turn_of(conversation.id, message.at), []
    for token in tokens:
        try:
            grant = read_grant(key, token, now=now, conversation_id=conversation.id, turn=turn)
            if grant.offer:
                found.append(read(grant.offer))
        except (BadToken, BadOffer) as error:
            log.error("offer_refused", conversation=conversation.id, seq=message.seq, error=str(error))
    return found


def _is_single(message: Message) -> bool:
    return "+" not in str((message.understood or {}).get("intent") or "")
