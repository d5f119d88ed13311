"""K-means over all accounts: at once where they are few, in chunks from the sample's centres where they are many."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans, MiniBatchKMeans

from core.segment.scale import Matrix

Labels = NDArray[np.int64]
Centres = NDArray[np.float64]
_BLOCK = 50_000


def fit(matrix: Matrix, k: int, *, seed: int, starts: int) -> Centres:
    """Return the centres of k clusters, (k, columns), the best of some starts; fewer where fewer rows differ."""
    most = min(k, len(np.unique(matrix, axis=0)))
    made = KMeans(n_clusters=most, n_init=starts, random_state=seed).fit(matrix)
    return np.asarray(made.cluster_centers_, dtype=np.float64)


def refine(chunks: Iterable[Matrix], centres: Centres, *, seed: int) -> Centres:
    """Move centres (of a sample) by all accounts, chunk after chunk, so that only one is in memory."""
    made = MiniBatchKMeans(
        n_clusters=len(centres), init=centres.astype(np.float32), n_init=1, random_state=seed, reassignment_ratio=0.0
    )
    seen = False
    for chunk in chunks:
        if len(chunk) >= (1 if seen else len(centres)):  # the first has to hold as many as there are clusters
            made.partial_fit(chunk)
            seen = True
    return np.asarray(made.cluster_centers_, dtype=np.float64) if seen else centres


def assign(matrix: Matrix, centres: Centres) -> Labels:
    """Return the nearest centre of each row."""
    labels = np.empty(len(matrix), dtype=np.int64)
    squares = (centres**2).sum(axis=1)
    for first in range(0, len(matrix), _BLOCK):
        block = matrix[first : first + _BLOCK].astype(np.float64)
        labels[first : first + _BLOCK] = np.argmin(squares - 2.0 * block @ centres.T, axis=1)
    return labels


def merged(matrix: Matrix, centres: Centres, apart: float) -> Labels:
    """Return the group of each centre: those nearer to one another than `apart` are one, the nearest joined first.

    Groups are numbered by size, the largest first.
    """
    place = centres.copy()
    size = np.bincount(assign(matrix, centres), minlength=len(centres)).astype(float)
    group = np.arange(len(centres))
    alive = list(range(len(centres)))
    while len(alive) > 1:
        near, one, other = min(
            (float(np.linalg.norm(place[a] - place[b])), a, b) for a, b in combinations(alive, 2)
        )  # fmt: skip
        if near >= apart:
            break
        total = max(size[one] + size[other], 1.0)
        place[one] = (size[one] * place[one] + size[other] * place[other]) / total
        size[one] += size[other]
        alive.remove(other)
        group[group == other] = one
    order = sorted(alive, key=lambda index: (-size[index], index))
    return np.array([order.index(int(index)) for index in group], dtype=np.int64)
