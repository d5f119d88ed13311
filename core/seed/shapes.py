"""How much an account uses in a month, and how that spreads over its days and registers.

Every figure comes from a generator keyed by account and month: a month that is over never changes.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from random import Random

from core.clock import add_months, first_of_month
from core.seed.accounts import AccountSpec
from core.seed.region import Profile
from core.seed.spans import ONE_DAY
from core.tariff import PERIODS, NoPlanInForce, Plan, TariffBook, period_of

# Units or hundredths of a unit by register: sharp, peak, flat, valley.
Counts = tuple[int, int, int, int]
NOTHING: Counts = (0, 0, 0, 0)
GROWTH_YEAR = 2024
_FLAT_SHARES = (0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Weather:
    """How far a month, and each of its days, is from the usual: -1 mild to 1 harsh."""

    level: float
    days: tuple[float, ...]


@cache
def weather(month: date) -> Weather:
    """Return the weather of a month, which all accounts share."""
    rng = Random(f"weather:{month:%Y-%m}")
    level, state, days = rng.uniform(-0.5, 0.5), 0.0, []
    for _ in range(31):
        state = 0.7 * state + 0.5 * rng.uniform(-1, 1)
        days.append(max(-1.0, min(1.0, state)))
    return Weather(level, tuple(days))


@dataclass(frozen=True)
class Shapes:
    """The load shapes at work; units are readings of the meter before its multiplier."""

    profiles: Mapping[str, Profile]
    book: TariffBook
    _shares: dict[tuple[str, str, date], tuple[float, ...]] = field(default_factory=dict)

    def units(self, account: AccountSpec, month: date) -> Counts:
        """Return the whole units that each register counts in a month."""
        first, last = active_span(account, month)
        days = (last - first).days + 1
        if days < 1:
            return NOTHING
        profile = self.profiles[account.kind.profile]
        rng = Random(f"{account.id}:{month:%Y-%m}")
        mean = account.mean_kwh * (1 + account.growth) ** (month.year - GROWTH_YEAR)
        chance = 1 + profile.noise * (2 * rng.random() - 1)
        kwh = mean * profile.months[month.month - 1] * (1 + profile.weather * weather(month).level) * chance
        if profile.cap is not None:
            kwh = min(kwh, profile.cap)
        total = int(kwh * days / days_in(month) / account.multiplier + 0.5)
        return self._split(account, month, total, rng)

    def days(self, account: AccountSpec, month: date, units: Counts) -> list[tuple[date, Counts]]:
        """Return the hundredths of a unit counted since the month began, for each active day in order.

        The last day has the whole units of the month; the day of a meter's exchange has whole units too.
        """
        first, last = active_span(account, month)
        days = [date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)]
        columns = [self._column(account, month, days, place, count) for place, count in enumerate(units)]
        exchanged = {meter.removed_on for meter in account.meters}
        for place, day in enumerate(days):
            if day in exchanged:
                columns = [_whole_at(column, place) for column in columns]
        return [(day, (a, b, c, d)) for day, a, b, c, d in zip(days, *columns, strict=True)]

    def _split(self, account: AccountSpec, month: date, total: int, rng: Random) -> Counts:
        shares = self._period_shares(account, month)
        if shares is _FLAT_SHARES:
            return 0, 0, total, 0
        sharp, peak, valley = (int(total * shares[place] * (0.94 + 0.12 * rng.random())) for place in (0, 1, 3))
        return sharp, peak, max(0, total - sharp - peak - valley), valley

    def _period_shares(self, account: AccountSpec, month: date) -> tuple[float, ...]:
        """Return the share of each register, from the load of the 24 hours and the plan's periods."""
        hours = self.profiles[account.kind.profile].hours
        if hours is None:
            return _FLAT_SHARES
        key = (account.kind.profile, account.kind.plan, month)
        if key not in self._shares:
            self._shares[key] = self._shares_of(hours, self._plan(account.kind.plan, month), month)
        return self._shares[key]

    def _shares_of(self, hours: Sequence[float], plan: Plan, month: date) -> tuple[float, ...]:
        if not plan.periods:
            return _FLAT_SHARES
        sums = dict.fromkeys(PERIODS, 0.0)
        for hour, load in enumerate(hours):
            sums[period_of(plan, datetime(month.year, month.month, 1, hour, 30))] += load
        return tuple(sums[period] / sum(hours) for period in PERIODS)

    def _plan(self, code: str, month: date) -> Plan:
        try:
            return self.book.plan(code, month_end(month))
        except NoPlanInForce:
            # The meter counted before the first known price; only its hours are wanted here.
            return next(plan for plan in self.book.plans() if plan.code == code)

    def _column(self, account: AccountSpec, month: date, days: list[date], place: int, units: int) -> list[int]:
        if not units:
            return [0] * len(days)
        profile = self.profiles[account.kind.profile]
        rng = Random(f"{account.id}:{month:%Y-%m}:{place}")
        sky = weather(month).days
        weights, running = [], 0.0
        for day in days:
            weight = (profile.weekend if day.weekday() >= 5 else 1.0) * (0.8 + 0.4 * rng.random())
            running += weight * (1 + profile.weather * sky[day.day - 1])
            weights.append(running)
        hundredths = units * 100
        return [*(int(hundredths * weight / running) for weight in weights[:-1]), hundredths]


def days_in(month: date) -> int:
    """Return how many days a month has."""
    return calendar.monthrange(month.year, month.month)[1]


def active_span(account: AccountSpec, month: date) -> tuple[date, date]:
    """Return the first and last day of a month on which the account uses energy (reversed if there is none).

    Use begins on the day after the first reading.
    """
    first = max(month, account.recorded_from + ONE_DAY)
    last = month_end(month) if account.closed_on is None else min(month_end(month), account.closed_on)
    return first, last


def month_end(month: date) -> date:
    """Return the last day of a month."""
    return add_months(first_of_month(month), 1) - ONE_DAY


def _whole_at(column: list[int], place: int) -> list[int]:
    """Round a running count down to whole units at one place, and cap what comes before it."""
    whole = column[place] // 100 * 100
    return [min(count, whole) for count in column[:place]] + [whole] + column[place + 1 :]
