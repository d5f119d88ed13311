"""The business rules of segments and tags (data/segments/*.yaml), and whether one account fulfils them.

No numpy here: the bridge reads this too. The same conditions for many accounts at once: `core.segment.names`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.portrait.tables import FEATURES
from core.segment.tables import SEGMENTS

CLASSES = ("user_class", "pay_channel", "area_class", "customer_kind", "thin")  # columns that hold a word
EventKind = Literal["large_payment", "application", "special_need", "cleared", "complaint", "given_up"]


Model = TypeVar("Model", bound=BaseModel)


class BadSegmentData(Exception):
    """A file of data/segments is wrong; the message names the file and the key."""


class Strict(BaseModel):
    """A part of a file: nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Condition(Strict):
    """One condition on one feature; `top` becomes a figure with the thresholds of a run."""

    feature: str
    min: float | None = None
    max: float | None = None
    over: float | None = None
    under: float | None = None
    top: Annotated[float, Field(gt=0, lt=1)] | None = None
    one_of: tuple[str, ...] | None = Field(None, alias="in")
    unknown: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Condition:
        if self.feature not in (CLASSES if self.one_of is not None else FEATURES):
            raise ValueError(f"no such feature: {self.feature}")
        if all(one is None for one in (self.min, self.max, self.over, self.under, self.top, self.one_of)):
            raise ValueError(f"{self.feature}: a condition without a bound")
        return self

    @property
    def threshold(self) -> str:
        """The key of the figure that `top` becomes."""
        return f"{self.feature}:top:{self.top}"

    def holds(self, values: Mapping[str, Any], thresholds: Mapping[str, float]) -> bool:
        """Tell whether an account with these values fulfils it."""
        value = values.get(self.feature)
        if value is None:
            return self.unknown
        if self.one_of is not None:
            return value in self.one_of
        return (
            (self.min is None or value >= self.min)
            and (self.max is None or value <= self.max)
            and (self.over is None or value > self.over)
            and (self.under is None or value < self.under)
            and (self.top is None or (self.threshold in thresholds and value >= thresholds[self.threshold]))
        )


class Rule(Strict):
    """One way to belong to a segment: all its conditions. `settled`: it is over when nothing is owed any more."""

    key: str
    words: str
    all: tuple[Condition, ...]
    settled: bool = False

    def holds(self, values: Mapping[str, Any], thresholds: Mapping[str, float]) -> bool:
        """Tell whether an account fulfils all conditions."""
        return all(one.holds(values, thresholds) for one in self.all)


class Segment(Strict):
    """One of the five groups, with its reason and source."""

    key: str
    name: str
    reason: str
    source: str
    any: Annotated[tuple[Rule, ...], Field(min_length=1)]


class Tag(Strict):
    """A readable tag, with the conditions that give it (`all`, or any one of the groups of `any`)."""

    key: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    name: str
    why: str
    all: tuple[Condition, ...] = ()
    any: tuple[tuple[Condition, ...], ...] = ()

    @property
    def ways(self) -> tuple[tuple[Condition, ...], ...]:
        """The groups of conditions, each of which is enough."""
        return self.any or ((self.all,) if self.all else ())


class EventRule(Strict):
    """What an event makes of an account: work orders of which kinds, a segment, tags."""

    kinds: tuple[str, ...] = ()
    segment: str | None = None
    tags: tuple[str, ...] = ()
    months: float | None = None


class Rules(Strict):
    """The rules of segments in order of precedence, the tags, and the rules of events."""

    segments: tuple[Segment, ...]
    tags: tuple[Tag, ...]
    of_events: tuple[Tag, ...] = ()
    events: Mapping[EventKind, EventRule]

    @model_validator(mode="after")
    def _fits(self) -> Rules:
        if tuple(one.key for one in self.segments) != SEGMENTS:
            raise ValueError(f"segments must be {', '.join(SEGMENTS)}, in this order")
        if self.segments[-1].any[-1].all:
            raise ValueError("the last segment must take whoever is left")
        known = [tag.key for tag in (*self.tags, *self.of_events)]
        if len(known) != len(set(known)):
            raise ValueError("two tags have one key")
        for event in self.events.values():
            if (event.segment is not None and event.segment not in SEGMENTS) or not set(event.tags) <= set(known):
                raise ValueError("an event names a segment or tag that there is not")
        return self

    def name_of(self, key: str) -> str:
        """Return the name of a segment or tag as staff read it; the key itself where it is no longer known."""
        every: tuple[Segment | Tag, ...] = (*self.segments, *self.tags, *self.of_events)
        return next((one.name for one in every if one.key == key), key)

    def conditions(self) -> Iterator[Condition]:
        """Yield all conditions of segments and tags."""
        for segment in self.segments:
            for rule in segment.any:
                yield from rule.all
        for tag in self.tags:
            for way in tag.ways:
                yield from way

    def segment_of(
        self, values: Mapping[str, Any], thresholds: Mapping[str, float], *, settled: bool = False
    ) -> tuple[str, tuple[Rule, ...]]:
        """Return the strongest segment of an account and the rules that gave it; `settled`: as if nothing was owed."""
        for segment in self.segments:
            fit = tuple(
                rule for rule in segment.any if not (settled and rule.settled) and rule.holds(values, thresholds)
            )
            if fit:
                return segment.key, fit
        raise AssertionError("the last segment takes whoever is left")

    def tags_of(self, values: Mapping[str, Any], thresholds: Mapping[str, float]) -> list[str]:
        """Return the tags of an account, in the order of the file."""
        return [
            tag.key for tag in self.tags
            if any(all(one.holds(values, thresholds) for one in way) for way in tag.ways)
        ]  # fmt: skip


def load_rules(directory: Path) -> Rules:
    """Read the rules of data/segments; raises BadSegmentData."""
    return parsed(Rules, read(directory, ("segments", "events"), ("tags", "of_events")), "segments.yaml, tags.yaml")


def read(directory: Path, of_segments: Sequence[str], of_tags: Sequence[str] = ()) -> dict[str, Any]:
    """Return parts of segments.yaml and tags.yaml by their keys; raises BadSegmentData."""
    found: dict[str, Any] = {}
    for name, keys in (("segments.yaml", of_segments), ("tags.yaml", of_tags)):
        if not keys:
            continue
        try:
            tree = yaml.safe_load((directory / name).read_text(encoding="utf-8"))
            found |= {key: tree[key] for key in keys}
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
            raise BadSegmentData(f"{name}: {error}") from error
    return found


def parsed(model: type[Model], tree: dict[str, Any], name: str) -> Model:
    """Return a tree checked against its model; raises BadSegmentData."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadSegmentData(f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
