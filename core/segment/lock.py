"""One segmentation at a time, over all processes and machines, for as long as the process that makes it lives.

A transaction would have to stay open for minutes, and a heartbeat cannot tell a dead process from a slow one.
PostgreSQL has locks of a session, which go with its connection; beside a file of SQLite the operating system's lock
does it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from core.db import Database

_NAME = "segment_run"


Check = Callable[[], None]


class AlreadyRunning(Exception):
    """Another process is at it."""


class LockLost(Exception):
    """The server dropped the connection that had the lock: another process may be at it by now."""


@contextmanager
def alone(bridge: Database) -> Iterator[Check]:
    """Hold the lock; it goes with the process, whatever becomes of it. What is given raises LockLost if it is gone.

    Raises:
        AlreadyRunning: if another process has it.
    """
    with _postgresql(bridge) if bridge.engine.dialect.name == "postgresql" else _file(bridge) as check:
        yield check


def is_running(bridge: Database) -> bool:
    """Tell whether a process is at it."""
    try:
        with alone(bridge):
            return False
    except AlreadyRunning:
        return True


@contextmanager
def _postgresql(bridge: Database) -> Iterator[Check]:
    engine = bridge.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        asked = text("SELECT pg_try_advisory_lock(hashtext(:name))")
        if not connection.scalar(asked, {"name": _NAME}):
            raise AlreadyRunning
        try:
            yield partial(_still, connection)
        finally:
            if not connection.invalidated and not connection.closed:
                connection.execute(text("SELECT pg_advisory_unlock(hashtext(:name))"), {"name": _NAME})


def _still(connection: Connection) -> None:
    try:
        connection.execute(text("SELECT 1"))  # a lock of a session lasts as long as its connection
    except DBAPIError:
        raise LockLost from None


def _sure() -> None:
    """Raise nothing: the operating system's lock is held until the file is closed."""


@contextmanager
def _file(bridge: Database) -> Iterator[Check]:
    path = bridge.url.database
    if not path or path == ":memory:":  # nobody else can see it
        yield _sure
        return
    with Path(f"{path}.{_NAME}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning from None
        yield _sure
