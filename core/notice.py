"""Notices: what a conversation is to be told without having asked; the bridge puts each into its log exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import JSON, Index, String, UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Instant, WorkOrderBase


class Notice(WorkOrderBase):
    """One notice; `wording` is a key of `notices` in data/wording.yaml, whose values are strings.

    Values whose name ends in `_at` are instants in ISO form and are worded when the notice is delivered.
    """

    __tablename__ = "notices"
    __table_args__ = (UniqueConstraint("key"), Index("ix_notices_due", "delivered_at", "id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(80))
    conversation_id: Mapped[str] = mapped_column(String(36), index=True)
    wording: Mapped[str] = mapped_column(String(40))
    values: Mapped[dict[str, str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(Instant)
    delivered_at: Mapped[datetime | None] = mapped_column(Instant)


def put(
    session: Session, *, key: str, conversation_id: str, wording: str, values: Mapping[str, str], now: datetime
) -> bool:
    """Ask for a notice, once per key (at most 80 characters); tell whether it is new."""
    if session.scalar(select(Notice.id).where(Notice.key == key)) is not None:
        return False
    notice = Notice(key=key, conversation_id=conversation_id, wording=wording, values=dict(values), created_at=now)
    try:
        with session.begin_nested():
            session.add(notice)
    except IntegrityError:  # somebody else asked for the same at the same moment
        return False
    return True


def due(session: Session, *, limit: int = 50) -> list[Notice]:
    """Return the notices that are not delivered yet, oldest first."""
    return list(session.scalars(select(Notice).where(Notice.delivered_at.is_(None)).order_by(Notice.id).limit(limit)))


def mark_delivered(session: Session, notice_id: int, *, now: datetime) -> None:
    """Note that the conversation's log has the notice."""
    session.get_one(Notice, notice_id).delivered_at = now
