"""A conversation at the desk: the log with all that was understood, and what the agent says in it."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AgentDep, Forbidden, Signed
from api.desk.cases import agent_names, past_cases
from api.desk.errors import DeskProblem, DeskRoute
from api.desk.inbox import case_views
from api.desk.options import options_of
from api.desk.redaction import redactor_for
from api.desk.saying import SayRequest, draft_of
from api.desk.scope import Sight, came_by_code, latest_case, may_see, note_look, sight_of
from api.desk.steps import publish, touch_presence
from api.desk.views import CaseView, DeskMessage, NoteView, PastCase, Viewer
from api.desk.watch import watch_of
from api.desk.whole_talk import EarlierTalk, Whole, earlier_talk, read_whole, states_of, with_states
from api.schemas import After
from core.agent import SUPERVISOR
from core.conversation import Conversation, Message, messages_after
from core.desk_note import DeskNote, notes_of
from core.handoff import life
from core.handoff.tables import Handoff, HandoffEvent, NotHolder
from core.redact import Redactor
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
    channels: list[str]  # over which the customer writes, or wrote before the talk was joined
    earlier: list[EarlierTalk]


@dataclass(frozen=True)
class _Opened:
    """What is read when a conversation is opened."""

    sight: Sight
    rows: list[Message]
    notes: list[DeskNote]
    past: list[Handoff]
    names: dict[int, str]
    whole: Whole
    states: dict[int, str]


class Messages(BaseModel):
    """The log after a number, at most 500 messages at a time."""

    messages: list[DeskMessage]
    last_seq: int
    mode: str


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

    def work(session: Session) -> _Opened:
        sight = sight_of(session, signed, conversation_id)
        rows = messages_after(session, conversation_id, max(0, sight.conversation.next_seq - 1 - RECENT))
        notes = [one for one in notes_of(session, conversation_id) if note_is_for(one, signed)]
        return _Opened(
            sight, rows, notes, past_cases(session, sight.conversation), agent_names(session),
            read_whole(session, sight.conversation), states_of(session, conversation_id, rows),
        )  # fmt: skip

    found = await parts.store.read(work)
    await note_look(parts, signed, found.sight)
    conversation, case, names = found.sight.conversation, found.sight.case, found.names
    redactor = await redactor_for(parts, conversation)
    viewer = Viewer(options_of(parts.settings.data_dir), names)
    views = await case_views(parts, signed, [case]) if case is not None else []
    return Detail(
        case=views[0] if views else None, mode=conversation.mode,
        messages=with_states(viewer.messages(found.rows, redactor), found.states),
        notes=[viewer.note(one, redactor) for one in found.notes], last_seq=conversation.next_seq - 1,
        summary=summary_of(case, redactor), can=_can(signed, found.sight),
        viewers=lookers(parts, conversation_id, names), history=[viewer.past(one) for one in found.past],
        channels=found.whole.channels, earlier=await earlier_talk(parts, found.whole, viewer),
    )  # fmt: skip


@router.get("/{conversation_id}/messages")
async def log_after(conversation_id: str, parts: PartsDep, signed: AgentDep, after: After = 0) -> Messages:
    """Return the messages of all sides whose sequence number is above `after`."""

    def work(session: Session) -> tuple[Sight, list[Message], Message | None, dict[int, str], dict[int, str]]:
        sight = sight_of(session, signed, conversation_id)
        before = session.get(Message, (conversation_id, after)) if after else None
        rows = messages_after(session, conversation_id, after)
        return sight, rows, before, agent_names(session), states_of(session, conversation_id, rows)

    sight, rows, before, names, states = await parts.store.read(work)
    await note_look(parts, signed, sight)
    viewer = Viewer(options_of(parts.settings.data_dir), names)
    shown = with_states(viewer.messages(rows, await redactor_for(parts, sight.conversation), before=before), states)
    return Messages(messages=shown, last_seq=rows[-1].seq if rows else after, mode=sight.conversation.mode)


@router.post("/{conversation_id}/messages")
async def say(conversation_id: str, body: SayRequest, parts: PartsDep, signed: AgentDep) -> SayAnswer:
    """Say something to the customer; 403 without having the conversation, whatever the console believed."""
    draft = await draft_of(conversation_id, body, parts, signed)

    def work(session: Session) -> tuple[Message, Message | None, Conversation, dict[int, str], dict[int, str]]:
        sight = sight_of(session, signed, conversation_id)
        if body.upload_id:
            find_upload(session, body.upload_id, conversation_id=conversation_id)
        message, _ = life.agent_said(
            session, conversation_id, agent_id=signed.agent_id, client_id=body.client_id, draft=draft,
            book=parts.book, now=parts.clock(),
        )  # fmt: skip
        before = session.get(Message, (conversation_id, message.seq - 1))
        session.flush()
        states = states_of(session, conversation_id, [message])
        return message, before, sight.conversation, agent_names(session), states

    try:
        message, before, conversation, names, states = await parts.store.write(work)
    except (Forbidden, NotHolder) as error:
        raise await _refusal(parts, signed, conversation_id) from error
    watch_of(parts).types(conversation_id, signed.agent_id, on=False)
    publish(parts, conversation_id)
    viewer = Viewer(options_of(parts.settings.data_dir), names)
    shown = viewer.messages([message], await redactor_for(parts, conversation), before=before)
    return SayAnswer(message=with_states(shown, states)[0])


async def _refusal(parts: Parts, signed: Signed, conversation_id: str) -> Exception:
    """Return why somebody cannot answer; who may see the conversation, or had it, is told who has it now."""

    def work(session: Session) -> Exception:
        conversation, case = session.get(Conversation, conversation_id), latest_case(session, conversation_id)
        known = conversation is not None and may_see(signed, conversation, case)
        if not known and not came_by_code(session, signed, case) and not _had(session, case, signed.agent_id):
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
