"""Calls back (回访) at the desk: who is owed one, taking it, what came of it; and the named manager of a customer.

Agents see those that fall to them or to whoever has time; supervisors see all, and may take any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AgentDep, Forbidden, Signed, SupervisorDep
from api.desk.cases import agent_names
from api.desk.customer import CustomerRoute, RevealAnswer, sources_of
from api.desk.errors import DeskProblem
from api.desk.labels import labels_of
from api.desk.options import options_of
from api.desk.redaction import redactor_for
from api.desk.scope import sight_of
from api.desk.steps import publish
from api.desk.views import Person
from core import agent as people
from core import call_back, reveal
from core.agent import SUPERVISOR
from core.audit import Auditor
from core.call_back import BadCallBackNote, CallBackNotFound, CallBackOver, CallBackTaken
from core.clock import SHANGHAI
from core.conversation import Conversation
from core.handoff.tables import Handoff
from core.recommend.tables import CallBack
from core.survey import Survey

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=CustomerRoute)
PHONE = "phone"  # the one field that a call needs
Text = Annotated[str, StringConstraints(max_length=2 * call_back.MAX_NOTE)]
Done = TypeVar("Done")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NoteBody(_Strict):
    """What was said and done, or why nobody is called."""

    note: Text


class ReasonBody(_Strict):
    """Why the telephone number is needed."""

    reason: Annotated[str, StringConstraints(max_length=reveal.LONGEST_REASON)]


class ManagerBody(_Strict):
    """Who looks after the customer by name; None: nobody any more."""

    agent_id: Annotated[int, Field(gt=0)] | None


class CallBackView(BaseModel):
    """One call that is owed; `why` in words; `segment` is for staff alone; `case_note`: what the agent wrote down."""

    id: int
    handoff_id: int
    conversation_id: str
    customer: str
    segment: str | None
    why: list[str]
    category: str | None
    outcome: str | None
    ended_at: datetime | None
    due_at: datetime
    overdue: bool
    agent: Person | None
    mine: bool
    served_by: Person | None
    score: int | None
    open_points: list[str]


class CallBacks(BaseModel):
    """What is owed, the first due first; `overdue` counts all of the desk."""

    now: datetime
    overdue: int
    items: list[CallBackView]


_Row = tuple[CallBack, Handoff | None, Conversation | None, int | None, int | None]


@router.get("/call-backs")
async def list_call_backs(parts: PartsDep, signed: AgentDep) -> CallBacks:
    """Return the calls that are the caller's business, the first due first."""
    now = parts.clock()

    def work(session: Session) -> tuple[list[_Row], dict[int, str], int]:
        every = signed.may(SUPERVISOR)
        rows = call_back.open_ones(session) if every else call_back.open_for(session, signed.agent_id)
        return [_read(session, row) for row in rows], agent_names(session), call_back.overdue(session, now=now)

    rows, names, overdue = await parts.store.read(work)
    labels = await labels_of(parts, [row.customer_no for row, *_ in rows])
    items = [await _view(parts, signed, one, names, labels, now) for one in rows]
    return CallBacks(now=now.astimezone(SHANGHAI), overdue=overdue, items=items)


@router.post("/call-backs/{call_back_id}/take", status_code=HTTPStatus.NO_CONTENT)
async def take(call_back_id: int, parts: PartsDep, signed: AgentDep) -> None:
    """Let it fall to the caller; a supervisor may take it from another."""
    over = signed.may(SUPERVISOR)
    await _do(
        parts, signed, call_back_id, "call_back_taken",
        lambda session: call_back.take(session, call_back_id, agent_id=signed.agent_id, over=over),
    )  # fmt: skip


