"""One way under way: what was taken and waits for its slot, what is being sent, and the holds of the whole way."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque

import structlog

from api.sender.pace import Pacer
from api.sender.ways import Hold, Result, Way
from core.proactive.sends import Item, Outcome
from core.proactive.tables import WAITING

log = structlog.get_logger("api.sender")
AHEAD = 0.8  # seconds' worth of sends that are taken beforehand
MOST_AT_ONCE = 64
FIRST_HOLD: dict[Hold, float] = {"away": 1.0, "rate": 5.0, "config": 30.0}
LONGEST_HOLD: dict[Hold, float] = {"away": 60.0, "rate": 600.0, "config": 300.0}


class Lane:
    """Sends over one channel."""

    def __init__(self, channel: str, way: Way, rate: float) -> None:
        self.channel, self._way, self._pacer = channel, way, Pacer(rate)
        self.queue: deque[Item] = deque()
        self.done: list[Result] = []
        self._ready = asyncio.Event()
        self._on_way: dict[int, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(max(4, min(MOST_AT_ONCE, math.ceil(rate * 0.5))))
        self._holds, self._held_until, self._probing = 0, 0.0, False

    @property
    def on_way(self) -> set[int]:
        """Return the sends that are being made."""
        return set(self._on_way)

    @property
    def held(self) -> bool:
        """Tell whether nothing is to be sent now."""
        return time.monotonic() < self._held_until

    @property
    def wanted(self) -> int:
        """Return how many more sends may be taken; after a hold one at a time, until one goes well."""
        if self.held:
            return 0
        if self._probing:
            return 0 if self.queue or self._on_way else 1
        return max(0, math.ceil(self._pacer.rate * AHEAD) - len(self.queue))

    def put(self, items: list[Item]) -> None:
        """Have sends made, in this order."""
        self.queue.extend(items)
        self._ready.set()

    def take_back(self, running: set[int]) -> list[Item]:
        """Return, and forget, what is not begun and shall not be: all during a hold, else that of other broadcasts."""
        back = [item for item in self.queue if self.held or item.broadcast_id not in running]
        if back:
            gone = {item.id for item in back}
            self.queue = deque(item for item in self.queue if item.id not in gone)
        return back

    async def run(self) -> None:
        """Send what comes, until cancelled."""
        while True:
            if not self.queue or self.held:
                self._ready.clear()
                await self._pause()
                continue
            await self._room.acquire()
            await self._pacer.slot()
            if not self.queue or self.held:  # taken back meanwhile
                self._pacer.done()
                self._room.release()
                continue
            item = self.queue.popleft()
            self._on_way[item.id] = asyncio.create_task(self._send(item))

    async def drain(self, seconds: float) -> None:
        """Wait for what is being sent."""
        if self._on_way:
            await asyncio.wait(list(self._on_way.values()), timeout=seconds)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(0.05):
                await self._ready.wait()
        except TimeoutError:
            return

    async def _send(self, item: Item) -> None:
        try:
            result = await self._way.send(item)
        except Exception as error:
            log.error("send_broken", broadcast=item.broadcast_id, send=item.id, exc_info=error)
            result = Result(Outcome(item, WAITING, type(error).__name__, unsure=True))
        finally:
            self._pacer.done()
            self._room.release()
        self.done.append(result)
        self._on_way.pop(item.id, None)
        if result.hold is None:
            self._holds, self._probing = 0, False
        elif not self.held:  # one hold for all that were on their way together
            self._hold(result.hold)

    def _hold(self, why: Hold) -> None:
        seconds = min(FIRST_HOLD[why] * 2.0 ** min(self._holds, 20), LONGEST_HOLD[why])
        self._holds, self._probing, self._held_until = self._holds + 1, True, time.monotonic() + seconds
        if why == "rate":
            self._pacer.slow_down()
        log.warning("held", channel=self.channel, why=why, seconds=seconds, rate=round(self._pacer.rate, 1))
