"""What one number is made of many; all of an empty list but counts are None: no data is not 0 %."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

Total = Callable[[Sequence[float]], float | None]


def count(values: Sequence[float]) -> float | None:
    """Return how many there are."""
    return float(len(values))


def sum_of(values: Sequence[float]) -> float | None:
    """Return what they come to."""
    return math.fsum(values)


def mean(values: Sequence[float]) -> float | None:
    """Return the mean; of noughts and ones it is a share."""
    return math.fsum(values) / len(values) if values else None


def median(values: Sequence[float]) -> float | None:
    """Return the median."""
    return float(statistics.median(values)) if values else None


def p90(values: Sequence[float]) -> float | None:
    """Return the nearest-rank 90th percentile."""
    return sorted(values)[math.ceil(len(values) * 0.9) - 1] if values else None
