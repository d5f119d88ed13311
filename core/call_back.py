"""Calls back (回访): owed once after a case is over, to whom the segment, a complaint or a low score gives a claim."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy import case as sql_case
from sqlalchemy.orm import Session

from core.agent import Agent
from core.conversation import Conversation
from core.customer_manager import manager_of
from core.fitting import Fitting
from core.handoff.tables import Handoff
from core.recommend.tables import CallBack
from core.service_clock import Calendar
from core.service_clock.hours import NeverOpen

OPEN, DONE, DROPPED = "open", "done", "dropped"
Why = Literal["segment", "complaint", "low_score"]
MAX_NOTE = 1000
SHORTEST_NOTE = 2
MOST = 200  # calls that one reading returns at most
_OWED = select(CallBack).where(CallBack.state == OPEN).order_by(CallBack.due_at, CallBack.id)


@dataclass(frozen=True)
class Owed:
    """How many calls are owed, and how many of them are late."""

    open: int
    overdue: int


class CallBackNotFound(LookupError):
    """There is no such call back, or it is none of the caller's business."""


class CallBackOver(Exception):
    """It is done or dropped already."""


class CallBackTaken(Exception):
    """It falls to somebody else."""

    def __init__(self, agent_id: int) -> None:
        super().__init__(f"taken by agent {agent_id}")
        self.agent_id = agent_id


class BadCallBackNote(ValueError):
    """What was done, or why nothing is, needs words."""


def after_case(
    session: Session, conversation: Conversation, case: Handoff, *, fitting: Fitting, calendar: Calendar, now: datetime
) -> CallBack | None:
    """Note that a call is owed for a case that ends now, within its transaction; None if none is.

    Only who was served by a person, and can be found again, is called.
    """
    service = fitting.service_of(session, customer_no=conversation.customer_no, account_nos=list(conversation.accounts))
    spans = [service.call_back] if service.call_back else []
    rules = fitting.call_backs
    if complained(case, fitting):
        spans.append(timedelta(hours=rules.complaint_hours))
    if not spans or case.agent_id is None:
        return None
    due_at = _due(case, min(spans), least=rules.least, calendar=calendar, now=now)
    return _owe(session, conversation, case, service.segment, due_at)


def after_score(
    session: Session, conversation: Conversation, case: Handoff, score: int, *, fitting: Fitting, calendar: Calendar,
    now: datetime,
) -> CallBack | None:  # fmt: skip
    """Note the same for a low score; the case has one call back at most, made or not: one still owed is due sooner."""
    rules = fitting.call_backs
    if score > rules.low_score or case.agent_id is None:
        return None
    service = fitting.service_of(session, customer_no=conversation.customer_no, account_nos=list(conversation.accounts))
    span = timedelta(hours=rules.low_score_hours)
    due_at = _due(case, span, least=rules.least, calendar=calendar, now=now)
    return _owe(session, conversation, case, service.segment, due_at)


def complained(case: Handoff, fitting: Fitting) -> bool:
    """Tell whether a case was a complaint, by its reason or by who had to answer."""
    rules = fitting.call_backs
    return case.reason in rules.complaint_reasons or case.skill == rules.complaint_skill


def why(row: CallBack, case: Handoff | None, score: int | None, fitting: Fitting) -> list[Why]:
    """Return all that gives a claim to a call back; what weighs most for the talk first."""
    found: list[Why] = []
    if score is not None and score <= fitting.call_backs.low_score:
        found.append("low_score")
    if case is not None and complained(case, fitting):
        found.append("complaint")
    segment = fitting.file.segments.get(row.segment or "")
    if segment is not None and segment.call_back_hours:
        found.append("segment")
    return found


def open_ones(session: Session, *, limit: int = MOST) -> list[CallBack]:
    """Return what is owed, the first due first."""
    return list(session.scalars(_OWED.limit(limit)))


def open_for(session: Session, agent_id: int, *, limit: int = MOST) -> list[CallBack]:
    """Return what falls to an agent and what to whoever has time, the first due first.

    `limit` is for each of the two: however many wait for anybody, nobody loses sight of his own.
    """
    mine = session.scalars(_OWED.where(CallBack.agent_id == agent_id).limit(limit)).all()
    free = session.scalars(_OWED.where(_nobodys()).limit(limit)).all()
    return sorted([*mine, *free], key=lambda row: (row.due_at, row.id))


def owed(session: Session, *, now: datetime, agent_id: int | None = None) -> Owed:
    """Return how many are owed and late: of an agent, with those of nobody, or (None) of the whole desk."""
    late = func.count(sql_case((CallBack.due_at < now, 1)))
    query = select(func.count(), late).select_from(CallBack).where(CallBack.state == OPEN)
    if agent_id is not None:
        query = query.where(or_(CallBack.agent_id == agent_id, _nobodys()))
    return Owed(*session.execute(query).one())


