"""Service halls (营业厅): where they are and when they are open, from `data/places/service_halls.yaml`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import time
from functools import cache
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

SERVICE_HALLS = Path(__file__).parents[1] / "data" / "places" / "service_halls.yaml"
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Span = tuple[time, time]
# 武昌区 is also called 武昌, 楚溪县 also 楚溪.
_ENDING = re.compile(r"[区县市]$")


class ServiceHallDataError(ValueError):
    """The file of service halls is wrong; says where."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hours(_Strict):
    """When a hall is open: (opens, closes) of working days and of weekends, None where it is closed."""

    weekdays: Span
    weekend: Span | None = None

    @model_validator(mode="after")
    def _open_before_closing(self) -> Self:
        for span in (self.weekdays, self.weekend):
            if span is not None and span[0] >= span[1]:
                raise ValueError(f"opens at {span[0]} and closes at {span[1]}")
        return self


class ServiceHall(_Strict):
    """One hall; `near` are names of its neighbourhood."""

    name: Text
    district: Text
    address: Text
    near: tuple[Text, ...] = ()
    hours: Hours


class ServiceHalls(_Strict):
    """All halls of a region with the telephone of the region; `demonstration`: invented ones."""

    demonstration: bool
    region: Text
    date: Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
    source: Text
    phone: Annotated[str, StringConstraints(pattern=r"^[\d-]{5,}$")]
    halls: tuple[ServiceHall, ...]

    @model_validator(mode="after")
    def _there_are_some(self) -> Self:
        names = [hall.name for hall in self.halls]
        if not names or len(set(names)) != len(names):
            raise ValueError("there must be halls, each with a name of its own")
        return self

    def named(self, text: str) -> list[ServiceHall]:
        """Return the halls that a text points at: by neighbourhood or road, else by district; none if by neither."""
        near = [hall for hall in self.halls if any(name in text for name in (*hall.near, *_roads(hall)))]
        return near or [hall for hall in self.halls if _ENDING.sub("", hall.district) in text]

    def of_addresses(self, addresses: Sequence[str]) -> list[ServiceHall]:
        """Return the halls that serve some addresses: those of the same town, else those of the district."""
        found: list[ServiceHall] = []
        for address in addresses:
            district = [hall for hall in self.halls if hall.district in address]
            town = [hall for hall in district if any(name in address for name in hall.near)]
            found += [hall for hall in town or district if hall not in found]
        return found


@cache
def load_service_halls(path: Path = SERVICE_HALLS) -> ServiceHalls:
    """Read the file of service halls.

    Raises:
        ServiceHallDataError: if it is not of the form of `ServiceHalls`.
    """
    try:
        return ServiceHalls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ServiceHallDataError(f"{path.name}: {error}") from error


def _roads(hall: ServiceHall) -> list[str]:
    """Return the road of an address: 中北路 of 武汉市武昌区中北路899号一楼."""
    rest = hall.address.rpartition(hall.district)[2]
    return re.findall(r"^[^\d]{2,6}?(?:路|大道|大街)", rest)
