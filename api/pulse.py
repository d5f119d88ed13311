"""Whether the loop of the desk still turns: while it does not, nobody is offered to anybody, whoever is online.

Customers are then told what they are told when nobody is on duty, for that is what it comes to.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from weakref import WeakKeyDictionary

from sqlalchemy.orm import Session

from api.bus import MemoryBus
from core.handoff.book import Staff
from core.roster import Worker

LATE_SECONDS = 20.0  # a round takes one or two, and ten where a database makes it wait


class Pulse:
    """The last sign of life of the loop of this process; `clock` counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at: float | None = None

    def beat(self) -> None:
        """Note that the loop has begun, or has done a round."""
        self._at = self._clock()

    @property
    def late(self) -> bool:
        """Tell whether the loop has stopped; one that never began (another process runs it) has not."""
        return self._at is not None and self._clock() - self._at > LATE_SECONDS


def attended(staff: Staff, pulse: Pulse) -> Staff:
    """Return who can take cases: nobody while the loop does not turn."""

    def work(session: Session, *, now: datetime) -> list[Worker]:
        return [] if pulse.late else staff(session, now=now)

    return work


_pulses: WeakKeyDictionary[MemoryBus, Pulse] = WeakKeyDictionary()


def pulse_of(bus: MemoryBus) -> Pulse:
    """Return the one of an application."""
    return _pulses.setdefault(bus, Pulse())
