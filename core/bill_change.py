"""Why one bill differs from another: the difference cut into parts that add up to it, to the fen.

One figure of the older bill after the other is replaced by the newer bill's, and the bill is counted again each time;
a part is the difference of two neighbouring counts, so that nothing can be left over (checklist: domain facts 1.10).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal, cast

from core.account import Account
from core.bill import Bill
from core.bill_basis import ZERO, Basis, basis_of, late_fee_on
from core.tariff import PERIODS, Registers, TariffBook, TariffInputError, power_factor, service_bounds

# days: more or fewer days.  use: kWh a day, at the step and mix of the older bill.  mix: when it was used.
# tier: where in the steps of the year.  basic: capacity or demand.  power_factor.  price: the same plan at another
# price.  plan: another plan.  free_quota and large_family: entitlements.  late_fee: printed on the bill.
Cause = Literal[
    "days", "use", "mix", "tier", "basic", "power_factor", "price", "plan", "free_quota", "large_family", "late_fee",
]  # fmt: skip
_NEVER_REACHED = Decimal(10) ** 9


@dataclass(frozen=True)
class Part:
    """One cause and what it adds (yuan, negative: takes off); `old` and `new` are its figures on the two bills.

    days: days; use: kWh a day; mix: share of sharp and peak kWh (0..1); tier: kWh above the first step; basic and
    late_fee: yuan; power_factor: the factor; price: yuan per kWh over everything; free_quota, large_family: kWh a
    month. None where a bill has no such figure.
    """

    cause: Cause
    amount: Decimal
    old: Decimal | None = None
    new: Decimal | None = None


@dataclass(frozen=True)
class BillChange:
    """Two bills and why they differ; the parts (zeros left out, in order of the count) add up to `difference`."""

    old: Bill
    new: Bill
    difference: Decimal
    parts: tuple[Part, ...]
    tier: int | None  # the highest step that the newer bill reaches
    meter_changed: bool  # within the days of the newer bill

    def largest(self, count: int) -> list[Part]:
        """Return the parts that pull the most in the direction of the difference, largest first."""
        pulling = [part for part in self.parts if (part.amount > 0) == (self.difference > 0)]
        return sorted(pulling, key=lambda part: -abs(part.amount))[:count]

    @property
    def daily(self) -> tuple[Decimal, Decimal]:
        """The kWh a day of both bills."""
        return daily_kwh(self.old), daily_kwh(self.new)


def days_of(bill: Bill) -> int:
    """Return the days that a bill covers."""
    return (bill.period_last - bill.period_first).days + 1


def daily_kwh(bill: Bill) -> Decimal:
    """Return the kWh a day of a bill, unrounded."""
    return bill.kwh / days_of(bill)


def bill_change(book: TariffBook, *, account: Account, old: Bill, new: Bill) -> BillChange:
    """Return why `new` differs from `old` (bills of one account).

    Raises:
        BillNotReproduced: if one of them, counted again from its own figures, does not give its printed amount.
    """
    before, after = basis_of(book, account, old), basis_of(book, account, new)
    parts = [part for part in _parts(_steps(book, before, after, old, new), old, new) if part.amount]
    tiers = after.charged().tier_kwh
    return BillChange(
        old=old,
        new=new,
        difference=new.amount - old.amount,
        parts=tuple(
            replace(part, old=_figure(part.cause, before, old), new=_figure(part.cause, after, new)) for part in parts
        ),
        tier=max((number for number, kwh in enumerate(tiers, 1) if kwh), default=1) if tiers else None,
        meter_changed=any(new.period_first <= meter.installed_on <= new.period_last for meter in account.meters[1:]),
    )


def _parts(steps: Iterator[tuple[Cause, Basis]], old: Bill, new: Bill) -> Iterator[Part]:
    """Yield what each step adds; a step that no tariff can count goes together with the next one."""
    last = old.amount - late_fee_on(old)
    for cause, basis in steps:
        try:
            total = basis.charged().total
        except TariffInputError:
            continue
        yield Part(cause, total - last)
        last = total
    yield Part("late_fee", late_fee_on(new) - late_fee_on(old))


def _steps(book: TariffBook, before: Basis, after: Basis, old: Bill, new: Bill) -> Iterator[tuple[Cause, Basis]]:
    """Yield the figures between the two bills, one cause further each time; the last are those of the newer bill."""
    step = replace(before, bounds=_same_step(before))
    for cause, kwh in (("days", before.usage.total * days_of(new) / days_of(old)), ("use", after.usage.total)):
        step = _used(before, step, kwh, after)
        yield cast(Cause, cause), step
    step = replace(step, usage=after.usage)
    yield "mix", step
    # Bounds as they would be with what the older bill was entitled to.
    service = replace(after.service, large_family_kwh=before.service.large_family_kwh)
    bounds = service_bounds(book, after.plan.code, new.month.year, service) if after.plan.tiered else ()
    if len(bounds) == len(before.bounds):
        step = replace(step, cum=after.cum, bounds=bounds)
        yield "tier", step
    step = replace(step, demand=after.demand)
    yield "basic", step
    step = replace(step, kvarh=after.kvarh)
    yield "power_factor", step
    same_plan = before.plan.code == after.plan.code
    # A plan may not know free kwh at all: those of the older bill stay only where the plan does.
    free = before.free_kwh if same_plan else after.free_kwh
    step = replace(step, plan=after.plan, cum=after.cum, bounds=bounds, free_kwh=free)
    yield "price" if same_plan else "plan", step
    yield "free_quota", replace(step, free_kwh=after.free_kwh)
    yield "large_family", after


def _same_step(basis: Basis) -> tuple[Decimal, ...]:
    """Return bounds with which further kWh cost what the last kWh of the bill did."""
    reached = basis.cum + basis.usage.total
    return tuple(bound if bound < reached else _NEVER_REACHED for bound in basis.bounds)


def _used(before: Basis, step: Basis, kwh: Decimal, after: Basis) -> Basis:
    """Return the step with `kwh` spread over the registers as on the older bill, at the same power factor.

    A bill without any use has no such spread; that of the newer one is taken.
    """
    shape = before if before.usage.total else after
    if not shape.usage.total:
        return step
    factor = kwh / shape.usage.total
    usage = Registers(*(shape.usage.of(period) * factor for period in PERIODS))
    return replace(step, usage=usage, kvarh=None if shape.kvarh is None else shape.kvarh * factor)


def _figure(cause: Cause, basis: Basis, bill: Bill) -> Decimal | None:
    """Return the figure of a bill that goes with a cause, see `Part`."""
    match cause:
        case "days":
            return Decimal(days_of(bill))
        case "use":
            return daily_kwh(bill)
        case "mix":
            return (bill.sharp_kwh + bill.peak_kwh) / bill.kwh if bill.kwh else None
        case "tier":
            return sum(basis.charged().tier_kwh[1:], ZERO)
        case "basic":
            return basis.charged().amount("basic")
        case "power_factor":
            return power_factor(bill.kwh, bill.kvarh) if bill.kwh and bill.kvarh is not None else None
        case "free_quota":
            return basis.free_kwh
        case "large_family":
            return basis.service.large_family_kwh
        case "late_fee":
            return late_fee_on(bill)
        case _:
            return None
