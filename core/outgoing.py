"""What could not be sent and waits for an operator, from all three ways out: outbox, deliveries, sends.

Each is sent once more or given up with a reason; what it says, and to whom, stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session

from core import outbox
from core.channel import tables as channel
from core.channel.deliveries import revive
from core.channel.tables import ChannelUser, Delivery
from core.outbox import ItemNotFound, OutboxItem
from core.proactive import broadcast
from core.proactive import tables as proactive
from core.proactive.broadcast import WrongState
from core.proactive.tables import Broadcast, Send

Source = Literal["outbox", "delivery", "send"]
SOURCES: tuple[Source, ...] = get_args(Source)
MAX_ERROR = 200
GIVEN_UP = "dropped: "  # begins the error of what an operator has given up


class LetterNotFound(LookupError):
    """There is no such thing that waits for an operator (any more)."""


@dataclass(frozen=True)
class DeadLetter:
    """One thing that was given up: of which kind, since when it was wanted, after how many tries, and why."""

    source: Source
    id: int
    kind: str
    at: datetime
    attempts: int
    error: str
    conversation_id: str | None = None
    customer_no: str | None = None
    broadcast_id: int | None = None


def dead_letters(session: Session, *, limit: int = 100) -> list[DeadLetter]:
    """Return what waits for an operator, at most so many of each source, the newest first."""
    found = [*_outbox(session, limit), *_deliveries(session, limit), *_sends(session, limit)]
    return sorted(found, key=lambda one: one.at, reverse=True)


def dead_counts(session: Session) -> dict[Source, int]:
    """Return how many there are of each source."""
    items = select(func.count()).select_from(_dead_items().subquery())
    return {
        "outbox": session.scalar(items) or 0,
        "delivery": session.scalar(select(func.count()).where(Delivery.state == channel.DEAD)) or 0,
        "send": session.scalar(select(func.count()).select_from(Send).where(_dead_sends())) or 0,
    }


def send_again(session: Session, source: Source, number: int, *, now: datetime) -> None:
    """Have one sent after all.

    Raises:
        LetterNotFound: if it does not wait for anybody.
        WrongState: if nobody wants to hear of it any more.
    """
    if source == "delivery":
        if not revive(session, number, now=now):
            raise LetterNotFound(number)
    elif source == "outbox":
        _dead_item(session, number)
        outbox.retry(session, number, now=now)
    else:
        send = _dead_send(session, number)
        _wake(session, send.broadcast_id, now=now)
        send.state, send.next_at, send.attempts, send.error = proactive.WAITING, now, 0, None


def send_all_again(session: Session, *, now: datetime, limit: int = 500) -> int:
    """Have everything sent after all that still makes sense, up to so many of each source; return how many that are."""
    items = list(session.scalars(_dead_items().limit(limit)))
    for number in items:
        outbox.retry(session, number, now=now)
    rows = list(session.scalars(select(Delivery.id).where(Delivery.state == channel.DEAD).limit(limit)))
    revived = sum(revive(session, number, now=now) for number in rows)
    return len(items) + revived + sum(_again(session, number, now) for number in _broadcasts_with_dead(session))


def give_up(session: Session, source: Source, number: int, *, why: str, now: datetime) -> None:
    """Send one no more; the reason stays with it. Raises LetterNotFound."""
    error = f"{GIVEN_UP}{why}"[:MAX_ERROR]
    if source == "outbox":
        _dead_item(session, number)
        outbox.drop(session, number, why=why, now=now)
    elif source == "delivery":
        row = session.get(Delivery, number, with_for_update=True, populate_existing=True)
        if row is None or row.state != channel.DEAD:
            raise LetterNotFound(number)
        row.state, row.error = channel.DROPPED, error
    else:
        send = _dead_send(session, number)
        send.state, send.error = proactive.SKIPPED, error


def _outbox(session: Session, limit: int) -> Iterator[DeadLetter]:
    for item in outbox.undone(session, dead=True, limit=limit):
        yield DeadLetter(
            "outbox", item.id, item.kind, item.created_at, item.attempts, item.error or "",
            conversation_id=_text(item.payload.get("conversation_id")),
        )  # fmt: skip


def _deliveries(session: Session, limit: int) -> Iterator[DeadLetter]:
    query = (
        select(Delivery, ChannelUser.customer_no)
        .outerjoin(ChannelUser, ChannelUser.id == Delivery.channel_user_id)
        .where(Delivery.state == channel.DEAD)
    )
    for row, customer_no in session.execute(query.order_by(Delivery.id.desc()).limit(limit)):
        yield DeadLetter(
            "delivery", row.id, row.kind, row.created_at, row.attempts, row.error or "",
            conversation_id=row.conversation_id, customer_no=customer_no,
        )  # fmt: skip


def _sends(session: Session, limit: int) -> Iterator[DeadLetter]:
    query = (
        select(Send, Broadcast.kind, Broadcast.created_at, ChannelUser.customer_no, ChannelUser.conversation_id)
        .join(Broadcast, Broadcast.id == Send.broadcast_id)
        .outerjoin(ChannelUser, ChannelUser.id == Send.channel_user_id)
        .where(_dead_sends())
    )
    for send, kind, at, customer_no, conversation_id in session.execute(query.order_by(Send.id.desc()).limit(limit)):
        named = send.recipient.removeprefix("customer:") if send.recipient.startswith("customer:") else customer_no
        yield DeadLetter(
            "send", send.id, kind, at, send.attempts, send.error or "", conversation_id=conversation_id,
            customer_no=named, broadcast_id=send.broadcast_id,
        )  # fmt: skip


def _dead_sends() -> ColumnElement[bool]:
    """Name the broadcasts, too: only so does the index find a few dead ones among many thousands."""
    return and_(Send.broadcast_id.in_(select(Broadcast.id)), Send.state == proactive.DEAD)


def _dead_items() -> Select[int]:
    return select(OutboxItem.id).where(OutboxItem.dead_at.is_not(None), OutboxItem.done_at.is_(None))


def _dead_item(session: Session, number: int) -> OutboxItem:
    try:
        item = outbox.find(session, number)
    except ItemNotFound as error:
        raise LetterNotFound(number) from error
    if item.dead_at is None or item.done_at is not None:
        raise LetterNotFound(number)
    return item


def _dead_send(session: Session, number: int) -> Send:
    send = session.get(Send, number, with_for_update=True, populate_existing=True)
    if send is None or send.state != proactive.DEAD:
        raise LetterNotFound(number)
    return send


def _wake(session: Session, broadcast_id: int, *, now: datetime) -> None:
    """Let a broadcast that is done go on for a send; one that was stopped stays so."""
    found = broadcast.find(session, broadcast_id, lock=True)
    if found.expires_at is not None and found.expires_at <= now:
        raise WrongState("expired")
    if found.state == proactive.DONE:
        found.state, found.ended_at = proactive.RUNNING, None


def _again(session: Session, broadcast_id: int, now: datetime) -> int:
    try:
        return broadcast.again(session, broadcast_id, now=now)
    except WrongState:
        return 0


def _broadcasts_with_dead(session: Session) -> list[int]:
    return list(session.scalars(select(Send.broadcast_id).where(_dead_sends()).distinct()))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
