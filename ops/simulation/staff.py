"""The agents of a simulated site."""

from __future__ import annotations

from dataclasses import dataclass

PASSWORD = "a lamp in every window 26"  # of everybody at such a desk: it lives as long as the drill


@dataclass(frozen=True)
class Staff:
    """One agent of the site."""

    login: str
    skills: tuple[str, ...]
    capacity: int = 1
    role: str = "agent"
