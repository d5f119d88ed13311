"""The outbox: what must reach another system is written with the message that causes it, and delivered with retries.

What fails twelve times, or in a way that trying again cannot mend, is dead: it waits for an operator, who has it sent
again or drops it. Some kinds never die (`ENDLESS`): they are tried every five minutes for ever, and are overdue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import BridgeBase, Instant

MAX_DELAY = timedelta(minutes=5)
MAX_ATTEMPTS = 12
MAX_ERROR = 200
# Danger to life, what customers were promised, what the law wants deleted, and the desk that people answer at.
ENDLESS = frozenset({"urgent_order", "order_note", "desk_promise", "chatwoot_case", "forget"})


class ItemNotFound(LookupError):
    """There is no item with this number, or it is done."""


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


def settle(
    session: Session, item_id: int, *, now: datetime, delivered: bool, error: str | None = None, hopeless: bool = False
) -> OutboxItem:
    """Note that a delivery was made, or failed and is due again after 1 s, 2 s, 4 s, … up to five minutes.

    `error` is kept: the kind of error, without anything personal. The twelfth failure, or one that is `hopeless`, makes
    the item dead unless its kind never dies.
    """
    item = session.get_one(OutboxItem, item_id)
    item.attempts += 1
    if delivered:
        item.done_at, item.error = now, None
        return item
    item.next_at = now + min(timedelta(seconds=2 ** min(item.attempts - 1, 9)), MAX_DELAY)
    item.error = (error or "failed")[:MAX_ERROR]
    if item.kind not in ENDLESS and (hopeless or item.attempts >= MAX_ATTEMPTS):
        item.dead_at = now
    return item


def asked_with(session: Session, *, kinds: tuple[str, ...], prefix: str, since: datetime) -> list[dict[str, Any]]:
    """Return what was asked for since then under keys of a prefix, oldest first, delivered or not."""
    query = select(OutboxItem.payload).where(
        OutboxItem.kind.in_(kinds), OutboxItem.key.startswith(prefix, autoescape=True), OutboxItem.created_at >= since
    )
    return list(session.scalars(query.order_by(OutboxItem.id)))


@dataclass(frozen=True)
class Standing:
    """How many deliveries were given up, and how many fail again and again and go on."""

    dead: int
    overdue: int


def standing(session: Session) -> Standing:
    """Return how the outbox stands."""
    undone = select(func.count()).select_from(OutboxItem).where(OutboxItem.done_at.is_(None))
    dead = session.scalar(undone.where(OutboxItem.dead_at.is_not(None)))
    overdue = session.scalar(undone.where(OutboxItem.dead_at.is_(None), OutboxItem.attempts >= MAX_ATTEMPTS))
    return Standing(dead or 0, overdue or 0)


def undone(session: Session, *, dead: bool = False, limit: int = 100) -> list[OutboxItem]:
    """Return what is not delivered, oldest first; with `dead` what was given up alone."""
    query = select(OutboxItem).where(OutboxItem.done_at.is_(None))
    if dead:
        query = query.where(OutboxItem.dead_at.is_not(None))
    return list(session.scalars(query.order_by(OutboxItem.id).limit(limit)))


def find(session: Session, item_id: int) -> OutboxItem:
    """Return an item, done or not.

    Raises:
        ItemNotFound: if there is none.
    """
    item = session.get(OutboxItem, item_id, with_for_update=True)
    if item is None:
        raise ItemNotFound(str(item_id))
    return item


def retry(session: Session, item_id: int, *, now: datetime) -> OutboxItem:
    """Have an item delivered from the start, at once.

    Raises:
        ItemNotFound: if there is none, or it is done.
    """
    item = find(session, item_id)
    if item.done_at is not None:
        raise ItemNotFound(str(item_id))
    item.dead_at, item.attempts, item.next_at = None, 0, now
    return item


def drop(session: Session, item_id: int, *, why: str, now: datetime) -> OutboxItem:
    """Give an item up for good; it stays with the reason.

    Raises:
        ItemNotFound: if there is none, or it is done.
    """
    item = find(session, item_id)
    if item.done_at is not None:
        raise ItemNotFound(str(item_id))
    item.done_at, item.error = now, f"dropped: {why}"[:MAX_ERROR]
    return item
