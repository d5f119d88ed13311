"""Erasing what we know of somebody who has left: WeChat obliges to it when a user stops following.

Gone are the name by which the channel knows them, what they have bound and chosen, and every word of the conversations
that were theirs alone. A conversation in which the same customer's login takes part is the customer's and stays,
without the user. Work orders stay: the law wants them kept, and they name nobody of the channel. Photos and the memory
of the dialogue model lie elsewhere and are erased by way of the outbox (`FORGET`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core import call_back, outbox
from core import conversation as log_of
from core.binding import Binding, accounts_of_user
from core.channel import subscriptions
from core.channel.join import close_unreachable
from core.channel.link import GONE, has_pages, is_gone, leave_behind
from core.channel.tables import DROPPED, OPEN, PASSING, ChannelUser, Delivery, Push, SendWindow
from core.conversation import Button, Conversation, Message
from core.desk_note import DeskNote
from core.handoff.tables import Handoff, HandoffEvent
from core.learning import forgetting
from core.outbox import OutboxItem
from core.proactive.tables import SKIPPED, Choice, Send
from core.proactive.tables import WAITING as SEND_WAITING
from core.recommend.tables import Recommendation
from core.survey import Survey

FORGET = "forget"  # kind of the outbox: photos on disk, the dialogue model's memory, pushes of the last moment
ERASED = "erased"  # type of a message of which nothing but its place is left
KEPT_IN_EVENTS = ("reason", "skill", "priority", "nobody", "due_at", "certain", "what", "by", "why", "score", "auto")
TRACE = 4  # hexadecimal digits of the hash, after as many of the month or so in which somebody left
TRACE_DAYS, TRACE_SPANS = 30, 6  # a trace is kept until its sixth span of days has passed: never for more than 180 days
RETRIED_FOR = timedelta(minutes=1)  # so long a channel may push the same once more


def user_left(session: Session, user: ChannelUser, now: datetime, *, key: str = "") -> list[str]:
    """Erase a user (locked) who has left; return the conversations that changed. Again it changes nothing.

    Of who had bound an account a trace is kept, if there is a `key`: so short that many people share it.
    """
    if is_gone(user):
        return []
    conversations = _conversations_of(session, user)
    had_bound = bool(accounts_of_user(session, user))
    user.trace = f"{_span(now):04x}{trace_of(user, key)}" if had_bound and key else None
    tombstone = f"{GONE}{secrets.token_hex(16)}"
    _forget_bindings(session, user, tombstone, now=now)
    _forget_sending(session, user, now=now)
    for conversation_id in conversations:
        conversation = log_of.find_conversation(session, conversation_id, lock=True, exact=True)
        if has_pages(session, conversation):
            leave_behind(session, user, conversation, now=now)
        else:
            _blank(session, conversation, now=now)
    user.user_id, user.customer_no, user.linked_at, user.followed = tombstone, None, None, False
    user.last_wrote_at = user.scene = None
    alone = [one for one in conversations if not has_pages(session, session.get_one(Conversation, one))]
    outbox.put(session, kind=FORGET, key=f"user:{user.id}", payload={"conversations": alone, "user": user.id}, now=now)
    session.flush()
    return conversations


def trace_of(user: ChannelUser, key: str) -> str:
    """Return 16 bits of a keyed hash of the name by which the channel knows a user: it tells nobody who it was."""
    named = f"{user.channel}:{user.user_id}".encode()
    return hmac.new(key.encode(), b"left:" + named, hashlib.sha256).hexdigest()[:TRACE]


def was_bound(session: Session, user: ChannelUser, key: str, *, now: datetime) -> bool:
    """Tell whether a user may be one who had bound an account and has left; asked once, it is forgotten.

    By mistake it says yes to one in 65,536 for each who has left: what is said then must be true of everybody.
    """
    if accounts_of_user(session, user):
        return False
    left, last = trace_of(user, key), _span(now)
    traces = [f"{span:04x}{left}" for span in range(last - TRACE_SPANS + 1, last + 1)]
    query = select(ChannelUser).where(ChannelUser.trace.in_(traces), ChannelUser.user_id.startswith(GONE))
    found = session.scalar(query.order_by(ChannelUser.id).limit(1).with_for_update())
    if found is None:
        return False
    found.trace = None
    return True


def forget_traces(session: Session, *, now: datetime) -> None:
    """Erase the traces of those who left so long ago that nobody expects to be known again."""
    oldest = f"{_span(now) - TRACE_SPANS + 1:04x}"
    session.execute(update(ChannelUser).where(ChannelUser.trace < oldest).values(trace=None))


def _span(now: datetime) -> int:
    """Return in which span of days, counted from 1970, an instant lies."""
    return int(now.timestamp()) // 86_400 // TRACE_DAYS


def forget_pushes(session: Session, user_id: int) -> None:
    """Erase what the channel pushed of a user who has left, once it cannot be pushed again."""
    session.execute(delete(Push).where(Push.channel_user_id == user_id))


def _conversations_of(session: Session, user: ChannelUser) -> list[str]:
    """Return every conversation that was ever this user's."""
    found = {user.conversation_id}
    for query in (
        select(Conversation.id).where(Conversation.channel_user_id == user.id),
        select(Push.conversation_id).where(Push.channel_user_id == user.id),
        select(Delivery.conversation_id).where(Delivery.channel_user_id == user.id),
        select(Binding.conversation_id).where(Binding.channel == user.channel, Binding.channel_user == user.user_id),
    ):
        found.update(one for one in session.scalars(query) if one is not None)
    return sorted(found)


