"""One segmentation at a time, over all processes and machines, for as long as the process that makes it lives.

A transaction would have to stay open for minutes, and a heartbeat cannot tell a dead process from a slow one.
PostgreSQL has locks of a session, which go with its connection; beside a file of SQLite the operating system's lock
does it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from core.db import Database

_NAME = "segment_run"


class AlreadyRunning(Exception):
    """Another process is at it."""


@contextmanager
def alone(bridge: Database) -> Iterator[None]:
    """Hold the lock; it goes with the process, whatever becomes of it.

    Raises:
        AlreadyRunning: if another process has it.
    """
    with _postgresql(bridge) if bridge.engine.dialect.name == "postgresql" else _file(bridge):
        yield


def is_running(bridge: Database) -> bool:
    """Tell whether a process is at it."""
    try:
        with alone(bridge):
            return False
    except AlreadyRunning:
        return True


@contextmanager
def _postgresql(bridge: Database) -> Iterator[None]:
    engine = bridge.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        asked = text("SELECT pg_try_advisory_lock(hashtext(:name))")
        if not connection.scalar(asked, {"name": _NAME}):
            raise AlreadyRunning
        try:
            yield
        finally:
            if not connection.invalidated and not connection.closed:
                connection.execute(text("SELECT pg_advisory_unlock(hashtext(:name))"), {"name": _NAME})


@contextmanager
def _file(bridge: Database) -> Iterator[None]:
    path = bridge.url.database
    if not path or path == ":memory:":  # nobody else can see it
        yield
        return
    with Path(f"{path}.{_NAME}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning from None
        yield
