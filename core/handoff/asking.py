"""The first half of a case: asked for, waiting, offered, taken, or left again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from core.agent import Agent
from core.conversation import Conversation, change_mode, find_conversation
from core.handoff import speech
from core.handoff.book import Book
from core.handoff.case import hold, hold_case, note_event, open_case, say, tell_desk
from core.handoff.queue import view_of
from core.handoff.rules import rank
from core.handoff.tables import DANGER, AlreadyTaken, Handoff
from core.handoff.words import END_HUMAN
from core.mode import WAITING, WrongMode
from core.roster import load_of
from core.working_time import Due


class NoCapacity(Exception):
    """The agent has as many conversations as he may have at once."""


class NotOffered(Exception):
    """The case is not (any more) offered to this agent."""


def request(
    session: Session,
    conversation_id: str,
    *,
    reason: str,
    book: Book,
    now: datetime,
    intents: Sequence[str] = (),
    flags: Sequence[str] = (),
    summary: dict[str, Any] | None = None,
) -> Handoff:
    """Put a conversation in the queue, or raise the case that waits already; with a person nothing changes but danger.

    Raises:
        ConversationNotFound: if there is no such conversation.
        BadRules: if there is no such reason.
        WrongMode: if the conversation is closed and this is no danger.
    """
    conversation = find_conversation(session, conversation_id, lock=True)
    case = open_case(session, conversation_id)
    skill, priority = book.rules.route(reason, intents, flags)
    if case is not None and not case.left_message:
        return _raised(session, case, reason, skill, priority, book=book, now=now)
    if case is not None:
        _end(session, case, "closed", now=now, why="asked_again")  # what was left is in the log for whoever answers
    change_mode(conversation, "alarm" if reason == "danger" else "ask_person", now=now, reason=reason)
    case = Handoff(
        conversation_id=conversation_id, reason=reason, skill=skill, priority=priority, requested_at=now,
        rank_at=rank(now, priority, book.limits.minutes("aging")), due_at=queue_due(session, book=book, now=now),
        tried=[], summary=dict(summary or {}), left_message=False, corrected={}, note={},
    )  # fmt: skip
    session.add(case)
    session.flush()
    nobody = not book.staff(session, now=now)
    note_event(session, case, "requested", now=now, reason=reason, skill=skill, priority=priority, nobody=nobody)
    if nobody:
        due = book.calendar.answer_by(now, skill, priority)
        note_event(session, case, "promised", now=now, due_at=due.at.isoformat(), certain=due.certain, what="queue")
    tell_desk(session, case, now=now, what="requested")
    return case


def reprioritise(
    session: Session, handoff_id: int, priority: int, *, book: Book, now: datetime, **summary: Any
) -> bool:
    """Let a waiting case stand further ahead, once something about the customer is known; false if nothing changes."""
    conversation, case = hold_case(session, handoff_id)
    case.summary = {**case.summary, **summary}
    if conversation.mode not in WAITING or case.ended_at is not None or priority >= case.priority:
        return False
    returned = case.rank_at < case.requested_at and case.priority != DANGER
    case.priority = priority
    case.rank_at = rank(case.requested_at, priority, book.limits.minutes("aging"), returned=returned)
    note_event(session, case, "queued", now=now, priority=priority, skill=case.skill)
    tell_desk(session, case, now=now, what="queued")
    return True


def offer(session: Session, handoff_id: int, agent_id: int, *, book: Book, now: datetime) -> Handoff:
    """Offer a waiting case to an agent for a short time.

    Raises:
        WrongMode: if it does not wait in the queue (any more).
    """
    conversation, case = hold_case(session, handoff_id)
    _refuse_over(case, conversation, "offer")
    change_mode(conversation, "offer", now=now, reason=case.reason)
    case.offered_to, case.due_at = agent_id, now + book.limits.seconds("offer")
    note_event(session, case, "offered", now=now, agent_id=agent_id)
    tell_desk(session, case, now=now, what="offered", agent=agent_id)
    return case


def decline(session: Session, handoff_id: int, agent_id: int, *, book: Book, now: datetime) -> Handoff:
    """Give an offer up, so that the next agent gets it at once.

    Raises:
        NotOffered: if it is not (any more) offered to this agent.
    """
    conversation, case = hold_case(session, handoff_id)
    if conversation.mode != "offered" or case.offered_to != agent_id or case.ended_at is not None:
        raise NotOffered(handoff_id)
    return _back_from_offer(session, conversation, case, "declined", book=book, now=now)


def lapse_offer(session: Session, handoff_id: int, *, book: Book, now: datetime, gone: bool = False) -> Handoff | None:
    """End an offer whose time is over, or (`gone`) whose agent is; None if there is no such offer (any more)."""
    conversation, case = hold_case(session, handoff_id)
    if conversation.mode != "offered" or case.ended_at is not None:
        return None
    if not gone and (case.due_at is None or case.due_at > now):
        return None
    return _back_from_offer(session, conversation, case, "offer_expired", book=book, now=now)


def claim(
    session: Session, handoff_id: int, agent_id: int, *, book: Book, now: datetime, name: str | None = None,
    unlimited: bool = False,
) -> Handoff:  # fmt: skip
    """Take a case that waits, is offered (to whomever), or is a message that was left; one of all who try gets it.

    The row of the conversation is locked first, so that whoever comes second reads what the first one did. `name`: of
    somebody at a desk that is not ours; `unlimited`: capacity does not count.

    Raises:
        AlreadyTaken: if another agent has it, or it is over; the same agent again changes nothing.
        NoCapacity: if the agent has enough to do, and it was not offered to him.
        CaseNotFound: if there is no such case.
    """
    conversation, case = hold_case(session, handoff_id)
    if case.ended_at is None and case.agent_id == agent_id:
        return case
    waits = conversation.mode in WAITING or (case.left_message and conversation.mode in ("bot", "closed"))
    if case.ended_at is not None or case.agent_id is not None or not waits:
        raise AlreadyTaken(case.agent_id)
    agent = session.get(Agent, agent_id) if name is None else None
    if agent and not unlimited and case.offered_to != agent_id:
        more = book.limits.danger_over_capacity if case.priority == DANGER else 0
        if load_of(session, agent_id) >= agent.capacity + more:
            raise NoCapacity(agent_id)
    message = case.left_message
    change_mode(conversation, "take" if message else "claim", now=now, reason=case.reason)
    take(session, case, agent_id, book=book, now=now)
    note_event(session, case, "claimed", now=now, agent_id=agent_id, message=message)
    introduce(session, conversation, agent_id, book=book, now=now, name=name)
    tell_desk(session, case, now=now, what="claimed", agent=agent_id)
    return case


def vanish(session: Session, handoff_id: int, *, book: Book, now: datetime) -> bool:
    """Give a vanished agent's conversation back to the head of the queue and tell the customer; false if nobody has it.

    A conversation in wrap-up is none that anybody waits in: its deadline ends it.
    """
    conversation, case = hold_case(session, handoff_id)
    if conversation.mode != "human" or case.ended_at is not None or case.agent_id is None:
        return False
    gone = case.agent_id
    requeue(session, conversation, case, "vanished", book=book, now=now, agent_id=gone)
    view = view_of(session, conversation.id, book=book, now=now)
    if view is None or view.on_duty:
        say(session, conversation, book.words.vanished, now=now)
    else:
        text = book.words.vanished_nobody + speech.standing(view, book=book, now=now) + book.words.queue.hotline
        say(session, conversation, text, now=now, buttons=speech.buttons(book))
        note_nobody(session, case, view.answer_by, now=now)
    tell_desk(session, case, now=now, what="vanished", agent=gone)
    return True


def leave_queue(session: Session, conversation_id: str, *, book: Book, now: datetime) -> None:  # noqa: ARG001 - one form for all steps
    """Let the customer stop waiting; the bot answers again.

    Raises:
        WrongMode: if the conversation does not wait.
    """
    conversation = find_conversation(session, conversation_id, lock=True)
    change_mode(conversation, "leave_queue", now=now)
    case = open_case(session, conversation_id)
    if case is not None:
        _end(session, case, "left_queue", now=now)
        tell_desk(session, case, now=now, what="left_queue")


def leave_message(
    session: Session, conversation_id: str, *, book: Book, now: datetime, by: str = "customer"
) -> Handoff:  # fmt: skip
    """Turn a waiting case into a message to be answered in working time; the bot answers again meanwhile.

    Raises:
        CaseNotFound: if there is no open case.
        WrongMode: if the conversation does not wait.
    """
    conversation, case = hold(session, conversation_id)
    change_mode(conversation, "leave_queue", now=now)
    due = book.calendar.answer_by(now, case.skill, case.priority)
    case.left_message, case.offered_to, case.due_at = True, None, due.at
    note_event(session, case, "left_message", now=now, by=by, skill=case.skill)
    note_event(session, case, "promised", now=now, due_at=due.at.isoformat(), certain=due.certain, what="message")
    tell_desk(session, case, now=now, what="left_message")
    return case


# -- parts of steps, also for the second half


def queue_due(session: Session, *, book: Book, now: datetime) -> datetime:
    """Return when a case that waits has to be looked at again: sooner if nobody is there who could take it."""
    return now + book.limits.minutes("queued_reminder" if book.staff(session, now=now) else "nobody")


def note_nobody(session: Session, case: Handoff, due: Due, *, now: datetime) -> None:
    """Note that the customer was told that nobody is there, and until when somebody answers."""
    note_event(session, case, "warned", now=now, what="waiting", nobody=True)
    note_event(session, case, "promised", now=now, due_at=due.at.isoformat(), certain=due.certain, what="queue")


def take(session: Session, case: Handoff, agent_id: int, *, book: Book, now: datetime) -> None:
    """Let an agent have the case; the conversation's mode is the caller's."""
    case.agent_id, case.offered_to, case.left_message, case.tried = agent_id, None, False, []
    case.due_at = now + book.limits.seconds("agent_silent")
    session.flush()


def introduce(
    session: Session, conversation: Conversation, agent_id: int, *, book: Book, now: datetime, name: str | None = None
) -> None:
    """Tell the customer who speaks from now on, and how to end it."""
    agent = session.get(Agent, agent_id) if name is None else None
    if agent:
        text = book.words.serving.format(name=agent.name, staff_no=agent.staff_no)
    else:
        text = book.words.serving_outside.format(name=name or "")
    say(session, conversation, text, now=now, buttons=((book.words.end_human, END_HUMAN),))


def requeue(
    session: Session, conversation: Conversation, case: Handoff, kind: str, *, book: Book, now: datetime,
    agent_id: int, skill: str | None = None, **data: Any,
) -> None:  # fmt: skip
    """Put a case that an agent had back to the head of the queue, behind dangers alone."""
    change_mode(conversation, "requeue", now=now, reason=case.reason)
    case.skill = skill or case.skill
    case.agent_id, case.offered_to, case.tried = None, None, [agent_id]
    case.summary = {key: value for key, value in case.summary.items() if key != "flags"}  # to be looked up anew
    case.rank_at = rank(case.requested_at, case.priority, book.limits.minutes("aging"), returned=True)
    case.due_at = queue_due(session, book=book, now=now)
    note_event(session, case, kind, now=now, agent_id=agent_id, skill=case.skill, **data)


def _raised(
    session: Session, case: Handoff, reason: str, skill: str, priority: int, *, book: Book, now: datetime
) -> Handoff:
    """Let a case stand further ahead for a graver reason; who has it is warned of a danger."""
    if priority >= case.priority:
        return case
    case.priority, case.reason = priority, reason
    if case.agent_id is not None:
        note_event(session, case, "warned", now=now, what=reason)
        tell_desk(session, case, "warning", now=now, agent_id=case.agent_id, what=reason)
        return case
    case.skill = skill
    case.rank_at = rank(case.requested_at, priority, book.limits.minutes("aging"))
    note_event(session, case, "queued", now=now, reason=reason, skill=skill, priority=priority)
    tell_desk(session, case, now=now, what="queued")
    return case


def _back_from_offer(
    session: Session, conversation: Conversation, case: Handoff, kind: str, *, book: Book, now: datetime
) -> Handoff:
    agent_id = case.offered_to
    change_mode(conversation, "offer_lapsed", now=now, reason=case.reason)
    case.tried = [*case.tried, agent_id] if agent_id is not None else case.tried
    case.offered_to, case.due_at = None, queue_due(session, book=book, now=now)
    note_event(session, case, kind, now=now, agent_id=agent_id)
    tell_desk(session, case, now=now, what=kind, agent=agent_id)
    return case


def _end(session: Session, case: Handoff, kind: str, *, now: datetime, **data: Any) -> None:
    case.ended_at, case.due_at, case.offered_to = now, None, None
    note_event(session, case, kind, now=now, agent_id=case.agent_id, **data)


def _refuse_over(case: Handoff, conversation: Conversation, cause: str) -> None:
    if case.ended_at is not None or case.left_message:
        raise WrongMode(conversation.mode, cause)
