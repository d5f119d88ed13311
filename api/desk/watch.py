"""Who looks at what and who is typing, in this process's memory: hints that expire by themselves.

Nothing rests on them: who answers a customer is decided by the database alone.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from api.bus import MemoryBus
from api.deps import Parts
from api.desks.base import DESK

__all__ = ["DESK", "Watch", "watch_of"]
FRESH_SECONDS = 10.0  # a console says again every few seconds that somebody looks, or types
TOUCH_SECONDS = 8.0  # a sign of life is written no more often


@dataclass
class _Look:
    seen_at: float
    typed_at: float | None = None


class Watch:
    """The consoles of one process; `clock` counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looks: defaultdict[str, dict[int, _Look]] = defaultdict(dict)
        self._seen: dict[int, dict[str, int]] = defaultdict(dict)
        self._touched: dict[int, float] = {}

    def looks(self, conversation_id: str, agent_id: int) -> bool:
        """Note that an agent has a conversation before him; tell whether that is news."""
        looks = self._looks[conversation_id]
        known = looks.get(agent_id)
        news = known is None or self._stale(known.seen_at)
        looks[agent_id] = _Look(self._clock(), known.typed_at if known else None)
        return news

    def leaves(self, conversation_id: str, agent_id: int) -> bool:
        """Note that he looks elsewhere; tell whether that is news."""
        gone = self._looks[conversation_id].pop(agent_id, None)
        if not self._looks[conversation_id]:
            del self._looks[conversation_id]
        return gone is not None

    def types(self, conversation_id: str, agent_id: int, *, on: bool) -> bool:
        """Note that an agent types or stopped; tell whether that is news."""
        look = self._looks[conversation_id].setdefault(agent_id, _Look(self._clock()))
        was = look.typed_at is not None and not self._stale(look.typed_at)
        look.seen_at = self._clock()
        look.typed_at = look.seen_at if on else None
        return was != on

    def viewers(self, conversation_id: str) -> dict[int, bool]:
        """Return who has a conversation before him at present, and whether he types."""
        looks = self._looks.get(conversation_id, {})
        for agent_id in [one for one, look in looks.items() if self._stale(look.seen_at)]:
            del looks[agent_id]
        if not looks:
            self._looks.pop(conversation_id, None)
        return {
            agent_id: look.typed_at is not None and not self._stale(look.typed_at) for agent_id, look in looks.items()
        }

    def saw(self, agent_id: int, conversation_id: str, seq: int) -> None:
        """Note up to which message an agent has read; it only grows."""
        seen = self._seen[agent_id]
        seen[conversation_id] = max(seq, seen.get(conversation_id, 0))

    def seen(self, agent_id: int) -> dict[str, int]:
        """Return the last message read by conversation."""
        return dict(self._seen.get(agent_id, {}))

    def forget(self, agent_id: int, conversation_id: str) -> None:
        """Forget what was read of a conversation that the agent gave away."""
        self._seen.get(agent_id, {}).pop(conversation_id, None)

    def due(self, agent_id: int) -> bool:
        """Tell whether a sign of life of this agent should be written now."""
        now = self._clock()
        if now - self._touched.get(agent_id, -TOUCH_SECONDS) < TOUCH_SECONDS:
            return False
        self._touched[agent_id] = now
        return True

    def _stale(self, at: float) -> bool:
        return self._clock() - at > FRESH_SECONDS


_watches: WeakKeyDictionary[MemoryBus, Watch] = WeakKeyDictionary()


def watch_of(parts: Parts) -> Watch:
    """Return the one of this application."""
    return _watches.setdefault(parts.bus, Watch())
