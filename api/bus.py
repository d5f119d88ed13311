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
Heard = tuple[str, Frame | None]  # conversation and frame
_DEPTH, _DEPTH_OF_ALL = 100, 1000


class MemoryBus:
    """The bus of one process."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[asyncio.Queue[Frame | None]]] = defaultdict(set)
        self._watchers: set[asyncio.Queue[Heard]] = set()

    def publish(self, conversation_id: str, frame: Frame | None = None) -> None:
        """Wake the listeners of a conversation; `frame` is shown to them as it is, None means "read the log"."""
        for queue in self._listeners.get(conversation_id, ()):
            if not queue.full():
                queue.put_nowait(frame)
        for watching in self._watchers:
            if not watching.full():
                watching.put_nowait((conversation_id, frame))

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

    @contextmanager
    def watch(self) -> Iterator[asyncio.Queue[Heard]]:
        """Give a queue of all that is published until the block ends; what it cannot hold is lost."""
        queue: asyncio.Queue[Heard] = asyncio.Queue(_DEPTH_OF_ALL)
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)
