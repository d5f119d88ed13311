"""What an agent does with a conversation besides talking: notes, help, pauses, passing on, and the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AgentDep, Signed
from api.desk.cases import agent_names
from api.desk.errors import DeskProblem, DeskRoute
from api.desk.inbox import case_views
from api.desk.options import options_of
from api.desk.redaction import redactor_for
from api.desk.scope import Sight, sight_of
from api.desk.steps import publish
from api.desk.views import CaseView, NoteView, Viewer
from api.desk.watch import watch_of
from core import agent as people
from core.agent import Agent
from core.audit import Auditor
from core.conversation import find_conversation
from core.desk_feed import announce
from core.desk_note import MAX_NOTE, DeskNote
from core.handoff import life
from core.handoff.tables import SKILLS, Handoff

router = APIRouter(prefix="/v1/desk/conversations", tags=["desk"], route_class=DeskRoute)
Note = Annotated[str, Field(max_length=2 * MAX_NOTE)]
Sentence = Annotated[str, Field(max_length=500)]
Done = TypeVar("Done")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NoteRequest(_Strict):
    """A note, or a question to the supervisors."""

    text: Note


class PauseRequest(_Strict):
    """Why the closure clock stands still: a key of the options' pause reasons."""

    reason: Annotated[str, Field(max_length=40)]


class TransferRequest(_Strict):
    """To whom a conversation goes, an agent or a skill, and what he has to know."""

    agent_id: int | None = None
    skill: str | None = None
    note: Note


class Promised(_Strict):
    """Something that the agent promised, and until when."""

    text: Sentence
    due_at: datetime | None = None


class HandBackNote(_Strict):
    """What the bot has to know."""

    done: Annotated[list[Sentence], Field(max_length=20)] = []
    open: Annotated[list[Sentence], Field(max_length=20)] = []
    promised: Annotated[list[Promised], Field(max_length=20)] = []


class WrapUpRequest(_Strict):
    """What is written down at the end; `corrected`: sequence number -> the right intent."""

    category: str | None = None
    outcome: str | None = None
    corrected: Annotated[dict[str, str], Field(max_length=200)] = {}
    note: HandBackNote = HandBackNote()
    intents: Annotated[list[str], Field(max_length=20)] = []
    keep_form: bool = False
    then: Literal["bot", "close"] = "bot"


@router.post("/{conversation_id}/notes")
async def add_note(conversation_id: str, body: NoteRequest, parts: PartsDep, signed: AgentDep) -> NoteView:
    """Add an internal note; customers never see it."""

    def work(session: Session, sight: Sight) -> DeskNote:
        case, now = sight.case, parts.clock()
        conversation = find_conversation(session, conversation_id, lock=True)
        note = life.add_note(session, conversation, case, signed.agent_id, "note", body.text, now=now)
        announce(session, "note", now=now, conversation_id=conversation_id, handoff_id=case.id if case else None,
                 data={"note": note.id})  # fmt: skip
        return note

    return await _note_view(parts, signed, conversation_id, work)


@router.post("/{conversation_id}/help")
async def ask_help(conversation_id: str, body: NoteRequest, parts: PartsDep, signed: AgentDep) -> NoteView:
    """Ask the supervisors for help."""

    def work(session: Session, _sight: Sight) -> DeskNote:
        note = life.ask_help(session, conversation_id, agent_id=signed.agent_id, text=body.text, now=parts.clock())
        _audit(session, parts, signed, "help_asked", conversation_id)
        return note

    return await _note_view(parts, signed, conversation_id, work)


@router.post("/{conversation_id}/pause")
async def pause(conversation_id: str, body: PauseRequest, parts: PartsDep, signed: AgentDep) -> CaseView:
    """Hold the closure clock for a reason."""

    def work(session: Session, _sight: Sight) -> None:
        life.pause(session, conversation_id, agent_id=signed.agent_id, reason=body.reason, book=parts.book,
                   now=parts.clock())  # fmt: skip
        _audit(session, parts, signed, "paused", conversation_id, reason=body.reason)

    return await _case_after(parts, signed, conversation_id, work)


@router.post("/{conversation_id}/resume")
async def resume(conversation_id: str, parts: PartsDep, signed: AgentDep) -> CaseView:
    """Let the closure clock go on."""

    def work(session: Session, _sight: Sight) -> None:
        life.resume(session, conversation_id, agent_id=signed.agent_id, book=parts.book, now=parts.clock())
        _audit(session, parts, signed, "resumed", conversation_id)

    return await _case_after(parts, signed, conversation_id, work)


