"""The outbox: what must reach another system is written with the message that causes it, and delivered with retries."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import BridgeBase, Instant

MAX_DELAY = timedelta(minutes=5)


class OutboxItem(BridgeBase):
    """One thing to deliver; `key` makes a second request for the same thing the same item."""

    __tablename__ = "outbox"
    __table_args__ = (UniqueConstraint("kind", "key"), Index("ix_outbox_due", "done_at", "next_at"))
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(30))
    key: Mapped[str] = mapped_column(String(80))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(Instant)
    next_at: Mapped[datetime] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(default=0)
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    dead_at: Mapped[datetime | None] = mapped_column(Instant)  # given up; an operator may have it sent again
    error: Mapped[str | None] = mapped_column(String(200))


def put(session: Session, *, kind: str, key: str, payload: dict[str, Any], now: datetime) -> None:
    """Ask for a delivery, once per kind and key."""
    known = session.scalar(select(OutboxItem.id).where(OutboxItem.kind == kind, OutboxItem.key == key))
    if known is None:
        session.add(OutboxItem(kind=kind, key=key, payload=payload, created_at=now, next_at=now))
        session.flush()


def asked_since(session: Session, *, kind: str, prefix: str, since: datetime) -> bool:
    """Tell whether a delivery of this kind, its key beginning with `prefix`, was asked for since then."""
    query = select(OutboxItem.id).where(
        OutboxItem.kind == kind, OutboxItem.key.startswith(prefix, autoescape=True), OutboxItem.created_at >= since
    )
    return session.scalar(query.limit(1)) is not None


def put_done(session: Session, *, kind: str, key: str, payload: dict[str, Any], now: datetime) -> bool:
    """Record a delivery that this very transaction makes; false if it was made before, so that it is not made twice."""
    known = session.scalar(select(OutboxItem.id).where(OutboxItem.kind == kind, OutboxItem.key == key))
    if known is not None:
        return False
    item = OutboxItem(kind=kind, key=key, payload=payload, created_at=now, next_at=now, attempts=1, done_at=now)
    session.add(item)
    session.flush()
    return True


def due(
    session: Session, *, now: datetime, limit: int = 50, kind: str | None = None, but: tuple[str, ...] = ()
) -> list[OutboxItem]:
    """Return the deliveries whose time has come, oldest first; of one kind alone, or of all kinds but some."""
    query = select(OutboxItem).where(
        OutboxItem.done_at.is_(None), OutboxItem.dead_at.is_(None), OutboxItem.next_at <= now
    )  # fmt: skip
    if kind is not None:
        query = query.where(OutboxItem.kind == kind)
    if but:
        query = query.where(OutboxItem.kind.not_in(but))
    return list(session.scalars(query.order_by(OutboxItem.id).limit(limit)))


def settle(session: Session, item_id: int, *, now: datetime, delivered: bool) -> None:
    """Note that a delivery was made, or failed and is due again after 1 s, 2 s, 4 s, … up to five minutes."""
    item = session.get_one(OutboxItem, item_id)
    item.attempts += 1
    if delivered:
        item.done_at = now
    else:
        item.next_at = now + min(timedelta(seconds=2 ** min(item.attempts - 1, 9)), MAX_DELAY)
