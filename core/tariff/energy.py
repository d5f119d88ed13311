"""The energy lines of a bill, one way for each kind of plan (spec 1.3, 1.8, 1.9)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from core.tariff.errors import UnpricedRegister
from core.tariff.model import Line, Period, Registers
from core.tariff.numbers import CENT, ZERO, money, round_to
from core.tariff.plan import Plan


def kwh_line(code: str, kwh: Decimal, price: Decimal, *, tier: int | None = None, period: Period | None = None) -> Line:
    """Return one rounded line of `kwh` at `price` yuan per kWh."""
    return Line(code, kwh, "kWh", price, money(kwh * price), tier=tier, period=period)


def tier_lines(plan: Plan, tier_kwh: Sequence[Decimal]) -> list[Line]:
    """Return a line for each tier that has kWh."""
    pairs = zip(plan.tiers, tier_kwh, strict=True)
    return [kwh_line("tier", kwh, tier.price, tier=number) for number, (tier, kwh) in enumerate(pairs, 1) if kwh]


def flat_lines(plan: Plan, usage: Registers) -> list[Line]:
    """Return the single line of a plan with one price, whatever registers the meter has."""
    return [kwh_line("flat", usage.total, plan.prices["flat"])] if usage.total else []


def period_lines(plan: Plan, usage: Registers) -> list[Line]:
    """Return a line for each register that counted; raises UnpricedRegister."""
    lines = []
    for period, kwh in usage.used():
        if period not in plan.prices:
            raise UnpricedRegister(period, plan.code)
        lines.append(kwh_line("period", kwh, plan.prices[period], period=period))
    return lines


def surcharge_lines(plan: Plan, usage: Registers, tier_kwh: Sequence[Decimal]) -> list[Line]:
    """Return what the higher tiers add to the tier-1 period prices.

    With one surcharge for all periods no split of tiers by period is needed (both forms are equal, Zhejiang).
    """
    if plan.surcharge_by_period:
        return _surcharges_by_period(plan, usage, tier_kwh)
    pairs = enumerate(zip(plan.per_tier_surcharge, tier_kwh, strict=True), 1)
    return [
        kwh_line("tier_surcharge", kwh, surcharge, tier=number)
        for number, (surcharge, kwh) in pairs
        if kwh and surcharge
    ]


def _surcharges_by_period(plan: Plan, usage: Registers, tier_kwh: Sequence[Decimal]) -> list[Line]:
    lines = []
    for number, kwh in enumerate(tier_kwh, 1):
        for period, share in _spread(kwh, usage):
            if period not in plan.surcharge_by_period:
                raise UnpricedRegister(period, plan.code)
            surcharge = plan.surcharge_by_period[period][number - 1]
            if share and surcharge:
                lines.append(kwh_line("tier_surcharge", share, surcharge, tier=number, period=period))
    return lines


def _spread(kwh: Decimal, usage: Registers) -> list[tuple[Period, Decimal]]:
    """Spread a tier's kWh over the periods in proportion; running sums are rounded, so that nothing gets
    lost.
    """
    shares, running, given = [], ZERO, ZERO
    for period, counted in usage.used():
        running += counted
        upto = round_to(kwh * running / usage.total, CENT) if running < usage.total else kwh
        shares.append((period, upto - given))
        given = upto
    return shares
