"""Calls back (回访): owed once after a case is over, to whom the segment, a complaint or a low score gives a claim."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.agent import Agent
from core.conversation import Conversation
from core.fitting import Fitting
from core.handoff.tables import Handoff
from core.recommend.tables import CallBack, CustomerManager
from core.service_clock import Calendar
from core.service_clock.hours import NeverOpen

OPEN, DONE, DROPPED = "open", "done", "dropped"
Why = Literal["segment", "complaint", "low_score"]
MAX_NOTE = 1000
SHORTEST_NOTE = 2


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
    """Note the same for a low score; the case has one call back at most, made or not."""
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


def open_ones(session: Session, *, limit: int = 200) -> list[CallBack]:
    """Return what is owed, the first due first."""
    query = select(CallBack).where(CallBack.state == OPEN).order_by(CallBack.due_at, CallBack.id)
    return list(session.scalars(query.limit(limit)))


def overdue(session: Session, *, now: datetime) -> int:
    """Return how many are late."""
    query = select(func.count()).select_from(CallBack).where(CallBack.state == OPEN, CallBack.due_at < now)
    return session.scalar(query) or 0


def falls_to(session: Session, conversation_id: str, agent_id: int) -> bool:
    """Tell whether an agent has to call the customer of a conversation."""
    query = select(CallBack.id).where(
        CallBack.conversation_id == conversation_id, CallBack.agent_id == agent_id, CallBack.state == OPEN
    )
    return session.scalar(query.limit(1)) is not None


def find(session: Session, call_back_id: int, *, lock: bool = False) -> CallBack:
    """Return one; raises CallBackNotFound."""
    row = session.get(CallBack, call_back_id, with_for_update=lock)
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
    """Note that the customer was called, or (`dropped`) why he is not.

    Raises:
        CallBackNotFound, CallBackOver, CallBackTaken: as `take`.
        BadCallBackNote: if the note says nothing or far too much.
    """
    text = note.strip()
    if not SHORTEST_NOTE <= len(text) <= MAX_NOTE:
        raise BadCallBackNote
    row = _held(session, call_back_id, agent_id, over=over)
    row.state, row.done_by, row.done_at, row.note = DROPPED if dropped else DONE, agent_id, now, text
    return row


# -- managers


def manager_of(session: Session, customer_no: str | None) -> CustomerManager | None:
    """Return who looks after a customer by name, None if nobody does or that agent has left."""
    row = session.get(CustomerManager, customer_no) if customer_no else None
    agent = session.get(Agent, row.agent_id) if row is not None else None
    return row if agent is not None and agent.active else None


def set_manager(session: Session, customer_no: str, agent_id: int | None, *, now: datetime) -> bool:
    """Name the manager of a customer, or (None) take the name away; tell whether anything changed.

    Whether there is such an agent, and an active one, is the caller's to check.
    """
    row = session.get(CustomerManager, customer_no, with_for_update=True)
    if agent_id is None:
        if row is not None:
            session.delete(row)
        return row is not None
    if row is None:
        session.add(CustomerManager(customer_no=customer_no, agent_id=agent_id, since=now))
        return True
    changed = row.agent_id != agent_id
    row.agent_id, row.since = agent_id, now if changed else row.since
    return changed


def _held(session: Session, call_back_id: int, agent_id: int, *, over: bool) -> CallBack:
    row = find(session, call_back_id, lock=True)
    if row.state != OPEN:
        raise CallBackOver(row.state)
    if row.agent_id not in (None, agent_id) and not over:
        raise CallBackTaken(row.agent_id or 0)
    return row


def _owe(
    session: Session, conversation: Conversation, case: Handoff, segment: str, due_at: datetime
) -> CallBack | None:  # fmt: skip
    """Write it down, once a case (its conversation is locked)."""
    if session.scalar(select(CallBack.id).where(CallBack.handoff_id == case.id)) is not None:
        return None
    manager = manager_of(session, conversation.customer_no)
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
