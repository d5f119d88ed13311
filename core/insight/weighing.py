"""Numbers that carry what they are a part of, so that means and shares of groups add up to those of the whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Self

from core.insight.kpi import Axis, Labelled
from core.insight.spans import Span
from core.insight.words import Words

_PLACES = 6  # sums of a database come in any order: what they say beyond is chance


class Ratio(float):
    """A part of a whole; several of them make one again (`ratio_of`)."""

    part: float
    whole: float

    def __new__(cls, part: float, whole: float) -> Self:
        """Return part / whole; the whole is not zero."""
        made = super().__new__(cls, round(part / whole, _PLACES))
        made.part, made.whole = part, whole
        return made


def ratio(part: float | None, whole: float | None) -> float | None:
    """Return a part of a whole, None where there is no whole."""
    return Ratio(part, whole) if part is not None and whole else None


def ratio_of(values: Sequence[float]) -> float | None:
    """Return all parts of all wholes."""
    ones = [one for one in values if isinstance(one, Ratio)]
    whole = math.fsum(one.whole for one in ones)
    return round(math.fsum(one.part for one in ones) / whole, _PLACES) if whole else None


def sum_if_any(values: Sequence[float]) -> float | None:
    """Return what they come to, to the hundredth; None where there are none."""
    return round(math.fsum(values), 2) if values else None


def greatest(values: Sequence[float]) -> float | None:
    """Return the greatest of them."""
    return max(values, default=None)


def as_found(label: Callable[[str, Words], str], of: Callable[[Any], str]) -> Axis:
    """Return an axis of the places in the order in which the items come."""

    def places(found: list[str], _span: Span, words: Words) -> Labelled:
        return [(key, label(key, words)) for key in dict.fromkeys(found)]

    return Axis(of, places)


def heaviest_first(label: Callable[[str, Words], str], of: Callable[[Any], str]) -> Axis:
    """Return an axis of the places whose items come to most first."""
    return replace(as_found(label, of), heaviest=True)


def if_so(condition: bool) -> float | None:
    """Return what counts once where the condition holds."""
    return 1.0 if condition else None


def share_of(found: bool | None) -> float | None:
    """Return what adds to a share, None where it cannot be told."""
    return None if found is None else float(found)


def total(values: Iterable[float | None]) -> float:
    """Return the sum of what is known."""
    return math.fsum(value for value in values if value is not None)
