"""What `data/learning_compare.yaml` says: when a model may replace another, and what the console calls things."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

FILE = "learning_compare.yaml"
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class BadCompareFile(ValueError):
    """The file is not as it should be; says where."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Training(_Strict):
    """What a training needs, how long it takes about, and after how long one that did not begin has died."""

    memory_mib: Count
    seconds: Annotated[float, Field(gt=0)]
    patience_seconds: Annotated[float, Field(gt=0)]


class Keep(_Strict):
    """How many files of models are kept."""

    previous: Annotated[int, Field(ge=1)]
    candidates: Annotated[int, Field(ge=1)]


class Paired(_Strict):
    """Counted message by message: the level of McNemar's test, and the net loss that is let pass."""

    significance: Share
    points: Share
    messages: Count


class Danger(_Strict):
    """How many messages of danger may be lost."""

    messages: Count


class OutOfScope(_Strict):
    """By how much F1 may drop, in sets of at least so many messages of the class."""

    points: Share
    messages: Count
    least: Count


class Calibration(_Strict):
    """By how much the error may grow, in sets of at least so many messages."""

    points: Share
    least: Count


class Rules(_Strict):
    """What "worse" means."""

    paired: Paired
    danger: Danger
    out_of_scope: OutOfScope
    calibration: Calibration


class CompareSettings(_Strict):
    """The whole file."""

    training: Training
    keep: Keep
    rules: Rules
    sets: dict[str, str]
    metrics: dict[str, str]
    why: dict[str, str]
    stages: dict[str, str]
    errors: dict[str, str]
    problems: dict[str, str]


@cache
def compare_settings(data_dir: Path) -> CompareSettings:
    """Read the file, once.

    Raises:
        BadCompareFile: if it is not of the form of `CompareSettings`.
    """
    path = data_dir / FILE
    try:
        return CompareSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise BadCompareFile(f"{path.name}: {error}") from error
