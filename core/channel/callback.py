"""Calling a user back to whom nothing may be sent: one template message for all that is parked for them.

What was parked stays so, and goes along when the user writes. `way` of a parked delivery says that they were called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session

from core.channel.tables import MAX_ERROR, PARKED, ChannelUser, Delivery
from core.conversation import Message

TEMPLATE = "template"  # way of a delivery
OUTAGE = "outage"  # kind of a delivery: news of an outage for somebody who asked to be told
KINDS = ("agent", "closing", "notice", OUTAGE)
LONGEST_DELAY = timedelta(minutes=5)


@dataclass(frozen=True)
class Call:
    """Whom to call, and for which parked message."""

    openid: str
    delivery: Delivery
    message: Message


def calls_due(session: Session, *, now: datetime, limit: int = 20) -> list[Call]:
    """Return whom to call back now; who was called for something that is still parked is not called again.

    News of an outage that somebody asked for is told by a call each time, the latest alone if there are several.
    """
    query = (
        select(Delivery, ChannelUser.user_id)
        .join(ChannelUser, ChannelUser.id == Delivery.channel_user_id)
        .where(
            Delivery.state == PARKED, Delivery.kind.in_(KINDS), Delivery.way.is_(None), Delivery.next_at <= now,
            ChannelUser.followed,
        )
        .order_by(Delivery.id)
        .limit(limit)
    )  # fmt: skip
    found: dict[int, Call] = {}
    for row, openid in session.execute(query).all():
        if row.kind == OUTAGE:
            found[row.channel_user_id] = _call(session, row, openid)
        elif row.channel_user_id in found:
            continue
        elif called(session, row.channel_user_id):
            mark(session, row.channel_user_id)
        else:
            found[row.channel_user_id] = _call(session, row, openid)
    return list(found.values())


def called(session: Session, channel_user_id: int) -> bool:
    """Tell whether a user was called back for something that is parked."""
    query = select(Delivery.id).where(_parked(channel_user_id), Delivery.way == TEMPLATE, Delivery.error.is_(None))
    return session.scalar(query.limit(1)) is not None


def mark(session: Session, channel_user_id: int) -> None:
    """Note that a user was called back for all that is parked now."""
    session.execute(update(Delivery).where(_parked(channel_user_id)).values(way=TEMPLATE, error=None))


def unmark(session: Session, channel_user_id: int) -> None:
    """Note that a call for which a user was marked was not made."""
    mine = update(Delivery).where(_parked(channel_user_id), Delivery.way == TEMPLATE, Delivery.error.is_(None))
    session.execute(mine.values(way=None))


def mark_uncallable(session: Session, delivery_id: int, *, error: str) -> None:
    """Note that a user cannot be called back for one parked message; for the others they may be."""
    mine = update(Delivery).where(Delivery.id == delivery_id, Delivery.state == PARKED)
    session.execute(mine.values(way=TEMPLATE, error=error[:MAX_ERROR]))


def put_off(session: Session, channel_user_id: int, *, now: datetime) -> None:
    """Call later: after 1 s, 2 s, 4 s, … up to five minutes."""
    rows: Sequence[Delivery] = session.scalars(select(Delivery).where(_parked(channel_user_id))).all()
    for row in rows:
        row.attempts += 1
        row.next_at = now + min(timedelta(seconds=2 ** min(row.attempts - 1, 9)), LONGEST_DELAY)


def _call(session: Session, row: Delivery, openid: str) -> Call:
    return Call(openid, row, session.get_one(Message, (row.conversation_id, row.seq)))


def _parked(channel_user_id: int) -> ColumnElement[bool]:
    return and_(Delivery.channel_user_id == channel_user_id, Delivery.state == PARKED)
