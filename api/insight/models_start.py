"""The buttons that train and compare: processes of their own, at low priority, which a restart of the bridge leaves."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from api.deps import Parts
from api.insight.learning_refresh import environment_of
from core.audit import Auditor
from core.learning import model_change, model_needs, models
from core.learning.models import Garage
from core.learning.tables import ModelVersion

log = structlog.get_logger("api.models")
COMMAND = (sys.executable, "-m", "ops", "model")
OUTPUT = Path("var") / "model-training.log"
NOT_STARTED, ENDED = "not_started", models.ENDED
_waiting: set[asyncio.Task[None]] = set()


async def train(parts: Parts, garage: Garage, by: Auditor, root: Path) -> ModelVersion:
    """Begin a candidate and start the process that trains and compares it; return its row.

    Raises:
        core.learning.models.ModelError: if one is being trained, or this machine cannot train now.
    """
    now = parts.clock()
    model_needs.check_installed(root)
    model_needs.check_sets(root)
    model_needs.check_memory(garage.settings.training.memory_mib, model_needs.free_mib())
    await asyncio.to_thread(model_change.reconcile, garage, now)

    def work(session: Session) -> ModelVersion:
        row = models.begin(session, now=now, asked_by=by.agent_id)
        by.note(session, "model_training", f"model:{row.id}", now=now, name=row.name)
        return row

    row = await parts.store.write(work)
    _start(parts, row.id, ("train", "--id", str(row.id)))
    return row


async def compare(parts: Parts, garage: Garage, by: Auditor, root: Path, model_id: int) -> ModelVersion:
    """Start the process that compares a candidate with the model that runs now; return its row.

    Raises:
        core.learning.models.ModelError: if it cannot be compared here, or a model is being trained.
    """
    now = parts.clock()
    model_needs.check_installed(root)
    model_needs.check_sets(root)

    def work(session: Session) -> ModelVersion:
        row = models.find(session, model_id)
        if any(one.state == models.TRAINING for one in models.all_of(session)):
            raise models.TrainingNow(row.name)
        if row.state not in (models.CANDIDATE, models.RETIRED) or garage.files.known(row.name) is None:
            raise models.WrongState(row.name)
        by.note(session, "model_comparing", f"model:{row.id}", now=now, name=row.name)
        return row

    row = await parts.store.write(work)
    _start(parts, row.id, ("compare", row.name))
    return row


def _start(parts: Parts, model_id: int, words: tuple[str, ...]) -> None:
    task = asyncio.create_task(_run(parts, model_id, words))
    _waiting.add(task)
    task.add_done_callback(_waiting.discard)


async def _run(parts: Parts, model_id: int, words: tuple[str, ...]) -> None:
    """Wait for the process; note that it failed if it could not do so itself. A shutdown leaves it alone."""
    error = ENDED
    try:
        code = await _process(parts, words)
    except OSError as problem:
        log.error("model_process_not_started", error=str(problem))
        code, error = -1, NOT_STARTED
    if not code:
        return
    log.error("model_process_failed", code=code, what=words[0])

    def work(session: Session) -> None:
        models.fail(models.find(session, model_id), error)

    await parts.store.write(work)


async def _process(parts: Parts, words: tuple[str, ...]) -> int:
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    with OUTPUT.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, *words, env=environment_of(parts), stdin=asyncio.subprocess.DEVNULL, stdout=output,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    return await process.wait()
