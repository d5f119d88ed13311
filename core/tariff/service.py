"""How long an account is served in a year, and what that means for its bounds (spec 1.6, 1.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from core.clock import add_months
from core.tariff.billing import charge
from core.tariff.book import TariffBook
from core.tariff.errors import TariffInputError
from core.tariff.model import Charge, Registers
from core.tariff.numbers import ZERO, non_negative
from core.tariff.plan import Extend, Plan
from core.tariff.tiers import MONTHS_IN_YEAR, year_bounds


def months_in_service(year: int, *, opened: date | None = None, closed: date | None = None) -> int:
    """Return the months of a year with service (0..12); a part month counts as a whole one."""
    first = max(opened or date(year, 1, 1), date(year, 1, 1))
    last = min(closed or date(year, 12, 31), date(year, 12, 31))
    return max(0, last.month - first.month + 1) if first <= last else 0


@dataclass(frozen=True)
class Service:
    """What an account brings to its bills: days of opening and closing, large family, free kWh a month.

    A transfer to a new holder is a closing and an opening.
    """

    opened: date | None = None
    closed: date | None = None
    large_family_kwh: Decimal = ZERO
    large_family_since: date | None = None
    extend: Extend | None = None
    free_kwh: Decimal = ZERO

    def months(self, year: int) -> int:
        """Return the months of a year with service."""
        return months_in_service(year, opened=self.opened, closed=self.closed)

    def large_family_months(self, year: int) -> int:
        """Return the months of a year with the large-family bounds, from the month they took effect."""
        if not self.large_family_kwh:
            return 0
        starts = [day for day in (self.opened, self.large_family_since) if day]
        return months_in_service(year, opened=max(starts, default=None), closed=self.closed)


def service_bounds(book: TariffBook, code: str, year: int, service: Service) -> tuple[Decimal, ...]:
    """Return the bounds of a year as the sum of the monthly bounds of the plans in force (spec 1.5, 1.6).

    Empty for plans without tiers. Raises NoPlanInForce, and TariffInputError for a year without service or
    when the number of tiers changes within it.
    """
    months = _served_months(year, service)
    family = set(months[-service.large_family_months(year) :]) if service.large_family_months(year) else set()
    totals: list[Decimal] = []
    for month in months:
        plan = book.plan(code, max(month, service.opened or month))
        kwh = service.large_family_kwh if month in family else ZERO
        monthly = year_bounds(plan, months_in_service=1, large_family_kwh=kwh, extend=service.extend)
        totals = totals or [ZERO] * len(monthly)
        if len(totals) != len(monthly):
            raise TariffInputError("bounds", f"plan {code} changes its number of tiers within {year}")
        totals = [total + bound for total, bound in zip(totals, monthly, strict=True)]
    return tuple(totals)


def _served_months(year: int, service: Service) -> list[date]:
    count = service.months(year)
    if not count:
        raise TariffInputError("year", f"no service in {year}")
    opened = service.opened
    first = date(year, opened.month, 1) if opened and opened.year == year else date(year, 1, 1)
    return [add_months(first, number) for number in range(count)]


@dataclass(frozen=True)
class Settlement:
    """The year recalculated on closing: bounds, bills, their total, what was billed, and the difference to
    pay.
    """

    bounds: tuple[Decimal, ...]
    charges: tuple[Charge, ...]
    recalculated: Decimal
    billed: Decimal
    difference: Decimal


def settle_on_closing(
    plan: Plan,
    bills: Sequence[Registers],
    *,
    billed: Decimal,
    months_in_service: int,
    large_family_kwh: Decimal = ZERO,
    large_family_months: int = MONTHS_IN_YEAR,
    free_kwh: Decimal = ZERO,
) -> Settlement:
    """Recalculate the bills of the year with the bounds of the months served, and compare with what was
    `billed`.

    `bills` are the year's usages in order (one element for the whole year at once), `free_kwh` the free kWh
    of each. A positive difference is still to be paid, a negative one is refunded. Raises TariffInputError.
    """
    bounds = year_bounds(
        plan,
        months_in_service=months_in_service,
        large_family_kwh=large_family_kwh,
        large_family_months=large_family_months,
    )
    charges, cum = [], ZERO
    for usage in bills:
        result = charge(plan, usage, cum_before=cum, bounds=bounds, free_kwh=free_kwh)
        charges.append(result)
        cum += usage.total
    total = sum((result.total for result in charges), Decimal("0.00"))
    paid = non_negative(billed, "billed")
    return Settlement(bounds, tuple(charges), total, paid, total - paid)
