"""The tables of handoffs: one row a case, and the append-only log of what happened to it.

The row holds what decides the next step (who, until when); every figure about the service is computed from the log.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import BridgeBase, Instant

SKILLS = ("repair", "billing", "business", "complaint")
REASONS = (
    "asked", "danger", "failures", "anger", "complaint", "special_service", "high_risk", "rule", "system_failed",
    "message", "hall",
)  # fmt: skip
# Lower is served first.
DANGER, LIFE_SUPPORT, SPECIAL_SERVICE, COMPLAINT, HIGH_VALUE, OTHER = range(6)


class Handoff(BridgeBase):
    """One case: from the wish for a person until a person is done with it (`ended_at`)."""

    __tablename__ = "handoffs"
    __table_args__ = (
        Index("ix_handoffs_queue", "ended_at", "rank_at"),
        Index("ix_handoffs_agent", "agent_id", "ended_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"), index=True)
    reason: Mapped[str] = mapped_column(String(20))
    skill: Mapped[str] = mapped_column(String(10))
    priority: Mapped[int] = mapped_column(default=OTHER)
    requested_at: Mapped[datetime] = mapped_column(Instant)
    # Where it stands in the queue: the request, put back by so many minutes a class. As all wait equally long, this
    # order never changes, and whoever waits long enough comes before every later and more important one.
    rank_at: Mapped[datetime] = mapped_column(Instant)
    agent_id: Mapped[int | None]  # who has it
    offered_to: Mapped[int | None]
    due_at: Mapped[datetime | None] = mapped_column(Instant)  # deadline of the present state
    tried: Mapped[list[int]] = mapped_column(JSON, default=list)  # who let an offer go by since it was queued
    summary: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # what was understood, checked, still missing
    left_message: Mapped[bool] = mapped_column(default=False)  # nobody waits: it is to be answered by `due_at`
    category: Mapped[str | None] = mapped_column(String(30))
    outcome: Mapped[str | None] = mapped_column(String(20))
    corrected: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # sequence number -> the right intent
    note: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # to the bot: done, open, promised
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class HandoffEvent(BridgeBase):
    """One thing that happened to a case; rows are only ever added."""

    __tablename__ = "handoff_events"
    id: Mapped[int] = mapped_column(primary_key=True)
    handoff_id: Mapped[int] = mapped_column(ForeignKey("handoffs.id"), index=True)
    conversation_id: Mapped[str] = mapped_column(String(36), index=True)
    at: Mapped[datetime] = mapped_column(Instant, index=True)
    kind: Mapped[str] = mapped_column(String(20))
    agent_id: Mapped[int | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class CaseNotFound(LookupError):
    """The conversation has no open case."""


class NotHolder(Exception):
    """Only who has the conversation may do this."""


class AlreadyTaken(Exception):
    """Somebody else was first."""

    def __init__(self, agent_id: int | None) -> None:
        super().__init__(f"taken by agent {agent_id}")
        self.agent_id = agent_id
