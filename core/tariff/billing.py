"""`charge`: one bill from one plan, every line rounded half-up to 0.01 and the total their sum (spec 1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from core.tariff.energy import flat_lines, period_lines, surcharge_lines, tier_lines
from core.tariff.errors import TariffInputError
from core.tariff.model import Charge, Demand, Line, Registers
from core.tariff.numbers import ZERO, money, non_negative
from core.tariff.plan import Extend, Plan
from core.tariff.tiers import MONTHS_IN_YEAR, checked_bounds, split_by_tier, year_bounds
from core.tariff.two_part import basic_lines, power_factor_lines

HOUSEHOLD_CLASSES = frozenset({"residential", "shared_meter"})


def charge(
    plan: Plan,
    usage: Registers,
    *,
    cum_before: Decimal = ZERO,
    months_in_service: int = MONTHS_IN_YEAR,
    large_family_kwh: Decimal = ZERO,
    large_family_months: int = MONTHS_IN_YEAR,
    extend: Extend | None = None,
    bounds: Sequence[Decimal] | None = None,
    free_kwh: Decimal = ZERO,
    demand: Demand | None = None,
    kvarh: Decimal | None = None,
    pf_standard: Decimal | None = None,
) -> Charge:
    """Return the bill of `usage` kWh under a plan.

    Tiered plans: `cum_before` is the kWh already billed this year; the bounds follow from the months of
    service and the large-family kWh a month, unless `bounds` gives them (a year whose plan changed its
    bounds). `free_kwh` are the free kWh of this bill, for households only. Two-part plans need `demand`.
    `kvarh` is looked at where the plan, or `pf_standard`, has a power-factor standard. Raises
    TariffInputError (NegativeFigure, UnpricedRegister, MissingDemand among them).
    """
    cum = non_negative(cum_before, "cum_before")
    if bounds is None:
        bounds = year_bounds(
            plan,
            months_in_service=months_in_service,
            large_family_kwh=large_family_kwh,
            large_family_months=large_family_months,
            extend=extend,
        )
    tier_kwh = split_by_tier(checked_bounds(plan, bounds), cum, usage.total) if plan.tiered else ()
    lines = _energy_lines(plan, usage, tier_kwh) + basic_lines(plan, demand, usage.total)
    capacity = demand.capacity_kva if demand else None
    lines += power_factor_lines(plan, lines, usage.total, kvarh, capacity_kva=capacity, standard=pf_standard)
    lines += _free_lines(plan, lines, usage.total, non_negative(free_kwh, "free_kwh"))
    return _sum_up(lines, usage.total, tier_kwh, cum if plan.tiered else None)


def _sum_up(lines: Sequence[Line], kwh: Decimal, tier_kwh: tuple[Decimal, ...], cum_before: Decimal | None) -> Charge:
    return Charge(
        lines=tuple(lines),
        total=sum((line.amount for line in lines), Decimal("0.00")),
        kwh=kwh,
        cum_after=None if cum_before is None else cum_before + kwh,
        tier_kwh=tier_kwh,
        estimated=any(line.code == "tier_surcharge" and line.period for line in lines),
    )


def _energy_lines(plan: Plan, usage: Registers, tier_kwh: Sequence[Decimal]) -> list[Line]:
    if plan.kind == "tier":
        return tier_lines(plan, tier_kwh)
    if plan.kind == "flat":
        return flat_lines(plan, usage)
    lines = period_lines(plan, usage)
    return lines + surcharge_lines(plan, usage, tier_kwh) if plan.kind == "tou_tier" else lines


def _free_lines(plan: Plan, lines: Sequence[Line], kwh: Decimal, free_kwh: Decimal) -> list[Line]:
    """Value the free kWh at the tier-1 price (spec 1.7), never above what the energy costs."""
    if not free_kwh:
        return []
    if plan.user_class not in HOUSEHOLD_CLASSES:
        raise TariffInputError("free_kwh", f"plan {plan.code} is not for households")
    free = min(free_kwh, kwh)
    price = plan.tiers[0].price if plan.tiered else plan.prices["flat"]
    worth = min(money(free * price), sum((line.amount for line in lines), ZERO))
    return [Line("free_quota", free, "kWh", price, -worth)] if worth else []
