"""The hall: a code with which a clerk opens a customer's conversation, and papers that bring a matter into the chat."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import BridgeBase, Instant


class HallCode(BridgeBase):
    """A code that a customer shows at the counter; kept as a keyed hash."""

    __tablename__ = "hall_codes"
    __table_args__ = (UniqueConstraint("code"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(64))
    conversation_id: Mapped[str] = mapped_column(String(36), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    used_by: Mapped[int | None]  # the clerk


class HallPaper(BridgeBase):
    """A paper of the hall with a QR code: whoever scans it finds its matter in the chat."""

    __tablename__ = "hall_papers"
    __table_args__ = (UniqueConstraint("scene"), Index("ix_hall_papers_order", "order_no"))
    id: Mapped[int] = mapped_column(primary_key=True)
    scene: Mapped[str] = mapped_column(String(64))
    intent: Mapped[str | None] = mapped_column(String(40))  # the business that it begins, or
    order_no: Mapped[str | None] = mapped_column(String(20))  # the order that it goes on with
    title: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime] = mapped_column(Instant)
    created_by: Mapped[int | None]
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    scanned_by: Mapped[int | None]  # of a paper of one order: the first user who scanned it
    scanned_at: Mapped[datetime | None] = mapped_column(Instant)
