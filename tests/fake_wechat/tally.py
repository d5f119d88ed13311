"""Counts over everything that was shown: how often each phone, how many in any second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.fake_wechat.state import World


def tally(world: World, way: str, words: str) -> dict[str, Any]:
    """Return how many phones showed such a thing once, twice, …; and the most in any second (the machine's clock).

    `words`: only what contains them (a part of `client_msg_id` for templates).
    """
    found = [one for one in world.all_shown if one.way == way and _has(one, words)]
    phones = Counter(one.openid for one in found)
    instants: Sequence[float] = world.shown_at.get(way) or []
    return {
        "shown": len(found),
        "phones": {str(times): count for times, count in sorted(Counter(phones.values()).items())},
        "more_than_once": [openid for openid, times in phones.items() if times > 1][:100],
        "most_in_a_second": most_within(instants, 1.0),
        "seconds": instants[-1] - instants[0] if len(instants) > 1 else 0.0,
    }


def calls(world: World, path: str) -> dict[str, Any]:
    """Return how many requests came to a path, refused or not, and the most in any second."""
    instants: Sequence[float] = world.calls.get(path) or []
    return {"calls": len(instants), "most_in_a_second": most_within(instants, 1.0)}


def most_within(ordered: Sequence[float], seconds: float) -> int:
    """Return the largest number of instants (in order) in any half-open span of that length."""
    most = first = 0
    for last, at in enumerate(ordered):
        while ordered[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def _has(one: Any, words: str) -> bool:
    return not words or words in one.text or words in str(one.content.get("key") or "")
