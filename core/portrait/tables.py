"""The table of portraits: what one run of the segmentation reckoned of one account, a column a feature.

What each feature means, with unit and formula, stands in data/portrait/features.yaml. None: it cannot be told of this
account (no readings by register, fewer months than the formula needs), which is never the same as zero.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import BridgeBase, Instant


class Portrait(BridgeBase):
    """One account (户号) in one run. `thin`: why there is too little to place it by its use (new, vacant, gaps)."""

    __tablename__ = "portraits"
    __table_args__ = (
        Index("ix_portraits_segment", "run_id", "segment"),
        Index("ix_portraits_customer", "customer_no", "run_id"),
        Index("ix_portraits_account", "account_no", "run_id"),
    )
    run_id: Mapped[int] = mapped_column(ForeignKey("segment_runs.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(primary_key=True)  # of the billing database
    account_no: Mapped[str] = mapped_column(String(13))
    customer_no: Mapped[str] = mapped_column(String(12))
    customer_kind: Mapped[str] = mapped_column(String(12))
    district: Mapped[str] = mapped_column(String(40))
    area_class: Mapped[str] = mapped_column(String(8))
    user_class: Mapped[str] = mapped_column(String(20))
    pay_channel: Mapped[str | None] = mapped_column(String(8))  # by which most payments came
    history_months: Mapped[int]  # months with a bill of the present holder, 24 at most
    thin: Mapped[str | None] = mapped_column(String(8))
    cluster: Mapped[int | None]  # of the run; None where `thin`, or before the run is complete
    segment: Mapped[str | None] = mapped_column(String(16))
    tags: Mapped[list[str]] = mapped_column(JSON, default=list)
    # 用电特征
    kwh_year: Mapped[float | None]
    kwh_growth: Mapped[float | None]
    load_factor: Mapped[float | None]
    peak_share: Mapped[float | None]
    valley_share: Mapped[float | None]
    seasonality: Mapped[float | None]
    summer_index: Mapped[float | None]
    winter_index: Mapped[float | None]
    base_share: Mapped[float | None]
    volatility: Mapped[float | None]
    weekend_ratio: Mapped[float | None]
    idle_share: Mapped[float | None]
    tier_months: Mapped[float | None]
    demand_use: Mapped[float | None]
    capacity_kva: Mapped[float | None]
    # 消费行为
    fee_year: Mapped[float | None]
    price_mean: Mapped[float | None]
    prepaid: Mapped[float | None]
    online_share: Mapped[float | None]
    payments_year: Mapped[float | None]
    price_response: Mapped[float | None]
    # 需求类型
    contacts_year: Mapped[float | None]
    contacts_billing: Mapped[float | None]
    contacts_outage: Mapped[float | None]
    contacts_business: Mapped[float | None]
    contacts_saving: Mapped[float | None]
    person_share: Mapped[float | None]
    complaints_year: Mapped[float | None]
    outage_reports_year: Mapped[float | None]
    outage_sensitivity: Mapped[float | None]
    applications_year: Mapped[float | None]
    has_pv: Mapped[float | None]
    has_ev: Mapped[float | None]
    large_family: Mapped[float | None]
    low_income: Mapped[float | None]
    special_need: Mapped[float | None]
    # 信用等级
    on_time_rate: Mapped[float | None]
    late_count: Mapped[float | None]
    days_late_mean: Mapped[float | None]
    days_late_max: Mapped[float | None]
    overdue_yuan: Mapped[float | None]
    overdue_days: Mapped[float | None]
    sudden_drop: Mapped[float | None]
    violations: Mapped[float | None]


class PortraitEvent(BridgeBase):
    """Something that changes a portrait at once, without waiting for the next run; `cause` counts once."""

    __tablename__ = "portrait_events"
    __table_args__ = (UniqueConstraint("cause"), Index("ix_portrait_events_account", "account_no", "at"))
    id: Mapped[int] = mapped_column(primary_key=True)
    account_no: Mapped[str] = mapped_column(String(13))
    customer_no: Mapped[str | None] = mapped_column(String(12), index=True)
    at: Mapped[datetime] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(String(20))  # core.segment.rules.EventKind
    cause: Mapped[str] = mapped_column(String(80))
    segment: Mapped[str | None] = mapped_column(String(16))  # what it makes of the account, if anything
    tags: Mapped[list[str]] = mapped_column(JSON, default=list)  # what it adds
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # figures without personal data


FEATURES: tuple[str, ...] = tuple(
    column.name for column in Portrait.__table__.columns
    if column.nullable and column.name not in ("pay_channel", "thin", "cluster", "segment")
)  # fmt: skip
