"""Hints between a writer and the sockets that read: "conversation X changed", and typing signals.

A hint is never the message itself: sockets read the log behind it and also look every two seconds, so that a lost
hint costs seconds and never a message.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Frame = dict[str, Any]
_DEPTH = 100


class MemoryBus:
    """The bus of one process."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[asyncio.Queue[Frame | None]]] = defaultdict(set)

    def publish(self, conversation_id: str, frame: Frame | None = None) -> None:
        """Wake the listeners of a conversation; `frame` is shown to them as it is, None means "read the log"."""
        for queue in self._listeners.get(conversation_id, ()):
            if not queue.full():
                queue.put_nowait(frame)

    @contextmanager
    def listen(self, conversation_id: str) -> Iterator[asyncio.Queue[Frame | None]]:
        """Give a queue of hints for one conversation until the block ends."""
        queue: asyncio.Queue[Frame | None] = asyncio.Queue(_DEPTH)
        self._listeners[conversation_id].add(queue)
        try:
            yield queue
        finally:
            self._listeners[conversation_id].discard(queue)
            if not self._listeners[conversation_id]:
                del self._listeners[conversation_id]
