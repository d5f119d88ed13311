"""The end of a case: finished, written up, and back with the bot or closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import call_back
from core.agent import Agent
from core.conversation import CLOSING, Conversation, Message, change_mode
from core.handoff.book import Book
from core.handoff.case import held_by, hold_case, note_event, say, tell_desk
from core.handoff.tables import Handoff
from core.mode import WITH_PERSON, WrongMode

OUTCOMES = ("solved", "ordered", "not_solved", "transferred_out", "no_answer")


class BadWrapUp(ValueError):
    """A wrap-up says something that cannot be."""


@dataclass(frozen=True)
class WrapUp:
    """What an agent writes down at the end: for the figures, for the training of the model, and for the bot.

    `note` has `done` and `open` (lists of sentences) and `promised` (list of {text, due_at}), `intents` says what it is
    about, `corrected` the right intent of messages by sequence number, `keep_form`: the open form goes on.
    """

    category: str | None = None
    outcome: str | None = None
    corrected: Mapping[str, str] = field(default_factory=dict)
    note: Mapping[str, Any] = field(default_factory=dict)
    intents: Sequence[str] = ()
    keep_form: bool = False
    then: Literal["bot", "close"] = "bot"


def finish(session: Session, conversation_id: str, *, agent_id: int, book: Book, now: datetime) -> Handoff:
    """Let the agent go on to the writing-up; for the customer nothing has changed yet. Again it changes nothing.

    Raises:
        CaseNotFound, NotHolder: if nobody, or somebody else, has the conversation.
    """
    conversation, case = held_by(session, conversation_id, agent_id)
    if conversation.mode != "wrap_up":
        _finish(session, conversation, case, book=book, now=now, by="agent")
    return case


def end_by_customer(session: Session, conversation: Conversation, case: Handoff, *, book: Book, now: datetime) -> None:
    """Let the customer end the talk with the person (`conversation` is locked, a person has it)."""
    if conversation.mode == "human":
        _finish(session, conversation, case, book=book, now=now, by="customer")


def close_idle(session: Session, handoff_id: int, *, book: Book, now: datetime) -> bool:
    """End a talk in which the customer does not answer any more and tell so; false if no person has it."""
    conversation, case = hold_case(session, handoff_id)
    if conversation.mode != "human" or case.ended_at is not None:
        return False
    say(session, conversation, book.words.silent_end, now=now, delivered_as=CLOSING)
    _finish(session, conversation, case, book=book, now=now, by="silence")
    return True


def reopen(session: Session, conversation_id: str, *, agent_id: int, book: Book, now: datetime) -> Handoff:
    """Take a conversation up again out of the writing-up.

    Raises:
        CaseNotFound, NotHolder: as `finish`.
        WrongMode: if it is not being written up.
    """
    conversation, case = held_by(session, conversation_id, agent_id)
    change_mode(conversation, "reopen", now=now, reason=case.reason)
    case.due_at = now + book.limits.minutes("customer_silent")
    note_event(session, case, "reopened", now=now, agent_id=agent_id, by="agent")
    tell_desk(session, case, now=now, what="reopened")
    return case


def wrap_up(
    session: Session, conversation_id: str, written: WrapUp, *, agent_id: int, book: Book, now: datetime
) -> Handoff:
    """End the case with what the agent has written down, and give the conversation back or close it.

    Raises:
        CaseNotFound, NotHolder: as `finish`.
        BadWrapUp: if the outcome is unknown, the note of another form, or a corrected message is not the customer's.
    """
    conversation, case = held_by(session, conversation_id, agent_id)
    if conversation.mode not in WITH_PERSON:
        raise WrongMode(conversation.mode, "hand_back")
    note = _checked(session, case, written)
    case.category, case.outcome, case.corrected = written.category, written.outcome, dict(written.corrected)
    _end(session, conversation, case, note, written.then, book=book, now=now, agent_id=agent_id,
         keep_form=written.keep_form)  # fmt: skip
    return case


def expire_wrap_up(session: Session, handoff_id: int, *, book: Book, now: datetime) -> bool:
    """Give a conversation back with an empty note, as nobody wrote one in time; false if it is not (any more) due."""
    conversation, case = hold_case(session, handoff_id)
    if conversation.mode != "wrap_up" or case.ended_at is not None or case.due_at is None or case.due_at > now:
        return False
    _end(session, conversation, case, {}, "bot", book=book, now=now, agent_id=case.agent_id, auto=True)
    return True


def _finish(session: Session, conversation: Conversation, case: Handoff, *, book: Book, now: datetime, by: str) -> None:
    change_mode(conversation, "finish", now=now, reason=case.reason)
    case.due_at = now + book.limits.minutes("wrap_up")
    note_event(session, case, "wrap_up", now=now, agent_id=case.agent_id if by == "agent" else None, by=by)
    tell_desk(session, case, now=now, what="wrap_up", agent=case.agent_id)


def _end(
    session: Session, conversation: Conversation, case: Handoff, note: Mapping[str, Any], then: str, *, book: Book,
    now: datetime, agent_id: int | None, auto: bool = False, keep_form: bool = False,
) -> None:  # fmt: skip
    case.note, case.ended_at, case.due_at = dict(note), now, None
    call_back.after_case(session, conversation, case, fitting=book.fitting, calendar=book.calendar, now=now)
    closes = then == "close"
    change_mode(conversation, "close" if closes else "hand_back", now=now)
    note_event(session, case, "closed" if closes else "handed_back", now=now, agent_id=agent_id, auto=auto)
    conversation.note = {
        "done": [], "open": [], "promised": [], "intents": [], **note,
        "at": now.isoformat(), "agent": agent_id, "agent_name": _name(session, agent_id), "case": case.id,
    }  # fmt: skip
    if not keep_form:
        conversation.dialogue += 1  # what the bot had half understood before is not what stands now
    text = book.words.closed if closes else book.words.handed_back
    say(session, conversation, text, now=now, delivered_as=CLOSING)
    tell_desk(session, case, now=now, what="closed" if closes else "handed_back", agent=agent_id)


def _name(session: Session, agent_id: int | None) -> str | None:
    agent = session.get(Agent, agent_id) if agent_id is not None else None
    return agent.name if agent else None


def _checked(session: Session, case: Handoff, written: WrapUp) -> dict[str, Any]:
    """Return the note as it is kept."""
    if written.outcome is not None and written.outcome not in OUTCOMES:
        raise BadWrapUp(f"no such outcome: {written.outcome}")
    if written.then not in ("bot", "close"):
        raise BadWrapUp(f"no such end: {written.then}")
    for seq in written.corrected:
        row = session.get(Message, (case.conversation_id, int(seq))) if str(seq).isdigit() else None
        if row is None or row.author != "customer":
            raise BadWrapUp(f"message {seq} is none of the customer's")
    done, still = (_sentences(written.note.get(key, [])) for key in ("done", "open"))
    promised = [_promise(one) for one in written.note.get("promised", [])]
    return {
        "done": done, "open": still, "promised": promised, "intents": list(written.intents),
        "keep_form": written.keep_form,
    }  # fmt: skip


def _sentences(given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise BadWrapUp("done and open are lists of sentences")
    return [one.strip() for one in given if one.strip()]


def _promise(given: Any) -> dict[str, str | None]:
    if not isinstance(given, Mapping) or not str(given.get("text") or "").strip():
        raise BadWrapUp("what was promised needs words")
    due_at = given.get("due_at")
    try:
        due = datetime.fromisoformat(due_at) if isinstance(due_at, str) else due_at
    except ValueError as error:
        raise BadWrapUp(f"no instant: {due_at}") from error
    if due is not None and (not isinstance(due, datetime) or due.tzinfo is None):
        raise BadWrapUp(f"no instant: {due_at}")
    return {"text": str(given["text"]).strip(), "due_at": due.isoformat() if due else None}


def cases_of(session: Session, conversation_id: str) -> Sequence[Handoff]:
    """Return all cases of a conversation, in order."""
    return session.scalars(select(Handoff).where(Handoff.conversation_id == conversation_id).order_by(Handoff.id)).all()
