"""Tariff files into plans: shape first, then what only makes sense together."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import yaml
from pydantic import ValidationError

from core.clock import months_between
from core.tariff.errors import TariffDataError
from core.tariff.model import PERIODS, Period
from core.tariff.numbers import round_to
from core.tariff.plan import BasicRule, Components, Plan, PowerFactorRule, Season, Tier, Window
from core.tariff.schema import DAY, MultiplierData, PlanData, RegionData

PRICE_PLACES = Decimal("0.000001")
ALL_MONTHS = frozenset(range(1, 13))
# Keys of the file that stand in a plan under the same name and unchanged.
AS_WRITTEN = {
    "code",
    "name",
    "user_class",
    "voltage",
    "kind",
    "effective_from",
    "effective_to",
    "source",
    "verified_at",
} | {"status", "note", "per_tier_surcharge", "surcharge_by_period", "large_family_extends", "without_tou"}


def load_plans(file: Path) -> list[Plan]:
    """Return the plans of one file; raises TariffDataError naming file and key."""
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise TariffDataError(file.name, "-", f"cannot be read: {problem}") from problem
    try:
        region = RegionData.model_validate(raw)
    except ValidationError as problem:
        first = problem.errors()[0]
        key = ".".join(str(step) for step in first["loc"]) or "-"
        raise TariffDataError(file.name, key, first["msg"]) from problem
    return [_plan(file.name, region.region, number, data) for number, data in enumerate(region.plans)]


def _plan(file: str, region: str, number: int, data: PlanData) -> Plan:
    key = f"plans.{number}"
    try:
        return _build(region, data)
    except ValueError as problem:
        raise TariffDataError(file, f"{key} ({data.code})", str(problem)) from problem


def _build(region: str, data: PlanData) -> Plan:
    if not data.code.startswith(f"{region}."):
        raise ValueError(f"the code must begin with {region}.")
    components = Components(**data.components.model_dump()) if data.components else None
    seasons = _seasons(data, components)
    plan = Plan(
        region=region,
        tiers=tuple(Tier(tier.upper, tier.price) for tier in data.tiers),
        prices=seasons[0].prices if seasons else data.prices,
        periods=tuple(Window(each.months, each.start, each.end, each.period) for each in data.periods),
        seasons=seasons,
        components=components,
        basic=BasicRule(**data.basic.model_dump()) if data.basic else None,
        power_factor=tuple(PowerFactorRule(**rule.model_dump()) for rule in data.power_factor),
        **data.model_dump(include=AS_WRITTEN),
    )
    _check_hours(plan)
    _check_prices(plan)
    return plan


def _seasons(data: PlanData, components: Components | None) -> tuple[Season, ...]:
    if components is None:
        return ()
    seasons = tuple(Season(each.months, _season_prices(data, components, each)) for each in data.multipliers)
    named = [month for season in seasons for month in season.months]
    if len(named) != len(set(named)) or not _months_of(data) <= set(named):
        raise ValueError("multipliers must name each month of the validity once")
    first = next(season for season in seasons if data.effective_from.month in season.months)
    return (first, *(season for season in seasons if season is not first))


def _season_prices(data: PlanData, components: Components, season: MultiplierData) -> dict[Period, Decimal]:
    """Return the published prices where there are any: they outrank the formula, which checks them (spec
    1.9).
    """
    factors = season.by_period.items()
    computed = {period: round_to(components.price(factor), PRICE_PLACES) for period, factor in factors}
    if not data.published:
        return computed
    if set(computed) != set(data.published):
        raise ValueError("published prices and multipliers name different periods")
    for period, price in data.published.items():
        if abs(price - computed[period]) > PRICE_PLACES:
            raise ValueError(f"published {period} price {price} does not fit the formula, {computed[period]}")
    return data.published


def _months_of(data: PlanData) -> frozenset[int]:
    if data.effective_to is None:
        return ALL_MONTHS
    return frozenset(month.month for month in months_between(data.effective_from, data.effective_to))


def _check_hours(plan: Plan) -> None:
    """Every minute of every month must belong to exactly one window."""
    if not plan.periods:
        return
    for month in sorted(ALL_MONTHS):
        for minute in range(0, DAY, 15):
            if sum(window.holds(month, minute) for window in plan.periods) != 1:
                clock = f"{minute // 60:02}:{minute % 60:02}"
                raise ValueError(f"month {month}, {clock} is not in exactly one period")


def _check_prices(plan: Plan) -> None:
    """The periods with hours, with prices and with surcharges must be the same."""
    hours: set[Period] = {window.period for window in plan.periods}
    wanted = hours or ({"flat"} if plan.kind == "flat" else set())
    tables = [plan.prices, *(season.prices for season in plan.seasons)]
    if any(set(table) != wanted for table in tables):
        raise ValueError(f"prices must be given for {sorted(wanted, key=PERIODS.index)} and nothing else")
    if plan.surcharge_by_period and set(plan.surcharge_by_period) != wanted:
        raise ValueError("surcharge_by_period must name the priced periods")
