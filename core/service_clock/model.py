"""What the clocks read and what they say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from core.service_clock.hours import local

FIRST_RESPONSE, CLOSURE, ARRIVAL = "first_response", "closure", "arrival"
State = Literal["none", "running", "paused", "met", "breached"]


@dataclass(frozen=True)
class Event:
    """One line of an append-only log; `id` grows as it is written, `at` is aware."""

    id: int
    at: datetime
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Pause(NamedTuple):
    """Time that was not counted, and why; without an end it lasts still."""

    start: datetime
    end: datetime | None
    reason: str


@dataclass(frozen=True)
class Figure:
    """One clock as it stands; all instants in Shanghai time.

    `due_at`, `warn_at`, `aim_at`: the earliest instants at which the promise, its warning share and the aim are used
    up, counted forward through working hours and the pauses so far; while the clock is paused, as if it went on now.
    `elapsed` is counted time only. `events` are the ids of the lines that made this figure.
    `state` none: not started, cancelled in time, or nothing is promised. A clock that ran past `due_at` is breached for
    ever. `certain` is false if the hours depend on a year whose holidays are not known yet.
    """

    name: str
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    due_at: datetime | None = None
    warn_at: datetime | None = None
    aim_at: datetime | None = None
    elapsed: timedelta = timedelta(0)
    state: State = "none"
    breached_at: datetime | None = None
    pauses: tuple[Pause, ...] = ()
    events: tuple[int, ...] = ()
    certain: bool = True


def in_order(events: Iterable[Event], opened_by: frozenset[str]) -> tuple[Event, ...]:
    """Return the events from the first that opens the case on, by time and then id; none if nothing opened it.

    The log is that of one case, so an event dated before its opening comes from a clock that went backwards: it counts
    as of the opening. A line delivered twice (the same id) counts once.

    Raises:
        core.service_clock.hours.NaiveInstant: if an event has no time zone.
    """
    single = {event.id: replace(event, at=local(event.at)) for event in events}
    ordered = sorted(single.values(), key=lambda event: (event.at, event.id))
    opening = next((event for event in ordered if event.kind in opened_by), None)
    if opening is None:
        return ()
    others = [replace(event, at=max(event.at, opening.at)) for event in ordered if event is not opening]
    return (opening, *sorted(others, key=lambda event: (event.at, event.id)))
