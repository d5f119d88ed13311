"""Which model runs: promoted, rolled back, and the rows made to fit the files.

What runs is the file `models/dianfu.tar.gz`; the rows say so. A process that was killed between the two leaves a
difference, which `reconcile` takes away by the file's hash before anything else is done.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.audit import Auditor
from core.learning.model_files import Bundle, Busy, ModelFiles
from core.learning.models import (
    CANDIDATE,
    ENDED,
    RETIRED,
    RUNNING,
    TRAINING,
    AlreadyChanged,
    FileGone,
    Garage,
    GotWorse,
    NotCompared,
    NothingBefore,
    NotWritten,
    OtherRunning,
    WrongState,
    fail,
    find,
    free_name,
    move,
    running,
)
from core.learning.tables import ModelVersion
from core.learning.verdict import NO_WORSE
from core.locking import one_at_a_time

MARGIN = 64 * 1024 * 1024  # bytes that stay free on the disk of the models: databases may lie there, too


def promote(garage: Garage, model_id: int, *, by: Auditor, now: datetime) -> ModelVersion:
    """Let a compared candidate run in place of the one that runs, which is kept; the bot takes it within seconds.

    Raises:
        ModelNotFound, WrongState, NotCompared, GotWorse, OtherRunning, FileGone: if it may not.
        NotWritten: if the disk does not take it; the model that runs is as it was.
        core.learning.model_files.Busy: if another process is changing models.
    """
    with garage.files.changing():
        reconcile_alone(garage, now)
        with garage.bridge.reading() as session:
            row, before = find(session, model_id), running(session)
            _check(row, before)
        return _put(garage, row, before, "model_promoted", by, now)


def rollback(garage: Garage, *, by: Auditor, now: datetime, instead_of: str | None = None) -> ModelVersion:
    """Let the model run that ran before the present one; again: the one before that.

    `instead_of`: the name of the model that is to go; a second click then goes back no further.

    Raises:
        AlreadyChanged: if another model runs.
        NothingBefore, FileGone: if there is none, or its file was changed.
        NotWritten: if the disk does not take it; the model that runs is as it was.
        core.learning.model_files.Busy: if another process is changing models.
    """
    with garage.files.changing():
        reconcile_alone(garage, now)
        with garage.bridge.reading() as session:
            row, before = before_running(session, garage.files), running(session)
        if instead_of is not None and (before is None or before.name != instead_of):
            raise AlreadyChanged(instead_of, running=before.name if before else "")
        if row is None:
            raise NothingBefore("no model ran before this one")
        return _put(garage, row, before, "model_rolled_back", by, now)


def before_running(session: Session, files: ModelFiles) -> ModelVersion | None:
    """Return the model that a rollback would let run; one whose file was damaged is passed over."""
    now_running = running(session)
    query = select(ModelVersion).where(ModelVersion.state == RETIRED, ModelVersion.promoted_at.is_not(None))
    if now_running is not None and now_running.promoted_at is not None:
        query = query.where(ModelVersion.promoted_at < now_running.promoted_at)
    rows = session.scalars(query.order_by(ModelVersion.promoted_at.desc(), ModelVersion.id.desc()))
    return next((row for row in rows if _is_whole(files.known(row.name), row.sha256)), None)


def _is_whole(bundle: Bundle | None, sha256: str) -> bool:
    return bundle is not None and bundle.sha256() == sha256


def reconcile(garage: Garage, now: datetime, *, alone: bool = False) -> None:
    """Let the rows say what the files are, as after a kill or a training by hand; leave it if that is being changed.

    A training whose process is gone has failed; `alone`: whoever asks holds the lock of trainings, so nobody trains.
    """
    if alone:
        _bury(garage, now, alone=True)
    try:
        with garage.files.changing():
            reconcile_alone(garage, now)
    except Busy:
        return


def reconcile_alone(garage: Garage, now: datetime) -> None:
    """Do what `reconcile` does, for one who holds the lock already."""
    _bury(garage, now)
    live = garage.files.live
    if not live.exists:
        return
    with garage.bridge.reading() as session:
        row = running(session)
        fits = row is not None and row.sha256 == live.sha256()
        name = row.name if row is not None else ""
    if not fits:
        with garage.bridge.transaction() as session:
            name = _register(session, garage.files, now).name
    _mend(garage.files, name)


def _check(row: ModelVersion, before: ModelVersion | None) -> None:
    if row.state not in (CANDIDATE, RETIRED):
        raise WrongState(f"{row.name} is {row.state}")
    if not row.compared.get("verdict"):
        raise NotCompared(row.name)
    if row.compared["verdict"] != NO_WORSE:
        raise GotWorse(row.name, count=len(row.compared.get("worse") or ()))
    if before is None or row.compared.get("with_sha256") != before.sha256:
        raise OtherRunning(row.name)


def _put(
    garage: Garage, row: ModelVersion, before: ModelVersion | None, action: str, by: Auditor, now: datetime
) -> ModelVersion:
    """Keep what runs, put the other in its place, then say so; see `reconcile` for a kill in between."""
    files, source = garage.files, garage.files.known(row.name)
    if source is None or source.sha256() != row.sha256:
        raise FileGone(row.name)
    _place(files, source, before)
    with garage.bridge.transaction() as session:
        row = find(session, row.id)
        _let_run(session, row, files, now, again=action == "model_rolled_back")
        by.note(session, action, f"model:{row.id}", now=now, name=row.name, before=before.name if before else None)
    source.remove()
    prune(garage)
    return row


def _place(files: ModelFiles, source: Bundle, before: ModelVersion | None) -> None:
    """Put the files in place; raises NotWritten, with all that belongs to the model that runs as it was."""
    kept = files.previous(before.name) if before is not None else None
    try:
        _check_room(files, source, files.live if kept else None)
        if kept is not None:
            files.live.copy_to(kept)
        source.copy_to(files.live)
    except OSError as error:
        if kept is not None and _restored(files.live, kept):
            kept.remove()
        raise NotWritten(str(error.strerror or error)) from error


def _restored(live: Bundle, kept: Bundle) -> bool:
    """Give the model that runs what belongs to it again; if not even that can be written, `reconcile` does it later."""
    if not kept.exists or kept.sha256() != live.sha256():
        return True  # the copy failed before anything of the model that runs was touched
    with suppress(OSError):
        kept.copy_beside(live)
        return True
    return False


def _check_room(files: ModelFiles, *copied: Bundle | None) -> None:
    """Raise OSError where the copies of packed models would fill the disk, before anything is written."""
    needed = MARGIN + sum(one.archive.stat().st_size for one in copied if one is not None)
    if shutil.disk_usage(files.folder).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _let_run(session: Session, row: ModelVersion, files: ModelFiles, now: datetime, *, again: bool) -> None:
    for other in session.scalars(select(ModelVersion).where(ModelVersion.state == RUNNING)).all():
        if other.id != row.id:
            move(other, RETIRED)
            kept = files.previous(other.name)
            other.file = files.file_of(kept) if kept.exists else ""
    session.flush()
    if row.state != RUNNING:
        move(row, RUNNING)
    row.file = files.file_of(files.live)
    # A rollback keeps the day of the first promotion: the next rollback then goes further back, not forth again.
    if not again or row.promoted_at is None:
        row.promoted_at = now
    session.flush()


def _register(session: Session, files: ModelFiles, now: datetime) -> ModelVersion:
    """Find the row of the file that runs by its hash, or make one: it was trained by hand."""
    one_at_a_time(session, "models")
    sha256 = files.live.sha256()
    query = select(ModelVersion).where(
        ModelVersion.sha256 == sha256, ModelVersion.state.in_((CANDIDATE, RUNNING, RETIRED))
    )
    row = session.scalar(query.order_by(ModelVersion.id.desc()).limit(1))
    if row is None:
        made = datetime.fromtimestamp(files.live.archive.stat().st_mtime, UTC)
        row = ModelVersion(
            name=free_name(session, made), file="", sha256=sha256, state=CANDIDATE, started_at=made, trained_at=made
        )
        session.add(row)
        session.flush()
    ran = row.state == RETIRED and row.promoted_at is not None
    _let_run(session, row, files, now, again=ran)
    return row


def _mend(files: ModelFiles, name: str) -> None:
    """Give the model that runs what belongs to it, where a kill left that of another; then its copies are no use."""
    for copy in (files.previous(name), files.candidate(name)):
        if copy.exists and copy.sha256() == files.live.sha256():
            copy.copy_beside(files.live)
        if copy.exists:
            copy.remove()


def _bury(garage: Garage, now: datetime, *, alone: bool = False) -> None:
    """Let trainings fail whose process is gone; one that was just asked for has some time to begin."""
    since = now - timedelta(seconds=garage.settings.training.patience_seconds)
    gone = select(ModelVersion).where(ModelVersion.state == TRAINING, ModelVersion.started_at < since)
    with garage.bridge.reading() as session:
        if session.scalar(gone.limit(1)) is None or (not alone and garage.files.is_training()):
            return
    with garage.bridge.transaction() as session:
        buried = list(session.scalars(gone).all())
        for row in buried:
            fail(row, ENDED)
    for row in buried:
        garage.files.candidate(row.name).remove()


def prune(garage: Garage) -> None:
    """Remove the files of all but the newest models that ran before, and of all but the newest candidates."""
    keep, files = garage.settings.keep, garage.files
    with garage.bridge.transaction() as session:
        retired = select(ModelVersion).where(ModelVersion.state == RETIRED, ModelVersion.file != "")
        old = [*session.scalars(retired.order_by(ModelVersion.promoted_at.desc()))][keep.previous :]
        waiting = select(ModelVersion).where(ModelVersion.state == CANDIDATE).order_by(ModelVersion.id.desc())
        over = [*session.scalars(waiting)][keep.candidates :]
        for row in over:
            move(row, RETIRED)
        bundles: list[Bundle] = []
        for row in [*old, *over]:
            row.file = ""
            bundles += [files.previous(row.name), files.candidate(row.name)]
    for bundle in bundles:
        bundle.remove()
