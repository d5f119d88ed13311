"""What would make a plan with hours pay: how much of the use must lie in the valley, how much must be moved there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from core.tariff import PERIODS, Period, Plan, Registers, period_of, price_of

ZERO = Decimal(0)
_HIGH: tuple[Period, ...] = ("sharp", "peak")


@dataclass(frozen=True)
class Shift:
    """kWh to move from sharp and peak hours to the valley in all months together, and their share (0..1) of the kWh
    there now; above 1 the plan cannot come out even.
    """

    kwh: Decimal
    share: Decimal

    @property
    def possible(self) -> bool:
        """Whether there are so many kWh to move."""
        return self.share <= 1


def minutes_of(plan: Plan, month: date) -> dict[Period, int]:
    """Return the minutes a day of each period in a month, halves of an hour being the smallest."""
    minutes = dict.fromkeys(PERIODS, 0)
    for half in range(48):
        minutes[period_of(plan, datetime(month.year, month.month, 1, half // 2, half % 2 * 30))] += 30
    return minutes


def break_even_share(plans: Sequence[tuple[Plan, Plan]], months: Sequence[date]) -> Decimal | None:
    """Return the valley's share of the kWh outside the flat hours from which on hours are cheaper than one price.

    `plans` are (with hours, without) of each month. High-priced kWh are taken as spread evenly over the sharp and
    peak hours: (high - plain) / (high - valley), the mean prices of the months; first step where the plain plan has
    steps. None where valley and high hours cost the same.
    """
    high = valley = plain = ZERO
    for (tou, one_price), month in zip(plans, months, strict=True):
        minutes = minutes_of(tou, month)
        share = sum(minutes[period] for period in _HIGH)
        if not share:
            return None
        high += sum((price_of(tou, period) * minutes[period] for period in _HIGH if minutes[period]), ZERO) / share
        valley += price_of(tou, "valley")
        plain += one_price.tiers[0].price if one_price.tiered else price_of(one_price, "flat")
    return (high - plain) / (high - valley) if high != valley else None


def shift_to_pay(months: Sequence[tuple[Plan, Registers]], dearer: Decimal) -> Shift | None:
    """Return what must be moved to the valley to save `dearer` yuan: the same part of the sharp and peak kWh of every
    month. None if nothing was used in these hours.
    """
    kwh = worth = ZERO
    for plan, usage in months:
        for period in _HIGH:
            if usage.of(period):
                kwh += usage.of(period)
                worth += usage.of(period) * (price_of(plan, period) - price_of(plan, "valley"))
    if not kwh or worth <= 0:
        return None
    share = dearer / worth
    return Shift(kwh * share, share)
