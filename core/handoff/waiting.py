"""What happens when a deadline passes: no state in which somebody waits is without one.

`Handoff.due_at` only says when to look; what is due is read from the log of the case under the lock, so that a step
done twice, or by two processes, happens once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.conversation import Conversation
from core.handoff import speech
from core.handoff.asking import lapse_offer, leave_message, note_nobody
from core.handoff.book import Book
from core.handoff.case import events_of, hold_case, note_event, say, tell_desk, words_wait
from core.handoff.ending import close_idle, expire_wrap_up
from core.handoff.queue import view_of
from core.handoff.tables import DANGER, Handoff, HandoffEvent
from core.handoff.talking import is_paused
from core.working_time import Due

_TAKEN = ("claimed", "reassigned", "taken_over")


def due_cases(session: Session, *, now: datetime, limit: int = 200) -> list[int]:
    """Return the cases whose deadline has passed, the longest overdue first."""
    query = select(Handoff.id).where(Handoff.ended_at.is_(None), Handoff.due_at <= now)
    return list(session.scalars(query.order_by(Handoff.due_at).limit(limit)))


def step(session: Session, handoff_id: int, *, book: Book, now: datetime) -> str | None:
    """Do what is due of one case and return what it was, None if nothing is (any more)."""
    conversation, case = hold_case(session, handoff_id)
    if case.ended_at is not None or case.due_at is None or case.due_at > now:
        return None
    if case.left_message:
        return _message_late(session, case, book=book, now=now)
    if conversation.mode == "offered":
        lapse_offer(session, handoff_id, book=book, now=now)
        return "offer_expired"
    if conversation.mode == "queued":
        return _still_queued(session, conversation, case, book=book, now=now)
    if conversation.mode == "wrap_up":
        expire_wrap_up(session, handoff_id, book=book, now=now)
        return "handed_back"
    if conversation.mode == "human":
        return _silence(session, conversation, case, book=book, now=now)
    case.due_at = None
    return None


def _still_queued(
    session: Session, conversation: Conversation, case: Handoff, *, book: Book, now: datetime
) -> str | None:
    """Tell the truth again; who was told before that nobody is there is not kept waiting in vain."""
    told = [event for event in events_of(session, case.id) if event.kind == "requested" or _is(event, "waiting")]
    nobody = not book.staff(session, now=now)
    knew = nobody and bool(told) and bool(told[-1].data.get("nobody"))
    patience = book.limits.minutes("nobody_danger" if case.priority == DANGER else "nobody")
    if knew and now - case.requested_at >= patience:
        leave_message(session, conversation.id, book=book, now=now, by="nobody")
        assert case.due_at is not None
        by = speech.by(Due(case.due_at, certain=True), book=book, now=now)
        text = book.words.queue.turned_message.format(by=by) + book.words.queue.hotline
        say(session, conversation, text, now=now)
        return "left_message"
    if knew and case.priority == DANGER:
        case.due_at = case.requested_at + patience  # what to do was said with the warning; nothing to add to that
        return None
    view = view_of(session, conversation.id, book=book, now=now)
    assert view is not None
    times = sum(event.kind == "warned" for event in told) + 1
    draft = speech.still_waiting(view, book=book, now=now)
    say(session, conversation, draft.text, now=now, buttons=draft.buttons)
    after = min(book.limits.minutes("queued_reminder") * 2**times, book.limits.minutes("queued_reminder_most"))
    case.due_at = now + (book.limits.minutes("nobody") if nobody else after)
    if nobody:
        note_nobody(session, case, view.answer_by, now=now)
    else:
        note_event(session, case, "warned", now=now, what="waiting", nobody=False)
    return "waiting"


def _silence(session: Session, conversation: Conversation, case: Handoff, *, book: Book, now: datetime) -> str | None:
    """Remind whoever does not answer: the agent at first, then his supervisors; or the customer, and then it ends."""
    events = events_of(session, case.id)
    since = waits_since(events)
    if since is not None:
        return _agent_silent(session, conversation, case, events, since, book=book, now=now)
    last = next(
        (event.at for event in reversed(events) if event.kind in ("agent_replied", "resumed", "reopened")), None
    )
    if last is None or is_paused(session, case):
        case.due_at = None
        return None
    if any(_is(event, "customer_silent") and event.at >= last for event in events):
        return "closed_idle" if close_idle(session, case.id, book=book, now=now) else None
    if (due := last + book.limits.minutes("customer_silent")) > now:
        case.due_at = due
        return None
    rest = book.limits.customer_silent_finish_minutes
    case.due_at = now + book.limits.minutes("customer_silent_finish")
    say(session, conversation, book.words.silent.format(minutes=rest), now=now)
    note_event(session, case, "warned", now=now, what="customer_silent")
    return "customer_silent"


def waits_since(events: Sequence[HandoffEvent]) -> datetime | None:
    """Return since when the customer waits for an agent's words; None if it is his turn, or nobody has taken it.

    What was written in the queue is no fault of who takes the case: it counts from then on.
    """
    since, taken = None, False
    for event in events:
        if event.kind in _TAKEN:
            since, taken = since or event.at, True
        elif event.kind == "agent_replied":
            since = None
        elif event.kind == "customer_wrote" and taken:
            since = since or event.at
        elif event.kind in ("vanished", "transferred"):
            since, taken = None, False
    return since


def _agent_silent(
    session: Session, conversation: Conversation, case: Handoff, events: Sequence[HandoffEvent], since: datetime, *,
    book: Book, now: datetime,
) -> str | None:  # fmt: skip
    warn_at = since + book.limits.seconds("agent_silent")
    escalate_at = since + book.limits.seconds("agent_silent_escalation")
    kinds = {event.kind for event in events if _is(event, "agent_silent") and event.at >= since}
    if now >= escalate_at and "escalated" not in kinds:
        case.due_at = None
        note_event(session, case, "escalated", now=now, what="agent_silent")
        if words_wait(events):  # who asked nothing since the last answer is not told that he waits
            say(session, conversation, book.words.agent_late, now=now)
        tell_desk(session, case, "warning", now=now, what="agent_silent", level="escalated", agent=case.agent_id)
        return "escalated"
    if warn_at <= now < escalate_at and "warned" not in kinds:
        case.due_at = escalate_at
        note_event(session, case, "warned", now=now, what="agent_silent")
        tell_desk(session, case, "warning", now=now, agent_id=case.agent_id, what="agent_silent", level="warned")
        return "agent_silent"
    case.due_at = next((at for at in (warn_at, escalate_at) if at > now), None)
    return None


def _message_late(session: Session, case: Handoff, *, book: Book, now: datetime) -> str:
    """A message that was left was not answered in time: the supervisors hear of it.

    The customer hears the new time from the ledger, whose notice `moved_case_answer` this event brings about.
    """
    due = book.calendar.answer_by(now, case.skill, case.priority)
    note_event(session, case, "promised", now=now, due_at=due.at.isoformat(), certain=due.certain, what="message",
               moved=True)  # fmt: skip
    case.due_at = due.at
    tell_desk(session, case, "warning", now=now, what="message_late", level="escalated")
    return "message_late"


def _is(event: HandoffEvent, what: str) -> bool:
    return event.kind in ("warned", "escalated") and event.data.get("what") == what
