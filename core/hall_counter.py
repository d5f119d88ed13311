"""The clerk at the counter: opening the conversation of whoever stands there, by the code that they show.

Wrong codes are counted in the audit log, which nobody can wind back: ten within ten minutes, and the clerk has to wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.agent import Agent, AgentNotFound
from core.audit import AuditEntry, Auditor
from core.conversation import Conversation, ConversationNotFound, change_mode, find_conversation
from core.fields import Keyring
from core.hall import DIGITS, HallCode, blind
from core.hall_words import HallWords
from core.handoff import life
from core.handoff.asking import take
from core.handoff.book import Book
from core.handoff.summary import intents_of, summary_of, talk_of
from core.handoff.tables import Handoff
from core.handoff.words import END_HUMAN
from core.locking import one_at_a_time
from core.one_time_code import numbers_in

TRIES, WITHIN, LOCKED = 10, timedelta(minutes=10), timedelta(minutes=10)
OPENED, WRONG_CODE, WRONG_ORDER = "hall_opened", "hall_code_wrong", "hall_order_wrong"  # in the audit log
_WRONG = (WRONG_CODE, WRONG_ORDER)


@dataclass(frozen=True)
class Mine:
    """The clerk has the conversation now, or had it before."""

    conversation_id: str
    handoff_id: int


@dataclass(frozen=True)
class Held:
    """Another one has the conversation; the clerk may read it and ask for it."""

    conversation_id: str
    holder: int


@dataclass(frozen=True)
class Wrong:
    """No code that could be used: never given, used, too old, or its conversation is over. All look the same."""


@dataclass(frozen=True)
class NotACode:
    """What was typed has not eight digits; no try was counted."""


@dataclass(frozen=True)
class LockedOut:
    """Too many wrong tries: nothing is looked up before `until`."""

    until: datetime


Found = Mine | Held | Wrong | NotACode | LockedOut


@dataclass(frozen=True)
class Counter:
    """What the counter goes by."""

    book: Book
    words: HallWords
    keyring: Keyring


def open_by_code(
    session: Session, typed: str, *, agent_id: int, counter: Counter, auditor: Auditor, now: datetime
) -> Found:
    """Open the conversation of a code for a clerk, who has it at once unless another agent does.

    The caller commits whatever comes: wrong tries have to be counted.

    Raises:
        AgentNotFound: if there is no such agent.
    """
    digits = "".join(numbers_in(typed))
    if len(digits) != DIGITS:
        return NotACode()
    until = locked_until(session, agent_id, now=now)
    if until is not None:
        return LockedOut(until)
    conversation = _conversation_of(session, blind(digits, counter.keyring), agent_id, now=now)
    if conversation is None:
        auditor.note(session, WRONG_CODE, now=now)
        return Wrong()
    found = _take(session, conversation, agent_id, counter, now=now)
    auditor.note(session, OPENED, conversation.id, now=now, held=isinstance(found, Held))
    return found


def locked_until(session: Session, agent_id: int, *, now: datetime) -> datetime | None:
    """Return until when an agent may try nothing after too many wrong tries; tries of one agent wait for each other."""
    one_at_a_time(session, f"hall:{agent_id}")
    query = select(AuditEntry.at).where(AuditEntry.agent_id == agent_id, AuditEntry.action.in_(_WRONG))
    query = query.where(AuditEntry.at > now - WITHIN - LOCKED).order_by(AuditEntry.id.desc()).limit(TRIES)
    wrong = list(session.scalars(query))
    if len(wrong) < TRIES or wrong[0] - wrong[-1] > WITHIN or now >= wrong[0] + LOCKED:
        return None
    return wrong[0] + LOCKED


def opened_by(session: Session, case: Handoff, agent_id: int) -> bool:
    """Tell whether an agent came to an open case by a code, and so may read it though another one has it."""
    query = select(HallCode.id).where(
        HallCode.conversation_id == case.conversation_id, HallCode.used_by == agent_id,
        HallCode.used_at >= case.requested_at,
    )  # fmt: skip
    return case.ended_at is None and session.scalar(query.limit(1)) is not None


def _conversation_of(session: Session, hashed: str, agent_id: int, *, now: datetime) -> Conversation | None:
    """Return the conversation of a code, locked, and use the code up; the same clerk may type it twice."""
    row = session.scalar(select(HallCode).where(HallCode.code == hashed))
    if row is None:
        return None
    try:  # the conversation first, as the customer does who asks for another code
        conversation = find_conversation(session, row.conversation_id, lock=True)
    except ConversationNotFound:
        return None
    query = select(HallCode).where(HallCode.id == row.id).execution_options(populate_existing=True)
    row = session.scalar(query)
    if row is None or now >= row.expires_at or row.used_by not in (None, agent_id) or conversation.mode == "closed":
        return None
    row.used_at, row.used_by, row.conversation_id = row.used_at or now, agent_id, conversation.id
    session.flush()
    return conversation


def _take(session: Session, conversation: Conversation, agent_id: int, counter: Counter, *, now: datetime) -> Found:
    agent = session.get(Agent, agent_id)
    if agent is None or not agent.active:
        raise AgentNotFound(agent_id)
    case = life.open_case(session, conversation.id)
    if case is not None and case.agent_id is not None:
        return Mine(conversation.id, case.id) if case.agent_id == agent_id else Held(conversation.id, case.agent_id)
    if case is None:
        case = _requested(session, conversation, counter.book, now=now)
    change_mode(conversation, "take", now=now, reason=case.reason)
    take(session, case, agent_id, book=counter.book, now=now)
    life.note_event(session, case, "claimed", now=now, agent_id=agent_id, message=False, by="hall")
    text = counter.words.serving.format(name=agent.name, staff_no=agent.staff_no)
    life.say(session, conversation, text, now=now, buttons=((counter.book.words.end_human, END_HUMAN),))
    life.tell_desk(session, case, now=now, what="claimed", agent=agent_id)
    return Mine(conversation.id, case.id)


def _requested(session: Session, conversation: Conversation, book: Book, *, now: datetime) -> Handoff:
    talk = talk_of(session, conversation.id, now=now)
    return life.request(
        session, conversation.id, reason="hall", book=book, now=now, intents=intents_of(talk, book=book),
        summary=summary_of(talk, book=book),
    )  # fmt: skip
