"""Keeps processes running: starts them in order, each when the last is ready; restarts one that dies."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ops.spawn import GRACE_SECONDS, Running, Show, ended_by, spawn

Probe = Callable[[], Awaitable[bool]]
Sleep = Callable[[float], Awaitable[None]]
SELF = "dianfu"


@dataclass(frozen=True)
class Process:
    """One process: how it is started, when it is ready, and whether it still listens (asked all the time)."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    ready: Probe
    listens: Probe
    ready_within: float = 60
    cwd: Path | None = None


@dataclass(frozen=True)
class Timing:
    """All waits in seconds, and how often a process may die before it was ever ready."""

    first_delay: float = 0.5
    longest_delay: float = 30
    healthy_after: float = 60
    grace: float = GRACE_SECONDS
    ready_poll: float = 0.25
    listen_poll: float = 2
    notice_every: float = 5
    tries: int = 3

    def delay(self, deaths: int) -> float:
        """Return the wait before the next start after so many deaths in a row: 0.5, 1, 2 … 30."""
        return min(self.longest_delay, self.first_delay * 2.0 ** min(deaths - 1, 30))


class NotReady(Exception):
    """A process did not become ready at the first start."""


class Keeper:
    """Keeps one process running until it is told to end."""

    def __init__(self, process: Process, show: Show, timing: Timing, now: Callable[[], float], sleep: Sleep) -> None:
        self._process, self._show, self._timing, self._now, self._sleep = process, show, timing, now, sleep
        self._ready = asyncio.Event()
        self._ready_at: float | None = None
        self.task = asyncio.create_task(self._keep())

    async def first_ready(self) -> None:
        """Wait until the process is ready for the first time, saying so now and then.

        Raises:
            NotReady: if it takes too long or dies too often.
        """
        name, began = self._process.name, self._now()
        waiting = asyncio.create_task(self._ready.wait())
        try:
            while not self._ready.is_set():
                await asyncio.wait(
                    {waiting, self.task}, timeout=self._timing.notice_every, return_when="FIRST_COMPLETED"
                )
                if self.task.done():
                    await self.task
                    raise NotReady(f"{name} ended {self._timing.tries} times before it was ready; see its lines above")
                seconds = self._now() - began
                if not self._ready.is_set() and seconds >= self._process.ready_within:
                    raise NotReady(f"{name} was not ready within {self._process.ready_within:g} s")
                if not self._ready.is_set():
                    self._show(SELF, f"waiting for {name} ({seconds:.0f} s)")
        finally:
            waiting.cancel()

    async def end(self) -> None:
        """End the process and the keeping of it."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def _keep(self) -> None:
        name, deaths = self._process.name, 0
        while True:
            reason = await self._once()
            deaths = 1 if self._was_healthy() else deaths + 1
            if not self._ready.is_set() and deaths >= self._timing.tries:
                self._show(SELF, f"{name} ended ({reason})")
                return
            delay = self._timing.delay(deaths)
            self._show(SELF, f"{name} ended ({reason}); starting it again in {delay:g} s")
            await self._sleep(delay)

    def _was_healthy(self) -> bool:
        return self._ready_at is not None and self._now() - self._ready_at >= self._timing.healthy_after

    async def _once(self) -> str:
        process, self._ready_at = self._process, None
        running = await spawn(
            process.name,
            process.command,
            process.environment,
            self._show,
            cwd=process.cwd,
            grace=self._timing.grace,
        )
        exited, watched = asyncio.create_task(running.wait()), asyncio.create_task(self._watch())
        try:
            await asyncio.wait({exited, watched}, return_when="FIRST_COMPLETED")
            return ended_by(exited.result()) if exited.done() else await self._stop_deaf(running, watched)
        finally:
            watched.cancel()
            await running.stop()
            await asyncio.gather(exited, watched, return_exceptions=True)

    async def _watch(self) -> None:
        """Return when the process, once ready, no longer listens though it runs (its worker died)."""
        began = self._now()
        while not await self._process.ready():
            await asyncio.sleep(self._timing.ready_poll)
        self._ready_at = self._now()
        self._show(SELF, f"{self._process.name} is ready ({self._ready_at - began:.1f} s)")
        self._ready.set()
        deaf = 0
        while deaf < 2:
            await asyncio.sleep(self._timing.listen_poll)
            deaf = 0 if await self._process.listens() else deaf + 1

    async def _stop_deaf(self, running: Running, watched: asyncio.Task[None]) -> str:
        watched.result()
        await running.stop()
        return "it no longer listened"


class Supervisor:
    """Runs processes, each started when the one before it is ready."""

    def __init__(
        self,
        processes: Sequence[Process],
        show: Show,
        *,
        timing: Timing | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._processes, self._show, self._now, self._sleep = processes, show, now, sleep
        self._timing = timing or Timing()
        self._keepers: list[Keeper] = []

    async def run(self, stop: asyncio.Event, started: Callable[[], None]) -> None:
        """Run until `stop` is set; call `started` once all are ready; leave no process behind.

        Raises:
            NotReady: if a process cannot be started.
        """
        running = asyncio.create_task(self._run(started))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when="FIRST_COMPLETED")
            if running.done():
                await running
        finally:
            for task in (running, stopping):
                task.cancel()
            await asyncio.gather(running, stopping, return_exceptions=True)
            await self._end_all()

    async def _run(self, started: Callable[[], None]) -> None:
        for process in self._processes:
            self._show(SELF, f"starting {process.name}")
            keeper = Keeper(process, self._show, self._timing, self._now, self._sleep)
            self._keepers.append(keeper)
            await keeper.first_ready()
        started()
        # Not `gather`: when this is cancelled it would cancel the keepers, all at once and out of order.
        done, _ = await asyncio.wait({keeper.task for keeper in self._keepers}, return_when="FIRST_COMPLETED")
        for task in done:
            await task

    async def _end_all(self) -> None:
        # The bridge was started last and ends first: its open turns can still be answered.
        for keeper in reversed(self._keepers):
            await keeper.end()
