"""What every step in the life of a case shares: the locked rows, the log of what happened, the hint to the desk.

A step locks the conversation first and tells the desk last, and touches one conversation only: so no two steps can wait
for each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from core import conversation as log_of
from core import desk_feed
from core.conversation import Conversation, Draft, Message
from core.desk_note import MAX_NOTE, DeskNote, Kind
from core.handoff import ledger
from core.handoff.tables import CaseNotFound, Handoff, HandoffEvent, NotHolder

_OF = select(Handoff).where(Handoff.conversation_id == bindparam("of"), Handoff.ended_at.is_(None))
_OPEN = _OF.order_by(Handoff.id.desc()).limit(1).execution_options(populate_existing=True)


class BadNote(ValueError):
    """A note is empty or too long."""


def open_case(session: Session, conversation_id: str) -> Handoff | None:
    """Return the case of a conversation that is not over, None if there is none; there is never more than one.

    It is read anew: whoever has waited for the lock of the conversation may hold an older picture of it.
    """
    return session.scalar(_OPEN, {"of": conversation_id})


def hold(session: Session, conversation_id: str) -> tuple[Conversation, Handoff]:
    """Lock a conversation and return it with its open case.

    Raises:
        ConversationNotFound: if there is no such conversation.
        CaseNotFound: if it has no open case.
    """
    conversation = log_of.find_conversation(session, conversation_id, lock=True)
    case = open_case(session, conversation_id)
    if case is None:
        raise CaseNotFound(conversation_id)
    return conversation, case


def hold_case(session: Session, handoff_id: int) -> tuple[Conversation, Handoff]:
    """Lock the conversation of a case and return both as they are now; the case may be over.

    Raises:
        CaseNotFound: if there is no case with this id.
    """
    conversation_id = session.scalar(select(Handoff.conversation_id).where(Handoff.id == handoff_id))
    if conversation_id is None:
        raise CaseNotFound(handoff_id)
    query = select(Conversation).where(Conversation.id == conversation_id).with_for_update()
    conversation = session.scalars(query.execution_options(populate_existing=True)).one()
    return conversation, session.get_one(Handoff, handoff_id, populate_existing=True)


def held_by(session: Session, conversation_id: str, agent_id: int) -> tuple[Conversation, Handoff]:
    """Lock a conversation and return it with its open case, which is this agent's.

    Raises:
        CaseNotFound: if it has no open case.
        NotHolder: if another agent has it, or nobody.
    """
    conversation, case = hold(session, conversation_id)
    if case.agent_id != agent_id:
        raise NotHolder(conversation_id)
    return conversation, case


def note_event(
    session: Session, case: Handoff, kind: str, *, now: datetime, agent_id: int | None = None, **data: Any
) -> HandoffEvent:
    """Append to what happened to a case; what it promises, or settles, the ledger of promises hears of."""
    event = HandoffEvent(
        handoff_id=case.id, conversation_id=case.conversation_id, at=now, kind=kind, agent_id=agent_id, data=data
    )
    session.add(event)
    session.flush()
    ledger.ask(session, event)
    return event


def events_of(session: Session, handoff_id: int) -> list[HandoffEvent]:
    """Return what happened to a case, in order."""
    query = select(HandoffEvent).where(HandoffEvent.handoff_id == handoff_id)
    return list(session.scalars(query.order_by(HandoffEvent.id)))


def words_wait(events: Iterable[HandoffEvent]) -> bool:
    """Tell whether the customer's own words wait for an answer: a question, or the wish for a person itself.

    A new agent after another one's answer is no question, nor is a supervisor who steps in unasked, nor mere thanks.
    """
    wait, begun = False, None
    for event in events:
        if event.kind == "requested":
            wait, begun = True, event.at
        elif event.kind == "agent_replied" or (event.kind == "taken_over" and event.at == begun):
            wait = False
        elif event.kind == "customer_wrote" and not event.data.get("closing"):
            wait = True
    return wait


def tell_desk(
    session: Session, case: Handoff, kind: str = "case", *, now: datetime, agent_id: int | None = None, **data: Any
) -> None:
    """Hint the desk at a change of this case, last in a transaction; `agent_id`: for one agent alone."""
    desk_feed.announce(
        session, kind, now=now, conversation_id=case.conversation_id, handoff_id=case.id, agent_id=agent_id, data=data
    )


def say(
    session: Session, conversation: Conversation, text: str, *, now: datetime,
    buttons: tuple[tuple[str, str], ...] = (), delivered_as: str | None = None,
) -> Message:  # fmt: skip
    """Append a line of the bridge itself; who has the conversation is told before by whom, so it wakes no dialogue."""
    draft = Draft("system", text, "notice", buttons=buttons, delivered_as=delivered_as)
    last_at = conversation.last_at
    message = log_of.record_reply(session, conversation, draft, now=now)
    conversation.last_at = last_at
    return message


def add_note(
    session: Session, conversation: Conversation, case: Handoff | None, agent_id: int, kind: Kind, text: str, *,
    now: datetime, to_agent: int | None = None,
) -> DeskNote:  # fmt: skip
    """Add an internal note.

    Raises:
        BadNote: if it is empty or longer than MAX_NOTE.
    """
    text = text.strip()
    if not 0 < len(text) <= MAX_NOTE:
        raise BadNote(f"1 to {MAX_NOTE} characters")
    note = DeskNote(
        conversation_id=conversation.id, handoff_id=case.id if case else None, at=now, agent_id=agent_id, kind=kind,
        after_seq=conversation.next_seq - 1, to_agent=to_agent, text=text,
    )  # fmt: skip
    session.add(note)
    session.flush()
    return note