@router.post("/call-backs/{call_back_id}/release", status_code=HTTPStatus.NO_CONTENT)
async def release(call_back_id: int, parts: PartsDep, signed: AgentDep) -> None:
    """Let it fall to whoever has time again."""
    over = signed.may(SUPERVISOR)
    await _do(
        parts, signed, call_back_id, "call_back_released",
        lambda session: call_back.release(session, call_back_id, agent_id=signed.agent_id, over=over),
    )  # fmt: skip


@router.post("/call-backs/{call_back_id}/done", status_code=HTTPStatus.NO_CONTENT)
async def done(call_back_id: int, body: NoteBody, parts: PartsDep, signed: AgentDep) -> None:
    """Note that the customer was called, and what came of it."""
    await _finish(parts, signed, call_back_id, body.note, dropped=False)


@router.post("/call-backs/{call_back_id}/drop", status_code=HTTPStatus.NO_CONTENT)
async def drop(call_back_id: int, body: NoteBody, parts: PartsDep, signed: AgentDep) -> None:
    """Note why nobody is called."""
    await _finish(parts, signed, call_back_id, body.note, dropped=True)


@router.post("/call-backs/{call_back_id}/phone")
async def phone(call_back_id: int, body: ReasonBody, parts: PartsDep, signed: AgentDep) -> RevealAnswer:
    """Show the telephone number to whom the call falls, for a reason; it is in the audit log before it is shown."""
    reason, now = reveal.check_reason(body.reason), parts.clock()

    def held(session: Session) -> Conversation:
        row = _found(session, signed, call_back_id)
        if row.agent_id != signed.agent_id or row.state != call_back.OPEN:
            raise DeskProblem(HTTPStatus.FORBIDDEN, "call_back_not_yours")
        return session.get_one(Conversation, row.conversation_id)

    conversation = await parts.store.read(held)
    wanted = reveal.parse_field(PHONE)
    value = await asyncio.to_thread(reveal.value_of, sources_of(parts), conversation, wanted)
    reason = (await redactor_for(parts, conversation)).text(reason)

    def work(session: Session) -> datetime:
        held(session)
        row = reveal.record(
            session, agent_id=signed.agent_id, conversation_id=conversation.id, field=PHONE, reason=reason, now=now
        )  # fmt: skip
        _auditor(parts, signed).note(session, "reveal", conversation.id, now=now, field=PHONE, reason=reason)
        return row.expires_at

    expires_at = await parts.store.write(work)
    return RevealAnswer(field=PHONE, value=value, expires_at=expires_at.astimezone(SHANGHAI))


@router.put("/conversations/{conversation_id}/manager", status_code=HTTPStatus.NO_CONTENT)
async def name_manager(conversation_id: str, body: ManagerBody, parts: PartsDep, signed: SupervisorDep) -> None:
    """Name who looks after the customer of a conversation, or take the name away."""
    now = parts.clock()

    def work(session: Session) -> None:
        conversation = sight_of(session, signed, conversation_id).conversation
        if conversation.customer_no is None:
            raise DeskProblem(HTTPStatus.CONFLICT, "manager_of_nobody")
        if body.agent_id is not None and not people.find_agent(session, body.agent_id).active:
            raise people.AgentNotFound(body.agent_id)
        if call_back.set_manager(session, conversation.customer_no, body.agent_id, now=now):
            _auditor(parts, signed).note(session, "manager_named", conversation.id, now=now, to=body.agent_id)

    await parts.store.write(work)
    publish(parts, conversation_id)


async def _finish(parts: Parts, signed: Signed, call_back_id: int, note: str, *, dropped: bool) -> None:
    """Write the note down without what must not stand in it; who calls has it in hand from then on."""

    def which(session: Session) -> Conversation | None:
        return session.get(Conversation, _found(session, signed, call_back_id).conversation_id)

    conversation = await parts.store.read(which)
    text = (await redactor_for(parts, conversation)).text(note) if conversation else note
    now, over = parts.clock(), signed.may(SUPERVISOR)
    await _do(
        parts, signed, call_back_id, "call_back_dropped" if dropped else "call_back_done",
        lambda session: call_back.finish(
            session, call_back_id, agent_id=signed.agent_id, note=text, now=now, dropped=dropped, over=over
        ),
    )  # fmt: skip


