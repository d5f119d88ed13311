"""From raw features to comparable numbers: logs for what spans decades, robust scaling, clipping, unknowns neutral."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.segment.method import Method

Matrix = NDArray[np.float32]
_NORMAL_IQR = 1.349  # interquartile range of a normal distribution with standard deviation 1


@dataclass(frozen=True)
class Column:
    """How one feature is scaled: (log1p(x) − centre) / width · weight."""

    feature: str
    log: bool
    weight: float
    indicator: bool
    centre: float
    width: float


@dataclass(frozen=True)
class Scale:
    """How all features are scaled; it goes into the model of a run as JSON."""

    columns: tuple[Column, ...]
    clip: float

    @classmethod
    def fit(cls, method: Method, values: Matrix) -> Scale:
        """Learn centres (medians) and widths (from interquartile ranges) of a sample; NaN: unknown."""
        columns = []
        for place, used in enumerate(method.features):
            centre, width = _spread(_logged(values[:, place], log=used.log), used.unit)
            columns.append(Column(used.feature, used.log, used.weight, used.indicator, centre, width))
        return cls(tuple(columns), method.clip)

    def transform(self, values: Matrix) -> Matrix:
        """Return (n, columns and indicators) scaled values without NaN: an unknown one is put at the centre."""
        parts = []
        for place, column in enumerate(self.columns):
            scaled = (_logged(values[:, place], log=column.log) - column.centre) / column.width
            unknown = np.isnan(scaled)
            parts.append(np.where(unknown, 0.0, np.clip(scaled, -self.clip, self.clip)) * column.weight)
            if column.indicator:
                parts.append(np.where(unknown, 0.0, column.weight))
        return np.column_stack(parts).astype(np.float32)

    @property
    def names(self) -> tuple[str, ...]:
        """The features, in the order in which their values are given."""
        return tuple(one.feature for one in self.columns)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"columns": [vars(one) for one in self.columns], "clip": self.clip}

    @classmethod
    def of_json(cls, data: dict[str, Any]) -> Scale:
        """Return what `to_json` was made from."""
        return cls(tuple(Column(**one) for one in data["columns"]), float(data["clip"]))


def picked(values: Matrix, names: Sequence[str], wanted: Sequence[str]) -> Matrix:
    """Return the columns of some features, in that order."""
    place = {name: index for index, name in enumerate(names)}
    return values[:, [place[name] for name in wanted]]


def _logged(values: Matrix, *, log: bool) -> NDArray[np.float64]:
    wide = values.astype(np.float64)
    return np.log1p(np.maximum(wide, 0.0)) if log else wide


def _spread(values: NDArray[np.float64], unit: float) -> tuple[float, float]:
    """Return the median and the robust width, which is never below the unit."""
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0, unit
    low, middle, high = (float(one) for one in np.percentile(known, (25, 50, 75)))
    return middle, max((high - low) / _NORMAL_IQR, unit)
