"""Several vectors of a sentence as one short row: standardised, then turned onto their main axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

# As exact as all 1,792 axes, at a fraction of the time and memory (docs/nlu.md).
_AXES = 256
# Vectors a little shorter than the words' rows did best on messages with wrong homophones.
_LENGTH = 0.85
_BLOCK = 1024


class VectorMissing(ValueError):
    """A message lacks a vector that the model was trained with."""


@dataclass(frozen=True)
class DenseFeatures:
    """Mean and spread of the named vectors side by side, and the axes (length of all x axes kept)."""

    names: list[str]
    mean: np.ndarray
    spread: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, vectors: Mapping[str, np.ndarray]) -> DenseFeatures:
        """Measure the vectors of the training messages, one a row; each kind counts alike, whatever its length."""
        names = sorted(vectors)
        lengths = [vectors[name].shape[1] for name in names]
        mean = np.hstack([*(vectors[name].mean(axis=0, dtype=np.float64) for name in names), []])
        spread = np.hstack([*(vectors[name].std(axis=0, dtype=np.float64) for name in names), []]) + 1e-6
        spread *= np.sqrt(np.repeat(lengths, lengths)) if names else 1.0
        unturned = cls(names, mean.astype(np.float32), spread.astype(np.float32), np.zeros((0, 0), np.float32))
        alike = np.zeros((len(mean), len(mean)))
        for block in unturned._standard(vectors):
            alike += block.T @ block
        axes = np.linalg.eigh(alike)[1][:, -_AXES:] if names else np.zeros((0, 0))
        return cls(names, unturned.mean, unturned.spread, np.asarray(axes * _LENGTH, dtype=np.float32))

    def transform(self, vectors: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        """Return one row a message; raises VectorMissing."""
        missing = sorted(set(self.names) - set(vectors))
        if missing:
            raise VectorMissing(f"this model was trained with the vectors {', '.join(missing)}")
        if not self.names:
            return np.zeros((rows, 0), dtype=np.float32)
        return np.vstack([block @ self.axes for block in self._standard(vectors)])

    def _standard(self, vectors: Mapping[str, np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the standardised vectors, side by side, some rows at a time: all at once would need a lot of memory."""
        count = len(vectors[self.names[0]]) if self.names else 0
        for start in range(0, count, _BLOCK):
            side = np.hstack([vectors[name][start : start + _BLOCK] for name in self.names])
            yield ((side - self.mean) / self.spread).astype(np.float32)
