"""The question for satisfaction: once a case, and why it was not asked where it was not."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import BridgeBase, Instant


class Survey(BridgeBase):
    """The survey of one case: asked (`asked_at`) or `skipped` for a reason, and the answer (1 to 5)."""

    __tablename__ = "surveys"
    id: Mapped[int] = mapped_column(primary_key=True)
    handoff_id: Mapped[int] = mapped_column(ForeignKey("handoffs.id"), unique=True)
    conversation_id: Mapped[str] = mapped_column(String(36), index=True)
    channel: Mapped[str] = mapped_column(String(16))
    asked_at: Mapped[datetime | None] = mapped_column(Instant)
    skipped: Mapped[str | None] = mapped_column(String(30))
    score: Mapped[int | None]
    comment: Mapped[str | None] = mapped_column(Text)
    answered_at: Mapped[datetime | None] = mapped_column(Instant)
