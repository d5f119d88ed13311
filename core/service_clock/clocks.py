"""The three service clocks, computed whenever they are read from the log of one case, and never stored.

The same log gives the same figures, in whatever order its lines come; each figure names the lines behind it. A `now`
before the last line of the log (clocks of two machines) is taken to be that line's time. Time with the bot, before the
request or after the hand-back, is never counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from core.service_clock.calendar import Calendar, UnknownSkill
from core.service_clock.hours import ALWAYS, local
from core.service_clock.model import ARRIVAL, CLOSURE, FIRST_RESPONSE, Event, Figure, in_order
from core.service_clock.tape import Limits, Tape

_REQUESTED = frozenset({"requested"})
_OVER = frozenset({"handed_back", "closed"})
_ROUTED = frozenset({"requested", "queued", "transferred", "reassigned"})  # their data may name `skill` and `priority`
_FILED = frozenset({"filed", "accepted"})
_THERE = frozenset({"arrived", "working", "done"})
_GONE = frozenset({"closed", "cancelled"})


def figures(events: Iterable[Event], calendar: Calendar, *, now: datetime) -> tuple[Figure, Figure]:
    """Return `first_response` and `closure` of one case."""
    log = tuple(events)
    return first_response(log, calendar, now=now), closure(log, calendar, now=now)


def first_response(events: Iterable[Event], calendar: Calendar, *, now: datetime) -> Figure:
    """Return how long the customer waits for a person's first words.

    It starts at `requested` and stops at the first `agent_replied`: a claim is no answer. Nobody can pause it; only
    working time of the skill counts, from a transfer to another skill on that skill's. An agent who vanishes or passes
    the case on starts nothing anew. A case that ends unanswered (left_queue, closed, handed_back) is cancelled, unless
    it was late by then: that stays. After the first `left_message` what counts is the promise made for it, from the
    message on, unless the clock was late before; to leave the queue beside it cancels nothing.

    Raises:
        UnknownSkill: if the log names no skill of the settings.
        NaiveInstant: if an event or `now` has no time zone.
    """
    log = in_order(events, _REQUESTED)
    if not log:
        return Figure(FIRST_RESPONSE)
    clocks, moment = calendar.desk.clocks, max(local(now), log[-1].at)
    limits = Limits(clocks.first_response.promise, clocks.warn_percent, clocks.first_response.aim)
    routes, message = _Routes(log, calendar), _message(log)
    tape = Tape.started(log[0], routes.schedule)
    for event in log[1:]:
        tape.change_hours(event, routes.after(event).schedule)
        if event.kind == "agent_replied":
            tape.stop(event)
            break
        if event is message and tape.breached_by(limits.promise, event.at) is None:
            tape = Tape.started(event, routes.schedule, *tape.events)
            limits = Limits(timedelta(minutes=clocks.message_minutes), clocks.warn_percent)
        elif event.kind in _OVER or (event.kind == "left_queue" and message is None):
            tape.stop(event, cancelled=True)
        elif event.kind == "reopened":
            tape.reopen(event)
    return tape.figure(FIRST_RESPONSE, limits, moment)


def closure(events: Iterable[Event], calendar: Calendar, *, now: datetime) -> Figure:
    """Return how long it takes until the matter is done with.

    It starts at `requested` and stops at `handed_back` or `closed`; `paused` (data: reason) and `resumed` hold it, and
    one without its partner changes nothing. `reopened` goes on with the same clock, the time since the end not counted.
    A transfer or a vanished agent starts nothing anew. Only working time of the skill counts, as for the first
    response. `left_queue` cancels it, unless it was late by then or a message was left.

    Raises:
        UnknownPauseReason: if a `paused` gives a reason that the settings do not name.
        UnknownSkill: if the log names no skill of the settings.
        NaiveInstant: if an event or `now` has no time zone.
    """
    log = in_order(events, _REQUESTED)
    if not log:
        return Figure(CLOSURE)
    clocks, routes, message = calendar.desk.clocks, _Routes(log, calendar), _message(log)
    tape = Tape.started(log[0], routes.schedule)
    for event in log[1:]:
        tape.change_hours(event, routes.after(event).schedule)
        if event.kind == "paused":
            tape.pause(event, calendar.pause_reason(event.data.get("reason")))
        elif event.kind == "resumed":
            tape.resume(event)
        elif event.kind in _OVER:
            tape.stop(event)
        elif event.kind == "left_queue" and message is None:
            tape.stop(event, cancelled=True)
        elif event.kind == "reopened":
            tape.reopen(event)
    limits = Limits(clocks.closure.promise, clocks.warn_percent, clocks.closure.aim)
    return tape.figure(CLOSURE, limits, max(local(now), log[-1].at))


def arrival(events: Iterable[Event], promise: timedelta | None, calendar: Calendar, *, now: datetime) -> Figure:
    """Return how long it takes until somebody is on the spot, by day and night (events of an order, id = seq).

    `promise` is the time for the order's area class (`core.promise.Commitments.arrival_minutes`), None if nothing is
    promised: then the time is measured, and the state is none. It starts when the order is filed and stops at the
    first state `arrived` (or `working`, where arrival was not noted), for good: an order reopened after that has had
    its arrival. Dispatching it anew starts nothing anew. An order closed or cancelled before cancels the clock, unless
    it was late by then; reopened, it goes on, the time between not counted.

    Raises:
        NaiveInstant: if an event or `now` has no time zone.
    """
    log = in_order(events, _FILED)
    if not log:
        return Figure(ARRIVAL)
    tape = Tape.started(log[0], ALWAYS)
    for event in log[1:]:
        state = _order_state(event)
        if state in _THERE:
            tape.stop(event)
            break
        if state in _GONE:
            tape.stop(event, cancelled=True)
        elif state in ("reopened", "accepted"):
            tape.reopen(event)
    limits = Limits(promise, calendar.desk.clocks.warn_percent) if promise else None
    return tape.figure(ARRIVAL, limits, max(local(now), log[-1].at))


def _message(log: tuple[Event, ...]) -> Event | None:
    """Return when a message was left instead of waiting: before a person answered."""
    decisive = (event for event in log if event.kind in ("left_message", "agent_replied"))
    first = next(decisive, None)
    return first if first is not None and first.kind == "left_message" else None


def _order_state(event: Event) -> str:
    """Return the state an order got into (a `state` event says it as `to`), or what else happened to it."""
    return str(event.data.get("to")) if event.kind == "state" else event.kind


class _Routes:
    """The hours of a case as its log goes on: by the skill and the priority class last named."""

    def __init__(self, log: tuple[Event, ...], calendar: Calendar) -> None:
        named = (event.data["skill"] for event in log if event.kind in _ROUTED and "skill" in event.data)
        skill = next(named, None)
        if skill is None:
            raise UnknownSkill("the log names no skill")
        self._calendar, self._skill, self._priority = calendar, str(skill), log[0].data.get("priority")
        self.schedule = calendar.schedule(self._skill, self._priority)

    def after(self, event: Event) -> _Routes:
        if event.kind in _ROUTED and ("skill" in event.data or "priority" in event.data):
            self._skill = str(event.data.get("skill", self._skill))
            self._priority = event.data.get("priority", self._priority)
            self.schedule = self._calendar.schedule(self._skill, self._priority)
        return self