def overdue(session: Session, *, now: datetime) -> int:
    """Return how many are late."""
    return owed(session, now=now).overdue


def holder(session: Session, row: CallBack) -> int | None:
    """Return to whom a call falls; None: whoever has time, also where that agent has left."""
    agent = session.get(Agent, row.agent_id) if row.agent_id is not None else None
    return agent.id if agent is not None and agent.active else None


def forget(session: Session, conversation_id: str, *, now: datetime) -> None:
    """Erase of whom the calls of a conversation were, and let nobody call any more."""
    mine = update(CallBack).where(CallBack.conversation_id == conversation_id)
    session.execute(mine.where(CallBack.state == OPEN).values(state=DROPPED, done_at=now))
    session.execute(mine.values(customer_no=None, segment=None, note=None))


def falls_to(session: Session, conversation_id: str, agent_id: int) -> bool:
    """Tell whether an agent has to call the customer of a conversation."""
    query = select(CallBack.id).where(
        CallBack.conversation_id == conversation_id, CallBack.agent_id == agent_id, CallBack.state == OPEN
    )
    return session.scalar(query.limit(1)) is not None


def find(session: Session, call_back_id: int, *, lock: bool = False) -> CallBack:
    """Return one; raises CallBackNotFound."""
    row = session.get(CallBack, call_back_id, with_for_update=lock, populate_existing=lock)
    if row is None:
        raise CallBackNotFound(str(call_back_id))
    return row


def take(session: Session, call_back_id: int, *, agent_id: int, over: bool = False) -> CallBack:
    """Let it fall to an agent; `over`: a supervisor may take it from another. Again it changes nothing.

    Raises:
        CallBackNotFound, CallBackOver, CallBackTaken: if there is none, it is over, or another one has it.
    """
    row = _held(session, call_back_id, agent_id, over=over)
    row.agent_id = agent_id
    return row


def release(session: Session, call_back_id: int, *, agent_id: int, over: bool = False) -> CallBack:
    """Let it fall to whoever has time again; raises as `take`."""
    row = _held(session, call_back_id, agent_id, over=over)
    row.agent_id = None
    return row


def finish(
    session: Session, call_back_id: int, *, agent_id: int, note: str, now: datetime, dropped: bool = False,
    over: bool = False,
) -> CallBack:  # fmt: skip
    """Note that the customer was called, or (`dropped`) why he is not. The same once more changes nothing.

    Raises:
        CallBackNotFound, CallBackOver, CallBackTaken: as `take`.
        BadCallBackNote: if the note says nothing or far too much.
    """
    text = note.strip()
    if not SHORTEST_NOTE <= len(text) <= MAX_NOTE:
        raise BadCallBackNote
    end = (DROPPED if dropped else DONE, agent_id, text)
    row = find(session, call_back_id, lock=True)
    if (row.state, row.done_by, row.note) == end:
        return row
    row = _held(session, call_back_id, agent_id, over=over)
    (row.state, row.done_by, row.note), row.done_at = end, now
    return row


def _nobodys() -> ColumnElement[bool]:
    """Return what falls to whoever has time, as a condition: who had it may have left."""
    return or_(CallBack.agent_id.is_(None), CallBack.agent_id.not_in(select(Agent.id).where(Agent.active)))


def _held(session: Session, call_back_id: int, agent_id: int, *, over: bool) -> CallBack:
    row = find(session, call_back_id, lock=True)
    if row.state != OPEN:
        raise CallBackOver(row.state)
    has_it = holder(session, row)
    if has_it not in (None, agent_id) and not over:
        raise CallBackTaken(has_it or 0)
    return row


def _owe(
    session: Session, conversation: Conversation, case: Handoff, segment: str | None, due_at: datetime
) -> CallBack | None:  # fmt: skip
    """Write it down, once a case (its conversation is locked); the earliest of the claims says when it is due."""
    known = select(CallBack).where(CallBack.handoff_id == case.id).with_for_update()
    row = session.scalar(known.execution_options(populate_existing=True))
    if row is not None:
        row.due_at = min(row.due_at, due_at) if row.state == OPEN else row.due_at
        return None
    manager = manager_of(session, conversation.customer_no)
    if conversation.customer_no is None and not conversation.accounts:
        segment = None  # he was served as anybody is: nobody knows who it was
    row = CallBack(
        handoff_id=case.id, conversation_id=conversation.id, customer_no=conversation.customer_no, segment=segment,
        due_at=due_at, state=OPEN, agent_id=manager.agent_id if manager else None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def _due(case: Handoff, span: timedelta, *, least: timedelta, calendar: Calendar, now: datetime) -> datetime:
    """Return when the hours are over and the desk works, with at least so much working time until then."""
    try:
        return max(calendar.next_opening(now + span, case.skill), calendar.add(now, least, case.skill))
    except NeverOpen:
        return now + span  # nobody of this skill works any more: whoever else is there has to call
