"""The tables of what is offered to customers: recommendations, refusals, managers, calls back, campaigns."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import BridgeBase, Exact, Instant

RECOMMENDATIONS = (
    "tariff_change", "charging_time", "tier_warning", "saving_measure", "power_factor", "demand_capacity",
    "instalments",
)  # fmt: skip
ALL = "*"  # of a refusal: nothing of the kind, ever


class Recommendation(BridgeBase):
    """What one customer was recommended in one month, or would have been, had they not been held out (`state`)."""

    __tablename__ = "recommendations"
    __table_args__ = (
        UniqueConstraint("customer_no", "month"),
        Index("ix_recommendations_account", "account_no", "month"),
        Index("ix_recommendations_talk", "conversation_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_no: Mapped[str] = mapped_column(String(12))
    account_no: Mapped[str] = mapped_column(String(13))
    month: Mapped[date]  # first day
    kind: Mapped[str] = mapped_column(String(16))
    yuan: Mapped[Decimal] = mapped_column(Exact(2))  # what it is about, as the engine reckons it
    basis: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # figures by which it was explained
    state: Mapped[str] = mapped_column(String(10))  # shown | accepted | refused | held_out
    segment: Mapped[str | None] = mapped_column(String(16))  # at that time, for the measurement
    conversation_id: Mapped[str] = mapped_column(String(36))
    shown_at: Mapped[datetime] = mapped_column(Instant)
    decided_at: Mapped[datetime | None] = mapped_column(Instant)


class Refusal(BridgeBase):
    """Somebody wants no recommendation of a kind (or of any, `*`) ever again.

    `subject`: customer:<number>, or while it is not known who it is user:<id> of a channel, or talk:<conversation>.
    """

    __tablename__ = "recommendation_refusals"
    subject: Mapped[str] = mapped_column(String(48), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)


class CustomerManager(BridgeBase):
    """The agent who is the named manager (客户经理) of a customer."""

    __tablename__ = "customer_managers"
    customer_no: Mapped[str] = mapped_column(String(12), primary_key=True)
    agent_id: Mapped[int] = mapped_column(index=True)
    since: Mapped[datetime] = mapped_column(Instant)


class CallBack(BridgeBase):
    """A contact that is owed after a case is over (回访); `handoff_id` has one at most."""

    __tablename__ = "call_backs"
    __table_args__ = (UniqueConstraint("handoff_id"), Index("ix_call_backs_due", "state", "due_at"))
    id: Mapped[int] = mapped_column(primary_key=True)
    handoff_id: Mapped[int]
    conversation_id: Mapped[str] = mapped_column(String(36))
    customer_no: Mapped[str | None] = mapped_column(String(12), index=True)
    segment: Mapped[str | None] = mapped_column(String(16))
    due_at: Mapped[datetime] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(String(8))  # open | done | dropped
    agent_id: Mapped[int | None]  # to whom it falls; None: whoever has time
    done_by: Mapped[int | None]
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    note: Mapped[str | None] = mapped_column(Text)


class Campaign(BridgeBase):
    """A message to a segment, to those alone who agreed to hear offers; sent by its broadcast."""

    __tablename__ = "campaigns"
    __table_args__ = (UniqueConstraint("key"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(60))
    segments: Mapped[list[str]] = mapped_column(JSON)
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10))  # draft | approved | running | stopped | done
    audience: Mapped[int] = mapped_column(default=0)  # in the segment
    consenting: Mapped[int] = mapped_column(default=0)  # of these, who agreed
    held_out: Mapped[int] = mapped_column(default=0)  # of these, kept without it for comparison
    broadcast_id: Mapped[int | None]
    created_by: Mapped[int | None]  # agent
    approved_by: Mapped[int | None]  # another agent
    created_at: Mapped[datetime] = mapped_column(Instant)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
