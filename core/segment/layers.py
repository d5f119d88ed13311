"""The clusters in two layers: by the utility's class of a user, and in each class by how energy is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from core.segment.choose import choose
from core.segment.cluster import Centres, Labels, assign, fit, merged, refine
from core.segment.method import Method
from core.segment.scale import Matrix, Scale

Classes = NDArray[np.object_]
Part = tuple[Matrix, Classes]  # raw values of the method's features, and the class of each account


class TooFewAccounts(Exception):
    """There is no account with a history to form clusters of."""


@dataclass(frozen=True)
class Layer:
    """The clusters of one class (or of several that are too small to be one): numbers from `first` on."""

    classes: tuple[str, ...]
    first: int
    scale: Scale
    centres: Centres
    groups: Labels  # the cluster of each centre, from 0 on

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return int(self.groups.max()) + 1

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        centres = [[round(float(one), 6) for one in row] for row in self.centres]
        return {
            "classes": list(self.classes), "first": self.first, "scale": self.scale.to_json(), "centres": centres,
            "groups": self.groups.tolist(),
        }  # fmt: skip


@dataclass(frozen=True)
class Layers:
    """All clusters; the layer with the most accounts comes first."""

    layers: tuple[Layer, ...]

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return sum(layer.count for layer in self.layers)

    def assign(self, values: Matrix, classes: Classes) -> Labels:
        """Return the cluster of each account; a class that no layer knows goes with the first."""
        labels, taken = np.zeros(len(values), dtype=np.int64), np.zeros(len(values), dtype=bool)
        for layer in self.layers:
            mine = np.isin(classes, layer.classes)
            taken |= mine
            _put(labels, mine, layer, values)
        _put(labels, ~taken, self.layers[0], values)
        return labels

    def refined(self, parts: Callable[[], Iterable[Part]], *, seed: int) -> Layers:
        """Return the layers with centres moved by all accounts, read part after part once for each layer of several."""
        made = []
        for layer in self.layers:
            if len(layer.centres) > 1:
                rows = (layer.scale.transform(values[np.isin(classes, layer.classes)]) for values, classes in parts())
                layer = replace(layer, centres=refine(rows, layer.centres, seed=seed))
            made.append(layer)
        return Layers(tuple(made))

    def to_json(self) -> list[dict[str, Any]]:
        """Return it as plain data."""
        return [layer.to_json() for layer in self.layers]


def fit_layers(values: Matrix, classes: Classes, method: Method, *, seed: int) -> tuple[Layers, list[dict[str, Any]]]:
    """Return the clusters of a sample, and how their number was chosen in each class.

    Raises:
        TooFewAccounts: if there is none.
    """
    if not len(values):
        raise TooFewAccounts("no account has enough history")
    with threadpool_limits(limits=1):  # small matrices: threads only wait for one another
        return _fitted(values, classes, method, seed)


def _fitted(values: Matrix, classes: Classes, method: Method, seed: int) -> tuple[Layers, list[dict[str, Any]]]:
    least = max(method.choose.fewest, int(np.ceil(method.choose.smallest_share * len(values))))
    layers: list[Layer] = []
    decided: list[dict[str, Any]] = []
    for group in _groups(classes, least):
        rows = values[np.isin(classes, group)]
        scale = Scale.fit(method, rows)
        matrix = scale.transform(rows)
        choice = choose(matrix, method.choose, least=least, seed=seed)
        centres = fit(matrix, choice.start, seed=seed, starts=method.choose.starts)
        groups = merged(matrix, centres, method.choose.apart)
        layers.append(Layer(group, sum(one.count for one in layers), scale, centres, groups))
        decided.append({"classes": list(group), "accounts": len(rows), "least": least} | choice.to_json())
    return Layers(tuple(layers)), decided


def _put(labels: Labels, mine: NDArray[np.bool_], layer: Layer, values: Matrix) -> None:
    if mine.any():
        labels[mine] = layer.first + layer.groups[assign(layer.scale.transform(values[mine]), layer.centres)]


def _groups(classes: Classes, least: int) -> Sequence[tuple[str, ...]]:
    """Return the classes, the largest first; those with fewer than `least` accounts together are the last."""
    names, counts = np.unique(classes.astype(str), return_counts=True)
    order = sorted(zip(counts, names, strict=True), key=lambda one: (-one[0], one[1]))
    large = [(str(name),) for count, name in order if count >= least]
    small = tuple(str(name) for count, name in order if count < least)
    return [*large, small] if small else large
