"""What who had reported an outage of the past was told of it: the notices, and the same words in the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from core.seed.history_days import Dark
from core.seed.history_log import MARK, TalkLog
from core.seed.history_news import News, NewsShare

SAID_AFTER = timedelta(minutes=12)  # from the beginning until it is known when power will be back
_IN_THE_TALK = timedelta(minutes=20)  # who still talks so long after it was known has heard it there


@dataclass(frozen=True)
class Given:
    """One notice that reached its conversation; `name` is its part of the key."""

    name: str
    wording: str
    values: Mapping[str, str]
    created_at: datetime
    delivered_at: datetime


def tell(
    log: TalkLog, dark: Dark, reported_at: datetime, *, news: News, share: NewsShare, limit: datetime
) -> list[Given]:
    """Put into the log what it was told of the outage, in order; return the notices. None comes after the end."""
    rng = Random(f"{MARK}{log.id}:news")
    fate, minutes = rng.random(), rng.uniform(*share.minutes)
    if fate < share.never:
        return []
    found = []
    for name, wording, at, values in _due(dark, reported_at):
        if wording == "outage_expected" and log.now > at + _IN_THE_TALK:
            continue
        late = wording == "outage_restored" and fate < share.never + share.late
        delivered = max(log.now, at) + timedelta(seconds=rng.uniform(0.2, 3), minutes=minutes if late else 0)
        if delivered >= limit:
            break
        log.now = delivered
        log.system(news.text(wording, values, now=delivered))
        found.append(Given(name, wording, values, at, delivered))
    return found


def _due(dark: Dark, reported_at: datetime) -> Iterator[tuple[str, str, datetime, dict[str, str]]]:
    """Yield what `core.outage_control` puts: when power will be back (who asks later is told), and that it is."""
    said = dark.began + SAID_AFTER
    if reported_at < said:
        until = dark.expected
        values = {"area": dark.area, "due_at": until.isoformat()}
        yield f"expected:{int(until.timestamp())}", "outage_expected", said, values
    values = {"area": dark.area, "restored_at": dark.restored.isoformat()}
    yield "restored", "outage_restored", dark.restored, values
