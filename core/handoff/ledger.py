"""What the desk promises customers, carried from the logs of cases into the ledger of promises (`core.promise`).

The ledger is in another database: what has to be entered is asked for through the outbox, in the transaction that says
it. What is entered then is the whole case as its log tells it: the rows that the ledger has of a case are the beginning
of that, so that the same again, late or in another order, changes nothing. Who is told a new time that was not said in
the conversation yet hears it from the ledger, and from nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from core import outbox, promise
from core.conversation import Conversation
from core.handoff.tables import Handoff, HandoffEvent
from core.promise import ANSWER, CONTACT, Promise, Subject

KIND = "desk_promise"  # of the outbox
ENDED = ("handed_back", "closed", "left_queue")
_DONE = ("agent_replied", *ENDED)


@dataclass(frozen=True)
class Given:
    """One time given to a customer; `unsaid`: he does not know of it yet, `done_at`: since when it is done with."""

    due_at: datetime
    told_at: datetime
    unsaid: bool = False
    done_at: datetime | None = None


@dataclass(frozen=True)
class Told:
    """All times that a case gave: until when somebody answers (one after another), and what its note promised."""

    handoff_id: int
    conversation_id: str
    answers: Sequence[Given]
    contacts: Sequence[Given]


def ask(session: Session, event: HandoffEvent) -> None:
    """Ask that the ledger hears of an event that gives a time, or is the end of one that was given."""
    if event.kind == "promised":
        _put(session, event.handoff_id, f"{event.id}", event.at)
        return
    if event.kind not in _DONE:
        return
    mine = select(func.max(HandoffEvent.id)).where(HandoffEvent.handoff_id == event.handoff_id)
    last = session.scalar(mine.where(HandoffEvent.kind == "promised"))
    if last is not None:
        _put(session, event.handoff_id, f"{last}:done", event.at)
    if event.kind in ENDED and session.get_one(Handoff, event.handoff_id).note.get("promised"):
        _put(session, event.handoff_id, "note", event.at)
    if event.kind == "agent_replied":
        for earlier in _notes_before(session, event):
            _put(session, earlier, "note:done", event.at)


def told_of(session: Session, handoff_id: int) -> Told | None:
    """Return what the log and the note of a case tell; None if there is no such case."""
    case = session.get(Handoff, handoff_id)
    if case is None:
        return None
    query = select(HandoffEvent).where(HandoffEvent.handoff_id == handoff_id).order_by(HandoffEvent.id)
    events = session.scalars(query).all()
    # Where it began: a case that went along when its conversation was joined is still promised to the first one.
    began = events[0].conversation_id if events else case.conversation_id
    return Told(case.id, began, answers(events), _contacts(session, case))


def answers(events: Iterable[HandoffEvent]) -> list[Given]:
    """Return the times until when somebody would answer; the last one may stand still."""
    found: list[Given] = []
    for event in events:
        stands = found[-1] if found and found[-1].done_at is None else None
        if event.kind == "promised":
            due_at = datetime.fromisoformat(event.data["due_at"])
            if stands is None or stands.due_at != due_at:
                found.append(Given(due_at, event.at, unsaid=bool(event.data.get("moved"))))
        elif event.kind in _DONE and stands is not None:
            found[-1] = replace(stands, done_at=event.at)
    return found


def enter(session: Session, told: Told) -> None:
    """Bring the ledger (`session`: of the work-order database) to where the case is; the caller holds its subject."""
    subject = Subject("case", told.handoff_id)
    for place, one in enumerate(told.answers):
        rows = promise.told(session, subject, ANSWER, told.conversation_id)
        last = place == len(told.answers) - 1
        row = rows[place] if place < len(rows) else _answer(session, subject, told, one, last=last)
        _settle(row, one)
    rows = promise.told(session, subject, CONTACT, told.conversation_id)
    for place, one in enumerate(told.contacts):
        row = rows[place] if place < len(rows) else promise.give(
            session, subject, CONTACT, one.due_at, conversation_id=told.conversation_id, now=one.told_at
        )  # fmt: skip
        _settle(row, one)


def _answer(session: Session, subject: Subject, told: Told, one: Given, *, last: bool) -> Promise:
    """Give the next time; only one that stands at the end of the log is news to the customer."""
    news = one.unsaid and last and one.done_at is None
    if news and promise.due_of(session, subject, ANSWER) is not None:
        promise.move(session, subject, ANSWER, one.due_at, now=one.told_at)
        return promise.told(session, subject, ANSWER, told.conversation_id)[-1]
    return promise.tell(
        session, subject, ANSWER, one.due_at, conversation_id=told.conversation_id, now=one.told_at
    )  # fmt: skip


def _settle(row: Promise, one: Given) -> None:
    if one.done_at is not None and row.kept_at is None and row.moved_to is None:
        row.kept_at = one.done_at


def _contacts(session: Session, case: Handoff) -> list[Given]:
    """Return the times of the note; they are done with once an agent writes to the customer in a later case."""
    due = [datetime.fromisoformat(one["due_at"]) for one in case.note.get("promised", []) if one.get("due_at")]
    if case.ended_at is None or not due:
        return []
    later = select(func.min(HandoffEvent.at)).join(Handoff, Handoff.id == HandoffEvent.handoff_id)
    done_at = session.scalar(
        later.join(Conversation, Conversation.id == Handoff.conversation_id)
        .where(_same_customer(session, case.conversation_id), Handoff.id > case.id)
        .where(HandoffEvent.kind == "agent_replied", HandoffEvent.at >= case.ended_at)
    )
    return [Given(at, case.ended_at, done_at=done_at) for at in sorted(set(due))]


def _notes_before(session: Session, event: HandoffEvent) -> list[int]:
    """Return the earlier cases of the same customer whose note promised something."""
    query = (
        select(Handoff.id, Handoff.note)
        .join(Conversation, Conversation.id == Handoff.conversation_id)
        .where(_same_customer(session, event.conversation_id))
        .where(Handoff.id < event.handoff_id, Handoff.ended_at.is_not(None))
    )
    return [handoff_id for handoff_id, note in session.execute(query) if note.get("promised")]


def _same_customer(session: Session, conversation_id: str) -> ColumnElement[bool]:
    customer_no = session.scalar(select(Conversation.customer_no).where(Conversation.id == conversation_id))
    mine = Conversation.id == conversation_id
    return mine if customer_no is None else or_(mine, Conversation.customer_no == customer_no)


def _put(session: Session, handoff_id: int, what: str, now: datetime) -> None:
    outbox.put(session, kind=KIND, key=f"{handoff_id}:{what}", payload={"case": handoff_id}, now=now)
