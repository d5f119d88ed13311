"""The one time zone of the business, and the clock that entry points inject."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the time now, aware, in Asia/Shanghai."""
    return datetime.now(tz=SHANGHAI)


def first_of_month(day: date) -> date:
    """Return the first day of the month that holds `day`."""
    return day.replace(day=1)


def add_months(month: date, count: int) -> date:
    """Return the first day of the month `count` months after `month` (negative: before)."""
    index = month.year * 12 + month.month - 1 + count
    return date(index // 12, index % 12 + 1, 1)


def months_between(first: date, last: date) -> list[date]:
    """Return the first days of all months from `first` to `last`, both included."""
    start, end = first_of_month(first), first_of_month(last)
    months = []
    while start <= end:
        months.append(start)
        start = add_months(start, 1)
    return months
