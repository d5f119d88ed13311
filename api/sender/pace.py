"""The allowed rate: evenly spaced, never more in any second, slower when the other side asks for it."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable

CATCH_UP = 0.02  # of a second's messages may follow closer after a delay of our own
GRAIN = 0.01  # seconds; those of one grain go together, which wakes everybody less often
WINDOW, SLACK = 1.0, 1.03
SLOWEST = 1 / 64  # of the full rate
RECOVERS_EVERY, RECOVERS_BY = 10.0, 0.05  # seconds; of the full rate

Now = Callable[[], float]


class Pacer:
    """Gives out slots.

    A message counts from before it is sent until a second after its answer has come: so the bound holds where messages
    arrive, however long each is on its way. A new pacer waits for a second: it does not know what was sent before.
    """

    def __init__(self, rate: float, *, now: Now = time.monotonic) -> None:
        self.full, self.rate, self._now = rate, rate, now
        self._next = now() + WINDOW
        self._on_way = 0
        self._ended: deque[float] = deque()
        self._changed_at = now()
        self._freed = asyncio.Event()

    async def slot(self) -> None:
        """Wait until one more may be sent; `done` has to follow."""
        while (seconds := self._wait()) > 0:
            if seconds < math.inf:
                await asyncio.sleep(max(seconds, GRAIN))
            else:
                self._freed.clear()
                await self._freed.wait()
        now = self._now()
        self._next = max(self._next, now - CATCH_UP) + 1 / self.rate
        self._on_way += 1

    def done(self) -> None:
        """Say that the answer to one has come, or will not."""
        self._on_way -= 1
        self._ended.append(self._now())
        self._freed.set()

    def slow_down(self) -> None:
        """Halve the rate."""
        self.rate = max(self.rate / 2, self.full * SLOWEST)
        self._changed_at = self._now()

    def _wait(self) -> float:
        """Return for how long the next one has to wait: 0 not at all, infinity for the next answer."""
        now = self._now()
        if self.rate < self.full and now - self._changed_at >= RECOVERS_EVERY:
            self.rate, self._changed_at = min(self.full, self.rate + self.full * RECOVERS_BY), now
        while self._ended and self._ended[0] <= now - WINDOW:
            self._ended.popleft()
        if self._on_way + len(self._ended) >= max(1, int(self.rate * SLACK)):
            return self._ended[0] + WINDOW - now if self._ended else math.inf
        return max(0.0, self._next - now)
