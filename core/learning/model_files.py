"""The files of models: the one that runs, candidates, and those that ran before; each put in place whole or not at all.

models/dianfu.tar.gz          the one that runs (Rasa loads it anew when it changes, see bot/model_watch.py)
models/dianfu.training.json   what its training cost
models/dianfu.learned/        what it was taught beside data/: nlu/learned.yml, knowledge/learned.yaml
models/candidates/NAME.…      the same three of a candidate
models/previous/NAME.…        the same three of a model that ran before
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.learning.export import KNOWLEDGE, MESSAGES

FOLDER, LIVE = Path("models"), "dianfu"
CANDIDATES, PREVIOUS = "candidates", "previous"
_CHANGE_LOCK, _TRAINING_LOCK = ".change.lock", ".train.lock"


class Busy(Exception):
    """Another process is at it."""


@dataclass(frozen=True)
class Bundle:
    """One model with what belongs to it; `base` is the path without endings."""

    base: Path

    @property
    def archive(self) -> Path:
        """Return the packed model."""
        return self.base.with_name(self.base.name + ".tar.gz")

    @property
    def record(self) -> Path:
        """Return what its training cost."""
        return self.base.with_name(self.base.name + ".training.json")

    @property
    def learned(self) -> Path:
        """Return the folder of what it was taught."""
        return self.base.with_name(self.base.name + ".learned")

    @property
    def exists(self) -> bool:
        """Tell whether there is a packed model."""
        return self.archive.is_file()

    def sha256(self) -> str:
        """Return the hash of the packed model; raises FileNotFoundError."""
        found = self.archive.stat()
        return _sha256(self.archive, found.st_mtime_ns, found.st_size, found.st_ino)

    def copy_to(self, other: Bundle) -> None:
        """Put this model in the place of another; the packed model, which decides, comes last."""
        self.copy_beside(other)
        _copy(self.archive, other.archive)

    def copy_beside(self, other: Bundle) -> None:
        """Put in place what belongs to this model, without the model itself."""
        for name in (MESSAGES, KNOWLEDGE):
            _copy(self.learned / name, other.learned / name)
        _copy(self.record, other.record)

    def remove(self) -> None:
        """Remove the model with all that belongs to it; the packed model goes first."""
        self.archive.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)
        shutil.rmtree(self.learned, ignore_errors=True)


@dataclass(frozen=True)
class ModelFiles:
    """All models of an installation."""

    folder: Path = FOLDER

    @property
    def live(self) -> Bundle:
        """Return the model that runs."""
        return Bundle(self.folder / LIVE)

    def candidate(self, name: str) -> Bundle:
        """Return a candidate."""
        return Bundle(self.folder / CANDIDATES / name)

    def previous(self, name: str) -> Bundle:
        """Return a model that ran before."""
        return Bundle(self.folder / PREVIOUS / name)

    def known(self, name: str) -> Bundle | None:
        """Return where a model lies that does not run, None if it was removed."""
        return next((one for one in (self.candidate(name), self.previous(name)) if one.exists), None)

    def file_of(self, bundle: Bundle) -> str:
        """Return the path of a packed model below the folder."""
        return bundle.archive.relative_to(self.folder).as_posix()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold what lets one process at a time put models in place; it goes with the process; raises Busy."""
        with _alone(self.folder / _CHANGE_LOCK):
            yield

    @contextmanager
    def training(self) -> Iterator[None]:
        """Hold what lets one process at a time train; it goes with the process; raises Busy."""
        with _alone(self.folder / _TRAINING_LOCK):
            yield

    def is_training(self) -> bool:
        """Tell whether a process trains."""
        try:
            with self.training():
                return False
        except Busy:
            return True


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(path.name) from None
        yield


def _copy(source: Path, target: Path) -> None:
    """Put a copy in place at once; what the source lacks the target shall not have."""
    if not source.is_file():
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # Another file system may not know links; a copy of its own also keeps the date of the change.
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as out, source.open("rb") as file:
            shutil.copyfileobj(file, out, 1 << 20)
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(0o644)  # other processes of the service may run under other users
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@lru_cache(maxsize=64)
def _sha256(path: Path, _changed: int, _size: int, _node: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
