"""Pushes whose answer is being looked for in this process; the same push again waits for the same answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

log = structlog.get_logger("api.wechat")
Flight = asyncio.Task[str | None]
Begin = Callable[[], Coroutine[Any, Any, str | None]]


class Flights:
    """The tasks that put messages into the log and see to their turns; what they return is said without a log."""

    def __init__(self) -> None:
        self._running: dict[str, Flight] = {}

    def join(self, external_id: str, begin: Begin) -> Flight:
        """Return the task of a push, begun if it is not running."""
        flight = self._running.get(external_id)
        if flight is None:
            flight = self._running[external_id] = asyncio.create_task(begin())
            flight.add_done_callback(lambda done: self._landed(external_id, done))
        return flight

    async def land(self, timeout: float) -> None:
        """Let what is running end, for at most so many seconds; photos that are not fetched by then are next time."""
        flights = set(self._running.values())
        if not flights:
            return
        _, late = await asyncio.wait(flights, timeout=timeout)
        for flight in late:
            flight.cancel()

    def _landed(self, external_id: str, flight: Flight) -> None:
        self._running.pop(external_id, None)
        error = None if flight.cancelled() else flight.exception()
        if error is not None:
            known = isinstance(error, SQLAlchemyError | TimeoutError)
            log.error("wechat_message_failed", error=type(error).__name__, exc_info=None if known else error)
