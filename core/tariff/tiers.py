"""Tiers on the year's cumulative kWh (spec 1.3, 1.6, 1.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.tariff.errors import TariffInputError
from core.tariff.numbers import CENT, ZERO, non_negative, round_to, whole_between
from core.tariff.plan import Extend, Plan

MONTHS_IN_YEAR = 12


@dataclass(frozen=True)
class TierPosition:
    """Where the next kWh of the year falls: its tier, price (yuan/kWh), the tier's bound and what is left
    below it.
    """

    tier: int
    price: Decimal
    upper: Decimal | None
    remaining: Decimal | None


def year_bounds(
    plan: Plan,
    *,
    months_in_service: int = MONTHS_IN_YEAR,
    large_family_kwh: Decimal = ZERO,
    large_family_months: int = MONTHS_IN_YEAR,
    extend: Extend | None = None,
) -> tuple[Decimal, ...]:
    """Return the upper bounds of all tiers but the open one, in kWh of this year.

    A year with fewer months of service has the same share of the annual bounds (source: Nanjing's practice,
    assumed for Hubei). A large family gets its kWh for each month on every bound, or on the first only, as
    the region has it. Raises TariffInputError for impossible figures.
    """
    months = whole_between(months_in_service, 1, MONTHS_IN_YEAR, "months_in_service")
    family_months = whole_between(large_family_months, 0, MONTHS_IN_YEAR, "large_family_months")
    extra = non_negative(large_family_kwh, "large_family_kwh") * min(family_months, months)
    everywhere = (extend or plan.large_family_extends) == "all_bounds"
    bounds = [
        _share(tier.upper, months) + (extra if everywhere or number == 0 else ZERO)
        for number, tier in enumerate(plan.tiers)
        if tier.upper is not None
    ]
    return _ascending(bounds)


def _share(upper: Decimal, months: int) -> Decimal:
    """Return a bound for some months of the year: exact where it can be, else to 0.01 kWh."""
    exact = upper * months / MONTHS_IN_YEAR
    return exact if exact * 100 % 1 == 0 else round_to(exact, CENT)


def _ascending(bounds: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """Keep an extended first bound from passing the second, which would make tier 2 negative."""
    return tuple(max(bounds[: number + 1]) for number in range(len(bounds)))


def checked_bounds(plan: Plan, bounds: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """Return bounds given from outside if they fit the plan's tiers; raises TariffInputError."""
    if len(bounds) != len(plan.tiers) - 1 or list(bounds) != sorted(bounds):
        raise TariffInputError("bounds", f"plan {plan.code} needs {len(plan.tiers) - 1} ascending bounds")
    return tuple(non_negative(bound, "bounds") for bound in bounds)


def split_by_tier(bounds: Sequence[Decimal], cum_before: Decimal, kwh: Decimal) -> tuple[Decimal, ...]:
    """Return the kWh of one bill by tier; a bound itself still belongs to the tier below it (spec 1.3)."""
    cum_after = cum_before + kwh
    edges = [ZERO, *bounds, None]
    return tuple(
        max(ZERO, (cum_after if upper is None else min(cum_after, upper)) - max(cum_before, lower or ZERO))
        for lower, upper in zip(edges[:-1], edges[1:], strict=True)
    )


def tier_position(plan: Plan, cum: Decimal, bounds: Sequence[Decimal] | None = None) -> TierPosition:
    """Return the tier of the next kWh after `cum` kWh of this year; raises TariffInputError for untiered
    plans.
    """
    if not plan.tiered:
        raise TariffInputError("plan", f"{plan.code} has no tiers")
    uppers = year_bounds(plan) if bounds is None else checked_bounds(plan, bounds)
    used = non_negative(cum, "cum")
    number = sum(1 for upper in uppers if used >= upper)
    upper = uppers[number] if number < len(uppers) else None
    return TierPosition(number + 1, plan.tiers[number].price, upper, None if upper is None else upper - used)
