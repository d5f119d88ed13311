"""Business rules and tags for many accounts at once, by the conditions of `core.segment.rules`; names of clusters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.portrait.frame import Frame
from core.segment.layers import Layers
from core.segment.method import Segmentation
from core.segment.rules import Condition, Rules
from core.segment.scale import Matrix

Mask = NDArray[np.bool_]
Names = NDArray[np.object_]


class Table:
    """The columns of a frame, as conditions ask for them."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._words = {name: np.array(values, dtype=object) for name, values in frame.extra.items()}

    def holds(self, one: Condition, thresholds: Mapping[str, float]) -> Mask:
        """Return which accounts fulfil a condition."""
        if one.one_of is not None:
            words = self._words[one.feature]
            empty = np.array([word is None for word in words], dtype=bool)
            found: Mask = np.isin(words.astype(str), one.one_of) & ~empty | (empty & one.unknown)
            return found
        values = self._frame.column(one.feature)
        unknown, met = np.isnan(values), np.ones(len(values), dtype=bool)
        if one.min is not None:
            met &= values >= one.min
        if one.max is not None:
            met &= values <= one.max
        if one.over is not None:
            met &= values > one.over
        if one.under is not None:
            met &= values < one.under
        if one.top is not None:
            met &= values >= thresholds.get(one.threshold, np.inf)
        return np.where(unknown, one.unknown, met)

    def all(self, conditions: Sequence[Condition], thresholds: Mapping[str, float]) -> Mask:
        """Return which accounts fulfil all of some conditions."""
        met = np.ones(len(self._frame), dtype=bool)
        for one in conditions:
            met &= self.holds(one, thresholds)
        return met


def segments_of(frame: Frame, rules: Rules, thresholds: Mapping[str, float]) -> Names:
    """Return the strongest segment of each account."""
    table, found = Table(frame), np.full(len(frame), None, dtype=object)
    left = np.ones(len(frame), dtype=bool)
    for segment in rules.segments:
        mine = np.zeros(len(frame), dtype=bool)
        for rule in segment.any:
            mine |= table.all(rule.all, thresholds)
        found[mine & left] = segment.key
        left &= ~mine
    return found


def tags_of(frame: Frame, rules: Rules, thresholds: Mapping[str, float]) -> list[list[str]]:
    """Return the tags of each account, in the order of the file."""
    table = Table(frame)
    found: list[list[str]] = [[] for _ in range(len(frame))]
    for tag in rules.tags:
        mine = np.zeros(len(frame), dtype=bool)
        for way in tag.ways:
            mine |= table.all(way, thresholds)
        for place in np.flatnonzero(mine):
            found[place].append(tag.key)
    return found


def cut(values: NDArray[np.float32], top: float) -> float | None:
    """Return the figure from which on a value is among the highest share; None where nobody stands out.

    Where more have one and the same figure than the share allows, those above it are meant: if all are alike, nobody is
    among the highest. It is one step of a float below the value itself, so that rounding to single precision excludes
    nobody.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    lowest = np.quantile(known, 1 - top, method="higher")
    if (known >= lowest).sum() > np.ceil(top * len(known)):
        above = known[known > lowest]
        if not len(above):
            return None
        lowest = above.min()
    return float(np.nextafter(np.float32(lowest), np.float32(-np.inf)))


def cluster_names(layers: Layers, values: Matrix, labels: NDArray[np.int64], known: Segmentation) -> list[str]:
    """Name each cluster: its class, and what is unusual in it against the accounts of its class (of a sample)."""
    words, names = known.words, []
    for layer in layers.layers:
        mine = (labels >= layer.first) & (labels < layer.first + layer.count)
        title = words.joint.join(known.classes.get(one, one) for one in layer.classes[:1]) or words.no_class
        scaled = layer.scale.transform(values[mine])
        for number in range(layer.count):
            inside = labels[mine] == layer.first + number
            marks = _marks(layer.scale.names, scaled, inside, known) if layer.count > 1 and inside.any() else []
            names.append(words.joint.join([title, *(marks or ([words.steady] if layer.count > 1 else []))]))
    return _distinct(names, words.same_name)


def _marks(features: Sequence[str], scaled: Matrix, inside: Mask, known: Segmentation) -> list[str]:
    """Return up to two words for where the mean of a cluster stands out from the median of its class."""
    words = known.words
    weights = {used.feature: used.weight for used in known.method.features}
    places = _places(known)
    away = {
        name: float(scaled[inside, places[name]].mean() - np.median(scaled[:, places[name]])) / weights[name]
        for name in features
    }
    found = []
    for name, amount in sorted(away.items(), key=lambda one: -abs(one[1])):
        word = (words.high if amount > 0 else words.low).get(name)
        if abs(amount) >= words.standout and word:
            found.append(word)
    return found[:2]


def _places(known: Segmentation) -> dict[str, int]:
    """Return the column of each feature among the scaled ones, which hold indicators too."""
    places, at = {}, 0
    for used in known.method.features:
        places[used.feature] = at
        at += 2 if used.indicator else 1
    return places


def _distinct(names: list[str], pattern: str) -> list[str]:
    often, seen, made = Counter(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        made.append(pattern.format(name=name, number=seen[name]) if often[name] > 1 else name)
    return made


def explained(name: str, number: int, counts: Mapping[str, int], means: Mapping[str, float | None]) -> dict[str, Any]:
    """Return what a run records of a cluster: its segments, which of them has the majority, and its means."""
    size = sum(counts.values())
    first = max(counts.items(), key=lambda one: one[1])[0] if size else None
    return {
        "number": number, "name": name, "size": size, "segment": first,
        "segments": dict(sorted(counts.items(), key=lambda one: -one[1])), "means": dict(means),
        "majority": round(counts[first] / size, 4) if first else None,
    }  # fmt: skip
