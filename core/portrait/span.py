"""Which days and months the features of a portrait look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.account import Account
from core.bill import Bill
from core.clock import SHANGHAI, add_months, first_of_month

YEAR_MONTHS, HISTORY_MONTHS = 12, 24
DAYS = 56  # of daily readings: eight whole weeks
_SAMPLE, _MOST_BACK = 1000, 3


@dataclass(frozen=True)
class Span:
    """`as_of` is the first day that no longer counts, `last` the newest month that is billed (its first day)."""

    as_of: date
    last: date

    def month(self, back: int) -> date:
        """Return the month so many before the last one."""
        return add_months(self.last, -back)

    @property
    def year_from(self) -> date:
        """The first of the last 12 billed months."""
        return self.month(YEAR_MONTHS - 1)

    @property
    def history_from(self) -> date:
        """The first of the last 24 billed months."""
        return self.month(HISTORY_MONTHS - 1)

    def months_since(self, day: date) -> int:
        """Return of how many of the last 12 billed months a holder since `day` may have a bill."""
        months = (self.last.year - day.year) * 12 + self.last.month - day.month + 1
        return max(0, min(YEAR_MONTHS, months))

    @property
    def day_a_year_ago(self) -> date:
        """The first day of the year before `as_of`."""
        leap_day = (self.as_of.month, self.as_of.day) == (2, 29)
        return self.as_of.replace(year=self.as_of.year - 1, day=28 if leap_day else self.as_of.day)

    @property
    def year_begin(self) -> datetime:
        """The first instant of the year before `as_of`."""
        return datetime.combine(self.day_a_year_ago, time(), SHANGHAI)

    @property
    def end(self) -> datetime:
        """The first instant that no longer counts."""
        return datetime.combine(self.as_of, time(), SHANGHAI)

    @property
    def days_from(self) -> date:
        """The first of the days whose readings are looked at."""
        return self.as_of - timedelta(days=DAYS)


def span_of(session: Session, as_of: date) -> Span:
    """Return the span of a day: the last month is the newest one whose bills are out.

    Bills come some days after their month. Of a thousand accounts at least half as many must have the bill as have
    the one of the month before: then the bills of all count as out.
    """
    newest = add_months(first_of_month(as_of), -1)
    sample = select(Account.id).order_by(Account.id.desc()).limit(_SAMPLE)
    query = (
        select(Bill.month, func.count())
        .where(Bill.account_id.in_(sample), Bill.month >= add_months(newest, -_MOST_BACK), Bill.issued_on < as_of)
        .group_by(Bill.month)
    )
    out = dict(session.execute(query).all())
    for back in range(_MOST_BACK):
        month = add_months(newest, -back)
        if out.get(month, 0) and out[month] * 2 >= out.get(add_months(month, -1), 0):
            return Span(as_of, month)
    return Span(as_of, newest)
