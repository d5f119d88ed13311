"""A second opinion on a message: what its nearest training messages were labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_NEAREST = 20
_SHARPNESS = 10.0  # how much more a nearer message counts
_BLOCK = 512
# Chosen on MASSIVE and the validation messages (docs/nlu.md).
_WEIGHT, _UNSEEN = 0.4, 0.02


@dataclass(frozen=True)
class Neighbours:
    """The training messages as rows of length one, and the two intents of each (the same twice if it has one)."""

    rows: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, known: Sequence[Sequence[int]]) -> Neighbours:
        """Keep the vectors, one a row, each with the one or two intents of its message."""
        return cls(_unit(vectors), np.array([[each[0], each[-1]] for each in known], np.int16))

    def opinion(self, vectors: np.ndarray, intents: int) -> np.ndarray:
        """Return shares (messages x intents) of the twenty nearest; each row sums to one."""
        shares = np.zeros((len(vectors), intents))
        count = min(_NEAREST, len(self.rows))
        for start in range(0, len(vectors), _BLOCK):
            alike = _unit(vectors[start : start + _BLOCK]) @ self.rows.T
            nearest = np.argpartition(-alike, count - 1, axis=1)[:, :count]
            weights = np.exp(_SHARPNESS * np.take_along_axis(alike, nearest, axis=1))
            for row, (found, weight) in enumerate(zip(nearest, weights, strict=True), start):
                np.add.at(shares[row], self.labels[found], weight[:, None])
        return shares / shares.sum(axis=1, keepdims=True)

    def advice(self, vectors: np.ndarray, intents: int) -> np.ndarray:
        """Return what to add to the logarithms of the first opinion; zeros if the messages have no vectors."""
        if not self.rows.shape[1]:
            return np.zeros((len(vectors), intents))
        return _WEIGHT * np.log(self.opinion(vectors, intents) + _UNSEEN)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), dtype=np.float32)