def _forget_bindings(session: Session, user: ChannelUser, tombstone: str, *, now: datetime) -> None:
    query = select(Binding).where(Binding.channel == user.channel, Binding.channel_user == user.user_id)
    for row in session.scalars(query):
        row.ended_at, row.channel_user = row.ended_at or now, tombstone


def _forget_sending(session: Session, user: ChannelUser, *, now: datetime) -> None:
    mine = Delivery.channel_user_id == user.id
    session.execute(update(Delivery).where(mine, Delivery.state.in_((*OPEN, PASSING))).values(state=DROPPED))
    session.execute(delete(SendWindow).where(SendWindow.channel_user_id == user.id))
    subscriptions.forget(session, user.id)
    session.execute(delete(Choice).where(Choice.subject == f"user:{user.id}"))
    session.execute(
        update(Send).where(Send.channel_user_id == user.id, Send.state == SEND_WAITING).values(state=SKIPPED)
    )
    session.execute(update(Send).where(Send.channel_user_id == user.id).values({Send.values: {}}))
    old = Push.received_at < now - RETRIED_FOR
    session.execute(delete(Push).where(Push.channel_user_id == user.id, old))
    session.execute(update(Push).where(Push.channel_user_id == user.id).values(reply=None, todo=None))


def _blank(session: Session, conversation: Conversation, *, now: datetime) -> None:
    """Leave nothing of a conversation but that there was one, when, and what kind of case it was."""
    close_unreachable(session, conversation, why="left", now=now)
    conversation.channel_user_id, conversation.customer_no, conversation.note = None, None, None
    conversation.accounts, conversation.assured, conversation.assured_until = [], [], None
    conversation.assurance = 0
    mine = Message.conversation_id == conversation.id
    session.execute(
        update(Message).where(mine).values(
            type=ERASED, text="", card=None, payload=None, buttons=[], understood=None, turn="done",
            external_id=None,
        )
    )  # fmt: skip
    session.execute(update(Message).where(mine, Message.author != "customer").values(turn=None))
    session.execute(delete(Button).where(Button.conversation_id == conversation.id))
    session.execute(update(DeskNote).where(DeskNote.conversation_id == conversation.id).values(text=""))
    session.execute(update(Survey).where(Survey.conversation_id == conversation.id).values(comment=None))
    forgetting.forget(session, conversation.id)
    call_back.forget(session, conversation.id, now=now)
    # That a customer was recommended something is kept (once a month, held-out group), in which talk is not.
    advised = Recommendation.conversation_id == conversation.id
    session.execute(update(Recommendation).where(advised).values(conversation_id=""))
    for case in session.scalars(select(Handoff).where(Handoff.conversation_id == conversation.id)):
        case.summary, case.note, case.corrected = {}, {}, {}
    for event in session.scalars(select(HandoffEvent).where(HandoffEvent.conversation_id == conversation.id)):
        event.data = {key: value for key, value in event.data.items() if key in KEPT_IN_EVENTS}
    told = select(OutboxItem).where(
        OutboxItem.key.startswith(f"{conversation.id}:"), OutboxItem.done_at.is_not(None)
    )  # fmt: skip
    for item in session.scalars(told):
        item.payload = {}
    session.flush()
