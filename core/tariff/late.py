"""Late-payment fee (spec 1.10; domain facts 1.9: 1996 rules, rates believed unchanged by the 2024 rules)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from core.tariff.model import Line
from core.tariff.numbers import ZERO, money, non_negative

RESIDENTIAL_RATE = Decimal("0.001")
THIS_YEAR_RATE = Decimal("0.002")
AFTER_YEAR_RATE = Decimal("0.003")


@dataclass(frozen=True)
class LateFee:
    """Days late, in and after the calendar year of the due date, and the fee in yuan."""

    amount: Decimal
    days_this_year: int
    days_after_year: int
    rate: Decimal
    total: Decimal

    @property
    def days(self) -> int:
        """All days late."""
        return self.days_this_year + self.days_after_year

    @property
    def line(self) -> Line:
        """The fee as a bill line: the amount owed x the sum of the daily rates."""
        return Line("late_fee", self.amount, "CNY", self.rate, self.total)


def late_fee(amount: Decimal, *, due: date, paid_on: date, residential: bool, minimum: Decimal = ZERO) -> LateFee:
    """Return the fee for paying `amount` yuan after `due` (the last day to pay), rounded once.

    0.1 % a day for residents; others 0.2 % within the year of the due date and 0.3 % after it. `minimum` is
    the smallest fee of the older rules (1 yuan), off by default because the 2024 text was not found to keep
    it. Raises TariffInputError for an impossible amount.
    """
    owed = non_negative(amount, "amount")
    days = max(0, (paid_on - due).days)
    this_year = min(days, (date(due.year, 12, 31) - due).days)
    after_year = days - this_year
    first, later = (RESIDENTIAL_RATE, RESIDENTIAL_RATE) if residential else (THIS_YEAR_RATE, AFTER_YEAR_RATE)
    rate = this_year * first + after_year * later
    fee = money(owed * rate)
    if days and owed:
        fee = max(fee, money(non_negative(minimum, "minimum")))
    return LateFee(owed, this_year, after_year, rate, fee)
