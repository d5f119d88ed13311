"""A tape of one clock: when it ran and when it stood still, and the figure that this comes to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from core.service_clock import hours
from core.service_clock.hours import ZERO, Schedule
from core.service_clock.model import Event, Figure, Pause, State

CLOSED = "closed"  # the reason of the pause between an end and a reopening


@dataclass(frozen=True)
class Limits:
    """The time promised, the share of it after which to warn (percent), and the time aimed at."""

    promise: timedelta
    warn_percent: int
    aim: timedelta | None = None

    @property
    def warning(self) -> timedelta:
        """How much counted time may pass before the warning."""
        return self.promise * self.warn_percent / 100


@dataclass(frozen=True)
class Stretch:
    """The clock ran from `start` to `end` by these hours."""

    start: datetime
    end: datetime
    schedule: Schedule


@dataclass
class Tape:
    """What is known of one clock while its log is read from the front; a step that does not fit is ignored."""

    started_at: datetime
    schedule: Schedule
    events: list[int]
    stretches: list[Stretch] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    stopped_at: datetime | None = None
    cancelled: bool = False
    _running_since: datetime | None = None

    @classmethod
    def started(cls, event: Event, schedule: Schedule, *before: int) -> Tape:
        """Start a clock with an event; `before` are events that led to it."""
        return cls(event.at, schedule, [*before, event.id], _running_since=event.at)

    @property
    def running(self) -> bool:
        """Tell whether the clock is neither paused nor stopped."""
        return self._running_since is not None

    def change_hours(self, event: Event, schedule: Schedule) -> None:
        """Count by other hours from here on; what is counted stays."""
        if schedule == self.schedule or self.stopped_at is not None:
            return
        if self.running:
            self._end_stretch(event.at)
            self._running_since = event.at
        self.schedule = schedule
        self.events.append(event.id)

    def pause(self, event: Event, reason: str) -> None:
        """Stand still for a reason, unless the clock does already."""
        if self.running:
            self._end_stretch(event.at)
            self.pauses.append(Pause(event.at, None, reason))
            self.events.append(event.id)

    def resume(self, event: Event) -> None:
        """Go on after a pause."""
        if not self.running and self.stopped_at is None:
            self._end_pause(event.at)
            self._running_since = event.at
            self.events.append(event.id)

    def stop(self, event: Event, *, cancelled: bool = False) -> None:
        """Stop: the thing is done, or (cancelled) nobody waits for it any more."""
        if self.stopped_at is not None:
            return
        if self.running:
            self._end_stretch(event.at)
        else:
            self._end_pause(event.at)
        self.stopped_at, self.cancelled = event.at, cancelled
        self.events.append(event.id)

    def reopen(self, event: Event) -> None:
        """Go on after the end; the time between is not counted."""
        if self.stopped_at is not None:
            self.pauses.append(Pause(self.stopped_at, event.at, CLOSED))
            self.stopped_at, self.cancelled, self._running_since = None, False, event.at
            self.events.append(event.id)

    def figure(self, name: str, limits: Limits | None, now: datetime) -> Figure:
        """Return what the tape comes to; without limits the time is measured and nothing promised."""
        ran = self._until(now)
        elapsed = sum((hours.passed(one.schedule, one.start, one.end) for one in ran), ZERO)
        pauses, events = tuple(self.pauses), tuple(self.events)
        measured = Figure(name, self.started_at, self.stopped_at, elapsed=elapsed, pauses=pauses, events=events)
        return self._judged(measured, ran, limits, now) if limits else measured

    def breached_by(self, limit: timedelta, now: datetime) -> datetime | None:
        """Return when the clock first ran on past the limit, None if it did not until now."""
        return _overrun(self._until(now), self._reached(limit, now))

    def _judged(self, measured: Figure, ran: list[Stretch], limits: Limits, now: datetime) -> Figure:
        due_at = self._reached(limits.promise, now)
        breached_at = _overrun(ran, due_at)
        last = max(due_at, self.stopped_at or now)
        ahead = Stretch(ran[-1].end, last, self.schedule)
        return replace(
            measured,
            due_at=due_at,
            warn_at=self._reached(limits.warning, now),
            aim_at=self._reached(limits.aim, now) if limits.aim else None,
            state=self._state(breached_at),
            breached_at=breached_at,
            certain=all(hours.certain(one.schedule, one.start, one.end) for one in (*ran, ahead)),
        )

    def _state(self, breached_at: datetime | None) -> State:
        if breached_at is not None:
            return "breached"
        if self.stopped_at is not None:
            return "none" if self.cancelled else "met"
        return "running" if self.running else "paused"

    def _until(self, now: datetime) -> list[Stretch]:
        """Return the stretches, the one that lasts still ending now."""
        since = self._running_since
        return self.stretches if since is None else [*self.stretches, Stretch(since, max(now, since), self.schedule)]

    def _reached(self, amount: timedelta, now: datetime) -> datetime:
        """Return the earliest instant at which so much time is counted, going on from the end or from now."""
        for one in self._until(now):
            counted = hours.passed(one.schedule, one.start, one.end)
            if counted >= amount:
                return hours.forward(one.schedule, one.start, amount)
            amount -= counted
        return hours.forward(self.schedule, self.stopped_at or now, amount)

    def _end_stretch(self, at: datetime) -> None:
        if self._running_since is not None:
            self.stretches.append(Stretch(self._running_since, at, self.schedule))
            self._running_since = None

    def _end_pause(self, at: datetime) -> None:
        self.pauses[-1] = self.pauses[-1]._replace(end=at)


def _overrun(ran: list[Stretch], due_at: datetime) -> datetime | None:
    """Return when the clock first ran past the due time: what was said to come by eight is late at nine at night."""
    return next((max(due_at, one.start) for one in ran if one.end > max(due_at, one.start)), None)
