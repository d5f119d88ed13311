"""What the file `data/learning.yaml` says: lines, weights, stop words, and what the console calls things."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.learning.tables import REASONS

FILE = "learning.yaml"
Share = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[int | float, Field(gt=0)]
HARMS = ("message", "danger", "complaint", "handed_over", "repeated", "low_survey")


class BadLearningFile(ValueError):
    """The file is not as it should be; says where."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BeforeHandoff(_Strict):
    """How many of the last messages before a handoff count, and how old they may be."""

    messages: Annotated[int, Field(gt=0, le=20)]
    minutes: Positive


class Collecting(_Strict):
    """Which messages are gathered."""

    low_confidence: Share
    not_understood: frozenset[str]
    handoff_reasons: frozenset[str]
    before_handoff: BeforeHandoff
    understood_well: frozenset[str]
    overlap_minutes: Positive
    shortest: Annotated[int, Field(gt=0)]
    longest: Annotated[int, Field(gt=0)]


class Harm(_Strict):
    """What a message weighs, and how near something must be to count."""

    weights: dict[str, Annotated[float, Field(ge=0)]]
    danger_hours: Positive
    complaint_hours: Positive
    repeated_hours: Positive
    survey_days: Positive
    low_score: Annotated[int, Field(ge=1, le=5)]
    half_life_days: Positive
    phrase_share: Share


class Grouping(_Strict):
    """How alike messages of one group are."""

    most: Annotated[int, Field(gt=0, le=20_000)]
    topics: Annotated[int, Field(ge=2, le=500)]
    surface: Annotated[float, Field(ge=0, le=1)]
    topic: Annotated[float, Field(ge=0, le=1)]
    intent: Annotated[float, Field(ge=0, le=1)]
    distance: Share


class Naming(_Strict):
    """How a group gets its name."""

    words: Annotated[int, Field(ge=1, le=4)]
    joint: str
    least_share: Share
    terms: tuple[str, ...]
    stop: frozenset[str]
    phrases: frozenset[str]
    matter: frozenset[str]
    phrase: str
    example: str


class Faq(_Strict):
    """What an answer of a reviewer may say of itself."""

    key_prefix: str
    regions: dict[str, str]
    statuses: dict[str, str]
    states: dict[str, str]


class Placeholders(_Strict):
    """What stands in place of what points at somebody."""

    name: str
    place: str
    number: str
    plate: str


class Leaks(_Strict):
    """How like a message of a validation set a message may be."""

    like: Share


class Labels(_Strict):
    """Chinese names by key."""

    reasons: dict[str, str]
    harm: dict[str, str]
    states: dict[str, str]
    refused: dict[str, str]


class LearningSettings(_Strict):
    """The whole file."""

    collect: Collecting
    harm: Harm
    groups: Grouping
    names: Naming
    faq: Faq
    placeholders: Placeholders
    leaks: Leaks
    labels: Labels
    problems: dict[str, str]

    @model_validator(mode="after")
    def _names_everything(self) -> LearningSettings:
        wrong = {*HARMS} ^ set(self.harm.weights) | {*HARMS} ^ set(self.labels.harm)
        wrong |= {*REASONS} ^ set(self.labels.reasons)
        if wrong:
            raise ValueError(f"unknown or missing: {', '.join(sorted(wrong))}")
        return self


@cache
def learning_settings(data_dir: Path) -> LearningSettings:
    """Read the file, once.

    Raises:
        BadLearningFile: if it is not of the form of `LearningSettings`.
    """
    path = data_dir / FILE
    try:
        return LearningSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise BadLearningFile(f"{path.name}: {error}") from error