async def _do(
    parts: Parts, signed: Signed, call_back_id: int, action: str, step: Callable[[Session], CallBack]
) -> None:  # fmt: skip
    """Take a step with a call that is the caller's business, and write it down."""

    def work(session: Session) -> None:
        _found(session, signed, call_back_id)
        row = step(session)
        _auditor(parts, signed).note(session, action, row.conversation_id, now=parts.clock(), case=row.handoff_id)

    try:
        await parts.store.write(work)
    except CallBackOver as error:
        raise DeskProblem(HTTPStatus.CONFLICT, "call_back_over") from error
    except CallBackTaken as error:
        raise DeskProblem(HTTPStatus.CONFLICT, "call_back_taken") from error
    except BadCallBackNote as error:
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_call_back_note") from error
    publish(parts)


def _found(session: Session, signed: Signed, call_back_id: int) -> CallBack:
    """Return a call that the caller may see, over or not; what is not there and what is not his look the same."""
    try:
        row = call_back.find(session, call_back_id)
    except CallBackNotFound as error:
        raise Forbidden from error
    if not _concerns(session, signed, row) and row.done_by != signed.agent_id:
        raise Forbidden
    return row


def _concerns(session: Session, signed: Signed, row: CallBack) -> bool:
    return signed.may(SUPERVISOR) or call_back.holder(session, row) in (None, signed.agent_id)


def _read(session: Session, row: CallBack) -> _Row:
    score = session.scalar(select(Survey.score).where(Survey.handoff_id == row.handoff_id))
    case, conversation = session.get(Handoff, row.handoff_id), session.get(Conversation, row.conversation_id)
    return row, case, conversation, score, call_back.holder(session, row)


async def _view(
    parts: Parts, signed: Signed, one: _Row, names: dict[int, str], labels: dict[str, str], now: datetime
) -> CallBackView:
    row, case, conversation, score, holder = one
    options, fitting = options_of(parts.settings.data_dir), parts.book.fitting
    redactor = await redactor_for(parts, conversation) if conversation is not None else None
    still_open = [str(text) for text in (case.note.get("open") or ())] if case is not None else []
    return CallBackView(
        id=row.id, handoff_id=row.handoff_id, conversation_id=row.conversation_id,
        customer=labels.get(row.customer_no or "", options.unknown_customer),
        segment=fitting.rules.name_of(row.segment) if row.segment else None,
        why=[fitting.words.why[key] for key in call_back.why(row, case, score, fitting)],
        due_at=row.due_at.astimezone(SHANGHAI), overdue=row.due_at < now, agent=_person(holder, names),
        mine=row.agent_id == signed.agent_id, score=score,
        open_points=[redactor.text(text, staff=names.values()) for text in still_open] if redactor else [],
        **_of_case(case, names, options.categories, options.outcomes),
    )  # fmt: skip


def _of_case(
    case: Handoff | None, names: dict[int, str], categories: Any, outcomes: Any
) -> dict[str, Any]:  # fmt: skip
    if case is None:
        return {"category": None, "outcome": None, "ended_at": None, "served_by": None}
    return {
        "category": categories.get(case.category or "", case.category),
        "outcome": outcomes.get(case.outcome or "", case.outcome),
        "ended_at": case.ended_at.astimezone(SHANGHAI) if case.ended_at else None,
        "served_by": _person(case.agent_id, names),
    }


def _person(agent_id: int | None, names: dict[int, str]) -> Person | None:
    return Person(id=agent_id, name=names.get(agent_id, "")) if agent_id is not None else None


def _auditor(parts: Parts, signed: Signed) -> Auditor:
    return Auditor.of(parts.settings.keyring(), signed.agent_id)
