"""Deadlines: minutes and hours by the clock, days by the calendar, working days by the State Council's calendar.

The holidays and the working Saturdays and Sundays in exchange for them (调休) come from `chinesecalendar`, which knows
them one year at a time. Of a year that it does not know only weekends are free, and the answer says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

import chinese_calendar

from core.clock import SHANGHAI

Unit = Literal["minutes", "hours", "days", "working_days"]
_CLOSE = time(23, 59)  # a promise in days is kept until the day is over


@dataclass(frozen=True)
class Due:
    """An instant in Shanghai; `certain` is false if a year's holidays were not known yet."""

    at: datetime
    certain: bool


def deadline(start: datetime, amount: int, unit: Unit) -> Due:
    """Return when so much time is over, counted from `start`; days count from the next one on.

    Raises:
        ValueError: if the amount is not above zero or the unit unknown.
    """
    if amount <= 0:
        raise ValueError("a time limit is above zero")
    if unit in ("minutes", "hours"):
        return Due(start + timedelta(**{unit: amount}), certain=True)
    day = start.astimezone(SHANGHAI).date()
    if unit == "days":
        return Due(_end(day + timedelta(days=amount)), certain=True)
    if unit != "working_days":
        raise ValueError(f"unknown unit of time: {unit}")
    last, certain = add_working_days(day, amount)
    return Due(_end(last), certain)


def add_working_days(day: date, count: int) -> tuple[date, bool]:
    """Return the `count`-th working day after `day`, and whether all holidays until then are known."""
    certain = True
    while count > 0:
        day += timedelta(days=1)
        working, known = is_working_day(day)
        certain, count = certain and known, count - working
    return day, certain


def is_working_day(day: date) -> tuple[bool, bool]:
    """Tell whether people work on this day, and whether its year's holidays are known."""
    try:
        return chinese_calendar.is_workday(day), True
    except NotImplementedError:
        return day.weekday() < 5, False


def _end(day: date) -> datetime:
    return datetime.combine(day, _CLOSE, SHANGHAI)
