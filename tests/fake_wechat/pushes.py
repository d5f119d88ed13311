"""What is known of a push: how it is to be disturbed, its tries, and how it ended."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.fake_wechat.form import Fields


@dataclass
class Plan:
    """How pushes are disturbed; drawn from one seeded generator in the order in which pushes begin."""

    seed: int = 1
    delay: tuple[float, float] = (0.0, 0.0)  # seconds, evenly
    duplicate: float = 0.0  # chance of one more delivery, during or after the first
    swap: float = 0.0  # chance that it is held until the user's next push has gone out, at most a second
    hang_up: float = 0.0  # chance that a try's connection is cut before its answer, within `hang_up_within`
    hang_up_within: float = 1.0


@dataclass
class Fate:
    """What the plan holds for one push."""

    delay: float = 0.0
    duplicate: str = ""  # "" | "during" | "after"
    swap: bool = False
    hang_up: list[float | None] = field(default_factory=list)  # for each try when it is cut


@dataclass
class Try:
    began: float
    took: float
    result: str  # reply | success | timeout | cut | refused | reset | status N | garbage
    duplicate: bool = False


@dataclass
class Push:
    """One message or event on its way to the account's server."""

    id: str
    openid: str
    fields: Fields
    fate: Fate
    tries: list[Try] = field(default_factory=list)
    outcome: str = ""  # passive | success | notice | dropped (an event that nobody took); empty: under way
    shown: int | None = None
    why: str = ""  # for a notice
    done: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def public(self) -> dict[str, Any]:
        return {"id": self.id, "openid": self.openid, "fields": self.fields, "outcome": self.outcome,
                "shown": self.shown, "why": self.why, "tries": [asdict(one) for one in self.tries]}  # fmt: skip
