"""Quality checks: a supervisor's scores for a case."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import BridgeBase, Instant


class QualityScore(BridgeBase):
    """One supervisor's check of one case: points by item, and their sum out of 100."""

    __tablename__ = "quality_scores"
    __table_args__ = (UniqueConstraint("handoff_id", "reviewer_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    handoff_id: Mapped[int] = mapped_column(ForeignKey("handoffs.id"))
    reviewer_id: Mapped[int]
    at: Mapped[datetime] = mapped_column(Instant)
    scores: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    total: Mapped[int]
    comment: Mapped[str] = mapped_column(Text, default="")
