"""The service's figures, computed from the event log whenever they are read; wall, page and export take them here.

A case belongs to the day of its `requested`. Its clocks run by the hours that held at that instant, so that a change of
hours alters no figure of the past. A figure names the cases behind it, and each clock of a case the events behind it.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import service_clock
from core.clock import SHANGHAI
from core.desk_setting import DeskSetting
from core.handoff.tables import CaseNotFound, Handoff, HandoffEvent
from core.promise import ARRIVAL, Commitments, Promise
from core.service_clock import Calendar, DeskHours, Event, Figure
from core.work_order.tables import STATES, OrderEvent, WorkOrder

HOURS = "hours"  # the key of the setting
Standing = Literal["waiting", "message", "person", "wrap_up", "over"]
Key = TypeVar("Key", int, str)

# What a case is after an event; all other kinds change nothing about it.
_STANDING: dict[str, Standing] = {
    "requested": "waiting", "queued": "waiting", "offered": "waiting", "vanished": "waiting", "transferred": "waiting",
    "left_message": "message", "claimed": "person", "taken_over": "person", "reassigned": "person",
    "agent_replied": "person", "reopened": "person", "wrap_up": "wrap_up",
    "handed_back": "over", "closed": "over", "left_queue": "over",
}  # fmt: skip
_NEVER_AGAIN: frozenset[Standing] = frozenset({"over"})  # only `reopened` leads out of it


class BadSpan(ValueError):
    """The days asked for are none, or too many at once."""


@dataclass(frozen=True)
class Calendars:
    """The working hours as they were changed: what held from when on; before the first change, the file's."""

    file: Calendar
    since: tuple[datetime, ...] = ()
    changed: tuple[Calendar, ...] = ()

    @classmethod
    def read(cls, session: Session, path: Path) -> Calendars:
        """Read the file (data/desk/hours.yaml) and every change that an administrator made.

        Raises:
            core.service_clock.BadHours: if one of them cannot be read.
        """
        query = select(DeskSetting).where(DeskSetting.key == HOURS).order_by(DeskSetting.id)
        changes = list(session.scalars(query))
        read = tuple(Calendar(DeskHours.read(one.value)) for one in changes)
        return cls(Calendar.load(path), tuple(one.at for one in changes), read)

    @property
    def present(self) -> Calendar:
        """The hours that hold at present."""
        return self.changed[-1] if self.changed else self.file

    def at(self, instant: datetime) -> Calendar:
        """Return the hours that held at an instant."""
        place = bisect_right(self.since, instant)
        return self.changed[place - 1] if place else self.file


@dataclass(frozen=True)
class CaseFigures:
    """One case as its log tells it; `answered_by` is who wrote last, `waiting_since` the present wait for a person."""

    handoff_id: int
    conversation_id: str
    reason: str
    skill: str
    priority: int
    requested_at: datetime
    first_response: Figure
    closure: Figure
    standing: Standing
    waiting_since: datetime | None
    ended_at: datetime | None
    answered_by: int | None
    replies: int
    transfers: int
    reopened: int
    vanished: int
    left_queue: bool
    left_message: bool
    category: str | None
    outcome: str | None


@dataclass(frozen=True)
class ClockSummary(Generic[Key]):
    """One clock over many cases; a clock that was cancelled in time, or had no promise, is not among them.

    `share` is met of met and breached, `within_aim` those of them that reached the aim too. Seconds are counted time of
    the clocks that have stopped; `p90` is the nearest rank. `open` ones are not late yet.
    """

    count: int
    met: int
    breached: int
    open: int
    share: float | None
    within_aim: float | None
    mean_seconds: int | None
    median_seconds: int | None
    p90_seconds: int | None
    cases: tuple[Key, ...]
    breached_cases: tuple[Key, ...]


@dataclass(frozen=True)
class ServiceFigures:
    """The cases of some time, counted."""

    cases: int
    answered: int
    left_queue: int
    messages: int
    transfers: int
    reopened: int
    vanished: int
    first_response: ClockSummary[int]
    closure: ClockSummary[int]


