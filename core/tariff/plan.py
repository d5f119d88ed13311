"""A tariff plan as data: prices, tiers, hours, and how sure they are."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from core.clock import add_months, first_of_month
from core.tariff.errors import NoPlanInForce
from core.tariff.model import Period

Kind = Literal["tier", "flat", "tou", "tou_tier", "industrial"]
Status = Literal["verified", "assumed", "expired"]
Extend = Literal["all_bounds", "first_only"]
Surcharges = Mapping[Period, tuple[Decimal, ...]]


@dataclass(frozen=True)
class Tier:
    """One step of a tiered plan: its upper bound in kWh a year (None: open) and its price in yuan per kWh."""

    upper: Decimal | None
    price: Decimal


@dataclass(frozen=True)
class Window:
    """Hours that belong to a period: minutes of the day, `start` included, `end` not, in the named months."""

    months: frozenset[int]
    start: int
    end: int
    period: Period

    def holds(self, month: int, minute: int) -> bool:
        """Say whether a minute of a day of this month lies in the window (which may pass midnight)."""
        if month not in self.months:
            return False
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


@dataclass(frozen=True)
class Season:
    """Prices by period that hold in some months of the year."""

    months: frozenset[int]
    prices: Mapping[Period, Decimal] = field(hash=False)


@dataclass(frozen=True)
class Components:
    """What an agent-purchase price is made of, yuan per kWh; only `agent_price` + `line_loss` floats with the
    hour.
    """

    agent_price: Decimal
    line_loss: Decimal
    transmission: Decimal
    system_operation: Decimal
    funds: Decimal

    def price(self, multiplier: Decimal) -> Decimal:
        """Return the price of a period, unrounded (domain facts 1.4, 1.5)."""
        fixed = self.transmission + self.system_operation + self.funds
        return (self.agent_price + self.line_loss) * multiplier + fixed


@dataclass(frozen=True)
class BasicRule:
    """Prices and limits of the basic charge of a two-part plan (domain facts 1.6).

    Yuan per kW and per kVA a month; from `heavy_use_kwh_per_kva` on the demand price is multiplied by
    `heavy_use_factor`.
    """

    demand_price: Decimal
    capacity_price: Decimal
    contract_floor: Decimal
    excess_from: Decimal
    excess_factor: Decimal
    heavy_use_kwh_per_kva: Decimal
    heavy_use_factor: Decimal


@dataclass(frozen=True)
class PowerFactorRule:
    """A standard and whom it holds for: capacity above `over_kva`, or at least `from_kva`."""

    standard: Decimal
    over_kva: Decimal | None = None
    from_kva: Decimal | None = None

    def holds(self, capacity_kva: Decimal) -> bool:
        """Say whether a customer of this capacity is measured by this standard."""
        if self.over_kva is not None:
            return capacity_kva > self.over_kva
        return self.from_kva is None or capacity_kva >= self.from_kva


@dataclass(frozen=True)
class Plan:
    """One tariff in one span of validity; `status` says how sure its figures are (say so when not verified).

    `prices` are yuan per kWh by period ("flat" for a single price). `per_tier_surcharge` has one figure a
    tier, `surcharge_by_period` replaces it where a region's surcharges differ by period. `without_tou` names
    the plan that holds when the time-of-use offer is not chosen.
    """

    code: str
    name: str
    region: str
    user_class: str
    voltage: str
    kind: Kind
    effective_from: date
    effective_to: date | None
    source: str
    verified_at: date | None
    status: Status
    note: str = ""
    tiers: tuple[Tier, ...] = ()
    prices: Mapping[Period, Decimal] = field(default_factory=dict, hash=False)
    periods: tuple[Window, ...] = ()
    per_tier_surcharge: tuple[Decimal, ...] = ()
    surcharge_by_period: Surcharges = field(default_factory=dict, hash=False)
    large_family_extends: Extend = "all_bounds"
    seasons: tuple[Season, ...] = ()
    components: Components | None = None
    basic: BasicRule | None = None
    power_factor: tuple[PowerFactorRule, ...] = ()
    without_tou: str | None = None
    rounding: str = "line-half-up-0.01"

    @property
    def tiered(self) -> bool:
        """Whether the plan counts the year's cumulative kWh."""
        return bool(self.tiers)

    def covers(self, day: date) -> bool:
        """Say whether the plan is in force on a day (both ends included)."""
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)

    def at(self, day: date) -> Plan:
        """Return the plan with the prices of the day's season, valid only as long as these hold.

        Raises NoPlanInForce if the plan does not cover the day.
        """
        if not self.covers(day):
            raise NoPlanInForce(self.code, day)
        if not self.seasons:
            return self
        season = next((season for season in self.seasons if day.month in season.months), None)
        if season is None:
            raise NoPlanInForce(self.code, day)
        first, last = self._span(season.months, day)
        return replace(self, prices=season.prices, effective_from=first, effective_to=last)

    def _span(self, months: frozenset[int], day: date) -> tuple[date, date | None]:
        if len(months) == 12:
            return self.effective_from, self.effective_to
        first = last = first_of_month(day)
        while add_months(first, -1).month in months:
            first = add_months(first, -1)
        while add_months(last, 1).month in months:
            last = add_months(last, 1)
        end = last + timedelta(days=calendar.monthrange(last.year, last.month)[1] - 1)
        return max(first, self.effective_from), min(end, self.effective_to or end)
