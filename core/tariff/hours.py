"""Which register an hour falls in, and what moving kWh between hours is worth."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from core.clock import SHANGHAI
from core.tariff.errors import TariffInputError, UnpricedRegister
from core.tariff.model import Period
from core.tariff.numbers import money, non_negative
from core.tariff.plan import Plan


def period_of(plan: Plan, at: datetime) -> Period:
    """Return the register that counts at a moment; "flat" for plans without hours.

    An aware time is read in Asia/Shanghai, a naive one as the local time there.
    """
    local = at.astimezone(SHANGHAI) if at.tzinfo else at
    minute = local.hour * 60 + local.minute
    return next((window.period for window in plan.periods if window.holds(local.month, minute)), "flat")


def price_of(plan: Plan, period: Period) -> Decimal:
    """Return yuan per kWh of a period (tier 1 where the plan has tiers); raises UnpricedRegister."""
    if period not in plan.prices:
        raise UnpricedRegister(period, plan.code)
    return plan.prices[period]


def shift_saving(plan: Plan, kwh: Decimal, from_period: Period, to_period: Period) -> Decimal:
    """Return the yuan saved by moving `kwh` from one period to another (negative: it costs more)."""
    return money(non_negative(kwh, "kwh") * (price_of(plan, from_period) - price_of(plan, to_period)))


def break_even_valley_share(tou: Plan, plain: Plan) -> Decimal:
    """Return the share of valley kWh (0..1, unrounded) above which peak/valley is cheaper than the plain
    price.

    (peak - plain) / (peak - valley), at tier-1 prices. Raises TariffInputError if the two periods cost the
    same.
    """
    peak, valley = price_of(tou, "peak"), price_of(tou, "valley")
    base = plain.tiers[0].price if plain.tiered else price_of(plain, "flat")
    if peak == valley:
        raise TariffInputError("valley", "costs the same as peak")
    return (peak - base) / (peak - valley)