def span_of(first: date, last: date, *, most_days: int = 366) -> tuple[datetime, datetime]:
    """Return the instants that bound these days in Shanghai, the second one excluded.

    Raises:
        BadSpan: if the last day is before the first, or there are more than `most_days`.
    """
    if not 0 < (last - first).days + 1 <= most_days:
        raise BadSpan(f"{first} to {last} are not 1 to {most_days} days")
    return datetime.combine(first, time(), SHANGHAI), datetime.combine(last + timedelta(days=1), time(), SHANGHAI)


def cases_requested(
    session: Session, calendars: Calendars, start: datetime, end: datetime, *, now: datetime
) -> list[CaseFigures]:
    """Return the cases requested from `start` until before `end`, by number."""
    asked = select(HandoffEvent.handoff_id).where(
        HandoffEvent.kind == "requested", HandoffEvent.at >= start, HandoffEvent.at < end
    )
    query = select(Handoff).where(Handoff.id.in_(asked)).order_by(Handoff.id)
    return _computed(session, list(session.scalars(query)), calendars, now)


def open_cases(session: Session, calendars: Calendars, *, now: datetime) -> list[CaseFigures]:
    """Return the cases that have not ended, by number."""
    query = select(Handoff).where(Handoff.ended_at.is_(None)).order_by(Handoff.id)
    return _computed(session, list(session.scalars(query)), calendars, now)


def case_figures(session: Session, calendars: Calendars, handoff_id: int, *, now: datetime) -> CaseFigures:
    """Return one case.

    Raises:
        CaseNotFound: if there is none, or its log is empty.
    """
    row = session.get(Handoff, handoff_id)
    found = _computed(session, [row], calendars, now) if row else []
    if not found:
        raise CaseNotFound(handoff_id)
    return found[0]


def events_of(session: Session, handoff_id: int) -> list[HandoffEvent]:
    """Return the log of one case in the order of time."""
    query = select(HandoffEvent).where(HandoffEvent.handoff_id == handoff_id)
    return list(session.scalars(query.order_by(HandoffEvent.at, HandoffEvent.id)))


def arrivals(
    session: Session, commitments: Commitments, calendars: Calendars, start: datetime, end: datetime, *, now: datetime,
    states: Collection[str] = STATES,
) -> dict[str, Figure]:  # fmt: skip
    """Return the arrival clock by order number, of the orders opened in this time for which an arrival was promised."""
    promised = select(Promise.subject_id).where(Promise.subject_kind == "order", Promise.kind == ARRIVAL)
    query = select(WorkOrder).where(WorkOrder.opened_at >= start, WorkOrder.opened_at < end, WorkOrder.id.in_(promised))
    orders = list(session.scalars(query.where(WorkOrder.state.in_(states)).order_by(WorkOrder.id)))
    logs: dict[int, list[Event]] = {}
    written = select(OrderEvent).where(OrderEvent.order_id.in_([one.id for one in orders]))
    for event in session.scalars(written):
        logs.setdefault(event.order_id, []).append(Event(event.seq, event.at, event.kind, event.values))
    return {
        one.order_no: service_clock.arrival(
            logs.get(one.id, ()), _arrival_promise(commitments, one), calendars.at(one.opened_at), now=now
        )
        for one in orders
    }


def service_figures(cases: Sequence[CaseFigures]) -> ServiceFigures:
    """Count the cases."""
    return ServiceFigures(
        cases=len(cases),
        answered=sum(one.replies > 0 for one in cases),
        left_queue=sum(one.left_queue for one in cases),
        messages=sum(one.left_message for one in cases),
        transfers=sum(one.transfers for one in cases),
        reopened=sum(one.reopened for one in cases),
        vanished=sum(one.vanished for one in cases),
        first_response=summary({one.handoff_id: one.first_response for one in cases}),
        closure=summary({one.handoff_id: one.closure for one in cases}),
    )


