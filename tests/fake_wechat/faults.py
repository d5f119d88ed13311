"""What goes wrong on purpose: refusals, broken answers, hanging and dropped connections, by path, count and time."""

from __future__ import annotations

import itertools
import random
from dataclasses import asdict, dataclass
from typing import Any, Literal

How = Literal["errcode", "status", "hang", "drop", "garbage", "delay"]
HOWS = ("errcode", "status", "hang", "drop", "garbage", "delay")


@dataclass
class Fault:
    """One entry of the plan; it is used up after `times` calls, and ends `until` (the fake's clock)."""

    id: int
    path: str  # a part of the path; empty: every call of the API
    how: How
    code: int = -1  # the errcode, or the HTTP status
    times: int | None = 1
    until: float | None = None
    delay: float = 0.0  # seconds before anything else
    after: bool = False  # the call is carried out first, and only its answer fails
    chance: float = 1.0
    body_has: str = ""  # only calls with this in their body (an openid)


class Faults:
    """The plan, first entry first."""

    def __init__(self) -> None:
        self._plan: list[Fault] = []
        self._ids = itertools.count(1)
        self._random = random.Random(1)

    def add(self, wanted: dict[str, Any]) -> Fault:
        """Add an entry; a bad one is a `ValueError` or `TypeError`."""
        if wanted.get("how") not in HOWS:
            raise ValueError(f"how is one of {', '.join(HOWS)}")
        fault = Fault(id=next(self._ids), **wanted)
        self._plan.append(fault)
        return fault

    def clear(self) -> None:
        self._plan.clear()

    def public(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._plan]

    def take(self, path: str, body: bytes, now: float) -> Fault | None:
        """Return what goes wrong with this call."""
        for fault in self._plan:
            if fault.until is not None and fault.until <= now:
                continue
            if fault.path not in path or (fault.body_has and fault.body_has.encode() not in body):
                continue
            if fault.times == 0 or (fault.chance < 1 and self._random.random() >= fault.chance):
                continue
            if fault.times is not None:
                fault.times -= 1
            return fault
        return None
