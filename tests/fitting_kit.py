"""What the tests of fitted service share: a published run in which customers have segments."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from core.portrait.tables import Portrait
from core.segment.tables import PUBLISHED, SEGMENTS, SegmentRun

# What no customer may ever read: keys and names of the five groups, and words for what they stand for.
LABELS = (*SEGMENTS, "高价值", "潜力增长", "基础需求", "特殊服务客户", "高风险", "客户画像", "segment", "portrait")


def publish(
    session: Session, segments: dict[str, str], *, now: datetime, accounts: dict[str, str] | None = None, **more: Any
) -> int:
    """Put a run in which each customer (or account of his: `accounts`) has a segment; `more`: columns of portraits."""
    run = SegmentRun(
        as_of=date(2026, 11, 1), state=PUBLISHED, seed=1, started_at=now - timedelta(days=2), heartbeat_at=now,
        finished_at=now, published_at=now, error=None,
    )  # fmt: skip
    session.add(run)
    session.flush()
    known = accounts or {}
    for place, (number, segment) in enumerate(segments.items(), 1):
        session.add(
            Portrait(
                run_id=run.id, account_id=place, account_no=known.get(number, f"{4_200_000_000_000 + place}"),
                customer_no=number, customer_kind="person", district="江岸区", area_class="city",
                user_class="residential", history_months=24, segment=segment, **more,
            )
        )  # fmt: skip
    session.flush()
    return run.id
