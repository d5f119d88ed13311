"""The words of one customer's portrait (data/insight/portraits.yaml)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ListWords(_Strict):
    """What the list of portraits is called."""

    name: str
    definition: str


class PortraitWords(_Strict):
    """The whole file."""

    units: dict[str, str]
    other: str
    flag: str
    yes: str
    no: str
    unknown: str
    thin: dict[str, str]
    sample: str
    whole: str
    reason: str
    plain_reason: str
    figure: str
    joint: str
    since_event: str
    events: dict[str, str]
    event_yuan: str
    event_segment: str
    recommendations: dict[str, str]
    recommendation_states: dict[str, str]
    recommendation_yuan: str
    kinds: dict[str, str]
    more: dict[str, str]
    times: str
    orders: str
    accounts: str
    list: ListWords
    problems: dict[str, str]

    def value(self, value: float | None, unit: str) -> str:
        """Return a value of a feature as it is read."""
        if value is None:
            return self.unknown
        if unit == self.flag:
            return self.yes if value else self.no
        pattern = self.units.get(unit)
        if pattern is not None:
            return pattern.format(value=value)
        places = 0 if abs(value) >= 100 or float(value).is_integer() else 1
        return self.other.format(value=value, unit=unit, places=places)


@cache
def portrait_words(data_dir: Path) -> PortraitWords:
    """Read the words; raises pydantic.ValidationError if some are missing or unknown."""
    path = data_dir / "insight" / "portraits.yaml"
    return PortraitWords.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
