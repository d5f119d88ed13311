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
IDLE = 10  # hundredths of a kWh: a day with less is one on which hardly anything was used
_LOW = range(LEAST_DAYS // 10 + 1, DAYS // 10 + 2)  # how many days a tenth of the days may be, rounded up


def daily_features(session: Session, step: Step, span: Span) -> Portion:
    """Return load_factor, base_share, volatility, weekend_ratio and idle_share of accounts with days enough."""
    with by_key(session):
        rows = session.execute(_figures(_days(step, span))).mappings().all()
    return {int(row["account_id"]): _features(dict(row)) for row in rows}


def _days(step: Step, span: Span) -> Any:
    """Return the use of each account on each day between two neighbouring readings, in whole hundredths of a kWh."""
    of_meter: dict[str, Any] = {"partition_by": DailyReading.meter_id, "order_by": DailyReading.day}
    total = DailyReading.sharp + DailyReading.peak + DailyReading.flat + DailyReading.valley
    readings = (
        select(
            Meter.account_id.label("account_id"), DailyReading.day.label("day"), held_from().label("held_from"),
            (func.round(real(total - func.lag(total).over(**of_meter)) * 100) * Meter.multiplier).label("kwh"),
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
    kwh, ends = ranked.c.kwh, ranked.c.weekend
    return select(
        ranked.c.account_id, func.count().label("days"), func.sum(kwh).label("sum"), func.max(kwh).label("most"),
        func.sum(kwh * kwh).label("squares"),
        *(func.sum(kwh).filter(ranked.c.place <= count).label(f"low_{count}") for count in _LOW),
        func.sum(kwh).filter(ends).label("weekend"), func.count().filter(ends).label("ends"),
        func.count().filter(kwh < IDLE).label("idle"),
    ).group_by(ranked.c.account_id)  # fmt: skip


def _features(row: dict[str, Any]) -> Values:
    days = row["days"]
    if days < LEAST_DAYS:
        return {}
    found: Values = {"idle_share": row["idle"] / days}
    # Whole numbers, of which Python's sums are exact: equal days have a deviation of nothing, not of a hair.
    total, squares = int(row["sum"]), int(row["squares"])
    if total > 0:
        tenth = math.ceil(days / 10)
        found["load_factor"] = total / (days * int(row["most"]))
        found["base_share"] = int(row[f"low_{tenth}"]) * days / (tenth * total)
        found["volatility"] = math.sqrt(max(0, days * squares - total * total)) / total
        found |= _week(total, int(row["weekend"] or 0), days, row["ends"])
    return found


def _week(total: int, weekend: int, days: int, ends: int) -> Values:
    """Return weekend_ratio; nothing where all readings of one kind of day are missing: that is no closed weekend."""
    workdays = total - weekend
    if not ends or ends == days or not workdays:
        return {}
    return {"weekend_ratio": weekend * (days - ends) / (ends * workdays)}
