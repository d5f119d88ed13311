"""One-against-the-rest linear machines for intents, and one that tells messages with two wishes from the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.svm import LinearSVC

DOUBLE = "+"
# The scores are calibrated afterwards: a closer solution changes no decision and takes longer.
_TOLERANCE = 0.01
_DOUBLE_C = 0.5


@dataclass(frozen=True)
class Machines:
    """Weights (features x intents, in C order) and offsets; the last column, if `doubles`, scores double wishes."""

    intents: list[str]
    weights: np.ndarray
    offsets: np.ndarray
    doubles: bool

    @classmethod
    def fit(cls, features: sparse.csr_matrix, labels: Sequence[str], intents: Sequence[str], c: float) -> Machines:
        """Learn from one row a message; a message labelled `a+b` is a positive one for both of its intents."""
        parts = [label.split(DOUBLE) for label in labels]
        rows = [row for row, names in enumerate(parts) for _ in names]
        known = np.searchsorted(intents, [name for names in parts for name in names])
        weights, offsets = _solve(features[rows], known, c)
        double = np.array([len(names) > 1 for names in parts])
        if double.any():
            more, offset = _solve(features, double.astype(int), _DOUBLE_C)
            weights, offsets = np.vstack([weights, more[1:]]), np.hstack([offsets, offset[1:]])
        # In this order a message costs as much as it has terms; in the other the whole array is copied each time.
        turned = np.ascontiguousarray(weights.T, dtype=np.float32)
        return cls(list(intents), turned, offsets.astype(np.float32), bool(double.any()))

    def scores(self, features: sparse.csr_matrix) -> np.ndarray:
        """Return one row a message: the scores of the intents, and of a double wish if that was learned."""
        return np.asarray(features @ self.weights) + self.offsets

    def scores_of_words(self, words: sparse.csr_matrix) -> np.ndarray:
        """Return the scores of the intents that the words alone give, for parts of messages without vectors."""
        width = len(self.intents)
        # The words' columns come first, so this is a view and no copy.
        return np.asarray(words @ self.weights[: words.shape[1]])[:, :width] + self.offsets[:width]


def _solve(features: sparse.csr_matrix, known: np.ndarray, c: float) -> tuple[np.ndarray, np.ndarray]:
    fitted = LinearSVC(C=c, tol=_TOLERANCE, random_state=0).fit(features, known)
    weights, offsets = fitted.coef_, fitted.intercept_
    if len(weights) == 1:  # scikit-learn keeps a single machine for two classes
        weights, offsets = np.vstack([-weights, weights]), np.hstack([-offsets, offsets])
    return weights, offsets
