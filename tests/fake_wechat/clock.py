"""The time that the fake lives in: the machine's, moved by an offset."""

from __future__ import annotations

import time


class Clock:
    """Seconds since 1970; a test moves them forward (or back) without waiting."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        return time.time() + self.offset
