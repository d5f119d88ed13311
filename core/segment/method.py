"""How clusters are made and worded (data/segments/segments.yaml: method, classes, words). No numpy here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from core.segment.rules import Rules, Strict, load_rules, parsed, read

Share = Annotated[float, Field(gt=0, lt=1)]
Weight = Annotated[float, Field(gt=0)]


class Used(Strict):
    """One feature that clusters stand on."""

    feature: str
    log: bool = False
    unit: Weight  # of the (logged) feature: a smaller spread than this is never blown up to count as one
    weight: Weight = 1.0
    indicator: bool = False  # also whether it is known at all


class Choosing(Strict):
    """How the number of clusters is chosen."""

    most: Annotated[int, Field(ge=2)]
    apart: Weight
    structure: Share
    starts: Annotated[int, Field(ge=1)]
    silhouette_sample: Annotated[int, Field(ge=100)]
    resamples: Annotated[int, Field(ge=2)]
    resample_share: Share
    stable: Share
    smallest_share: Share
    fewest: Annotated[int, Field(ge=2)]
    close: Annotated[float, Field(ge=0)]


class Growing(Strict):
    """How the tree is grown."""

    depths: Annotated[tuple[int, ...], Field(min_length=1)]
    folds: Annotated[int, Field(ge=2)]
    close: Annotated[float, Field(ge=0)]
    smallest_leaf: Share


class DriftRules(Strict):
    """When a change of a feature's distribution is worth a word."""

    bins: Annotated[int, Field(ge=3)]
    notable: Weight
    large: Weight


class Method(Strict):
    """The whole part `method`."""

    features: Annotated[tuple[Used, ...], Field(min_length=1)]
    clip: Weight
    minibatch_over: Annotated[int, Field(gt=0)]
    chunk: Annotated[int, Field(gt=0)]
    sample: Annotated[int, Field(gt=0)]
    choose: Choosing
    tree: Growing
    keep_runs: Annotated[int, Field(ge=1)]
    resume_hours: Weight
    drift: DriftRules

    @property
    def names(self) -> tuple[str, ...]:
        """The features that clusters stand on, in order."""
        return tuple(one.feature for one in self.features)


class Words(Strict):
    """How rules and clusters are worded."""

    rule: str
    rule_all: str
    and_: str = Field(alias="and")
    at_most: str
    over: str
    between: str
    is_: str = Field(alias="is")
    known: str
    not_known: str
    no_unit: tuple[str, ...]
    or_unknown: str
    class_name: str
    share: str
    no_class: str
    joint: str
    steady: str
    same_name: str
    standout: Weight
    high: Mapping[str, str]
    low: Mapping[str, str]


class Segmentation(Strict):
    """All that a run needs to know beforehand: method, rules and words."""

    method: Method
    rules: Rules
    classes: Mapping[str, str]  # user class -> its name
    words: Words

    @classmethod
    def load(cls, directory: Path) -> Segmentation:
        """Read data/segments; raises BadSegmentData."""
        tree: dict[str, Any] = read(directory, ("method", "classes", "words"))
        return parsed(cls, tree | {"rules": load_rules(directory).model_dump(by_alias=True)}, "segments.yaml")

    def settings(self) -> dict[str, Any]:
        """Return what runs must share to be one (a run is only gone on with under the same)."""
        return {
            "method": self.method.model_dump(mode="json"),
            "rules": self.rules.model_dump(
                mode="json", include={"segments", "tags"}, by_alias=True, exclude_defaults=True
            ),
        }
