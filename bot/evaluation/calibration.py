"""Whether confidences mean what they say: the expected calibration error and the bins of the reliability plot.

The expected calibration error (Naeini et al. 2015; Guo et al. 2017) is the mean, over all messages, of the distance
between a bin's mean confidence and its share of right readings, here with 15 bins of equal width. A message counts
with the intent that stood first before any rejection, and with that intent's confidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .cases import Case

BINS = 15
Outcome = tuple[float, bool]


@dataclass(frozen=True)
class Bin:
    """Messages with confidences in (low, high]: how many, their mean confidence, their share of right readings."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def outcomes(cases: Iterable[Case]) -> list[Outcome]:
    """Return confidence and rightness of the unrejected guess in each message."""
    found = []
    for case in cases:
        name, confidence = case.guess
        found.append((confidence, frozenset(name.split("+")) == case.wanted))
    return found


def bins(results: Sequence[Outcome], number: int = BINS) -> list[Bin]:
    """Return the bins that hold a message, the lowest first; a confidence of 0 belongs to the first."""
    members: dict[int, list[Outcome]] = {}
    for confidence, right in results:
        # A float a hair above its bin's end (0.2 * 15 = 3.0000000000000004) is meant to be the end.
        place = math.ceil(round(confidence * number, 9)) - 1
        members.setdefault(min(max(place, 0), number - 1), []).append((confidence, right))
    return [_bin(place, number, members[place]) for place in sorted(members)]


def calibration_error(results: Sequence[Outcome], number: int = BINS) -> float | None:
    """Return the expected calibration error, 0 to 1; nothing without messages."""
    if not results:
        return None
    return sum(each.count * abs(each.accuracy - each.confidence) for each in bins(results, number)) / len(results)


def _bin(place: int, number: int, members: list[Outcome]) -> Bin:
    count = len(members)
    confidence = sum(each for each, _ in members) / count
    return Bin(place / number, (place + 1) / number, count, confidence, sum(right for _, right in members) / count)
