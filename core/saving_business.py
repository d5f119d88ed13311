"""Four checks of a business from its own bills: power factor, transformer load, basic charge, shift to the valley."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from core.account import Account
from core.bill import Bill, bills_between
from core.clock import add_months
from core.energy_data import BusinessFacts
from core.tariff import (
    Plan,
    TariffBook,
    break_even_ratio,
    compensation_kvar,
    power_factor,
    power_factor_rate,
    price_of,
)
from core.tariff.numbers import money, round_to
from core.tariff.two_part import standard_for

YEAR = 12
HOURS = 24
_SHARE = Decimal("0.001")


@dataclass(frozen=True)
class PowerFactorCheck:
    """Power factor of the year, what it cost (negative: earned), what the target would have cost, and the kvar needed.

    `kw` is the load that the kvar are reckoned for, in the month of the lowest factor: its highest demand where that
    was measured, else its mean load.
    """

    factor: Decimal
    standard: Decimal
    target: Decimal
    paid: Decimal
    at_target: Decimal
    saving: Decimal
    kvar: Decimal
    kw: Decimal
    worst: date
    measured: bool


@dataclass(frozen=True)
class LoadCheck:
    """Highest demand (measured) or else highest monthly mean load, against the capacity; verdict low, high or fair."""

    kw: Decimal
    capacity_kva: Decimal
    share: Decimal
    month: date
    measured: bool
    verdict: str


@dataclass(frozen=True)
class BasicCheck:
    """The basic charge paid, and by the other method; `saving` is None where the other cannot be known.

    `break_even_kw` is the demand below which billing by demand is cheaper.
    """

    by_demand: bool
    paid: Decimal
    other: Decimal | None
    saving: Decimal | None
    break_even_kw: Decimal


@dataclass(frozen=True)
class ShiftCheck:
    """Moving `share` of the sharp and peak kWh (`kwh` a year) to the valley."""

    share: Decimal
    kwh: Decimal
    saving: Decimal


@dataclass(frozen=True)
class Checks:
    """All that the bills of the last twelve months tell; None where a check does not apply."""

    bills: tuple[Bill, ...]
    power_factor: PowerFactorCheck | None
    load: LoadCheck | None
    basic: BasicCheck | None
    shift: ShiftCheck | None

    @property
    def total(self) -> Decimal:
        """The yuan of all these bills."""
        return sum((bill.amount for bill in self.bills), Decimal(0))


def check_business(
    session: Session, *, account: Account, book: TariffBook, facts: BusinessFacts, today: date
) -> Checks:
    """Return the checks over the bills of the last twelve months.

    Raises:
        NoBill: if there is none.
        NoPlanInForce: if a bill's prices are not known any more.
    """
    first, last = add_months(today, -YEAR), add_months(today, -1)
    bills = tuple(bills_between(session, account=account, first=first, last=last))
    plans = [book.plan(bill.plan_code, bill.month) for bill in bills]
    return Checks(
        bills=bills,
        power_factor=_power_factor(account, facts, bills, plans[-1]),
        load=_load(account, facts, bills, plans[-1]),
        basic=_basic(account, bills, plans),
        shift=_shift(facts, bills, plans),
    )


def _power_factor(
    account: Account, facts: BusinessFacts, bills: Sequence[Bill], plan: Plan
) -> PowerFactorCheck | None:  # fmt: skip
    standard = standard_for(plan, account.capacity_kva)
    metered = [(bill, bill.kvarh) for bill in bills if bill.kvarh is not None and bill.kwh]
    if standard is None or not metered:
        return None
    target = facts.power_factor_target.value
    rate = power_factor_rate(target, standard)
    bases = [(line.quantity, line.amount) for bill, _ in metered for line in bill.lines if line.code == "power_factor"]
    paid = sum((amount for _, amount in bases), Decimal("0.00"))
    at_target = sum((money(base * rate) for base, _ in bases), Decimal("0.00"))
    worst, kvarh = min(metered, key=lambda one: (power_factor(one[0].kwh, one[1]), one[0].month))
    kw, measured = (worst.demand_kw, True) if worst.demand_kw else (_mean_kw(worst), False)
    return PowerFactorCheck(
        factor=power_factor(_sum(bill.kwh for bill, _ in metered), _sum(kvarh for _, kvarh in metered)),
        standard=standard, target=target, paid=paid, at_target=at_target, saving=paid - at_target,
        kvar=compensation_kvar(kw, power_factor(worst.kwh, kvarh), target), kw=kw, worst=worst.month,
        measured=measured,
    )  # fmt: skip


def _load(account: Account, facts: BusinessFacts, bills: Sequence[Bill], plan: Plan) -> LoadCheck | None:
    """Only customers with a transformer of their own (two-part plans) are checked."""
    if plan.basic is None or not account.capacity_kva:
        return None
    demands = [(bill.demand_kw, bill.month) for bill in bills if bill.demand_kw]
    kw, month = max(demands) if demands else max((_mean_kw(bill), bill.month) for bill in bills)
    share = round_to(kw / account.capacity_kva, _SHARE)
    # A mean load says nothing of the highest one: with that alone a transformer may only be found too full.
    low = bool(demands) and share < facts.load_low.value
    verdict = "low" if low else "high" if share > facts.load_high.value else "fair"
    return LoadCheck(kw, account.capacity_kva, share, month, bool(demands), verdict)


def _basic(account: Account, bills: Sequence[Bill], plans: Sequence[Plan]) -> BasicCheck | None:
    rule = plans[-1].basic
    if rule is None or not account.capacity_kva:
        return None
    lines = [line for bill in bills for line in bill.lines if line.code == "basic"]
    paid = sum((line.amount for line in lines), Decimal("0.00"))
    by_demand = bool(lines) and lines[-1].unit == "kW"
    edge = round_to(account.capacity_kva * break_even_ratio(rule), Decimal(1))
    if not by_demand:
        return BasicCheck(by_demand, paid, None, None, edge)
    months = [plan.basic.capacity_price for plan in plans if plan.basic]
    other = sum((money(account.capacity_kva * price) for price in months), Decimal("0.00"))
    return BasicCheck(by_demand, paid, other, paid - other, edge)


def _shift(facts: BusinessFacts, bills: Sequence[Bill], plans: Sequence[Plan]) -> ShiftCheck | None:
    if not {"peak", "valley"} <= set(plans[-1].prices):
        return None
    share = facts.shift_share.value
    kwh, gain = Decimal(0), Decimal(0)
    for bill, plan in zip(bills, plans, strict=True):
        valley = price_of(plan, "valley")
        kwh += bill.sharp_kwh + bill.peak_kwh
        gain += bill.sharp_kwh * (price_of(plan, "sharp") - valley) + bill.peak_kwh * (price_of(plan, "peak") - valley)
    return ShiftCheck(share, kwh * share, money(gain * share)) if kwh else None


def _mean_kw(bill: Bill) -> Decimal:
    days = (bill.period_last - bill.period_first + timedelta(days=1)).days
    return round_to(bill.kwh / (days * HOURS), Decimal("0.1"))


def _sum(values: Iterable[Decimal]) -> Decimal:
    return sum(values, Decimal(0))
