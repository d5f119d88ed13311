"""What tests see of the fake: things on a phone, and what became of a push."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shown:
    """One thing that a phone showed; `at` is the fake's time, `push` the push that it answers."""

    n: int
    at: float
    openid: str
    way: str
    type: str
    content: dict[str, Any]
    text: str
    push: str | None


@dataclass(frozen=True)
class Pushed:
    """What became of a push: `passive`, `success`, `notice`, `dropped`, or empty while it is under way."""

    id: str
    openid: str
    fields: dict[str, Any]
    outcome: str
    shown: int | None
    why: str
    tries: list[dict[str, Any]]