@router.post("/{conversation_id}/transfer", status_code=HTTPStatus.NO_CONTENT)
async def transfer(conversation_id: str, body: TransferRequest, parts: PartsDep, signed: AgentDep) -> None:
    """Pass a conversation on to an agent, who is asked first, or to the queue of a skill."""
    if not body.note.strip():
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "note_required")
    if body.skill not in (None, *SKILLS):
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_choice")

    def work(session: Session, _sight: Sight) -> None:
        if body.agent_id is not None:
            _refuse_absent(session, parts, body.agent_id)
        life.transfer(
            session, conversation_id, agent_id=signed.agent_id, note=body.note, book=parts.book,
            now=parts.clock(), to_agent=body.agent_id, to_skill=body.skill,
        )  # fmt: skip
        _audit(session, parts, signed, "transferred", conversation_id, to=body.agent_id or body.skill)

    await _do(parts, signed, conversation_id, work)
    watch_of(parts).forget(signed.agent_id, conversation_id)


@router.post("/{conversation_id}/finish")
async def finish(conversation_id: str, parts: PartsDep, signed: AgentDep) -> CaseView:
    """Go on to the writing-up; for the customer nothing changes yet."""

    def work(session: Session, _sight: Sight) -> None:
        life.finish(session, conversation_id, agent_id=signed.agent_id, book=parts.book, now=parts.clock())

    return await _case_after(parts, signed, conversation_id, work)


@router.post("/{conversation_id}/reopen")
async def reopen(conversation_id: str, parts: PartsDep, signed: AgentDep) -> CaseView:
    """Take a conversation up again out of the writing-up."""

    def work(session: Session, _sight: Sight) -> None:
        life.reopen(session, conversation_id, agent_id=signed.agent_id, book=parts.book, now=parts.clock())

    return await _case_after(parts, signed, conversation_id, work)


@router.post("/{conversation_id}/wrap_up", status_code=HTTPStatus.NO_CONTENT)
async def wrap_up(conversation_id: str, body: WrapUpRequest, parts: PartsDep, signed: AgentDep) -> None:
    """Write the case up and give the conversation back to the bot, or close it."""
    written = _written(body, parts)

    def work(session: Session, _sight: Sight) -> None:
        life.wrap_up(session, conversation_id, written, agent_id=signed.agent_id, book=parts.book,
                     now=parts.clock())  # fmt: skip

    await _do(parts, signed, conversation_id, work)
    watch_of(parts).forget(signed.agent_id, conversation_id)


def _written(body: WrapUpRequest, parts: Parts) -> life.WrapUp:
    """Return the wrap-up; raises DeskProblem if something in it is none of the options."""
    labels = options_of(parts.settings.data_dir)
    intents = {part for one in (*body.corrected.values(), *body.intents) for part in one.split("+")}
    known = body.category in (None, *labels.categories) and body.outcome in (None, *labels.outcomes)
    if not known or intents - set(labels.intents):
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_choice")
    note: dict[str, Any] = body.note.model_dump()
    for one in note["promised"]:
        due: datetime | None = one["due_at"]
        if due is not None and due.tzinfo is None:
            raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_choice", what="due_at")
    return life.WrapUp(
        category=body.category, outcome=body.outcome, corrected=body.corrected, note=note, intents=body.intents,
        keep_form=body.keep_form, then=body.then,
    )  # fmt: skip


def _audit(
    session: Session, parts: Parts, signed: Signed, action: str, conversation_id: str, **detail: int | str | None
) -> None:  # fmt: skip
    """Write a deed down, as the last of its transaction; `detail` holds ids and keys, never words of people."""
    auditor = Auditor.of(parts.settings.keyring(), signed.agent_id)
    auditor.note(session, action, conversation_id, now=parts.clock(), **detail)


def _refuse_absent(session: Session, parts: Parts, agent_id: int) -> None:
    agent = session.get(Agent, agent_id)
    if agent is None or not people.present(agent, parts.clock()):
        raise DeskProblem(HTTPStatus.CONFLICT, "no_such_agent")


async def _do(parts: Parts, signed: Signed, conversation_id: str, work: Callable[[Session, Sight], Done]) -> Done:
    """Do something in a conversation that the agent may see, and hint at it."""
    done = await parts.store.write(lambda session: work(session, sight_of(session, signed, conversation_id)))
    publish(parts, conversation_id)
    return done


async def _case_after(
    parts: Parts, signed: Signed, conversation_id: str, work: Callable[[Session, Sight], None]
) -> CaseView:
    def doing(session: Session, sight: Sight) -> Handoff | None:
        work(session, sight)
        return sight.case

    case = await _do(parts, signed, conversation_id, doing)
    assert case is not None  # the work found it
    return (await case_views(parts, signed, [case]))[0]


async def _note_view(
    parts: Parts, signed: Signed, conversation_id: str, work: Callable[[Session, Sight], DeskNote]
) -> NoteView:
    def doing(session: Session, sight: Sight) -> tuple[DeskNote, Sight, dict[int, str]]:
        return work(session, sight), sight, agent_names(session)

    note, sight, names = await _do(parts, signed, conversation_id, doing)
    redactor = await redactor_for(parts, sight.conversation)
    return Viewer(options_of(parts.settings.data_dir), names).note(note, redactor)
