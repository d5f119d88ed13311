"""A conversation at the desk: the log with all that was understood, and what the agent says in it."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AgentDep, Forbidden, Signed
from api.desk.cards import CardNotPossible, CardRequest, build_card
from api.desk.cases import agent_names, past_cases
from api.desk.errors import DeskProblem, DeskRoute
from api.desk.inbox import case_views
from api.desk.options import options_of
from api.desk.redaction import redactor_for
from api.desk.scope import Sight, latest_case, may_see, note_look, sight_of
from api.desk.steps import publish, touch_presence
from api.desk.views import CaseView, DeskMessage, NoteView, PastCase, Viewer
from api.desk.watch import watch_of
from api.schemas import MAX_TEXT, After, ClientId, UploadId
from core.agent import SUPERVISOR
from core.business import BusinessTable
from core.conversation import Conversation, Draft, Message, messages_after
from core.desk_note import DeskNote, notes_of
from core.handoff import life
from core.handoff.tables import Handoff, HandoffEvent, NotHolder
from core.redact import Redactor
from core.text import clean
from core.upload import find_upload

router = APIRouter(prefix="/v1/desk/conversations", tags=["desk"], route_class=DeskRoute)
RECENT = 200  # messages that opening a conversation brings at most; earlier ones come by `messages?after=`


class Look(BaseModel):
    """Somebody who has the conversation before him."""

    id: int
    name: str
    typing: bool


class Detail(BaseModel):
    """A conversation as it is opened: its end, notes, summary, who else looks, and what the agent may do in it."""

    case: CaseView | None
    messages: list[DeskMessage]
    notes: list[NoteView]
    summary: dict[str, Any]
    last_seq: int
    mode: str
    can: dict[str, bool]
    viewers: list[Look]
    history: list[PastCase]


class Messages(BaseModel):
    """The log after a number, at most 500 messages at a time."""

    messages: list[DeskMessage]
    last_seq: int
    mode: str


class SayRequest(BaseModel):
    """What an agent says: one of text, photo, card and form; `client_id` makes sending it again harmless."""

    model_config = ConfigDict(extra="forbid")

    client_id: ClientId
    text: str | None = None
    upload_id: UploadId | None = None
    card: CardRequest | None = None
    form: str | None = None


class SayAnswer(BaseModel):
    """The message as it stands in the log."""

    message: DeskMessage


class TypingRequest(BaseModel):
    """Whether the agent is typing; it has to be said again every few seconds."""

    model_config = ConfigDict(extra="forbid")

    on: bool


class SeenRequest(BaseModel):
    """Up to which message the agent has read."""

    model_config = ConfigDict(extra="forbid")

    seq: int


@router.get("/{conversation_id}")
async def open_one(conversation_id: str, parts: PartsDep, signed: AgentDep) -> Detail:
    """Return a conversation with the end of its log."""
    await touch_presence(parts, signed.agent_id)

    def work(session: Session) -> tuple[Sight, list[Message], list[DeskNote], list[Handoff], dict[int, str]]:
        sight = sight_of(session, signed, conversation_id)
        rows = messages_after(session, conversation_id, max(0, sight.conversation.next_seq - 1 - RECENT))
        notes = [one for one in notes_of(session, conversation_id) if note_is_for(one, signed)]
        return sight, rows, notes, past_cases(session, sight.conversation), agent_names(session)

    sight, rows, notes, past, names = await parts.store.read(work)
    await note_look(parts, signed, sight)
    conversation, case = sight.conversation, sight.case
    redactor = await redactor_for(parts, conversation)
    viewer = Viewer(options_of(parts.settings.data_dir), names)
    views = await case_views(parts, signed, [case]) if case is not None else []
    return Detail(
        case=views[0] if views else None, messages=viewer.messages(rows, redactor), mode=conversation.mode,
        notes=[viewer.note(one, redactor) for one in notes], last_seq=conversation.next_seq - 1,
        summary=summary_of(case, redactor), can=_can(signed, sight),
        viewers=lookers(parts, conversation_id, names), history=[viewer.past(one) for one in past],
    )  # fmt: skip


@router.get("/{conversation_id}/messages")
async def log_after(conversation_id: str, parts: PartsDep, signed: AgentDep, after: After = 0) -> Messages:
    """Return the messages of all sides whose sequence number is above `after`."""

    def work(session: Session) -> tuple[Sight, list[Message], Message | None, dict[int, str]]:
        sight = sight_of(session, signed, conversation_id)
        before = session.get(Message, (conversation_id, after)) if after else None
        return sight, messages_after(session, conversation_id, after), before, agent_names(session)

    sight, rows, before, names = await parts.store.read(work)
    await note_look(parts, signed, sight)
    viewer = Viewer(options_of(parts.settings.data_dir), names)
    shown = viewer.messages(rows, await redactor_for(parts, sight.conversation), before=before)
    return Messages(messages=shown, last_seq=rows[-1].seq if rows else after, mode=sight.conversation.mode)


@router.post("/{conversation_id}/messages")
async def say(conversation_id: str, body: SayRequest, parts: PartsDep, signed: AgentDep) -> SayAnswer:
    """Say something to the customer; 403 without having the conversation, whatever the console believed."""
    draft = await _draft(conversation_id, body, parts, signed)

    def work(session: Session) -> tuple[Message, Message | None, Conversation, dict[int, str]]:
        sight = sight_of(session, signed, conversation_id)
        if body.upload_id:
            find_upload(session, body.upload_id, conversation_id=conversation_id)
        message, _ = life.agent_said(
            session, conversation_id, agent_id=signed.agent_id, client_id=body.client_id, draft=draft,
            book=parts.book, now=parts.clock(),
        )  # fmt: skip
        before = session.get(Message, (conversation_id, message.seq - 1))
        return message, before, sight.conversation, agent_names(session)

    try:
        message, before, conversation, names = await parts.store.write(work)
    except (Forbidden, NotHolder) as error:
        raise await _refusal(parts, signed, conversation_id) from error
    watch_of(parts).types(conversation_id, signed.agent_id, on=False)
    publish(parts, conversation_id)
    viewer = Viewer(options_of(parts.settings.data_dir), names)
    shown = viewer.messages([message], await redactor_for(parts, conversation), before=before)
    return SayAnswer(message=shown[0])


async def _refusal(parts: Parts, signed: Signed, conversation_id: str) -> Exception:
    """Return why somebody cannot answer; who may see the conversation, or had it, is told who has it now."""

    def work(session: Session) -> Exception:
        conversation, case = session.get(Conversation, conversation_id), latest_case(session, conversation_id)
        if conversation is None or not (may_see(signed, conversation, case) or _had(session, case, signed.agent_id)):
            return Forbidden()
        if case is None or case.agent_id is None:
            return NotHolder()
        holder = {"id": case.agent_id, "name": agent_names(session).get(case.agent_id, "")}
        return DeskProblem(HTTPStatus.FORBIDDEN, "not_holder", holder=holder)

    return await parts.store.read(work)


def _had(session: Session, case: Handoff | None, agent_id: int) -> bool:
    if case is None or case.ended_at is not None:
        return False
    replied = select(HandoffEvent.id).where(HandoffEvent.handoff_id == case.id, HandoffEvent.agent_id == agent_id)
    return session.scalar(replied.limit(1)) is not None


@router.post("/{conversation_id}/typing", status_code=HTTPStatus.NO_CONTENT)
async def typing(conversation_id: str, body: TypingRequest, parts: PartsDep, signed: AgentDep) -> None:
    """Show the customer and the colleagues that the agent types, or that he stopped."""
    sight = await parts.store.read(lambda session: sight_of(session, signed, conversation_id))
    show_typing(parts, signed, conversation_id, on=body.on, holds=sight.holds)


@router.post("/{conversation_id}/seen", status_code=HTTPStatus.NO_CONTENT)
async def seen(conversation_id: str, body: SeenRequest, parts: PartsDep, signed: AgentDep) -> None:
    """Note up to which message the agent has read."""
    sight = await parts.store.read(lambda session: sight_of(session, signed, conversation_id))
    known = min(max(body.seq, 0), sight.conversation.next_seq - 1)
    watch_of(parts).saw(signed.agent_id, conversation_id, known)


def show_typing(parts: Parts, signed: Signed, conversation_id: str, *, on: bool, holds: bool) -> None:
    """Tell who should see it: the customer only of the agent who has the conversation."""
    if watch_of(parts).types(conversation_id, signed.agent_id, on=on):
        publish(parts)
    if holds:
        parts.bus.publish(conversation_id, {"kind": "typing", "author": "agent", "on": on})


def lookers(parts: Parts, conversation_id: str, names: dict[int, str]) -> list[Look]:
    """Return who looks at a conversation at present."""
    looks = watch_of(parts).viewers(conversation_id)
    return [Look(id=one, name=names.get(one, ""), typing=types) for one, types in sorted(looks.items())]


def note_is_for(note: DeskNote, signed: Signed) -> bool:
    """Tell whether somebody may read a note: a whisper is for its agent and for supervisors."""
    return note.kind != "whisper" or signed.may(SUPERVISOR) or note.to_agent == signed.agent_id


def summary_of(case: Handoff | None, redactor: Redactor) -> dict[str, Any]:
    """Return what was understood, checked and is missing when the person was asked for."""
    given = case.summary if case is not None else {}
    lists = {name: list(given.get(name) or ()) for name in ("understood", "checked", "missing")}
    shown: dict[str, Any] = redactor.tree({"wish": str(given.get("wish") or ""), **lists})
    return shown


@cache
def businesses_of(data_dir: Path) -> BusinessTable:
    """Return the table of businesses, read once."""
    return BusinessTable.load(data_dir / "business")


async def _draft(conversation_id: str, body: SayRequest, parts: Parts, signed: Signed) -> Draft:
    """Return the message that is meant.

    Raises:
        DeskProblem: if it is not one thing alone, empty, too long, or not to be had.
    """
    if sum(part is not None for part in (body.text, body.upload_id, body.card, body.form)) != 1:
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "one_content")
    if body.upload_id is not None:
        photo = options_of(parts.settings.data_dir).photo
        return Draft("agent", photo, "image", {"upload_id": body.upload_id})
    if body.card is not None:
        return await _card(conversation_id, body.card, parts, signed)
    if body.form is not None:
        return _form(body.form, parts)
    if len(body.text or "") > MAX_TEXT:
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "too_long")
    text = clean(body.text or "")
    if not text:
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "empty")
    return Draft("agent", text)


async def _card(conversation_id: str, wanted: CardRequest, parts: Parts, signed: Signed) -> Draft:
    sight = await parts.store.read(lambda session: sight_of(session, signed, conversation_id, hold=True))
    try:
        return await asyncio.to_thread(build_card, parts, sight.conversation, wanted)
    except CardNotPossible as error:
        raise DeskProblem(HTTPStatus.CONFLICT, "no_card", what=str(error)) from error


def _form(key: str, parts: Parts) -> Draft:
    """Return a message whose button begins a form of the bot's."""
    table, words = businesses_of(parts.settings.data_dir), options_of(parts.settings.data_dir).form
    if key not in table or table.get(key).unavailable:
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "no_form")
    title = table.get(key).title
    payload = "/inform" + json.dumps({"start": key}, ensure_ascii=False)
    return Draft("agent", words.text.format(title=title), buttons=((words.button.format(title=title), payload),))


def _can(signed: Signed, sight: Sight) -> dict[str, bool]:
    """Return what the agent may do in a conversation at present; the server checks it again when he does."""
    case, mode = sight.case, sight.conversation.mode
    is_open = case is not None and case.ended_at is None
    writes = sight.holds and mode == "human"
    free = is_open and case is not None and case.agent_id is None
    leads = signed.may(SUPERVISOR)
    return {
        "write": writes, "note": is_open, "transfer": writes, "pause": writes, "help": sight.holds, "finish": writes,
        "wrap_up": sight.holds and mode in ("human", "wrap_up"), "reopen": sight.holds and mode == "wrap_up",
        "claim": free, "accept": free and case is not None and case.offered_to == signed.agent_id,
        "whisper": leads and is_open and not sight.holds, "take_over": leads and not sight.holds and mode != "closed",
        "reassign": leads and is_open,
    }  # fmt: skip
