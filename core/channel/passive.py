"""What goes back with a push, once: claimed before it is written, passed after it was.

A push is recorded once however often it comes. Whatever waits for its user is claimed for the answer in one
transaction (`passing`), and sent in another one after the answer was written to a connection that held. Between the two
the process may die: the channel then asks again and gets the very same answer, or it has got it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.channel.deliveries import pending
from core.channel.tables import PASSING, SENDING, SENT, WAITING, ChannelUser, Delivery, Push, UsedNonce
from core.conversation import Message

PASSIVE = "passive"  # way of a delivery
# Since the first try came in. The channel asks again five seconds after it sent that; on a busy machine, or one that
# has just started, it may have lain for a while before it was read.
ASKS_AGAIN_AFTER = timedelta(seconds=2.5)
LOST_AFTER = timedelta(seconds=20)  # since a push; by then the channel has given up asking
WRITTEN_BY = timedelta(seconds=5)  # after the claim
RETRIES_WITHIN = timedelta(seconds=10)  # a process that was up so soon after a push would have been asked again
NONCES_KEPT = timedelta(minutes=10)
PUSHES_KEPT = timedelta(days=7)


class Replayed(Exception):
    """A signature was used before, with another push."""


class StillSending(Exception):
    """Something for this user is on its way by another road; what comes after it has to wait."""


@dataclass(frozen=True)
class Item:
    """A message that waits to be sent, and how many parts of it were sent already."""

    delivery: Delivery
    message: Message


@dataclass(frozen=True)
class Fitted:
    """What fits into one answer: `whole` items from the first on, and `parts` parts of the next one."""

    text: str
    whole: int
    parts: int = 0


Fit = Callable[[Sequence[Item]], Fitted]


def use_signature(session: Session, signature: str, external_id: str, *, now: datetime) -> None:
    """Note that a push came with this signature.

    Raises:
        Replayed: if another one did.
    """
    known = session.get(UsedNonce, signature)
    if known is None:
        try:
            with session.begin_nested():
                session.add(UsedNonce(signature=signature, external_id=external_id, at=now))
            return
        except IntegrityError:
            known = session.get_one(UsedNonce, signature)
    if known.external_id != external_id:
        raise Replayed


def record(session: Session, user: ChannelUser, external_id: str, *, now: datetime) -> tuple[Push, bool]:
    """Return the record of a push and whether it is new; `user` is locked, so that two at once find one."""
    known = session.get(Push, (user.channel, external_id))
    if known is not None:
        return known, False
    push = Push(channel=user.channel, external_id=external_id, channel_user_id=user.id, received_at=now)
    session.add(push)
    session.flush()
    return push, True


def waiting_for(session: Session, channel_user_id: int) -> list[Item]:
    """Return what has not been sent to a user yet, in the order in which it was said."""
    rows = pending(session, channel_user_id)
    return [Item(row, session.get_one(Message, (row.conversation_id, row.seq))) for row in rows]


def claim(session: Session, channel: str, external_id: str, *, fit: Fit, boot: str, now: datetime) -> str | None:
    """Claim what the answer to a push says, and return it; None: there is nothing (more) to say.

    What was claimed before and not passed is returned again as long as nobody else has taken it; what has passed, if
    the channel asks for it a second time.

    Raises:
        StillSending: if something earlier is being sent to the user now.
    """
    push = session.get_one(Push, (channel, external_id))
    session.get(ChannelUser, push.channel_user_id, with_for_update=True)  # one claim at a time
    session.refresh(push)
    if push.passed_at is not None:
        return _missed(push, now)
    if push.reply is not None:
        return _again(session, push, boot, now)
    if _under_way(session, push.channel_user_id):
        raise StillSending
    items = waiting_for(session, push.channel_user_id)
    if not items:
        return None
    fitted = fit(items)
    taken = items[: fitted.whole + bool(fitted.parts)]
    for item in taken:
        item.delivery.state = PASSING
    push.reply = {"text": fitted.text, "deliveries": [item.delivery.id for item in taken], "parts": fitted.parts}
    push.passing_at, push.boot = now, boot
    return fitted.text


def passed(session: Session, channel: str, external_id: str, *, now: datetime) -> None:
    """Note that the answer to a push was received; of a message that was too long for it the rest waits."""
    push = session.get_one(Push, (channel, external_id), with_for_update=True)
    if push.passed_at is not None or push.reply is None:
        return
    push.passed_at = now
    rows = _claimed(session, push)
    for row in rows:
        row.state, row.way, row.sent_at, row.error = SENT, PASSIVE, now, None
    if rows and push.reply["parts"] and rows[-1].id == push.reply["deliveries"][-1]:
        last = rows[-1]
        last.state, last.way, last.sent_at, last.next_at = WAITING, None, None, now
        last.part += push.reply["parts"]


def give_back(session: Session, channel: str, external_id: str, *, now: datetime) -> None:
    """Let what was claimed wait again: the answer was surely not received."""
    push = session.get_one(Push, (channel, external_id), with_for_update=True)
    if push.passed_at is not None or push.reply is None:
        return
    for row in _claimed(session, push):
        row.state, row.next_at = WAITING, now
    push.reply = push.passing_at = push.boot = None


def settle_lost(
    session: Session, *, up_since: datetime, now: datetime, written: Container[str] = (),
    within: timedelta = PUSHES_KEPT, limit: int = 100,
) -> int:  # fmt: skip
    """Decide about answers that were claimed, and of which nobody knows whether they were received; return how many.

    The channel asks again within seconds for what it did not get. Who was there to hear that, and did not, may take
    it that the answer was received; after a longer absence it waits to be sent, unless it is known to have been
    `written` (names of pushes). `within`: how far back to look.
    """
    query = select(Push).where(
        Push.received_at < now - LOST_AFTER, Push.received_at > now - within,
        Push.passing_at < now - WRITTEN_BY, Push.passed_at.is_(None),
    )  # fmt: skip
    pushes = session.scalars(query.order_by(Push.received_at).limit(limit)).all()
    for push in pushes:
        if up_since <= push.received_at + RETRIES_WITHIN or push.external_id in written:
            passed(session, push.channel, push.external_id, now=now)
        else:
            give_back(session, push.channel, push.external_id, now=now)
    return len(pushes)


def prune(session: Session, *, now: datetime) -> None:
    """Forget signatures that are stale anyway, and pushes that nobody will ask about again."""
    session.execute(delete(UsedNonce).where(UsedNonce.at < now - NONCES_KEPT))
    session.execute(delete(Push).where(Push.received_at < now - PUSHES_KEPT, Push.todo.is_(None)))


def hold_back(session: Session, channel_user_id: int, *, now: datetime, until: datetime) -> None:
    """Let what was just said wait for the answer to a push; the same request takes it along or releases it."""
    for row in pending(session, channel_user_id):
        if row.state == WAITING and row.created_at == now:
            row.next_at = until


def release(session: Session, channel: str, external_id: str) -> None:
    """Let what was held back for the answer to a push be sent at once."""
    push = session.get_one(Push, (channel, external_id))
    for row in pending(session, push.channel_user_id):
        if row.state == WAITING and row.attempts == 0:
            row.next_at = row.created_at


def _again(session: Session, push: Push, boot: str, now: datetime) -> str | None:
    reply: dict[str, Any] = push.reply or {}
    if not _claimed(session, push):
        return None
    push.passing_at, push.boot = now, boot
    return str(reply["text"])


def _missed(push: Push, now: datetime) -> str | None:
    """Return an answer that passed, if the channel asks again so late that it cannot have got it.

    A duplicate comes at once. The connection may go while the answer is written to it; later answers may have been
    given by now, and this one comes after them.
    """
    reply: dict[str, Any] = push.reply or {}
    late = ASKS_AGAIN_AFTER <= now - push.received_at <= LOST_AFTER
    return str(reply["text"]) if late and reply else None


def _claimed(session: Session, push: Push) -> list[Delivery]:
    reply: dict[str, Any] = push.reply or {"deliveries": []}
    query = select(Delivery).where(Delivery.id.in_(reply["deliveries"]), Delivery.state == PASSING)
    return list(session.scalars(query.order_by(Delivery.id).with_for_update()))


def _under_way(session: Session, channel_user_id: int) -> bool:
    query = select(Delivery.id).where(Delivery.channel_user_id == channel_user_id, Delivery.state == SENDING)
    return session.scalar(query.limit(1)) is not None
