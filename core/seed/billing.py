"""Bills of the demonstration region: the real tariff engine on the units that the readings show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from random import Random

from core.clock import add_months
from core.seed.accounts import AccountSpec
from core.seed.readings import estimated_days
from core.seed.region import Profile
from core.seed.shapes import Counts, days_in, month_end
from core.tariff import (
    Charge,
    Demand,
    NoPlanInForce,
    Plan,
    Registers,
    Service,
    TariffBook,
    charge,
    service_bounds,
)

DUE_DAY_PERSON, DUE_DAY_ORGANISATION = 25, 20
FIRST_YEAR = 2000


@dataclass(frozen=True)
class BillDraft:
    """A bill before it is written; `demand_kw` is None when the basic charge goes by capacity."""

    id: int
    account: AccountSpec
    month: date
    first: date
    last: date
    usage: Registers
    cum_before: Decimal | None
    demand_kw: Decimal | None
    kvarh: Decimal | None
    estimated: bool
    charge: Charge
    issued_on: date
    due_on: date


@dataclass(frozen=True)
class Billing:
    """Draws up bills; plans and the tier bounds of a year are looked up once."""

    book: TariffBook
    profiles: Mapping[str, Profile]
    _plans: dict[tuple[str, date], Plan | None] = field(default_factory=dict)
    _bounds: dict[tuple[str, int, Service], tuple[Decimal, ...]] = field(default_factory=dict)

    def bills(
        self, account: AccountSpec, ledger: Mapping[date, Counts], *, first: date, last: date
    ) -> Iterator[BillDraft]:
        """Yield the bills of the months `first` to `last`; months without a known price have none.

        The year's cumulative kWh count from January, also where the bills begin later.
        """
        cum = Decimal(0)
        for month, units in ledger.items():
            if month > last:
                return
            if month.month == 1:
                cum = Decimal(0)
            kwh = [Decimal(count * account.multiplier) for count in units]
            usage = Registers(*kwh)
            plan = self._plan(account.kind.plan, month)
            served = account.closed_on is None or month <= account.closed_on
            if month >= first and plan is not None and served:
                yield self._bill(account, plan, month, usage, cum)
            cum += usage.total

    def _bill(self, account: AccountSpec, plan: Plan, month: date, usage: Registers, cum: Decimal) -> BillDraft:
        demand, kvarh = self._demand(account, plan, month, usage.total)
        closing = account.closed_on is not None and account.closed_on <= month_end(month)
        issued = add_months(month, 1)
        return BillDraft(
            id=account.id * 1000 + (month.year - FIRST_YEAR) * 12 + month.month,
            account=account,
            month=month,
            first=max(month, account.opened_on),
            last=account.closed_on if closing and account.closed_on else month_end(month),
            usage=usage,
            cum_before=cum if plan.tiered else None,
            demand_kw=demand.actual_kw if demand else None,
            kvarh=kvarh,
            estimated=month_end(month).day in estimated_days(account, month),
            charge=charge(
                plan,
                usage,
                cum_before=cum if plan.tiered else Decimal(0),
                bounds=self._year_bounds(account, plan, month, closing=closing) if plan.tiered else None,
                free_kwh=Decimal(account.kind.free_kwh),
                demand=demand,
                kvarh=kvarh,
            ),
            issued_on=issued,
            due_on=issued.replace(day=DUE_DAY_PERSON if account.person else DUE_DAY_ORGANISATION),
        )

    def _plan(self, code: str, month: date) -> Plan | None:
        if (code, month) not in self._plans:
            try:
                self._plans[code, month] = self.book.plan(code, month)
            except NoPlanInForce:
                self._plans[code, month] = None
        return self._plans[code, month]

    def _year_bounds(self, account: AccountSpec, plan: Plan, month: date, *, closing: bool) -> tuple[Decimal, ...]:
        """Return the bounds as they were known then: in March nobody foresees a closing in May."""
        service = Service(
            opened=account.opened_on if account.opened_on.year == month.year else None,
            closed=account.closed_on if closing else None,
            large_family_kwh=Decimal(account.kind.large_family_kwh),
        )
        key = (plan.code, month.year, service)
        if key not in self._bounds:
            self._bounds[key] = service_bounds(self.book, plan.code, month.year, service)
        return self._bounds[key]

    def _demand(
        self, account: AccountSpec, plan: Plan, month: date, kwh: Decimal
    ) -> tuple[Demand | None, Decimal | None]:
        """Return the demand and the reactive energy of a two-part customer, neither for others."""
        if plan.basic is None:
            return None, None
        rng = Random(f"{account.id}:{month:%Y-%m}:demand")
        # tan φ 0.30 is a power factor of 0.96, 0.60 one of 0.86.
        kvarh = int(float(kwh) * rng.uniform(0.30, 0.60))
        capacity = Decimal(account.capacity_kva)
        if not account.demand_billed:
            return Demand(capacity), Decimal(kvarh)
        load = self.profiles[account.kind.profile].demand or 1.0
        highest = float(kwh) / (days_in(month) * 24) / load * rng.uniform(0.97, 1.08)
        actual = min(int(highest * 10), account.capacity_kva * 10)
        return Demand(capacity, "actual", actual_kw=Decimal(actual) / 10), Decimal(kvarh)
