"""The words of the dashboards: names, definitions, units, aims (data/insight/kpis.yaml), and what things are called."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

Unit = Literal["count", "messages", "cases", "customers", "orders", "share", "seconds", "score", "per_10000", "times"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Aim(_Strict):
    """What should be reached, and who says so."""

    value: float
    source: str


class Figure(_Strict):
    """One figure in words; `good`: the direction that is better, `empty`: why there may be no number."""

    name: str
    unit: str
    definition: str
    good: Literal["up", "down", "none"] = "none"
    aim: Aim | None = None
    empty: str | None = None


class ChartWords(_Strict):
    """One chart in words; `empty`: what stands there without data."""

    name: str
    definition: str
    unit: str = "count"
    empty: str | None = None


class UnitWords(_Strict):
    """How a number of this unit is written: a format of `value` (times `times`), and how a change of it is."""

    name: str
    text: str
    times: float = 1
    change: Literal["relative", "absolute"] = "relative"
    change_text: str


class Texts(_Strict):
    """What stands in place of a number, and pieces of texts."""

    none: str
    no_before: str
    young: str
    away: str
    not_by_channel: str
    same: str
    new: str
    unfinished: str
    so_far: str
    empty: str
    duration: str
    short_duration: str
    long_duration: str
    aim: str
    later_run: str
    and_: str = Field(alias="and")


class Words(_Strict):
    """The whole file, with the names of topics, skills, reasons and channels from the desk's own files."""

    boards: dict[str, str]
    groups: dict[str, str]
    units: dict[str, UnitWords]
    texts: Texts
    figures: dict[str, Figure]
    charts: dict[str, ChartWords]
    columns: dict[str, str]
    channels: dict[str, str]
    weekdays: tuple[str, ...] = Field(min_length=7, max_length=7)
    topics: dict[str, str]
    yes_no: dict[bool, str]
    values: dict[str, dict[str, str]]  # kind of value -> key -> what is read
    worst: dict[str, float]  # what counts how much in the score of a topic
    by_design: frozenset[str]  # reasons of handoffs that are no failing of the bot
    skills: dict[str, str]
    reasons: dict[str, str]
    outcomes: dict[str, str]
    problems: dict[str, str]

    def value(self, kind: str, key: str | None) -> str:
        """Return what a value is called; an unknown one is its own name."""
        return self.values.get(kind, {}).get(key or "", key or "")


@cache
def words_of(data_dir: Path) -> Words:
    """Read the words.

    Raises:
        pydantic.ValidationError: if some are missing or unknown.
    """
    own, desk = (_read(data_dir / "insight" / "kpis.yaml"), _read(data_dir / "desk" / "options.yaml"))
    topics = {**own.pop("topics"), **desk["intents"]}
    shared = {name: desk[name] for name in ("skills", "reasons", "outcomes")}
    return Words.model_validate({**own, **shared, "topics": topics})


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found
