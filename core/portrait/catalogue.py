"""The catalogue of features (data/portrait/features.yaml): what each means, with unit, formula and source."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.portrait.tables import FEATURES

PORTRAIT_DATA = Path(__file__).parents[2] / "data" / "portrait"
Dimension = Literal["usage", "spending", "need", "credit"]


class CatalogueError(Exception):
    """The catalogue is missing, not of its form, or not about the features that there are."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Feature(_Strict):
    """One feature; `needs_months` is how many billed months the present holder needs at least, 0: none."""

    key: str
    name: str = Field(min_length=1)
    dimension: Dimension
    unit: str = Field(min_length=1)
    formula: str = Field(min_length=1)
    source: str = Field(min_length=1)
    needs_months: int = Field(ge=0, le=24)
    note: str = ""


class _File(_Strict):
    dimensions: dict[Dimension, str]
    columns: tuple[str, ...]
    words: tuple[str, ...]
    features: tuple[Feature, ...]


class Catalogue:
    """All features, in the order of the table of portraits."""

    def __init__(self, file: _File) -> None:
        self.features, self.dimensions, self.words = file.features, file.dimensions, file.words
        self._columns = file.columns
        self._by_key = {feature.key: feature for feature in file.features}

    @classmethod
    def load(cls, path: Path = PORTRAIT_DATA / "features.yaml") -> Catalogue:
        """Read the file.

        Raises:
            CatalogueError: if it is missing or not of its form, or names other features than the table has.
        """
        try:
            found = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, yaml.YAMLError, ValidationError) as error:
            raise CatalogueError(f"{path.name}: {error}") from error
        keys = tuple(feature.key for feature in found.features)
        if keys != FEATURES:
            wrong = set(keys) ^ set(FEATURES)
            raise CatalogueError(f"{path.name}: {sorted(wrong) or 'not each once, in the order of the table'}")
        return cls(found)

    def __getitem__(self, key: str) -> Feature:
        """Return a feature; raises KeyError if there is none of this key."""
        return self._by_key[key]

    def of(self, dimension: Dimension) -> list[Feature]:
        """Return the features of a dimension."""
        return [feature for feature in self.features if feature.dimension == dimension]

    def markdown(self) -> str:
        """Return the catalogue as Markdown, a table for each dimension."""
        lines = [f"- {line}" for line in self.words]
        for dimension, name in self.dimensions.items():
            lines += ["", f"### {name} `{dimension}`", "", _row(self._columns), _row(["---"] * len(self._columns))]
            lines += [_row(_cells(feature)) for feature in self.of(dimension)]
        return "\n".join(lines)


def _cells(feature: Feature) -> list[str]:
    months = str(feature.needs_months) if feature.needs_months else ""
    key = f"`{feature.key}`"
    return [key, feature.name, feature.unit, feature.formula, feature.source, months, feature.note]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
