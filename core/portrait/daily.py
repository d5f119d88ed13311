"""Features from the daily readings of the last eight weeks: how even the use is from day to day."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from sqlalchemy import extract, func, select
from sqlalchemy.orm import Session

from core.account import Account, Meter
from core.portrait.accounts import Portion, Step, Values, held_from
from core.portrait.span import DAYS, Span
from core.portrait.sql import DaysBetween, by_key, real
from core.usage import DailyReading

LEAST_DAYS = 28
IDLE_KWH = 0.1
_HAIR = 1e-6  # what differences of large readings may be off where the database has floats
_LOW = range(LEAST_DAYS // 10 + 1, DAYS // 10 + 2)  # how many days a tenth of the days may be, rounded up


def daily_features(session: Session, step: Step, span: Span) -> Portion:
    """Return load_factor, base_share, volatility, weekend_ratio and idle_share of accounts with days enough."""
    with by_key(session):
        rows = session.execute(_figures(_days(step, span))).mappings().all()
    return {int(row["account_id"]): _features(dict(row)) for row in rows}


def _days(step: Step, span: Span) -> Any:
    """Return the kWh of each account and day between two readings of neighbouring days."""
    of_meter: dict[str, Any] = {"partition_by": DailyReading.meter_id, "order_by": DailyReading.day}
    total = DailyReading.sharp + DailyReading.peak + DailyReading.flat + DailyReading.valley
    readings = (
        select(
            Meter.account_id.label("account_id"), DailyReading.day.label("day"), held_from().label("held_from"),
            (real(total - func.lag(total).over(**of_meter)) * Meter.multiplier).label("kwh"),
            func.lag(DailyReading.day).over(**of_meter).label("before"),
        )
        .join(Meter, Meter.id == DailyReading.meter_id)
        .join(Account, Account.id == Meter.account_id)
        .where(step.is_mine, DailyReading.day >= span.days_from - timedelta(days=1), DailyReading.day < span.as_of)
        .subquery("readings")
    )  # fmt: skip
    r = readings.c
    return (
        select(r.account_id, r.day, func.sum(r.kwh).label("kwh"))
        .where(r.kwh >= 0, DaysBetween(r.day, r.before) == 1, r.day >= r.held_from)
        .group_by(r.account_id, r.day)
        .subquery("days")
    )


def _figures(days: Any) -> Any:
    place = func.row_number().over(partition_by=days.c.account_id, order_by=days.c.kwh)
    weekend = extract("dow", days.c.day).in_((0, 6))
    ranked = select(days.c.account_id, days.c.kwh, place.label("place"), weekend.label("weekend")).subquery("ranked")
    kwh = ranked.c.kwh
    return select(
        ranked.c.account_id, func.count().label("days"), func.avg(kwh).label("mean"), func.max(kwh).label("most"),
        func.avg(kwh * kwh).label("square"),
        *(func.sum(kwh).filter(ranked.c.place <= count).label(f"low_{count}") for count in _LOW),
        func.avg(kwh).filter(ranked.c.weekend).label("weekend"),
        func.avg(kwh).filter(~ranked.c.weekend).label("workday"),
        func.count().filter(kwh < IDLE_KWH - _HAIR).label("idle"),
    ).group_by(ranked.c.account_id)  # fmt: skip


def _features(row: dict[str, Any]) -> Values:
    days, mean = row["days"], row["mean"]
    if days < LEAST_DAYS:
        return {}
    found: Values = {"idle_share": row["idle"] / days}
    if mean > 0:
        tenth = math.ceil(days / 10)
        found["load_factor"] = mean / row["most"]
        found["base_share"] = row[f"low_{tenth}"] / tenth / mean
        found["volatility"] = math.sqrt(max(0.0, row["square"] - mean * mean)) / mean
        if row["workday"]:
            found["weekend_ratio"] = (row["weekend"] or 0.0) / row["workday"]
    return found
