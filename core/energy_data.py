"""The stated assumptions of all advice on energy, from `data/energy`: each figure with source, date and certainty."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

ENERGY_DATA = Path(__file__).parents[1] / "data" / "energy"
_Facts = TypeVar("_Facts", bound=BaseModel)
OwnMeasure = Literal["cooling", "heating", "standby", "shift"]


class EnergyDataError(Exception):
    """A file of assumptions is wrong; names the file."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sourced(_Strict):
    """Where a figure comes from, of which month, and how sure it is."""

    source: str
    date: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}$")]
    status: Literal["verified", "secondary", "unverified"]


class Figure(Sourced):
    """One figure."""

    value: Decimal


class Span(Sourced):
    """A figure that is known only between two bounds."""

    low: Decimal
    high: Decimal

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Seasons(Sourced):
    """Calendar months that need cooling, heating, or neither."""

    cooling: frozenset[int]
    heating: frozenset[int]
    mild: frozenset[int]


class Formula(Sourced):
    """What a change at one appliance saves: kWh a day, on so many days a year."""

    kwh_per_day: Decimal
    days: Decimal
    constant: bool = False  # runs day and night, so that it can save no more than a part of the base load

    @property
    def kwh(self) -> Decimal:
        """The kWh saved in a year."""
        return self.kwh_per_day * self.days


class Appliance(_Strict):
    """What to say first about an appliance: measures from the own use, a formula, or that it must stay on."""

    own: tuple[OwnMeasure, ...] = ()
    formula: str | None = None
    essential: bool = False


class HomeFacts(_Strict):
    """Assumptions of advice to households and shops."""

    seasons: Seasons
    setback: Span
    setback_degrees: Figure
    standby_watts: Figure
    standby_share: Figure
    base_days: Figure
    step_share: Figure
    shift_share: Figure
    formulas: dict[str, Formula]
    appliances: dict[str, Appliance]
    fallback: dict[str, tuple[str, ...]]
    general: tuple[str, ...]
    general_plan: str

    @model_validator(mode="after")
    def _formulas_exist(self) -> Self:
        named = {appliance.formula for appliance in self.appliances.values()} - {None}
        spare = {key for keys in self.fallback.values() for key in keys}
        missing = (named | spare | set(self.general) - {"standby"}) - set(self.formulas)
        if missing:
            raise ValueError(f"no formula {sorted(map(str, missing))}")
        return self


class BusinessFacts(_Strict):
    """Bounds of the checks of a business."""

    power_factor_target: Figure
    load_low: Figure
    load_high: Figure
    shift_share: Figure
    storage_efficiency: Figure
    storage_plan: str
    pile_plan: str


class SunHours(Sourced):
    """How a day's generation spreads over the hours from `first` on; the shares add up to 1."""

    share: Annotated[tuple[Decimal, ...], Field(min_length=1, max_length=24)]
    first: Annotated[int, Field(ge=0, le=23)]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if sum(self.share) != 1:
            raise ValueError(f"the shares add up to {sum(self.share)}")
        return self


class SolarFacts(_Strict):
    """Assumptions of the estimate of a roof."""

    kwp_per_m2: Span
    kwh_per_kwp: Span
    example_m2: Figure
    self_use_home: Figure
    self_use_business: Figure
    daytime_share: Figure
    feed_in: Figure
    hours: SunHours
    area_words: str
    kilowatt_words: str


class EnergyFacts(_Strict):
    """All assumptions."""

    home: HomeFacts
    business: BusinessFacts
    solar: SolarFacts

    @classmethod
    def load(cls, directory: Path) -> EnergyFacts:
        """Read home.yaml, business.yaml and solar.yaml.

        Raises:
            EnergyDataError: if a file is missing or not of its form.
        """
        return cls(
            home=_read(directory / "home.yaml", HomeFacts),
            business=_read(directory / "business.yaml", BusinessFacts),
            solar=_read(directory / "solar.yaml", SolarFacts),
        )


@cache
def energy_facts(directory: Path = ENERGY_DATA) -> EnergyFacts:
    """Return the assumptions of a directory, read once."""
    return EnergyFacts.load(directory)


def _read(file: Path, kind: type[_Facts]) -> _Facts:
    try:
        tree: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        return kind.model_validate(tree)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise EnergyDataError(f"{file.name}: {error}") from error