def summary(figures: Mapping[Key, Figure]) -> ClockSummary[Key]:
    """Sum one clock up over its cases (by number of the case or of the order)."""
    counted = {key: one for key, one in figures.items() if one.state != "none"}
    met = [one for one in counted.values() if one.state == "met"]
    late = [key for key, one in counted.items() if one.state == "breached"]
    decided = len(met) + len(late)
    aimed = sum(within_aim(one) for one in met)
    seconds = sorted(one.elapsed.total_seconds() for one in counted.values() if one.stopped_at is not None)
    return ClockSummary(
        count=len(counted), met=len(met), breached=len(late), open=len(counted) - decided,
        share=len(met) / decided if decided else None,
        within_aim=aimed / decided if decided else None,
        mean_seconds=round(statistics.fmean(seconds)) if seconds else None,
        median_seconds=round(statistics.median(seconds)) if seconds else None,
        p90_seconds=round(seconds[math.ceil(len(seconds) * 0.9) - 1]) if seconds else None,
        cases=tuple(counted), breached_cases=tuple(late),
    )  # fmt: skip


def within_aim(one: Figure) -> bool:
    """Tell whether a clock stopped before its aim was used up."""
    return one.state == "met" and one.aim_at is not None and one.stopped_at is not None and one.stopped_at <= one.aim_at


def _arrival_promise(commitments: Commitments, order: WorkOrder) -> timedelta | None:
    minutes = commitments.arrival_minutes.get(order.area_class or "")
    return timedelta(minutes=minutes) if minutes else None


def _computed(session: Session, rows: Sequence[Handoff], calendars: Calendars, now: datetime) -> list[CaseFigures]:
    logs = _logs(session, [row.id for row in rows])
    return [_case(row, logs[row.id], calendars, now) for row in rows if row.id in logs]


def _logs(session: Session, handoff_ids: Iterable[int]) -> dict[int, list[HandoffEvent]]:
    found: dict[int, list[HandoffEvent]] = {}
    query = select(HandoffEvent).where(HandoffEvent.handoff_id.in_(list(handoff_ids)))
    for event in session.scalars(query.order_by(HandoffEvent.at, HandoffEvent.id)):
        found.setdefault(event.handoff_id, []).append(event)
    return found


def _case(row: Handoff, log: Sequence[HandoffEvent], calendars: Calendars, now: datetime) -> CaseFigures:
    kinds = [event.kind for event in log]
    standing, since, ended = _stands(log)
    replies = [event for event in log if event.kind == "agent_replied"]
    asked = next((event.at for event in log if event.kind == "requested"), row.requested_at)
    first, closure = service_clock.figures(
        [Event(event.id, event.at, event.kind, _routed(event, row)) for event in log], calendars.at(asked), now=now
    )
    return CaseFigures(
        handoff_id=row.id, conversation_id=row.conversation_id, reason=row.reason, skill=row.skill,
        priority=row.priority, requested_at=asked, first_response=first, closure=closure, standing=standing,
        waiting_since=since, ended_at=ended, answered_by=replies[-1].agent_id if replies else None,
        replies=len(replies), transfers=kinds.count("transferred"), reopened=kinds.count("reopened"),
        vanished=kinds.count("vanished"), left_queue="left_queue" in kinds, left_message="left_message" in kinds,
        category=row.category, outcome=row.outcome,
    )  # fmt: skip


def _routed(event: HandoffEvent, row: Handoff) -> Mapping[str, Any]:
    """Return the data of an event; a request says which skill it is for and how urgent it is."""
    return {"skill": row.skill, "priority": row.priority, **event.data} if event.kind == "requested" else event.data


def _stands(log: Sequence[HandoffEvent]) -> tuple[Standing, datetime | None, datetime | None]:
    """Return what the case is now, since when its customer waits for a person (None: does not), and when it ended."""
    standing: Standing = "waiting"
    since = ended = None
    for event in log:
        following = _STANDING.get(event.kind, standing)
        if standing in _NEVER_AGAIN and event.kind != "reopened":
            continue
        if following == "waiting" and (standing != "waiting" or since is None):
            since = event.at
        if following == "over":
            ended = event.at
        standing = following
    return standing, since if standing == "waiting" else None, ended if standing == "over" else None
