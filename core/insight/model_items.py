"""What the board of the model counts: messages as they were understood, corrections, learning items, models."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.insight.topics import UNCLEAR

# Bands of confidence, each from its number on; the first one that is beyond the line of `data/learning.yaml` is added.
BANDS = (0.0, 0.7, 0.9)
_LEAST = 1e-4  # of a share, so that an intent which is new does not weigh infinitely


@dataclass(frozen=True)
class Understood:
    """One message that a customer typed, outside of a form, as the model understood it; `line`: below it is low."""

    at: datetime
    conversation_id: str
    seq: int
    channel: str
    intent: str
    confidence: float | None
    failed: bool
    line: float

    @property
    def key(self) -> str:
        """Conversation and number."""
        return f"{self.conversation_id}:{self.seq:06d}"

    @property
    def low(self) -> bool | None:
        """Whether the model was not sure, None where it did not say."""
        return None if self.confidence is None else self.confidence < self.line

    @property
    def fallback(self) -> bool:
        """Whether the bot said that it had not understood."""
        return self.failed or self.intent == UNCLEAR

    @property
    def band(self) -> float | None:
        """The lower end of its band of confidence."""
        if self.confidence is None:
            return None
        return max(one for one in bands(self.line) if one <= max(self.confidence, 0.0))


def bands(line: float) -> list[float]:
    """Return the lower ends of the bands."""
    return sorted({*(one for one in BANDS if one == 0 or one > line), line})


@dataclass(frozen=True)
class Correction:
    """A message of which an agent said that it meant something else."""

    at: datetime
    conversation_id: str
    seq: int
    channel: str
    intent: str
    right: str
    confidence: float | None

    @property
    def key(self) -> str:
        """Conversation and number."""
        return f"{self.conversation_id}:{self.seq:06d}"

    @property
    def pair(self) -> str:
        """What it was taken for, and what it meant."""
        return f"{self.intent}>{self.right}"


@dataclass(frozen=True)
class IntentShare:
    """One intent in these days and in those before: messages, and what it adds to the drift."""

    at: datetime
    intent: str
    now: int
    before: int
    psi: float

    @property
    def key(self) -> str:
        """What it adds, so that the most come first, and which."""
        return f"{self.psi:012.6f}:{self.intent}"


@dataclass(frozen=True)
class Learning:
    """One message that is to be learned from."""

    at: datetime
    number: int
    conversation_id: str
    seq: int
    channel: str
    state: str
    intent: str | None
    label: str | None
    reasons: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its number, so that numbers sort as they grow."""
        return f"{self.number:012d}"


@dataclass(frozen=True)
class Trained:
    """One figure of one model on one validation set; `metric` None: the model itself."""

    at: datetime
    number: int
    name: str
    state: str
    promoted_at: datetime | None
    learned: int
    set_name: str | None
    metric: str | None
    value: float | None

    @property
    def key(self) -> str:
        """Model, set and metric."""
        return f"{self.number:08d}:{self.set_name or ''}:{self.metric or ''}"


def drift_of(now: Counter[str], before: Counter[str], at: datetime) -> list[IntentShare]:
    """Return what each intent adds to the population stability index: (new − old) · ln(new / old)."""
    new_all, old_all = now.total(), before.total()
    if not new_all or not old_all:
        return []
    found = []
    for intent in sorted({*now, *before}):
        new, old = max(now[intent] / new_all, _LEAST), max(before[intent] / old_all, _LEAST)
        found.append(IntentShare(at, intent, now[intent], before[intent], (new - old) * math.log(new / old)))
    return sorted(found, key=lambda one: (-one.psi, one.intent))


def figures_of(document: Mapping[str, Any]) -> Iterable[tuple[str, str, float]]:
    """Yield set, metric and value of the figures of a model that are numbers."""
    for set_name, metrics in document.items():
        for metric, value in metrics.items() if isinstance(metrics, Mapping) else ():
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield str(set_name), str(metric), float(value)
