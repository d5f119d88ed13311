"""The clocks of open cases, watched: a warning before a promise is broken, and the breach, each noted once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.handoff.book import Book
from core.handoff.case import events_of, hold_case, note_event, tell_desk
from core.handoff.tables import Handoff, HandoffEvent
from core.service_clock import Event, Figure, figures


def figures_of(events: Iterable[HandoffEvent], *, book: Book, now: datetime) -> tuple[Figure, Figure]:
    """Return the clocks `first_response` and `closure` of one case from its log."""
    lines = [Event(row.id, row.at, row.kind, row.data) for row in events]
    opened = next((line.at for line in lines if line.kind == "requested"), now)
    return figures(lines, book.hours.at(opened), now=now)


def to_note(session: Session, *, book: Book, now: datetime) -> list[int]:
    """Return the open cases of which a warning or a breach is not noted yet."""
    rows = session.scalars(
        select(HandoffEvent)
        .join(Handoff, Handoff.id == HandoffEvent.handoff_id)
        .where(Handoff.ended_at.is_(None))
        .order_by(HandoffEvent.id)
    )
    logs: defaultdict[int, list[HandoffEvent]] = defaultdict(list)
    for row in rows:
        logs[row.handoff_id].append(row)
    return [handoff_id for handoff_id, events in logs.items() if _missing(events, book=book, now=now)]


def note(session: Session, handoff_id: int, *, book: Book, now: datetime) -> list[tuple[str, str]]:
    """Note the warnings and breaches of one case that are not noted yet; return them as (kind, clock)."""
    _, case = hold_case(session, handoff_id)
    if case.ended_at is not None:
        return []
    missing = _missing(events_of(session, handoff_id), book=book, now=now)
    for kind, figure in missing:
        due_at = figure.due_at.isoformat() if figure.due_at else None
        note_event(session, case, kind, now=now, clock=figure.name, due_at=due_at)
        if kind == "breached":
            note_event(session, case, "escalated", now=now, clock=figure.name)
    if missing:
        tell_desk(session, case, "warning", now=now, what="clock", agent=case.agent_id,
                  clocks=[{"clock": figure.name, "level": kind} for kind, figure in missing])  # fmt: skip
    return [(kind, figure.name) for kind, figure in missing]


def _missing(events: list[HandoffEvent], *, book: Book, now: datetime) -> list[tuple[str, Figure]]:
    known = {(row.kind, row.data.get("clock")) for row in events}
    found: list[tuple[str, Figure]] = []
    for figure in figures_of(events, book=book, now=now):
        if figure.state == "breached" and ("breached", figure.name) not in known:
            found.append(("breached", figure))
        elif (
            figure.state == "running" and figure.warn_at is not None and now >= figure.warn_at
            and ("warned", figure.name) not in known
        ):  # fmt: skip
            found.append(("warned", figure))
    return found
