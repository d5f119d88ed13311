"""A linear classifier with calibrated confidences and a threshold below which it should not be trusted.

Scores come from one-against-the-rest linear support vector machines; a softmax with one cross-validated scale makes
confidences of them (temperature scaling, Guo et al. 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import log_softmax, softmax
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

_SCALES = np.geomspace(0.5, 30.0, 60)
# A rejection is worth its price as long as wrong readings are at least twice as many as right ones among the rejected.
_RIGHT_AMONG_REJECTED = 1 / 3
_HIGHEST_THRESHOLD = 0.6


class TooFewMessages(ValueError):
    """The training messages hold less than two intents, or an intent with a single message."""


@dataclass(frozen=True)
class LinearHead:
    """Weights (intents x features), offsets, the scale of the softmax and the rejection threshold."""

    intents: list[str]
    weights: np.ndarray
    offsets: np.ndarray
    scale: float
    threshold: float

    @classmethod
    def fit(cls, features: sparse.csr_matrix, labels: Sequence[str], c: float, folds: int) -> LinearHead:
        """Learn from one row a message; scale and threshold come from predictions on folds kept out."""
        names, counts = np.unique(labels, return_counts=True)
        if len(names) < 2 or counts.min() < 2:
            thinnest = counts.min() if len(counts) else 0
            raise TooFewMessages(f"{len(names)} intents, the thinnest with {thinnest} messages")
        known = np.searchsorted(names, labels)
        scores = _held_out_scores(features, known, c, min(folds, int(counts.min())))
        scale = best_scale(scores, known)
        threshold = rejection_threshold(softmax(scores * scale, axis=1), known)
        weights, offsets = _machines(features, known, c)
        return cls(names.tolist(), weights, offsets, scale, threshold)

    def confidences(self, features: sparse.csr_matrix) -> np.ndarray:
        """Return one row of confidences a message, in the order of `intents`; each row sums to one."""
        scores = np.asarray(features @ self.weights.T) + self.offsets
        return np.asarray(softmax(scores * self.scale, axis=1))


def best_scale(scores: np.ndarray, known: np.ndarray) -> float:
    """Return the scale whose softmax gives the true intents the greatest likelihood."""
    rows = np.arange(len(known))
    losses = [-log_softmax(scores * scale, axis=1)[rows, known].mean() for scale in _SCALES]
    return float(_SCALES[int(np.argmin(losses))])


def rejection_threshold(confidences: np.ndarray, known: np.ndarray) -> float:
    """Return the highest confidence below which at most a third of the readings were right (0 to 0.6)."""
    highest = confidences.max(axis=1)
    right = confidences.argmax(axis=1) == known
    order = np.argsort(highest)
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    worth = np.flatnonzero(share <= _RIGHT_AMONG_REJECTED)
    return float(min(highest[order][worth[-1]], _HIGHEST_THRESHOLD)) if len(worth) else 0.0


def _held_out_scores(features: sparse.csr_matrix, known: np.ndarray, c: float, folds: int) -> np.ndarray:
    scores = np.zeros((len(known), known.max() + 1))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=0)

    def score(fold: tuple[np.ndarray, np.ndarray]) -> None:
        learn, hold = fold
        weights, offsets = _machines(features[learn], known[learn], c)
        scores[hold] = np.asarray(features[hold] @ weights.T) + offsets

    # liblinear releases the interpreter's lock, so threads share the work and the memory.
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(score, splitter.split(features, known)))
    return scores


def _machines(features: sparse.csr_matrix, known: np.ndarray, c: float) -> tuple[np.ndarray, np.ndarray]:
    fitted = LinearSVC(C=c, random_state=0).fit(features, known)
    weights, offsets = fitted.coef_, fitted.intercept_
    if len(weights) == 1:  # scikit-learn keeps a single machine for two classes
        weights, offsets = np.vstack([-weights, weights]), np.hstack([-offsets, offsets])
    return weights.astype(np.float32), offsets.astype(np.float32)
