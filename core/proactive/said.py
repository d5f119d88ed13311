"""What was sent to somebody comes into the log of their conversation when they write: the talk goes on from there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.channel.tables import SENT as PUSHED
from core.channel.tables import ChannelUser, Delivery
from core.conversation import Conversation, Draft
from core.proactive.choices import choices_of, customer, user
from core.proactive.kinds import CHAT, MissingValue, Notices, UnknownWording
from core.proactive.tables import OFFER, SENT, STOPPED, Broadcast, Send

RECALLED = timedelta(days=30)  # what is older is nobody's concern any more
AT_ONCE = 20

# Asked with every message, so built once.
_UNTOLD = (
    select(Send, Broadcast).join(Broadcast, Broadcast.id == Send.broadcast_id)
    .where(Send.recipient.in_(bindparam("to", expanding=True)), Send.told_at.is_(None), Send.state == SENT)
)  # fmt: skip
_TO_BRING = _UNTOLD.where(Broadcast.kind != OFFER).order_by(Send.id.desc()).limit(AT_ONCE)
_IN_TIME = Broadcast.expires_at.is_(None) | (Broadcast.expires_at > bindparam("now"))
_OFFERS = _UNTOLD.where(Broadcast.kind == OFFER, Broadcast.state != STOPPED, _IN_TIME).order_by(Send.id).limit(AT_ONCE)


def bring_in(session: Session, conversation: Conversation, notices: Notices, *, now: datetime) -> int:
    """Append what its customer was sent since, with its time; return how many messages that are.

    A conversation of somebody unknown costs no query. What the channel has shown already is not pushed to it again.
    """
    recipients = _recipients(session, conversation)
    if not recipients:
        return 0
    found = session.execute(_TO_BRING, {"to": recipients})
    rows = [(send, broadcast) for send, broadcast in found if _concerns(send, conversation, now)]
    last_at = conversation.last_at
    for send, broadcast in sorted(rows, key=lambda row: (row[0].sent_at, row[0].id)):
        _tell(session, conversation, send, broadcast, notices, now=now)
        send.told_at = now
    conversation.last_at = last_at  # what nobody asked for does not keep an old dialogue alive
    return len(rows)


def bring_offer(
    session: Session, conversation: Conversation, notices: Notices, *, unless: Callable[[], bool], now: datetime
) -> bool:  # fmt: skip
    """Append one offer that waits for the customer, after an answer of ours; tell whether there was one.

    `unless` is asked only where one waits. Who has shut offers since hears none, and an offer whose broadcast was
    stopped or is too late is left.
    """
    recipients = _recipients(session, conversation)
    if not recipients:
        return False
    for send, broadcast in session.execute(_OFFERS, {"to": recipients, "now": now}).all():
        wanted = choices_of(session, send.recipient, notices)[OFFER].wanted
        if wanted and _concerns(send, conversation, now):
            if unless():
                return False
            _tell(session, conversation, send, broadcast, notices, now=now)
            send.told_at = now
            return True
    return False


def _recipients(session: Session, conversation: Conversation) -> list[str]:
    found = [customer(conversation.customer_no)] if conversation.customer_no else []
    if conversation.channel_user_id is not None:
        found.append(user(conversation.channel_user_id))
        one = session.get(ChannelUser, conversation.channel_user_id)
        if one is not None and one.customer_no and one.conversation_id == conversation.id:
            found.append(customer(one.customer_no))
    return list(dict.fromkeys(found))


def _concerns(send: Send, conversation: Conversation, now: datetime) -> bool:
    if send.sent_at is None or now - send.sent_at > RECALLED:
        return False
    # A channel's user who is no customer may be somebody else than before this conversation began.
    return send.recipient.startswith("customer:") or send.sent_at >= conversation.created_at


def _tell(
    session: Session, conversation: Conversation, send: Send, broadcast: Broadcast, notices: Notices, *, now: datetime
) -> None:
    values = {**broadcast.values, **send.values}
    try:
        text = notices.text(broadcast.wording, values, CHAT, now=now)
    except (UnknownWording, MissingValue):
        return  # the words are gone since; it was read where it was sent
    if send.channel != CHAT and send.sent_at is not None:
        text = notices.said_before.format(at=notices.times.say(send.sent_at, now=now), text=text)
    # Nobody is called back by a template message for an offer: it goes like the answer before it, or waits.
    way = "answer" if broadcast.kind == OFFER else None
    message = log_of.record_reply(session, conversation, Draft("system", text, "notice", delivered_as=way), now=now)
    if send.channel == CHAT or conversation.channel_user_id is None:
        return
    session.flush()
    pushing = select(Delivery).where(Delivery.conversation_id == conversation.id, Delivery.seq == message.seq)
    for delivery in session.scalars(pushing):
        delivery.state, delivery.way, delivery.sent_at = PUSHED, "template", send.sent_at
