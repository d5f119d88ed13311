"""Calls back (回访) at the desk: who is owed one, taking it, the number to call, what came of it.

Agents see those that fall to them or to whoever has time; supervisors see all, and may take any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AgentDep, Forbidden, Signed
from api.desk.callback_views import CallBackCount, CallBacks, Page, read_page, views_of
from api.desk.customer import CustomerRoute, RevealAnswer, sources_of
from api.desk.errors import DeskProblem
from api.desk.redaction import redactor_for
from api.desk.steps import publish
from core import call_back, reveal
from core.agent import SUPERVISOR
from core.audit import Auditor
from core.call_back import BadCallBackNote, CallBackNotFound, CallBackOver, CallBackTaken
from core.call_back_phone import number_for
from core.clock import SHANGHAI
from core.conversation import Conversation, find_conversation
from core.recommend.tables import CallBack

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=CustomerRoute)
Text = Annotated[str, StringConstraints(max_length=2 * call_back.MAX_NOTE)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NoteBody(_Strict):
    """What was said and done, or why nobody is called."""

    note: Text


class ReasonBody(_Strict):
    """Why the telephone number is needed."""

    reason: Annotated[str, StringConstraints(max_length=reveal.LONGEST_REASON)]


class PhoneAnswer(RevealAnswer):
    """The number in clear, and where it comes from, in words."""

    source: str


@router.get("/call-backs")
async def list_call_backs(parts: PartsDep, signed: AgentDep) -> CallBacks:
    """Return the calls that are the caller's business, the first due first."""
    now = parts.clock()

    def work(session: Session) -> Page:
        every = signed.may(SUPERVISOR)
        rows = call_back.open_ones(session) if every else call_back.open_for(session, signed.agent_id)
        return read_page(session, rows, now=now)

    page = await parts.store.read(work)
    items = await views_of(parts, signed, page, now=now)
    return CallBacks(now=now.astimezone(SHANGHAI), overdue=page.overdue, items=items)


@router.get("/call-backs/count")
async def count_call_backs(parts: PartsDep, signed: AgentDep) -> CallBackCount:
    """Return how many calls are the caller's business, and how many of them are late."""
    now, whose = parts.clock(), None if signed.may(SUPERVISOR) else signed.agent_id
    owed = await parts.store.read(lambda session: call_back.owed(session, now=now, agent_id=whose))
    return CallBackCount(open=owed.open, overdue=owed.overdue)


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
async def phone(call_back_id: int, body: ReasonBody, parts: PartsDep, signed: AgentDep) -> PhoneAnswer:
    """Show the telephone number to whom the call falls, for a reason; it is in the audit log before it is shown.

    Without one on file it is the one that the customer left in this conversation; 404 if there is none either.
    """
    reason, now = reveal.check_reason(body.reason), parts.clock()

    def held(session: Session) -> tuple[CallBack, Conversation]:
        row = _found(session, signed, call_back_id)
        if row.agent_id != signed.agent_id or row.state != call_back.OPEN:
            raise DeskProblem(HTTPStatus.FORBIDDEN, "call_back_not_yours")
        return row, find_conversation(session, row.conversation_id)

    row, conversation = await parts.store.read(held)
    try:
        number = await asyncio.to_thread(number_for, sources_of(parts), row, conversation)
    except reveal.NothingToShow as error:
        raise DeskProblem(HTTPStatus.NOT_FOUND, "call_back_no_phone") from error
    reason = (await redactor_for(parts, conversation)).text(reason)

    def work(session: Session) -> datetime:
        held(session)
        shown = reveal.record(
            session, agent_id=signed.agent_id, conversation_id=number.conversation_id, field=number.field,
            reason=reason, now=now,
        )  # fmt: skip
        auditor = _auditor(parts, signed)
        auditor.note(session, "reveal", number.conversation_id, now=now, field=number.field, reason=reason)
        return shown.expires_at

    expires_at = (await parts.store.write(work)).astimezone(SHANGHAI)
    source = parts.book.fitting.words.phone[number.source]
    return PhoneAnswer(field=number.field, value=number.value, expires_at=expires_at, source=source)


async def _finish(parts: Parts, signed: Signed, call_back_id: int, note: str, *, dropped: bool) -> None:
    """Write the note down without what must not stand in it; who calls has it in hand from then on."""

    def which(session: Session) -> Conversation:
        return find_conversation(session, _found(session, signed, call_back_id).conversation_id)

    text = (await redactor_for(parts, await parts.store.read(which))).text(note)
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
        if session.is_modified(row):  # the same once more is no deed
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


def _auditor(parts: Parts, signed: Signed) -> Auditor:
    return Auditor.of(parts.settings.keyring(), signed.agent_id)
