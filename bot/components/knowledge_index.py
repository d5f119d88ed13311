"""Which piece of knowledge answers a message, and how likely it is that one does at all; free of Rasa.

One linear machine an item tells its wordings from those of all other items and from messages that no item answers.
Features are TF-IDF over characters, to which words and syllables added nothing, and the sentence vector. On unseen
questions this finds the item more often than the nearest wording does (0.89 against 0.78), and knows better when there
is none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.svm import LinearSVC

from .features import SparseFeatures

_ARRAYS, _META = "knowledge.npz", "knowledge.json"
_C = 1.0
_VIEWS = ("char",)
_TOP = 3
# What the greatest margin says of the probability that its item answers; fitted on the development questions.
_SLOPE, _EVEN = 7.2, -0.55
_NOTHING = -1  # the label of messages that no item answers


class KnowledgeIndexError(ValueError):
    """The stored index cannot be read, or wordings and vectors do not fit."""


@dataclass(frozen=True)
class Hit:
    """An item and the probability that it answers the message."""

    id: str
    score: float


class KnowledgeIndex:
    """Weights (features x items): first those of the terms, then those of the vector; and an offset an item."""

    def __init__(
        self, ids: Sequence[str], words: SparseFeatures, mean: np.ndarray, weights: np.ndarray, offsets: np.ndarray
    ) -> None:
        self._ids, self._words, self._mean = list(ids), words, mean
        self._terms, self._sense = weights[: -len(mean)], weights[-len(mean) :]
        self._offsets = offsets

    @classmethod
    def build(
        cls, wordings: Sequence[tuple[str, str]], vectors: np.ndarray, others: Sequence[str], others_vectors: np.ndarray
    ) -> KnowledgeIndex:
        """Learn from (item, reading) pairs with a vector each, and from readings that no item answers.

        Raises:
            KnowledgeIndexError: if there are fewer than three items or a vector is missing.
        """
        ids = list(dict.fromkeys(item for item, _ in wordings))
        if len(ids) < 3 or len(vectors) != len(wordings) or len(others_vectors) != len(others):
            raise KnowledgeIndexError("three items and a vector for each reading are needed")
        number = {item: place for place, item in enumerate(ids)}
        labels = [number[item] for item, _ in wordings] + [_NOTHING] * len(others)
        words, _ = SparseFeatures.fit([reading for _, reading in wordings], _VIEWS)
        mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        readings = [*(reading for _, reading in wordings), *others]
        sense = _unit(np.vstack([vectors, others_vectors.reshape(-1, len(mean))]) - mean)
        rows = sparse.hstack([words.transform(readings), sparse.csr_matrix(sense)], format="csr")
        machine = LinearSVC(C=_C, random_state=0).fit(rows, labels)
        kept = [place for place, label in enumerate(machine.classes_) if label != _NOTHING]
        weights = np.ascontiguousarray(machine.coef_[kept].T, dtype=np.float32)
        return cls(ids, words, mean, weights, machine.intercept_[kept].astype(np.float32))

    def find(self, reading: str, vector: np.ndarray) -> list[Hit]:
        """Return the three likeliest items, the first one first."""
        terms = np.asarray(self._words.transform([reading]) @ self._terms)[0]
        margins = terms + _unit(vector[None, :] - self._mean)[0] @ self._sense + self._offsets
        best = np.argsort(-margins)[:_TOP]
        return [Hit(self._ids[item], float(1.0 / (1.0 + np.exp(-_SLOPE * (margins[item] - _EVEN))))) for item in best]

    def save(self, folder: Path) -> None:
        """Write the index into an existing folder, as arrays and JSON only."""
        arrays = {f"idf_{name}": values for name, values in self._words.weights().items()}
        weights = np.vstack([self._terms, self._sense])
        np.savez_compressed(folder / _ARRAYS, mean=self._mean, weights=weights, offsets=self._offsets, **arrays)
        meta = {"ids": self._ids, "vocabularies": self._words.vocabularies()}
        (folder / _META).write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> KnowledgeIndex:
        """Read what `save` wrote; raises KnowledgeIndexError."""
        try:
            meta: dict[str, Any] = json.loads((folder / _META).read_text(encoding="utf-8"))
            with np.load(folder / _ARRAYS, allow_pickle=False) as arrays:
                idf = {name: arrays[f"idf_{name}"] for name in meta["vocabularies"]}
                words = SparseFeatures.restore(meta["vocabularies"], idf)
                return cls(meta["ids"], words, arrays["mean"], arrays["weights"], arrays["offsets"])
        except (OSError, KeyError, ValueError) as problem:
            raise KnowledgeIndexError(f"the index in {folder.name} cannot be read: {problem}") from problem


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), dtype=np.float32)
