"""What a customer reads off the meter, against the system's readings and the latest bill.

The system knows what the display showed when each day ended; since then it has only gone up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from sqlalchemy.orm import Session

from core.account import Account
from core.bill import Bill, NoBill, bills_between, latest_month
from core.numerals import in_figures
from core.tariff import PERIODS, Period
from core.usage import MeterView, NoReading, reading_on, usage_between

_ONE_DAY = timedelta(days=1)
# What is still believed of one day: so many times the mean of the last month, and some display steps besides.
_BUSY, _SLACK, _DAYS = 4, Decimal(2), 30
# Customers leave out the decimals.
_WHOLE = Decimal(1)
_FIGURE = re.compile(r"(?<![\d.])\d{3,8}(?:\.\d{1,2})?(?![\d.])")
_FULLWIDTH = str.maketrans("０１２３４５６７８９．", "0123456789.")
Verdict = Literal["fits", "between", "register", "before", "past"]


@dataclass(frozen=True)
class BilledReading:
    """The readings behind a bill: `difference` times the multiplier are the kWh that they make.

    `start` and `end` are None if the system no longer has them; `difference` is None then, and also when the meter was
    exchanged within the bill. `kwh` stands on the bill, `measured` is what all readings of its days give.
    """

    bill: Bill
    start: MeterView | None
    end: MeterView | None
    measured: Decimal | None

    @property
    def exchanged(self) -> bool:
        """Whether the two readings are of different meters."""
        return self.start is not None and self.end is not None and self.start.meter_no != self.end.meter_no

    @property
    def difference(self) -> Decimal | None:
        """The end reading less the start reading, before the multiplier."""
        if self.start is None or self.end is None or self.exchanged:
            return None
        return self.end.readings.total - self.start.readings.total

    @property
    def mismatch(self) -> Decimal:
        """By how many kWh the bill and the readings differ; 0 if they agree or nothing can be said."""
        return Decimal(0) if self.measured is None else abs(self.bill.kwh - self.measured)


@dataclass(frozen=True)
class MeterCheck:
    """How a figure that the customer read fits; `register` is the one that it looks like, if it is that of one."""

    given: Decimal
    verdict: Verdict
    register: Period | None = None


def billed_reading(session: Session, *, account: Account) -> BilledReading | None:
    """Return the readings behind the latest bill; None if nothing was billed yet."""
    try:
        month = latest_month(session, account=account)
    except NoBill:
        return None
    bill = bills_between(session, account=account, first=month, last=month)[-1]
    start = _reading(session, account, bill.period_first - _ONE_DAY)
    end = _reading(session, account, bill.period_last)
    return BilledReading(bill, start, end, _measured(session, account, bill) if start and end else None)


def check_reading(
    session: Session, *, account: Account, latest: MeterView, billed: BilledReading | None, given: Decimal, today: date
) -> MeterCheck:
    """Return how a figure off the display fits the latest reading and the end reading of the latest bill.

    `fits`: at or a little above the latest reading; `between`: at or above the billed one; `register`: it is that of
    one register by time of use; `before`: below the billed one; `past`: more than can have been used since.
    """
    room = _room(session, account, latest, today)
    total = latest.readings.total
    if total - _WHOLE < given <= total + room:
        return MeterCheck(given, "fits")
    register = _register(latest, given, room)
    if register is not None:
        return MeterCheck(given, "register", register)
    if given > total:
        return MeterCheck(given, "past")
    floor = billed.end if billed and billed.end and billed.end.meter_no == latest.meter_no else None
    if floor is not None and given <= floor.readings.total - _WHOLE:
        return MeterCheck(given, "before")
    return MeterCheck(given, "between")


def figures(text: str, *, without: re.Pattern[str]) -> list[Decimal]:
    """Return the figures of a message that may be readings; what `without` matches (dates, prices) is passed over."""
    return [Decimal(found) for found in _FIGURE.findall(without.sub(" ", in_figures(text.translate(_FULLWIDTH))))]


def nearest(candidates: list[Decimal], latest: MeterView) -> Decimal | None:
    """Return the figure that is closest to the latest reading: of several, the one meant to be the meter's own."""
    return min(candidates, key=lambda figure: abs(figure - latest.readings.total), default=None)


def _reading(session: Session, account: Account, day: date) -> MeterView | None:
    try:
        return reading_on(session, account=account, day=day)
    except NoReading:
        return None


def _measured(session: Session, account: Account, bill: Bill) -> Decimal | None:
    try:
        return usage_between(session, account=account, first=bill.period_first, last=bill.period_last).total
    except NoReading:
        return None


def _room(session: Session, account: Account, latest: MeterView, today: date) -> Decimal:
    """Return how far the display may have gone since the latest reading, before the multiplier."""
    try:
        usage = usage_between(session, account=account, first=latest.day - _DAYS * _ONE_DAY, last=latest.day)
        daily = usage.total / usage.days_covered / latest.multiplier
    except NoReading:
        daily = Decimal(0)
    return daily * _BUSY * max(1, (today - latest.day).days) + _SLACK


def _register(latest: MeterView, given: Decimal, room: Decimal) -> Period | None:
    used = [(period, latest.readings.of(period)) for period in PERIODS if latest.readings.of(period)]
    if len(used) < 2:
        return None
    return next((period for period, value in used if value - _WHOLE < given <= value + room), None)
