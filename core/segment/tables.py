"""The table of segmentation runs: one is published, and in use until the next one is."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import BridgeBase, Instant

RUNNING, PUBLISHED, RETIRED, FAILED = "running", "published", "retired", "failed"
# The groups of the second paper, the strongest claim first: who fits several belongs to the first (domain 5.3).
SPECIAL, HIGH_RISK, HIGH_VALUE, GROWTH, BASIC = SEGMENTS = (
    "special_service", "high_risk", "high_value", "growth", "basic",
)  # fmt: skip


class SegmentRun(BridgeBase):
    """One run over all accounts: what it was made from, what came of it, and how far it got."""

    __tablename__ = "segment_runs"
    __table_args__ = (Index("ix_segment_runs_state", "state"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    as_of: Mapped[date]  # the first day that no longer counts
    state: Mapped[str] = mapped_column(String(10))
    stage: Mapped[str] = mapped_column(String(20), default="")  # features, clusters, tree, names
    seed: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(Instant)
    heartbeat_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    published_at: Mapped[datetime | None] = mapped_column(Instant)
    accounts: Mapped[int] = mapped_column(default=0)  # done so far
    cursor: Mapped[int] = mapped_column(default=0)  # the last account id whose features are written
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    model: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # features, scales, centres, tree: it classifies
    clusters: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # number, size, segment, means, reasons
    rules: Mapped[list[str]] = mapped_column(JSON, default=list)  # the tree in words, a line a leaf
    quality: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # silhouette by k, stability, tree agreement
    drift: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # PSI by feature against the run before
    summary: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # sizes, revenue, growth, moves by segment
    error: Mapped[str | None] = mapped_column(Text)
