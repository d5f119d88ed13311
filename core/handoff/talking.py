"""The second half of a case: what agents, customers and supervisors do while a person has the conversation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.agent import Agent, AgentNotFound
from core.conversation import Conversation, Draft, Message, change_mode, find_conversation, record_reply
from core.desk_note import DeskNote
from core.handoff.asking import introduce, request, requeue, take
from core.handoff.book import Book
from core.handoff.case import add_note, events_of, held_by, hold, note_event, open_case, say, tell_desk, words_wait
from core.handoff.tables import DANGER, SKILLS, CaseNotFound, Handoff, HandoffEvent
from core.mode import WrongMode

MAX_NAME = 40  # characters that the log holds of who wrote a message


class BadTransfer(ValueError):
    """A case goes to one agent, or to one skill, and not to who has it."""


class CustomerWaits(Exception):
    """No clock is held while the customer waits for an answer."""


class InDanger(Exception):
    """No clock is held where life is in danger."""


def agent_said(
    session: Session, conversation_id: str, *, agent_id: int, client_id: str, draft: Draft, book: Book,
    now: datetime, name: str | None = None,
) -> tuple[Message, bool]:  # fmt: skip
    """Append what an agent says, once per `client_id`; return the row and whether it is new.

    Whether the conversation is his is looked up in this very transaction. `name`: as the customer reads it; without
    one it is the agent's own with the staff number.

    Raises:
        CaseNotFound, NotHolder: if nobody, or somebody else, has the conversation.
        WrongMode: if the agent has finished with it already.
    """
    conversation = find_conversation(session, conversation_id, lock=True)
    known = said_before(session, conversation, agent_id=agent_id, client_id=client_id)
    if known is not None:
        return known, False
    _, case = held_by(session, conversation_id, agent_id)
    if conversation.mode != "human":
        raise WrongMode(conversation.mode, "agent_said")
    message = record_reply(
        session, conversation, draft, now=now, external_id=_external_id(conversation, agent_id, client_id),
        agent_id=agent_id, agent_name=(name or shown_name(session, agent_id))[:MAX_NAME],
    )  # fmt: skip
    case.due_at = None if is_paused(session, case) else now + book.limits.minutes("customer_silent")
    note_event(session, case, "agent_replied", now=now, agent_id=agent_id, seq=message.seq)
    tell_desk(session, case, "message", now=now, seq=message.seq)
    return message, True


def said_before(
    session: Session, conversation: Conversation, *, agent_id: int, client_id: str
) -> Message | None:  # fmt: skip
    """Return what an agent said under this `client_id` already."""
    external_id = _external_id(conversation, agent_id, client_id)
    query = select(Message).where(Message.conversation_id == conversation.id, Message.external_id == external_id)
    return session.scalar(query)  # the customer may have changed the channel since


def customer_said(
    session: Session, conversation: Conversation, message: Message, *, book: Book, now: datetime, closing: bool = False
) -> Handoff | None:
    """Note what a customer said to the desk; in wrap-up the agent has the conversation again, unless it only thanks.

    `conversation` is locked. Returns the case, None if no person has anything to do with this conversation.
    """
    case = open_case(session, conversation.id)
    if case is None:
        return None
    note_event(session, case, "customer_wrote", now=now, seq=message.seq, **({"closing": True} if closing else {}))
    if conversation.mode == "wrap_up" and not closing:
        change_mode(conversation, "reopen", now=now, reason=case.reason)
        note_event(session, case, "reopened", now=now, by="customer")
        case.due_at = None
        tell_desk(session, case, now=now, what="reopened")
    if conversation.mode == "human" and not _customer_waits(session, case, before=message.seq):
        case.due_at = now + book.limits.seconds("agent_silent")
    tell_desk(session, case, "message", now=now, seq=message.seq)
    return case


def pause(session: Session, conversation_id: str, *, agent_id: int, reason: str, book: Book, now: datetime) -> None:
    """Hold the closure clock for a reason of the settings; a case that is held stays so.

    Raises:
        CaseNotFound, NotHolder: as `agent_said`.
        UnknownPauseReason: if it is no such reason.
        WrongMode: if the agent has finished with it already.
        InDanger, CustomerWaits: if this case may not be held (now).
    """
    conversation, case = held_by(session, conversation_id, agent_id)
    reason = book.calendar.pause_reason(reason)
    if conversation.mode != "human":
        raise WrongMode(conversation.mode, "pause")
    if is_paused(session, case):
        return
    if case.priority == DANGER:
        raise InDanger(case.id)
    if words_wait(events_of(session, case.id)):
        raise CustomerWaits(case.id)
    if not _customer_waits(session, case):  # an agent who has just got the case is still reminded
        case.due_at = None
    note_event(session, case, "paused", now=now, agent_id=agent_id, reason=reason)
    tell_desk(session, case, now=now, what="paused")


def resume(session: Session, conversation_id: str, *, agent_id: int, book: Book, now: datetime) -> None:
    """Let the closure clock go on; nothing happens if it does. Raises CaseNotFound, NotHolder."""
    _, case = held_by(session, conversation_id, agent_id)
    if not is_paused(session, case):
        return
    if not _customer_waits(session, case):
        case.due_at = now + book.limits.minutes("customer_silent")
    note_event(session, case, "resumed", now=now, agent_id=agent_id)
    tell_desk(session, case, now=now, what="resumed")


def transfer(
    session: Session, conversation_id: str, *, agent_id: int, note: str, book: Book, now: datetime,
    to_agent: int | None = None, to_skill: str | None = None,
) -> DeskNote:  # fmt: skip
    """Pass a conversation on: offered to another agent, or at the head of the queue of a skill; the note goes along.

    Raises:
        CaseNotFound, NotHolder, BadNote: as elsewhere.
        BadTransfer: if not exactly one of agent and skill is named, or it is the holder or unknown.
        AgentNotFound: if there is no such agent, or he is not active.
        WrongMode: if the agent has finished with it already.
    """
    conversation, case = held_by(session, conversation_id, agent_id)
    if (to_agent is None) == (to_skill is None) or to_agent == agent_id or to_skill not in (None, *SKILLS):
        raise BadTransfer(conversation_id)
    target = _active(session, to_agent) if to_agent is not None else None
    _run_on(session, case, now=now, agent_id=agent_id)
    requeue(
        session, conversation, case, "transferred", book=book, now=now, agent_id=agent_id, skill=to_skill,
        to_agent=to_agent,
    )  # fmt: skip
    written = add_note(session, conversation, case, agent_id, "transfer", note, now=now, to_agent=to_agent)
    words = book.words
    if target is not None:
        change_mode(conversation, "offer", now=now, reason=case.reason)
        case.offered_to, case.due_at = target.id, now + book.limits.seconds("offer")
        note_event(session, case, "offered", now=now, agent_id=target.id)
        say(session, conversation, words.transferred_to.format(name=target.name), now=now)
    else:
        say(session, conversation, words.transferred.format(skill=words.skills[case.skill]), now=now)
    tell_desk(session, case, now=now, what="transferred", agent=to_agent)
    return written


def reassign(
    session: Session, conversation_id: str, *, agent_id: int, to_agent: int, note: str, book: Book, now: datetime
) -> DeskNote:
    """Give a case, waiting or taken, to an agent at once (by supervisor `agent_id`), whatever he has to do.

    Raises:
        CaseNotFound, AgentNotFound, BadNote: as elsewhere.
        BadTransfer: if he has it already.
    """
    conversation, case = hold(session, conversation_id)
    if case.agent_id == to_agent:
        raise BadTransfer(conversation_id)
    _active(session, to_agent)
    _give(session, conversation, case, to_agent, "reassigned", by=agent_id, book=book, now=now)
    written = add_note(session, conversation, case, agent_id, "transfer", note, now=now, to_agent=to_agent)
    tell_desk(session, case, now=now, what="reassigned", agent=to_agent)
    return written


def take_over(session: Session, conversation_id: str, *, agent_id: int, book: Book, now: datetime) -> Handoff:
    """Let a supervisor step in, whoever has the conversation, the bot included; again changes nothing.

    Raises:
        ConversationNotFound: if there is no such conversation.
        WrongMode: if it is closed and has no case.
        AgentNotFound: if there is no such supervisor.
    """
    conversation = find_conversation(session, conversation_id, lock=True)
    _active(session, agent_id)
    case = open_case(session, conversation_id)
    if case is None:
        case = request(session, conversation_id, reason="rule", book=book, now=now)
    if case.agent_id == agent_id and conversation.mode == "human":
        return case
    _give(session, conversation, case, agent_id, "taken_over", by=agent_id, book=book, now=now)
    tell_desk(session, case, now=now, what="taken_over", agent=agent_id)
    return case


def ask_help(session: Session, conversation_id: str, *, agent_id: int, text: str, now: datetime) -> DeskNote:
    """Ask the supervisors for help; the question is a note. Raises CaseNotFound, NotHolder, BadNote."""
    conversation, case = held_by(session, conversation_id, agent_id)
    written = add_note(session, conversation, case, agent_id, "help", text, now=now)
    note_event(session, case, "help_asked", now=now, agent_id=agent_id)
    tell_desk(session, case, "help", now=now, note=written.id, agent=agent_id)
    return written


def whisper(session: Session, conversation_id: str, *, agent_id: int, text: str, now: datetime) -> DeskNote:
    """Say something to who has the conversation, and to him alone (by supervisor `agent_id`).

    Raises:
        CaseNotFound: if no agent has it.
        BadNote: as elsewhere.
    """
    conversation, case = hold(session, conversation_id)
    if case.agent_id is None:
        raise CaseNotFound(conversation_id)
    written = add_note(session, conversation, case, agent_id, "whisper", text, now=now, to_agent=case.agent_id)
    note_event(session, case, "whispered", now=now, agent_id=agent_id, to_agent=case.agent_id)
    tell_desk(session, case, "whisper", now=now, agent_id=case.agent_id, note=written.id, by=agent_id)
    return written


def is_paused(session: Session, case: Handoff) -> bool:
    """Tell whether the closure clock of a case is held."""
    query = select(HandoffEvent.kind).where(
        HandoffEvent.handoff_id == case.id, HandoffEvent.kind.in_(("paused", "resumed"))
    )
    return session.scalar(query.order_by(HandoffEvent.id.desc()).limit(1)) == "paused"


def shown_name(session: Session, agent_id: int) -> str:
    """Return how an agent is named beside what he says: name and staff number.

    Raises:
        AgentNotFound: if there is no such agent.
    """
    agent = session.get(Agent, agent_id)
    if agent is None:
        raise AgentNotFound(agent_id)
    return f"{agent.name} {agent.staff_no}"


def _give(
    session: Session, conversation: Conversation, case: Handoff, to_agent: int, kind: str, *, by: int, book: Book,
    now: datetime,
) -> None:  # fmt: skip
    """Let an agent have the conversation from whatever mode it is in."""
    before = case.agent_id
    _run_on(session, case, now=now, agent_id=by)
    if conversation.mode == "wrap_up":
        change_mode(conversation, "reopen", now=now, reason=case.reason)
        note_event(session, case, "reopened", now=now, agent_id=by)
    elif conversation.mode != "human":
        change_mode(conversation, "take", now=now, reason=case.reason)
    take(session, case, to_agent, book=book, now=now)
    note_event(session, case, kind, now=now, agent_id=to_agent, by=by, before=before, skill=case.skill)
    introduce(session, conversation, to_agent, book=book, now=now)


def _run_on(session: Session, case: Handoff, *, now: datetime, agent_id: int) -> None:
    """Let a held clock go on: the next one does not know why it was held."""
    if is_paused(session, case):
        note_event(session, case, "resumed", now=now, agent_id=agent_id)


def _external_id(conversation: Conversation, agent_id: int, client_id: str) -> str:
    return f"desk:{conversation.id}:{agent_id}:{client_id}"


def _active(session: Session, agent_id: int) -> Agent:
    agent = session.get(Agent, agent_id)
    if agent is None or not agent.active:
        raise AgentNotFound(agent_id)
    return agent


def _customer_waits(session: Session, case: Handoff, *, before: int | None = None) -> bool:
    """Tell whether the customer waits for the agent's words; `before`: already did before this message."""
    kinds = ("customer_wrote", "agent_replied", "reopened", "claimed", "reassigned", "taken_over")
    query = select(HandoffEvent).where(HandoffEvent.handoff_id == case.id, HandoffEvent.kind.in_(kinds))
    for event in session.scalars(query.order_by(HandoffEvent.id.desc()).limit(2)):  # the message itself and what was
        data: dict[str, Any] = event.data
        if event.kind != "customer_wrote":
            return event.kind in ("claimed", "reassigned", "taken_over")
        if before is None or data.get("seq") != before:
            return True
    return False
