"""The trained intent model, free of Rasa: sparse features and sentence vectors under one linear head.

It is kept as plain arrays and JSON, so that loading a model never runs code from its file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from .features import SparseFeatures
from .linear_head import LinearHead

_ARRAYS, _META = "intents.npz", "intents.json"
_FORMAT = 1


class IntentModelError(ValueError):
    """The stored model cannot be read, or a message lacks a sentence vector that it needs."""


@dataclass(frozen=True)
class Standard:
    """Mean and spread of one encoder's vectors over the training messages."""

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> Standard:
        """Measure the vectors, one a row."""
        return cls(vectors.mean(axis=0), vectors.std(axis=0) + 1e-6)

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Return the vectors standardised and divided by the root of their dimension."""
        return np.asarray((vectors - self.mean) / self.spread / np.sqrt(vectors.shape[1]), dtype=np.float32)


class IntentModel:
    """Reads a message's intent from its reading and its sentence vectors."""

    def __init__(self, words: SparseFeatures, standards: dict[str, Standard], head: LinearHead) -> None:
        self._words, self._standards, self.head = words, standards, head

    @property
    def encoders(self) -> list[str]:
        """The encoders whose vectors this model was trained with."""
        return list(self._standards)

    @classmethod
    def fit(
        cls, readings: Sequence[str], vectors: Mapping[str, np.ndarray], labels: Sequence[str], c: float, folds: int
    ) -> IntentModel:
        """Learn from readings, their vectors by encoder (rows alike) and their intents."""
        words = SparseFeatures.fit(readings)
        standards = {name: Standard.of(vectors[name]) for name in sorted(vectors)}
        features = _stack(words, standards, readings, vectors)
        return cls(words, standards, LinearHead.fit(features, labels, c, folds))

    def confidences(self, readings: Sequence[str], vectors: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return one row of confidences a reading, in the order of `head.intents`."""
        missing = sorted(set(self._standards) - set(vectors))
        if missing:
            raise IntentModelError(f"this model was trained with the vectors of {', '.join(missing)}")
        return self.head.confidences(_stack(self._words, self._standards, readings, vectors))

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder."""
        arrays = {"weights": self.head.weights, "offsets": self.head.offsets}
        arrays |= {f"idf.{name}": idf for name, idf in self._words.weights().items()}
        arrays |= {f"mean.{name}": standard.mean for name, standard in self._standards.items()}
        arrays |= {f"spread.{name}": standard.spread for name, standard in self._standards.items()}
        np.savez_compressed(folder / _ARRAYS, **arrays)
        meta = {
            "format": _FORMAT,
            "intents": self.head.intents,
            "scale": self.head.scale,
            "threshold": self.head.threshold,
            "encoders": self.encoders,
            "vocabularies": self._words.vocabularies(),
        }
        (folder / _META).write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> IntentModel:
        """Read a model that `save` wrote; raises IntentModelError if it is damaged or of another format."""
        try:
            meta = json.loads((folder / _META).read_text(encoding="utf-8"))
            if meta["format"] != _FORMAT:
                raise IntentModelError(f"format {meta['format']} of the intent model is not {_FORMAT}: train again")
            with np.load(folder / _ARRAYS, allow_pickle=False) as arrays:
                return cls._restored(meta, dict(arrays))
        except (OSError, KeyError, json.JSONDecodeError) as failure:
            raise IntentModelError(f"the intent model cannot be read: {failure}") from failure

    @classmethod
    def _restored(cls, meta: dict, arrays: dict[str, np.ndarray]) -> IntentModel:
        vocabularies = meta["vocabularies"]
        words = SparseFeatures.restore(vocabularies, {name: arrays[f"idf.{name}"] for name in vocabularies})
        standards = {name: Standard(arrays[f"mean.{name}"], arrays[f"spread.{name}"]) for name in meta["encoders"]}
        head = LinearHead(meta["intents"], arrays["weights"], arrays["offsets"], meta["scale"], meta["threshold"])
        return cls(words, standards, head)


def _stack(
    words: SparseFeatures,
    standards: Mapping[str, Standard],
    readings: Sequence[str],
    vectors: Mapping[str, np.ndarray],
) -> sparse.csr_matrix:
    dense = [sparse.csr_matrix(standard.apply(vectors[name])) for name, standard in standards.items()]
    return sparse.hstack([words.transform(readings), *dense], format="csr")
