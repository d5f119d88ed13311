"""Which users have a request open in this process that may take their answers along."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary


class Holds:
    """While a user is held, the courier sends nothing to them: the answer goes back with the push, for nothing."""

    def __init__(self) -> None:
        self._held: Counter[int] = Counter()
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    @contextmanager
    def hold(self, channel_user_id: int) -> Iterator[None]:
        """Hold a user until the block ends; several requests may."""
        self._held[channel_user_id] += 1
        try:
            yield
        finally:
            self._held[channel_user_id] -= 1
            if self._held[channel_user_id] <= 0:
                del self._held[channel_user_id]

    def held(self, channel_user_id: int) -> bool:
        """Tell whether a request is open that may take along what waits for this user."""
        return self._held[channel_user_id] > 0

    def answering(self, channel_user_id: int) -> asyncio.Lock:
        """Return the lock under which answers to one user are written, one after the other."""
        return self._locks.setdefault(channel_user_id, asyncio.Lock())
