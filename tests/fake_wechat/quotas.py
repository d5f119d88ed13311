"""How many customer-service messages a user may get: 5 in 48 h after a message, 3 in 1 min after a tap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CLOSED, USED_UP = 45015, 45047
HOUR = 3600.0
RULES: dict[str, tuple[int | None, float]] = {  # kind of cause -> (messages, None for any number; seconds)
    "message": (5, 48 * HOUR),
    "tap": (3, 60.0),
    "follow": (3, 60.0),
    "scan": (3, 60.0),
    "pay": (None, 48 * HOUR),
}


@dataclass(slots=True)
class Window:
    left: int | None
    until: float


class Quotas:
    """The windows of every user; a new cause of the same kind begins its window anew."""

    def __init__(self) -> None:
        self._windows: dict[str, dict[str, Window]] = {}

    def grant(self, openid: str, kind: str, now: float) -> None:
        count, seconds = RULES[kind]
        self._windows.setdefault(openid, {})[kind] = Window(count, now + seconds)

    def end(self, openid: str) -> None:
        self._windows.pop(openid, None)

    def refusal(self, openid: str, now: float) -> int:
        """Return 0, or the code with which a message is refused now."""
        open_ = self._open(openid, now)
        if not open_:
            return CLOSED
        return 0 if any(window.left != 0 for window in open_) else USED_UP

    def take(self, openid: str, now: float) -> None:
        """Take one message from the window that ends first among those with something left."""
        having = [window for window in self._open(openid, now) if window.left != 0]
        window = min(having, key=lambda one: one.until)
        if window.left is not None:
            window.left -= 1

    def of(self, openid: str, now: float) -> list[dict[str, Any]]:
        windows = self._windows.get(openid, {})
        return [
            {"kind": kind, "left": window.left, "until": window.until, "seconds": round(window.until - now, 1)}
            for kind, window in windows.items()
            if window.until > now
        ]

    def _open(self, openid: str, now: float) -> list[Window]:
        return [window for window in self._windows.get(openid, {}).values() if window.until > now]
