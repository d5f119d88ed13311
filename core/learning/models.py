"""The life of models: training, candidate, running, retired, failed; exactly one runs.

The rows are kept here; `core.learning.model_change` puts files in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import SHANGHAI
from core.db import Database
from core.learning.model_files import ModelFiles
from core.learning.model_settings import CompareSettings
from core.learning.tables import ModelVersion
from core.locking import one_at_a_time

TRAINING, CANDIDATE, RUNNING, RETIRED, FAILED = "training", "candidate", "running", "retired", "failed"
MOVES: Mapping[str, frozenset[str]] = {
    TRAINING: frozenset({CANDIDATE, FAILED}),
    CANDIDATE: frozenset({RUNNING, RETIRED}),
    RUNNING: frozenset({RETIRED}),
    RETIRED: frozenset({RUNNING}),
    FAILED: frozenset(),
}
ENDED = "ended"  # the error of a training whose process is gone


class ModelError(Exception):
    """Something about a model is refused; `code` is a key of the settings' problems."""

    code = "wrong_state"

    def __init__(self, why: str, **more: Any) -> None:
        super().__init__(why)
        self.more = more


class ModelNotFound(ModelError):
    """There is no such model."""

    code = "no_such_model"


class WrongState(ModelError):
    """Its state does not lead there."""


class TrainingNow(ModelError):
    """A model is being trained already."""

    code = "busy"


class NotCompared(ModelError):
    """It was not compared on the validation sets."""

    code = "not_compared"


class GotWorse(ModelError):
    """It reads something worse than the model it was compared with."""

    code = "got_worse"


class OtherRunning(ModelError):
    """It was compared with a model that does not run any more."""

    code = "other_running"


class FileGone(ModelError):
    """Its file is not there, or is another one."""

    code = "file_gone"


class NothingBefore(ModelError):
    """No model ran before whose file is still there."""

    code = "nothing_before"


class NotWritten(ModelError):
    """Its files cannot be put in place: the disk is full, or may not be written."""

    code = "not_written"


class AlreadyChanged(ModelError):
    """Another model runs than whoever asked was looking at: somebody was faster, or clicked twice."""

    code = "already_changed"


@dataclass(frozen=True)
class Garage:
    """Where the models are: files, rows, and what is settled about them."""

    files: ModelFiles
    bridge: Database
    settings: CompareSettings


def name_at(now: datetime) -> str:
    """Return the name of a model that is made now."""
    return f"dianfu-{now.astimezone(SHANGHAI):%Y%m%d-%H%M%S}"


def find(session: Session, model_id: int) -> ModelVersion:
    """Return a model; raises ModelNotFound."""
    row = session.get(ModelVersion, model_id)
    if row is None:
        raise ModelNotFound(str(model_id))
    return row


def by_name(session: Session, name: str) -> ModelVersion:
    """Return a model; raises ModelNotFound."""
    row = session.scalar(select(ModelVersion).where(ModelVersion.name == name))
    if row is None:
        raise ModelNotFound(name)
    return row


def all_of(session: Session) -> list[ModelVersion]:
    """Return the models, the newest first."""
    return list(session.scalars(select(ModelVersion).order_by(ModelVersion.id.desc())))


def running(session: Session) -> ModelVersion | None:
    """Return the model that runs, None before one was registered."""
    query = select(ModelVersion).where(ModelVersion.state == RUNNING).order_by(ModelVersion.id.desc())
    return session.scalar(query.limit(1))


def move(row: ModelVersion, state: str) -> None:
    """Let a model change its state; raises WrongState."""
    if state not in MOVES[row.state]:
        raise WrongState(f"{row.name} is {row.state}, which does not become {state}")
    row.state = state


def begin(session: Session, *, now: datetime, asked_by: int | None) -> ModelVersion:
    """Note that a model is going to be trained.

    Raises:
        TrainingNow: if one is; `reconcile` first takes away those whose process is gone.
    """
    one_at_a_time(session, "models")
    busy = session.scalar(select(ModelVersion).where(ModelVersion.state == TRAINING).limit(1))
    if busy is not None:
        raise TrainingNow(busy.name)
    row = ModelVersion(
        name=free_name(session, now), file="", sha256="", state=TRAINING, started_at=now, asked_by=asked_by
    )
    session.add(row)
    session.flush()
    return row


def end_training(row: ModelVersion, garage: Garage, *, learned: dict[str, Any], now: datetime) -> None:
    """Note that its file lies among the candidates; raises WrongState, FileGone."""
    bundle = garage.files.candidate(row.name)
    if not bundle.exists:
        raise FileGone(row.name)
    move(row, CANDIDATE)
    row.file, row.sha256, row.trained_at, row.learned = garage.files.file_of(bundle), bundle.sha256(), now, learned


def fail(row: ModelVersion, error: str) -> None:
    """Note that its training failed; one that was taken for dead before stays so."""
    if row.state == TRAINING:
        move(row, FAILED)
        row.error = error


def free_name(session: Session, at: datetime) -> str:
    """Return the name of a model that is made at an instant, with a number behind it if there is one already."""
    name, number = name_at(at), 2
    while session.scalar(select(ModelVersion.id).where(ModelVersion.name == name)) is not None:
        name, number = f"{name_at(at)}-{number}", number + 1
    return name
