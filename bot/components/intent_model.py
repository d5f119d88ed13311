"""The trained intent model, free of Rasa: sparse features and sentence vectors under one linear head.

It is kept as plain arrays and JSON, so that loading a model never runs code from its file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from .dense import DenseFeatures
from .double import DoubleGate, halves_of
from .features import SparseFeatures
from .linear_head import LinearHead, Texts, Wishes, weighed_rows
from .machines import Machines
from .neighbours import Neighbours

_ARRAYS, _META = "intents.npz", "intents.json"
_FORMAT = 2


class IntentModelError(ValueError):
    """The stored model cannot be read."""


class IntentModel:
    """Reads a message's intent, or both of its two, from its reading and its sentence vectors."""

    def __init__(self, words: SparseFeatures, dense: DenseFeatures, head: LinearHead) -> None:
        self._words, self._dense, self.head = words, dense, head

    @property
    def vectors(self) -> list[str]:
        """The names of the vectors that this model was trained with."""
        return self._dense.names

    @classmethod
    def fit(
        cls, readings: Sequence[str], vectors: Mapping[str, np.ndarray], labels: Sequence[str], c: float, folds: int
    ) -> IntentModel:
        """Learn from readings, their vectors by encoder (rows alike) and their intents, `a+b` for two."""
        words, rows = SparseFeatures.fit(readings)
        dense = DenseFeatures.fit(vectors)
        weighed = weighed_rows(labels)
        texts = _texts(words, readings, rows, dense.transform(vectors, len(readings)), weighed)
        return cls(words, dense, LinearHead.fit(texts, labels, weighed, c, folds))

    def read(self, readings: Sequence[str], vectors: Mapping[str, np.ndarray]) -> list[Wishes]:
        """Return what each message asks for; raises VectorMissing."""
        rows, dense = self._words.transform(readings), self._dense.transform(vectors, len(readings))
        return self.head.read(_texts(self._words, readings, rows, dense, range(len(readings))))

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder."""
        machines, gate = self.head.machines, self.head.gate
        arrays = {"weights": machines.weights, "offsets": machines.offsets}
        arrays |= {"gate": np.append(gate.weights, gate.offset).astype(np.float32)} if gate else {}
        arrays |= {f"idf.{name}": idf for name, idf in self._words.weights().items()}
        near = self.head.neighbours
        arrays |= {"near.rows": near.rows.astype(np.float16), "near.labels": near.labels}
        arrays |= {"mean": self._dense.mean, "spread": self._dense.spread, "axes": self._dense.axes}
        np.savez_compressed(folder / _ARRAYS, **arrays)
        meta = {
            "format": _FORMAT,
            "intents": machines.intents,
            "doubles": machines.doubles,
            "scale": self.head.scale,
            "threshold": self.head.threshold,
            "vectors": self.vectors,
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
    def _restored(cls, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> IntentModel:
        vocabularies = meta["vocabularies"]
        words = SparseFeatures.restore(vocabularies, {name: arrays[f"idf.{name}"] for name in vocabularies})
        dense = DenseFeatures(meta["vectors"], arrays["mean"], arrays["spread"], arrays["axes"])
        machines = Machines(meta["intents"], arrays["weights"], arrays["offsets"], meta["doubles"])
        gate = DoubleGate(arrays["gate"][:-1], float(arrays["gate"][-1])) if "gate" in arrays else None
        near = Neighbours(arrays["near.rows"].astype(np.float32), arrays["near.labels"])
        return cls(words, dense, LinearHead(machines, near, meta["scale"], meta["threshold"], gate))


def _texts(
    words: SparseFeatures,
    readings: Sequence[str],
    rows: sparse.csr_matrix,
    vectors: np.ndarray,
    weighed: Iterable[int],
) -> Texts:
    """Return the messages; only those whose row is weighed are cut into halves."""
    cut = set(weighed)
    parts = [
        [half for pair in halves_of(reading) for half in pair] if row in cut else []
        for row, reading in enumerate(readings)
    ]
    halves = words.transform([half for each in parts for half in each]) if any(parts) else rows[:0]
    features = sparse.hstack([rows, sparse.csr_matrix(vectors)], format="csr")
    return Texts(readings, features, vectors, halves, np.cumsum([0, *map(len, parts)]))
