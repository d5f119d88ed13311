"""The queue as those who wait see it: the place, and an honest guess at how long it takes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.handoff.book import Book
from core.handoff.case import open_case
from core.handoff.tables import Handoff, HandoffEvent
from core.roster import Worker
from core.working_time import Due

_TAKEN = ("claimed", "reassigned", "taken_over")
_HEAD = 20  # so many of those who have waited for long tell how the line moves


@dataclass(frozen=True)
class QueueView:
    """What one who waits may be told: `place` counts from 1; `wait` is None where nobody can know it.

    `on_duty`: somebody is there who may take it; `open`: it is working time; `answer_by`: until when a message that is
    left now is answered.
    """

    place: int
    wait: timedelta | None
    on_duty: bool
    open: bool
    answer_by: Due


def waiting(session: Session) -> list[Handoff]:
    """Return the cases that wait for a person (offered ones too), first come by rank."""
    query = select(Handoff).where(
        Handoff.ended_at.is_(None), Handoff.agent_id.is_(None), Handoff.left_message.is_(False)
    )
    return list(session.scalars(query.order_by(Handoff.rank_at, Handoff.id)))


class Lines:
    """The line and who is on duty as they were a moment ago: all who wait ask for them every two seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = -math.inf
        self._read: tuple[list[Handoff], list[Worker]] = ([], [])

    def read(self, session: Session, *, book: Book, now: datetime) -> tuple[list[Handoff], list[Worker]]:
        """Return what was read within the last second, else read it."""
        if self._clock() - self._at > 1:
            self._read, self._at = (waiting(session), book.staff(session, now=now)), self._clock()
        return self._read


def view_of(
    session: Session, conversation_id: str, *, book: Book, now: datetime, lines: Lines | None = None
) -> QueueView | None:
    """Return how it stands for a conversation, None if it does not wait; with `lines`, as it was a moment ago."""
    case = open_case(session, conversation_id)
    if case is None or case.agent_id is not None or case.left_message:
        return None
    line, staff = (lines or Lines()).read(session, book=book, now=now)
    return view(session, case, line, staff, book=book, now=now)


def view(
    session: Session, case: Handoff, line: Sequence[Handoff], staff: Sequence[Worker], *, book: Book, now: datetime
) -> QueueView:
    """Return how it stands for one case of the line."""
    able = able_for(case.skill, staff)
    before = rivals_of(case, line, staff)
    stuck = stalled(session, case.skill, [*before, case], book=book, now=now)
    wait = None
    if case.offered_to is not None:
        wait = None if stuck else timedelta(0)  # he is being asked; but so he may have been before
    elif able:
        unasked = place_of(case, [one for one in line if one.offered_to is None], staff)
        wait = max(stuck, expected_wait(unasked, able, handling_time(session, case.skill, book=book, now=now)))
    return QueueView(
        len(before) + 1, wait, bool(staff), book.calendar.open_at(now, case.skill, case.priority),
        book.calendar.answer_by(now, case.skill, case.priority),
    )  # fmt: skip


def able_for(skill: str, staff: Sequence[Worker]) -> list[Worker]:
    """Return who on duty has the skill; with nobody who has it anybody will be asked, so then all."""
    return [one for one in staff if skill in one.skills] or list(staff)


def place_of(case: Handoff, line: Sequence[Handoff], staff: Sequence[Worker]) -> int:
    """Return the place of a case: one more than those before it who may be given the same agents."""
    return len(rivals_of(case, line, staff)) + 1


def rivals_of(case: Handoff, line: Sequence[Handoff], staff: Sequence[Worker]) -> list[Handoff]:
    """Return who stands before a case and may be given the same agents; before one that is not in line, all."""
    mine = {one.id for one in able_for(case.skill, staff)}
    before = line[: next((n for n, one in enumerate(line) if one.id == case.id), len(line))]
    return [
        one for one in before
        if one.skill == case.skill or mine & {worker.id for worker in able_for(one.skill, staff)}
    ]  # fmt: skip


def stalled(
    session: Session, skill: str, cases: Sequence[Handoff], *, book: Book, now: datetime
) -> timedelta:  # fmt: skip
    """Return how long to reckon with at least because the line does not move; zero while nobody has waited for long.

    Whatever the model says: where the first one has waited so long and nobody was taken, the next one waits as long.
    """
    soon = book.limits.seconds("soon")
    late = [one.id for one in cases if now - one.requested_at > soon][:_HEAD]
    if not late:
        return timedelta(0)
    began = ("requested", "vanished", "transferred")  # … to wait: one who was given back had an agent before
    first = select(func.max(HandoffEvent.at)).where(HandoffEvent.handoff_id.in_(late), HandoffEvent.kind.in_(began))
    since = min(session.scalars(first.group_by(HandoffEvent.handoff_id)), default=now)
    if now - since <= soon:
        return timedelta(0)
    taken = select(func.max(HandoffEvent.at)).join(Handoff, Handoff.id == HandoffEvent.handoff_id).where(
        Handoff.skill == skill, HandoffEvent.kind.in_(_TAKEN), HandoffEvent.at > since
    )  # fmt: skip
    return max(soon, now - (session.scalar(taken) or since))


def expected_wait(place: int, able: Sequence[Worker], handling: timedelta) -> timedelta:
    """Return when the place comes up: at once while somebody has room, else as conversations end one after another.

    `n` agents with `c` conversations each that last `h` free a place every `h / (n·c)`.
    """
    room, slots = sum(one.free for one in able), sum(one.capacity for one in able)
    return timedelta(0) if place <= room else handling * (place - room) / slots


def handling_time(session: Session, skill: str, *, book: Book, now: datetime) -> timedelta:
    """Return how long an agent has a conversation of this skill, on average of the latest ones."""
    ended = (
        select(Handoff.id, Handoff.ended_at)
        .where(Handoff.skill == skill, Handoff.agent_id.is_not(None), Handoff.ended_at > now - timedelta(days=1))
        .order_by(Handoff.ended_at.desc())
        .limit(book.limits.handling_cases)
    )
    rows = {case_id: at for case_id, at in session.execute(ended) if at is not None}
    first = select(HandoffEvent.handoff_id, func.min(HandoffEvent.at)).where(
        HandoffEvent.handoff_id.in_(rows), HandoffEvent.kind.in_(_TAKEN)
    )
    claimed = session.execute(first.group_by(HandoffEvent.handoff_id))
    spans = [rows[case_id] - at for case_id, at in claimed if rows[case_id] > at]
    usual = timedelta(minutes=book.limits.handling_minutes[skill])
    # A few cases say little: the usual time counts as some of them.
    return (sum(spans, timedelta(0)) + 5 * usual) / (len(spans) + 5)


def minutes_of(wait: timedelta) -> int:
    """Return a wait in whole minutes, rounded up; a little of one is one."""
    return max(1, math.ceil(wait / timedelta(minutes=1)))
