"""Runs work on a database away from the event loop, in short transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy.orm import Session

from core.db import Database

Result = TypeVar("Result")
Work = Callable[[Session], Result]
THREADS = 8


class Store:
    """One database and the threads that wait for it, so that nobody else's work waits with them."""

    def __init__(self, database: Database) -> None:
        # SQLite has one writer at a time: our queue hands the turn on at once and in order, its busy handler sleeps.
        writers = 1 if database.engine.dialect.name == "sqlite" else THREADS
        self._database = database
        self._writers = ThreadPoolExecutor(writers, "store-write")
        self._readers = ThreadPoolExecutor(THREADS, "store-read")

    async def write(self, work: Work[Result]) -> Result:
        """Run `work` in a transaction that commits when it returns; what it returns may be read afterwards."""

        def run() -> Result:
            with self._database.transaction() as session:
                return work(session)

        return await asyncio.get_running_loop().run_in_executor(self._writers, run)

    async def read(self, work: Work[Result]) -> Result:
        """Run `work` in a transaction that changes nothing."""

        def run() -> Result:
            with self._database.reading() as session:
                return work(session)

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    def close(self) -> None:
        """Let the threads end; work that has not begun is dropped."""
        for pool in (self._writers, self._readers):
            pool.shutdown(wait=False, cancel_futures=True)
