"""The description of the demonstration region (`data/demo/*.yaml`), checked when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

DEMO_DATA = Path("data/demo")
PERSON = "person"

Share = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(ge=0)]
Hours = Annotated[tuple[Factor, ...], Field(min_length=24, max_length=24)]
Code = Annotated[str, Field(pattern=r"^\d{6}$")]
Words = Annotated[tuple[str, ...], Field(min_length=1)]


class DemoDataError(Exception):
    """A file of the demonstration region is wrong; names the file and the key in it."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        super().__init__(f"{file}: {key}: {problem}")
        self.file = file
        self.key = key


Model = TypeVar("Model", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Organisations(_Strict):
    """Words from which the names of one kind of organisation are put together."""

    words: Words
    kinds: Words


class People(_Strict):
    """Names of invented people and organisations."""

    surnames: Words
    given_names: Words
    organisations: Mapping[str, Organisations]


class District(_Strict):
    """A district with its roads (or towns) and places (compounds or villages)."""

    name: str
    code: Code
    city: str
    area: Literal["city", "rural", "remote"]
    roads: Words
    places: Words


class Profile(_Strict):
    """A load shape; the keys are explained in profiles.yaml."""

    months: Annotated[tuple[Factor, ...], Field(min_length=12, max_length=12)]
    kwh: tuple[Factor, Factor]
    per_kva: bool = False
    weekend: Factor
    weather: Share
    noise: Share
    cap: int | None = None
    hours: Hours | None = None
    demand: Share | None = None


class AccountKind(_Strict):
    """One account that the customers of a kind have; the keys are explained in kinds.yaml."""

    profile: str
    plan: str
    capacity: Annotated[tuple[int, ...], Field(min_length=1)]
    prepaid: Share = 0
    moves: bool = False
    since: date | None = None
    spread: int = 1
    exchange: date | None = None
    demand_billed: Share = 0
    large_family_kwh: int = 0
    free_kwh: int = 0


class Kind(_Strict):
    """A kind of customers."""

    kind: str
    share: Annotated[int, Field(gt=0)]
    names: str
    rural: Share
    accounts: Annotated[tuple[AccountKind, ...], Field(min_length=1)]


class Habits(_Strict):
    """Percent of the customers with each habit of paying."""

    debtor: int
    late: int
    gaps: int
    last_day: int
    hall: int
    autopay: int


class PrepaidHabits(_Strict):
    """Percent of the prepaid customers who top up late; the others do so ahead."""

    forgetful: int
    behind: int


class Kinds(_Strict):
    """All kinds of customers and how they pay."""

    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)]
    habits: Habits
    prepaid_habits: PrepaidHabits


class Places(_Strict):
    """All districts."""

    districts: Annotated[tuple[District, ...], Field(min_length=1)]


class Profiles(_Strict):
    """All load shapes by name."""

    profiles: Mapping[str, Profile]


class Region(_Strict):
    """The whole description."""

    people: People
    districts: tuple[District, ...]
    profiles: Mapping[str, Profile]
    kinds: tuple[Kind, ...]
    habits: Habits
    prepaid_habits: PrepaidHabits


def load_region(directory: Path = DEMO_DATA) -> Region:
    """Return the description in a directory; raises DemoDataError naming file and key."""
    people = read(directory / "people.yaml", People)
    profiles = read(directory / "profiles.yaml", Profiles).profiles
    kinds = read(directory / "kinds.yaml", Kinds)
    for kind in kinds.kinds:
        if kind.names != PERSON and kind.names not in people.organisations:
            raise DemoDataError("kinds.yaml", kind.kind, f"no names for {kind.names}")
        for account in kind.accounts:
            if account.profile not in profiles:
                raise DemoDataError("kinds.yaml", kind.kind, f"no profile {account.profile}")
    return Region(
        people=people,
        districts=read(directory / "places.yaml", Places).districts,
        profiles=profiles,
        kinds=kinds.kinds,
        habits=kinds.habits,
        prepaid_habits=kinds.prepaid_habits,
    )


def read(file: Path, model: type[Model]) -> Model:
    """Return one file checked against its model; raises DemoDataError."""
    try:
        raw: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        return model.model_validate(raw)
    except ValidationError as problem:
        first = problem.errors()[0]
        raise DemoDataError(file.name, ".".join(map(str, first["loc"])) or "-", first["msg"]) from problem
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise DemoDataError(file.name, "-", f"cannot be read: {problem}") from problem
