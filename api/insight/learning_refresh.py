"""The button that gathers and groups anew: a process of its own, for what it loads has no place in the bridge."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import SecretStr
from sqlalchemy.orm import Session

from api.deps import Parts
from core.learning import marks
from core.learning.marks import FAILED, RUNNING
from core.learning.review import Reviewer
from core.locking import one_at_a_time
from core.settings import CoreSettings

log = structlog.get_logger("api.learning")
COMMAND = ("-m", "ops", "learn", "groups")
PATIENCE = timedelta(minutes=15)  # after that a run that tells nothing has died
_waiting: set[asyncio.Task[None]] = set()


class Running(Exception):
    """It is being done already."""


def state_of(session: Session, now: datetime) -> dict[str, Any]:
    """Return how far the last run is; one that has told nothing for long has failed."""
    state = marks.mark(session, marks.RUN)
    if state.get("state") == RUNNING and now - datetime.fromisoformat(state["at"]) > PATIENCE:
        return {**state, "state": FAILED, "error": "silent"}
    return state


async def start(parts: Parts, by: Reviewer) -> dict[str, Any]:
    """Start the process and return its state.

    Raises:
        Running: if another run is under way.
    """
    now = parts.clock()
    state = {"state": RUNNING, "stage": "wait", "at": now.isoformat()}

    def work(session: Session) -> None:
        one_at_a_time(session, marks.RUN)
        if state_of(session, now).get("state") == RUNNING:
            raise Running
        marks.put_mark(session, marks.RUN, state, now=now, agent_id=by.agent_id)
        by.auditor.note(session, "learning_refreshed", now=now)

    await parts.store.write(work)
    task = asyncio.create_task(_run(parts))
    _waiting.add(task)
    task.add_done_callback(_waiting.discard)
    return state


async def _run(parts: Parts) -> None:
    """Wait for the process; note that it failed if it could not do so itself."""
    try:
        code = await _process(parts)
    except OSError as error:
        log.error("learning_not_started", error=str(error))
        code = -1
    if code:
        log.error("learning_failed", code=code)
        await parts.store.write(lambda session: _fail(session, parts.clock()))


async def _process(parts: Parts) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *COMMAND, env=environment_of(parts), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return await asyncio.wait_for(process.wait(), PATIENCE.total_seconds())
    except (TimeoutError, asyncio.CancelledError):
        with suppress(ProcessLookupError):
            process.kill()
        raise


def environment_of(parts: Parts) -> dict[str, str]:
    """Return our own environment with the settings that we run with, for a process that we start."""
    given = {}
    for name in CoreSettings.model_fields:
        value = getattr(parts.settings, name)
        given[f"DIANFU_{name.upper()}"] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return {**os.environ, **given}


def _fail(session: Session, now: datetime) -> None:
    if marks.mark(session, marks.RUN).get("state") == RUNNING:
        marks.put_mark(session, marks.RUN, {"state": FAILED, "error": "process", "at": now.isoformat()}, now=now)
