"""The use of the last twelve months as advice needs it: by month, register and day, and what a saved kWh is worth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.account import Account, Meter, shown_from
from core.clock import add_months, first_of_month
from core.errors import BusinessError
from core.tariff import Plan, Registers, TariffBook, price_of, split_by_tier, year_bounds
from core.tariff.numbers import round_to
from core.usage import REGISTERS, DailyReading, MonthUsage, monthly_usage

YEAR = 12
FEWEST_MONTHS = 3
_PRICE_STEP = Decimal("0.0001")
_ONE_DAY = timedelta(days=1)


class TooLittleUse(BusinessError):
    """There are too few whole months of readings, or nothing was used: no advice can be reckoned from them."""

    code = "too_little_use"


@dataclass(frozen=True)
class YearUse:
    """The last whole months (up to 12, oldest first) and the kWh of each of their days that lies between readings."""

    months: tuple[MonthUsage, ...]
    daily: Mapping[date, Decimal]

    @property
    def total(self) -> Decimal:
        """The kWh of all these months."""
        return sum((month.usage.total for month in self.months), Decimal(0))

    @property
    def registers(self) -> Registers:
        """The kWh of all these months by register."""
        parts = [month.usage.registers for month in self.months]
        return Registers(*(sum((part.of(name) for part in parts), Decimal(0)) for name in REGISTERS))

    def in_months(self, months: Iterable[int]) -> list[Decimal]:
        """Return the kWh of every day that falls in these calendar months."""
        wanted = set(months)
        return [kwh for day, kwh in sorted(self.daily.items()) if day.month in wanted]


def year_use(session: Session, *, account: Account, today: date) -> YearUse:
    """Return the use of the last twelve whole months.

    Raises:
        TooLittleUse: if fewer than three whole months have readings, or nothing was used in them.
        NoReading: if there is no reading at all.
    """
    first, last = add_months(today, -YEAR), first_of_month(today) - _ONE_DAY
    found = monthly_usage(session, account=account, first=first, last=last)
    months = tuple(month for month in found if not month.partial)
    daily = _daily(session, account, first, last)
    use = YearUse(months, daily)
    if len(months) < FEWEST_MONTHS or not use.total:
        raise TooLittleUse
    return use


def _daily(session: Session, account: Account, first: date, last: date) -> dict[date, Decimal]:
    """Return the kWh of each day; a day that follows a gap in the readings is left out."""
    first = max(first, shown_from(account))
    query = (
        select(
            DailyReading.meter_id, Meter.multiplier, DailyReading.day,
            DailyReading.sharp, DailyReading.peak, DailyReading.flat, DailyReading.valley,
        )
        .join(Meter, Meter.id == DailyReading.meter_id)
        .where(Meter.account_id == account.id, DailyReading.day.between(first - _ONE_DAY, last))
        .order_by(DailyReading.meter_id, DailyReading.day)
    )  # fmt: skip
    daily: dict[date, Decimal] = {}
    before: tuple[int, date, Decimal] | None = None
    for meter, multiplier, day, *registers in session.execute(query):
        stood = sum(registers, Decimal(0))
        if before and before[0] == meter and before[1] == day - _ONE_DAY:
            daily[day] = daily.get(day, Decimal(0)) + (stood - before[2]) * multiplier
        before = meter, day, stood
    return daily


@dataclass(frozen=True)
class Worth:
    """What saved kWh are worth to one account: on tiered plans the dearest kWh of its year go first."""

    plan: Plan
    use: YearUse
    bounds: tuple[Decimal, ...]
    monthly: tuple[Plan, ...]  # the plan with the prices of each of the months

    @classmethod
    def of(cls, book: TariffBook, account: Account, use: YearUse, *, today: date) -> Worth:
        """Take the plan of today, and of each month where prices go by the hour; raises NoPlanInForce."""
        plan = book.plan(account.plan_code, today)
        bounds: tuple[Decimal, ...] = ()
        if plan.tiered:
            bounds = year_bounds(plan, months_in_service=len(use.months), large_family_kwh=account.large_family_kwh)
        monthly = () if plan.tiered else tuple(book.plan(account.plan_code, one.month) for one in use.months)
        return cls(plan, use, bounds, monthly)

    def yuan(self, kwh: Decimal) -> Decimal:
        """Return the yuan a year that `kwh` less would save; never more than all that was used."""
        saved = min(kwh, self.use.total)
        if not self.plan.tiered:
            return round_to(saved * self._mean_price(), Decimal("0.01"))
        return round_to(self._cost(self.use.total) - self._cost(self.use.total - saved), Decimal("0.01"))

    def price(self, kwh: Decimal) -> Decimal:
        """Return yuan per kWh over these saved kWh, to 0.0001."""
        if not self.plan.tiered or not kwh:
            return self.top_price
        saved = min(kwh, self.use.total)
        return round_to((self._cost(self.use.total) - self._cost(self.use.total - saved)) / saved, _PRICE_STEP)

    @property
    def top_price(self) -> Decimal:
        """The price of the last kWh of the year: of the highest tier reached, or the mean of the periods."""
        if not self.plan.tiered:
            return round_to(self._mean_price(), _PRICE_STEP)
        return self.plan.tiers[self.tier - 1].price

    @property
    def tier(self) -> int:
        """The highest tier that the year reached; 0 for plans without tiers."""
        return 1 + sum(1 for bound in self.bounds if self.use.total > bound) if self.plan.tiered else 0

    @property
    def over_step(self) -> Decimal:
        """The kWh above the bound of the tier below the highest one reached; 0 in the first tier."""
        return self.use.total - self.bounds[self.tier - 2] if self.tier > 1 else Decimal(0)

    @property
    def step_yuan(self) -> Decimal:
        """What these kWh cost beyond the price of the tier below."""
        if self.tier <= 1:
            return Decimal(0)
        above = self.plan.tiers[self.tier - 1].price - self.plan.tiers[self.tier - 2].price
        return round_to(self.over_step * above, Decimal("0.01"))

    def shift_yuan(self, share: Decimal) -> Decimal | None:
        """Return what moving this share of the sharp and peak kWh to the valley would have saved.

        Every month at its own prices; None on plans without prices by the hour.
        """
        if not {"peak", "valley"} <= set(self.plan.prices):
            return None
        gains = (gain for month, plan in self._by_month() for gain in _gains(month.usage.registers, plan))
        return round_to(sum(gains, Decimal(0)) * share, Decimal("0.01"))

    def _cost(self, kwh: Decimal) -> Decimal:
        """Return the yuan of a year of `kwh`, unrounded."""
        parts = split_by_tier(self.bounds, Decimal(0), kwh)
        return sum((tier.price * part for tier, part in zip(self.plan.tiers, parts, strict=True)), Decimal(0))

    def _mean_price(self) -> Decimal:
        """Return yuan per kWh of energy alone over the months, weighted by what was used."""
        parts = (_energy_yuan(month.usage.registers, plan) for month, plan in self._by_month())
        return sum(parts, Decimal(0)) / self.use.total

    def _by_month(self) -> Iterator[tuple[MonthUsage, Plan]]:
        return zip(self.use.months, self.monthly, strict=True)


def _energy_yuan(used: Registers, plan: Plan) -> Decimal:
    if set(plan.prices) == {"flat"}:
        return price_of(plan, "flat") * used.total
    return sum((price_of(plan, name) * kwh for name, kwh in used.used()), Decimal(0))


def _gains(used: Registers, plan: Plan) -> Iterator[Decimal]:
    valley = price_of(plan, "valley")
    for name, kwh in used.used():
        if name in ("sharp", "peak"):
            yield kwh * (price_of(plan, name) - valley)
