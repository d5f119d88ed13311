"""How many messages may still be sent to a user of a channel, and until when: the ledger of what WeChat grants.

A message of the user grants five within 48 hours, a tap on a menu, a follow and a scan three within a minute, a
payment any number within 48 hours; each starts its count anew
(developers.weixin.qq.com/doc/service/guide/product/kf/intro). The last two of a message are kept for what people say
and for safety. The ledger may say less than WeChat would grant, never more: it counts what was sent since the cause,
though the news of the cause came later, and stops a little before WeChat does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.channel.callback import TEMPLATE
from core.channel.tables import PARKED, SENDING, WAITING, Delivery, SendWindow
from core.locking import one_at_a_time

Cause = Literal["message", "tap", "follow", "scan", "pay"]
CodeKind = Literal["window_closed", "count_used"]
MESSAGE = "message"
UNLIMITED = 1_000_000  # what a payment grants, counted down like the others
_DAYS, _MINUTE = timedelta(hours=48), timedelta(minutes=1)
GRANTS: dict[str, tuple[int, timedelta]] = {
    MESSAGE: (5, _DAYS), "tap": (3, _MINUTE), "follow": (3, _MINUTE), "scan": (3, _MINUTE), "pay": (UNLIMITED, _DAYS),
}  # fmt: skip
RESERVED = 2  # the last ones of a message
PRIVILEGED = ("agent", "closing", "safety")  # kinds of deliveries that may use them
MARGIN = timedelta(seconds=2)  # between taking and WeChat's receiving; clocks differ, too
SERVICE = "service"  # way of a delivery that took one from a window


@dataclass(frozen=True)
class Taken:
    """From which window one message was taken; true, so that it reads as an answer."""

    kind: str
    opened_at: datetime


@dataclass(frozen=True)
class Remaining:
    """What may still be sent until when; `reserved` of them by people alone. `left` None: as many as you like."""

    left: int | None
    until: datetime
    reserved: int = 0


def open_window(
    session: Session, channel_user_id: int, kind: Cause, *, now: datetime, at: datetime | None = None
) -> None:
    """Note that the user did what lets us send, at `at` by the channel's clock; what was parked may be sent again.

    News of an earlier cause that comes after that of a later one changes nothing. Where the channel's clock is ahead of
    ours nobody knows when it was: then what was sent just before the news counts, too.
    """
    grant, span = GRANTS[kind]
    at = now if at is None else at if at <= now else now - MARGIN
    known = next((row for row in _held(session, channel_user_id) if row.kind == kind), None)
    if known is not None and known.opened_at > at:
        return
    row = known or SendWindow(channel_user_id=channel_user_id, kind=kind)
    left = max(0, grant - _sent_since(session, channel_user_id, at))
    row.opened_at, row.until, row.left = at, at + span, left
    session.add(row)
    if row.until > now + MARGIN and row.left:
        unpark(session, channel_user_id, now=now)
    session.flush()


def take(session: Session, channel_user_id: int, delivery_kind: str, *, now: datetime) -> Taken | None:
    """Take one message from the window that ends first of those with something left for this kind; None: there is none.

    The windows stay locked until the transaction ends, so that two at once never take the same one.
    """
    for row in sorted(_held(session, channel_user_id), key=lambda one: one.until):
        kept = RESERVED if row.kind == MESSAGE and delivery_kind not in PRIVILEGED else 0
        if row.until > now + MARGIN and row.left > kept:
            row.left -= 1
            session.flush()
            return Taken(row.kind, row.opened_at)
    return None


def give_back(session: Session, channel_user_id: int, taken: Taken) -> None:
    """Put back what was taken for a message that was surely not sent, unless the window was opened anew since."""
    for row in _held(session, channel_user_id):
        if (row.kind, row.opened_at) == (taken.kind, taken.opened_at):
            row.left = min(row.left + 1, GRANTS[row.kind][0])
    session.flush()


def exhausted(
    session: Session, channel_user_id: int, code_kind: CodeKind, *, now: datetime, called_at: datetime | None = None
) -> None:
    """Correct the ledger by what WeChat said: nothing is left, or (`window_closed`) no window is open at all.

    `called_at`: when we asked; what the user has granted since then stands.
    """
    for row in _held(session, channel_user_id):
        if called_at is not None and row.opened_at > called_at:
            continue
        row.left = 0
        if code_kind == "window_closed":
            row.until = min(row.until, now)
    session.flush()


def close(session: Session, channel_user_id: int) -> None:
    """Forget all windows of a user who has left."""
    for row in _held(session, channel_user_id):
        session.delete(row)
    session.flush()


def remaining(session: Session, channel_user_id: int, now: datetime) -> Remaining | None:
    """Return what may still be sent; None if no window is open."""
    return remaining_of(_windows(session, channel_user_id), now)


def remaining_of(rows: Iterable[SendWindow], now: datetime) -> Remaining | None:
    """Return what the windows of one user still allow; None if none is open.

    Of several windows the one that ends last is told, so that what an agent reads stays true the next minute.
    """
    running = [row for row in rows if row.until > now + MARGIN]
    if not running:
        return None
    row = max(running, key=lambda one: (one.left > 0, one.until))
    if row.kind == "pay":
        return Remaining(None, row.until)
    return Remaining(row.left, row.until, min(row.left, RESERVED) if row.kind == MESSAGE else 0)


def unpark(session: Session, channel_user_id: int, *, now: datetime) -> None:
    """Let all that is parked for a user be sent again; parked once more, it is news for which they are called."""
    parked = update(Delivery).where(Delivery.channel_user_id == channel_user_id, Delivery.state == PARKED)
    session.execute(parked.where(Delivery.way == TEMPLATE).values(way=None, error=None))
    session.execute(parked.values(state=WAITING, next_at=now, attempts=0, error=None))


def _windows(session: Session, channel_user_id: int) -> Sequence[SendWindow]:
    query = select(SendWindow).where(SendWindow.channel_user_id == channel_user_id).order_by(SendWindow.kind)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def _held(session: Session, channel_user_id: int) -> Sequence[SendWindow]:
    """Return the windows of a user, which nobody else changes or adds until this transaction ends."""
    one_at_a_time(session, f"windows:{channel_user_id}")
    return _windows(session, channel_user_id)


def _sent_since(session: Session, channel_user_id: int, at: datetime) -> int:
    """Count what was sent after the cause, or is on its way: WeChat counts it against this very window.

    Of the messages that one sending took along only the last counts it in `part` (`core.channel.deliveries`).
    """
    mine = Delivery.channel_user_id == channel_user_id
    after = select(func.coalesce(func.sum(Delivery.part), 0)).where(
        mine, Delivery.way == SERVICE, Delivery.sent_at >= at
    )
    under_way = select(Delivery.id).where(mine, Delivery.state == SENDING).limit(1)
    return int(session.scalar(after) or 0) + (session.scalar(under_way) is not None)
