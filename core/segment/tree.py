"""A decision tree that repeats the clusters from raw, readable features, so that it can be read and classify others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeClassifier

from core.segment.layers import Classes
from core.segment.method import Growing
from core.segment.scale import Matrix

_FEWEST = 3  # accounts in a leaf


@dataclass(frozen=True)
class Grown:
    """A tree as plain data, and how often trees grown without an account put it where K-means does, by depth."""

    tree: dict[str, Any]
    depth: int
    agreement: dict[int, float]

    def to_json(self) -> dict[str, Any]:
        """Return the figures for the record of the run."""
        by_depth = {str(depth): round(share, 4) for depth, share in self.agreement.items()}
        return {"depth": self.depth, "agreement": round(self.agreement[self.depth], 4), "by_depth": by_depth}


def grow(
    values: Matrix, names: Sequence[str], classes: Classes, labels: NDArray[np.int64], rules: Growing, *, seed: int
) -> Grown:
    """Grow the shallowest tree whose agreement on held-out accounts is about the best (cross-validation).

    The class is the root, as it is the first layer of the clusters; below it the tree is learned from raw features.
    """
    task = _Task(values, names, classes, labels, rules, seed)
    agreement = {depth: task.held_out(depth) for depth in rules.depths}
    top = max(agreement.values())
    depth = min(depth for depth, share in agreement.items() if share >= top - rules.close)
    return Grown(task.plain(depth), depth, agreement)


@dataclass(frozen=True)
class _Task:
    values: Matrix
    names: Sequence[str]
    classes: Classes
    labels: NDArray[np.int64]
    rules: Growing
    seed: int

    @property
    def groups(self) -> list[str]:
        """The classes, the one with the most accounts first."""
        names, counts = np.unique(self.classes.astype(str), return_counts=True)
        return [str(name) for _, name in sorted(zip(-counts, names, strict=True))]

    def fitted(self, rows: NDArray[np.int64], depth: int) -> DecisionTreeClassifier:
        """Return the tree of one class (the root is one of the levels)."""
        leaf = max(_FEWEST, int(len(self.values) * self.rules.smallest_leaf))
        made = DecisionTreeClassifier(max_depth=depth - 1, min_samples_leaf=leaf, random_state=self.seed)
        return made.fit(self.values[rows], self.labels[rows])

    def held_out(self, depth: int) -> float:
        """Return the share of accounts that trees grown on the others put into their cluster."""
        right = 0
        for group in self.groups:
            rows = np.flatnonzero(self.classes == group)
            folds = min(self.rules.folds, len(rows))
            if folds < 2:
                continue  # nobody else of the class to learn from: counted as wrong
            for fit, test in KFold(folds, shuffle=True, random_state=self.seed).split(rows):
                guessed = self.fitted(rows[fit], depth).predict(self.values[rows[test]])
                right += int((guessed == self.labels[rows[test]]).sum())
        return right / len(self.values)

    def plain(self, depth: int) -> dict[str, Any]:
        """Return the tree as nested data; an account of an unheard-of class goes with the largest one."""
        found = {}
        for group in self.groups:
            rows = np.flatnonzero(self.classes == group)
            found[group] = _plain(self.fitted(rows, depth), self.names, len(self.values))
        return {"classes": found, "else": self.groups[0]}


def _plain(made: DecisionTreeClassifier, columns: Sequence[str], total: int) -> dict[str, Any]:
    """Return the nodes as nested data: a fork asks whether a feature is known, or whether it is at most a figure."""
    inner = made.tree_

    def node(at: int) -> dict[str, Any]:
        if inner.children_left[at] < 0:
            shares, count = inner.value[at][0], int(inner.n_node_samples[at])
            best = int(np.argmax(shares))
            return _leaf(int(made.classes_[best]), count, float(shares[best] / shares.sum()), total)
        left, right = node(int(inner.children_left[at])), node(int(inner.children_right[at]))
        if "cluster" in left and "cluster" in right and left["cluster"] == right["cluster"]:
            count = left["accounts"] + right["accounts"]
            pure = left["purity"] * left["accounts"] + right["purity"] * right["accounts"]
            return _leaf(left["cluster"], count, pure / count, total)
        fork = {"feature": columns[inner.feature[at]], "left": left, "right": right}
        limit = float(inner.threshold[at])
        if math.isinf(limit):  # all that is known goes to the left
            return fork | {"at_most": None, "unknown": "right"}
        return fork | {"at_most": limit, "unknown": "left" if inner.missing_go_to_left[at] else "right"}

    return node(0)


def _leaf(cluster: int, accounts: int, purity: float, total: int) -> dict[str, Any]:
    return {"cluster": cluster, "accounts": accounts, "share": round(accounts / total, 6), "purity": round(purity, 6)}
