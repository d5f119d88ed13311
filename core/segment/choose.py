"""How many clusters: by silhouette, Calinski-Harabasz, stability between resamples, and business use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, silhouette_score

from core.segment.cluster import Labels, assign, fit, merged
from core.segment.method import Choosing
from core.segment.scale import Matrix

_RESTARTS = 5  # of a resample


@dataclass(frozen=True)
class Tried:
    """What came of one k."""

    start: int  # clusters of K-means
    k: int  # those of them that are apart
    silhouette: float
    calinski_harabasz: float
    stability: float  # mean adjusted Rand index between clusterings of resamples
    smallest: int  # accounts of the sample in the smallest cluster
    fits: bool  # a structure, stable, and no cluster too small to serve


@dataclass(frozen=True)
class Choice:
    """With how many clusters K-means starts, and how many are left; 1: there are no groups. And all that were tried."""

    start: int
    k: int
    tried: tuple[Tried, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data for the record of the run."""
        return {"start": self.start, "k": self.k, "tried": [asdict(one) for one in self.tried]}


def choose(matrix: Matrix, rules: Choosing, *, least: int, seed: int) -> Choice:
    """Try K-means with all numbers of clusters on a sample of scaled accounts and choose one.

    What K-means divides only by degree (see `apart`) is put together again before it is judged; no group may have
    fewer than `least` accounts.
    """
    tried = []
    for start in range(2, rules.most + 1):
        if len(matrix) < start * least:
            break
        tried.append(_try(matrix, start, rules, least, seed))
    return _best(tried, rules)


def _best(tried: Sequence[Tried], rules: Choosing) -> Choice:
    """Take the highest silhouette within the bounds; among those about as high the fewest clusters."""
    allowed = [one for one in tried if one.fits]
    if not allowed:
        return Choice(1, 1, tuple(tried))
    top = max(one.silhouette for one in allowed)
    near = [one for one in allowed if one.silhouette >= top - rules.close]
    best = min(near, key=lambda one: (one.k, -one.silhouette, one.start))
    return Choice(best.start, best.k, tuple(tried))


def _try(matrix: Matrix, start: int, rules: Choosing, least: int, seed: int) -> Tried:
    labels = _labels(matrix, matrix, start, rules, seed, rules.starts)
    sizes = np.bincount(labels)
    if len(sizes) < 2:
        return Tried(start, len(sizes), -1.0, 0.0, 1.0, len(matrix), fits=False)
    size = min(rules.silhouette_sample, len(matrix))
    silhouette = float(silhouette_score(matrix, labels, sample_size=size, random_state=seed))
    stability, smallest = _stability(matrix, start, rules, seed), int(sizes.min())
    return Tried(
        start=start, k=len(sizes), silhouette=round(silhouette, 4),
        calinski_harabasz=round(float(calinski_harabasz_score(matrix, labels)), 1),
        stability=round(stability, 4), smallest=smallest,
        fits=silhouette >= rules.structure and stability >= rules.stable and smallest >= least,
    )  # fmt: skip


def _labels(part: Matrix, whole: Matrix, start: int, rules: Choosing, seed: int, starts: int) -> Labels:
    """Return the groups of all accounts by K-means on some of them."""
    centres = fit(part, start, seed=seed, starts=starts)
    found = merged(part, centres, rules.apart)[assign(whole, centres)]
    return np.unique(found, return_inverse=True)[1].astype(np.int64)  # a group may be empty


def _stability(matrix: Matrix, start: int, rules: Choosing, seed: int) -> float:
    """Return how much clusterings of resamples agree about all accounts (1: entirely)."""
    rng, found = np.random.default_rng(seed), []
    for turn in range(rules.resamples):
        part = rng.choice(len(matrix), max(start, int(len(matrix) * rules.resample_share)), replace=False)
        found.append(_labels(matrix[part], matrix, start, rules, seed + turn + 1, _RESTARTS))
    return float(np.mean([adjusted_rand_score(one, other) for one, other in combinations(found, 2)]))
