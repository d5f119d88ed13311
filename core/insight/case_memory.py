"""Figures of cases, reckoned once: what is over does not change unless its log does.

The clocks of a case are the dearest thing on the board (half a millisecond each). Of a day on which all cases are over
they are kept, and reckoned anew when a case of that day, or an event of one, has been added, or the hours have changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from weakref import WeakKeyDictionary

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.db import Database
from core.handoff.figures import Calendars, CaseFigures, cases_requested
from core.handoff.tables import HandoffEvent
from core.insight.spans import Span, day_of

MOST_DAYS = 1000
_Sign = tuple[int, tuple[tuple[int, int], ...]]  # changes of the hours; case and last event of each case
_kept: WeakKeyDictionary[Database, dict[date, tuple[_Sign, tuple[CaseFigures, ...]]]] = WeakKeyDictionary()


def cases_in(
    session: Session, database: Database, calendars: Calendars, window: Span, *, now: datetime
) -> list[CaseFigures]:  # fmt: skip
    """Return what `core.handoff.figures.cases_requested` returns for these days; `session` reads `database`."""
    kept, signs = _kept.setdefault(database, {}), _signs(session, calendars, window)
    before = dict(kept)  # another thread may put days aside meanwhile
    fresh = {day: before[day][1] for day, sign in signs.items() if day in before and before[day][0] == sign}
    for run in _runs(sorted(signs), set(fresh)):
        found: defaultdict[date, list[CaseFigures]] = defaultdict(list)
        for one in cases_requested(session, calendars, run.start, run.end, now=now):
            found[day_of(one.requested_at)].append(one)
        for day, ones in found.items():
            fresh[day] = tuple(ones)
            if all(one.standing == "over" for one in ones) and day in signs:
                kept[day] = (signs[day], fresh[day])
    for day in list(kept)[: max(len(kept) - MOST_DAYS, 0)]:
        kept.pop(day, None)
    return sorted((one for ones in fresh.values() for one in ones), key=lambda one: one.handoff_id)


def _signs(session: Session, calendars: Calendars, window: Span) -> dict[date, _Sign]:
    asked = (
        select(HandoffEvent.handoff_id, func.min(HandoffEvent.at).label("at"))
        .where(HandoffEvent.kind == "requested", HandoffEvent.at >= window.start, HandoffEvent.at < window.end)
        .group_by(HandoffEvent.handoff_id)
        .subquery()
    )
    query = (
        select(asked.c.handoff_id, asked.c.at, func.max(HandoffEvent.id))
        .join(HandoffEvent, HandoffEvent.handoff_id == asked.c.handoff_id)
        .group_by(asked.c.handoff_id, asked.c.at)
        .order_by(asked.c.handoff_id)
    )
    by_day: defaultdict[date, list[tuple[int, int]]] = defaultdict(list)
    for handoff_id, at, last in session.execute(query):
        by_day[day_of(at)].append((handoff_id, last))
    return {day: (len(calendars.since), tuple(found)) for day, found in by_day.items()}


def _runs(days: list[date], known: set[date]) -> Iterator[Span]:
    """Yield the days that are not known as spans between those that are: few, however many days have no case."""
    run: list[date] = []
    for day in [*days, None]:
        if day is not None and day not in known:
            run.append(day)
        elif run:
            yield Span(run[0], run[-1])
            run = []
