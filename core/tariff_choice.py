"""Which tariff is cheapest for a customer: the own readings of the last twelve months under each open to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Literal

from sqlalchemy.orm import Session

from core.account import Account
from core.tariff import (
    Charge,
    Demand,
    Plan,
    Registers,
    TariffBook,
    break_even_ratio,
    charge,
    service_bounds,
)
from core.tariff.billing import HOUSEHOLD_CLASSES
from core.tariff_hours import Shift, break_even_share, shift_to_pay
from core.tariff_months import MonthRead, add_registers, months_read
from core.tier_year import service_of
from core.usage import NoReading

# energy: by the kWh alone.  capacity, actual, contract: two-part, the basic charge by kVA, by the highest demand, by
# the demand of a contract; the last is only what somebody has, for nobody can say here what they would agree on.
Method = Literal["energy", "capacity", "actual", "contract"]
# open: the customer may take it.  unsure: the rule was not found for this region, the company must confirm it.
Certainty = Literal["open", "unsure"]

ZERO = Decimal(0)
# Single or two-part, as one likes (domain facts 1.4, S8).
CHOICE_FROM_KVA, CHOICE_TO_KVA = Decimal(100), Decimal(315)


@dataclass(frozen=True)
class Option:
    """One tariff for the months read, in yuan; `plan` is that of the last month.

    `total` is None where the meter does not tell it: not the registers of a plan with hours, no measured demand. Then
    `break_even` says what would make it pay: the valley's share (0..1) of the kWh outside the flat hours, or for
    `actual` the highest kW. `saving` is against the present tariff (negative: dearer). `shift` is what a dearer plan
    with hours needs to come out even.
    """

    plan: Plan
    method: Method
    certainty: Certainty
    total: Decimal | None
    saving: Decimal | None = None
    break_even: Decimal | None = None
    shift: Shift | None = None


@dataclass(frozen=True)
class TariffChoice:
    """The present tariff and the others that are open, cheapest first (untold last)."""

    months: tuple[MonthRead, ...]
    current: Option
    others: tuple[Option, ...]

    @property
    def usage(self) -> Registers:
        """All kWh of the months by register."""
        return add_registers([month.usage for month in self.months])


def tariff_choice(session: Session, *, account: Account, book: TariffBook, today: date) -> TariffChoice:
    """Return the customer's choice on the readings of the last twelve whole months (fewer for a new account).

    Raises:
        NoReading: if there is no whole month with readings.
        NoPlanInForce: if a price of these months is not known.
    """
    months = months_read(session, account=account, book=book, today=today)
    if not months:
        raise NoReading
    counter = _Counter(book, account, months)
    method = counter.method_now()
    current = counter.option(account.plan_code, method, "open")
    others = [counter.against(current, *offer) for offer in counter.offers(current)]
    return TariffChoice(months, current, tuple(sorted(others, key=_cheapest_first)))


def under_plan(book: TariffBook, account: Account, months: tuple[MonthRead, ...], code: str) -> Decimal:
    """Return the yuan of the months under any plan by the kWh, whether it is open to the customer or not.

    Raises TariffInputError where the registers have no price in it.
    """
    counter = _Counter(book, account, months)
    return sum((counter.charged(code, month, "energy").total for month in months), Decimal("0.00"))


def _cheapest_first(option: Option) -> tuple[bool, Decimal]:
    return option.total is None, option.total or ZERO


@dataclass(frozen=True)
class _Counter:
    """Counts the months of one account under any plan."""

    book: TariffBook
    account: Account
    months: tuple[MonthRead, ...]

    def option(self, code: str, method: Method, certainty: Certainty) -> Option:
        """Return the months under a plan."""
        plan = self.book.plan(code, self.months[-1].month)
        if not self._told(plan, method):
            return Option(plan, method, certainty, None)
        total = sum((self.charged(code, month, method).total for month in self.months), Decimal("0.00"))
        return Option(plan, method, certainty, total)

    def against(self, current: Option, code: str, method: Method, certainty: Certainty) -> Option:
        """Return the months under another plan, and what would make it pay."""
        other = self.option(code, method, certainty)
        saving = None if current.total is None or other.total is None else current.total - other.total
        break_even = shift = None
        if other.total is None:
            break_even = self._demand_to_pay() if method == "actual" else self._share_to_pay(other, current)
        elif saving is not None and other.plan.periods and not current.plan.periods:
            break_even = self._share_to_pay(other, current)
            shift = self._shift(other, -saving)
        elif saving is not None and current.plan.periods and not other.plan.periods:
            break_even = self._share_to_pay(current, other)
            shift = self._shift(current, saving)
        return Option(other.plan, method, certainty, other.total, saving, break_even, shift)

    def charged(self, code: str, month: MonthRead, method: Method) -> Charge:
        """Return the bill of one month under a plan."""
        plan = self.book.plan(code, max(month.month, self.account.opened_on))
        service = service_of(self.account, month.month)
        free = self.account.free_kwh if plan.user_class in HOUSEHOLD_CLASSES else ZERO
        return charge(
            plan,
            month.usage,
            cum_before=month.cum,
            bounds=service_bounds(self.book, code, month.month.year, service) if plan.tiered else None,
            free_kwh=free,
            demand=self._demand(month, method),
            kvarh=month.kvarh,
        )

    def method_now(self) -> Method:
        """Return how the last bill counted its basic charge."""
        if self.book.plan(self.account.plan_code, self.months[-1].month).basic is None:
            return "energy"
        billed = self.months[-1].billed
        return "capacity" if billed is None else billed.method

    def offers(self, current: Option) -> Iterator[tuple[str, Method, Certainty]]:
        """Yield the other tariffs of this customer (domain facts 1.2, 1.3, 1.4, 1.6, 1.9)."""
        plan = current.plan
        if current.method != "energy":
            for method in ("capacity", "actual"):
                if method != current.method:
                    yield plan.code, method, "open"
        if plan.without_tou is not None:
            yield plan.without_tou, "energy", "open" if plan.user_class != "commercial" else "unsure"
        for other in self._plans():
            if other.without_tou == plan.code and other.user_class == plan.user_class:
                yield other.code, "energy", "open" if plan.user_class != "commercial" else "unsure"
            elif self._shared_price(plan, other):
                yield other.code, "energy", "unsure"
            elif self._other_structure(plan, other):
                yield other.code, "capacity" if other.basic else "energy", "open"

    def _plans(self) -> list[Plan]:
        return self.book.plans(region=self.account.region, on=self.months[-1].month)

    def _shared_price(self, plan: Plan, other: Plan) -> bool:
        """Tell whether a large family might take the price of a shared meter instead of steps."""
        fits = (plan.user_class, other.user_class, plan.voltage) == ("residential", "shared_meter", other.voltage)
        return fits and plan.tiered and self.account.large_family_kwh > 0

    def _other_structure(self, plan: Plan, other: Plan) -> bool:
        """Tell whether `other` is the two-part price beside a single one, or the other way round."""
        capacity = self.account.capacity_kva
        if capacity is None or not CHOICE_FROM_KVA <= capacity <= CHOICE_TO_KVA or plan.voltage != other.voltage:
            return False
        classes = {plan.user_class, other.user_class}
        return classes == {"commercial", "industrial"} and bool(other.periods) and bool(plan.periods)

    def _told(self, plan: Plan, method: Method) -> bool:
        if method == "actual":
            return all(month.demand_kw is not None for month in self.months)
        if method == "capacity" and self.account.capacity_kva is None:
            return False
        counted = {period for month in self.months for period, _kwh in month.usage.used()}
        return not plan.periods or (counted != {"flat"} and counted <= set(plan.prices))

    def _demand(self, month: MonthRead, method: Method) -> Demand | None:
        capacity = self.account.capacity_kva
        if method == "energy" or capacity is None:
            return None
        if method == "contract":
            known = (one.billed for one in (month, *reversed(self.months)))
            agreed = next(one for one in known if one is not None and one.method == "contract")
            return replace(agreed, actual_kw=month.demand_kw)
        return Demand(capacity) if method == "capacity" else Demand(capacity, "actual", actual_kw=month.demand_kw)

    def _demand_to_pay(self) -> Decimal | None:
        """Return the kW below which billing by demand is cheaper, at the use of these months."""
        rule, capacity = self.book.plan(self.account.plan_code, self.months[-1].month).basic, self.account.capacity_kva
        if rule is None or capacity is None:
            return None
        mean = sum((month.usage.total for month in self.months), ZERO) / len(self.months)
        return capacity * break_even_ratio(rule, discounted=mean >= rule.heavy_use_kwh_per_kva * capacity)

    def _share_to_pay(self, tou: Option, plain: Option) -> Decimal | None:
        codes = [
            (self.book.plan(tou.plan.code, one.month), self.book.plan(plain.plan.code, one.month))
            for one in self.months
        ]
        return break_even_share(codes, [one.month for one in self.months])

    def _shift(self, tou: Option, dearer: Decimal) -> Shift | None:
        months = [(self.book.plan(tou.plan.code, month.month), month.usage) for month in self.months]
        return shift_to_pay(months, dearer) if dearer > 0 else None
