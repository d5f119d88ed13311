"""Joining a conversation to another one, once both are known to be the same customer's.

The log of what was joined stays where it is: it is only ever added to. What goes along is what is not over: the open
case of the desk with its place in the queue, the question for satisfaction, the buttons. Whoever still writes with the
session of the joined conversation writes into the other one (`find_conversation`); orders, promises and notices name
the joined one, and their news arrive in the other one by the same way.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from core.conversation import Button, Conversation, change_mode, open_turns
from core.desk_note import DeskNote
from core.handoff.case import note_event, open_case, tell_desk
from core.handoff.tables import Handoff
from core.survey import Survey

MOST_TALKS = 20  # joined conversations whose orders are looked for
_JOINED = select(Conversation.id).where(Conversation.joined_to == bindparam("of"))
_TALKS = _JOINED.order_by(Conversation.joined_at.desc()).limit(MOST_TALKS)


def join(session: Session, own: Conversation, home: Conversation, *, now: datetime) -> bool:
    """Join `own` to `home` (both locked); false, and nothing changes, while an answer is still due in `own`.

    Replies go on where the customer has written last.
    """
    if own.id == home.id or own.joined_to is not None or open_turns(session, own.id):
        return False
    bring_cases(session, own, home, now=now)
    _bring_buttons(session, own, home)
    if own.last_at > home.last_at:
        home.channel, home.channel_user_id, home.last_at = own.channel, None, own.last_at
    for earlier in session.scalars(select(Conversation).where(Conversation.joined_to == own.id)):
        earlier.joined_to = home.id
    own.joined_to, own.joined_at = home.id, now
    if own.mode != "closed":
        change_mode(own, "close", now=now)
    session.flush()
    return True


def joined_to(session: Session, conversation_id: str) -> list[Conversation]:
    """Return the conversations that were joined to this one, in the order of their beginning."""
    query = select(Conversation).where(Conversation.joined_to == conversation_id)
    return list(session.scalars(query.order_by(Conversation.created_at)))


def talks_of(session: Session, conversation_id: str) -> tuple[str, ...]:
    """Return the ids of the conversations that were joined to this one, the latest ones first."""
    return tuple(session.scalars(_TALKS, {"of": conversation_id}))


def close_unreachable(session: Session, conversation: Conversation, *, why: str, now: datetime) -> None:
    """Close a conversation (locked) that nobody reads any more, and end its case."""
    case = open_case(session, conversation.id)
    if case is not None:
        case.ended_at, case.due_at, case.offered_to = now, None, None
        note_event(session, case, "closed", now=now, agent_id=case.agent_id, why=why)
    if conversation.mode != "closed":
        change_mode(conversation, "close", now=now)
    if case is not None:
        tell_desk(session, case, now=now, what="closed")


def bring_cases(session: Session, own: Conversation, home: Conversation, *, now: datetime) -> bool:
    """Let the open case go along, and tell whether one did; of two a person's wins, else that at home."""
    brought, there = open_case(session, own.id), open_case(session, home.id)
    if brought is not None and there is not None:
        wins = brought.agent_id is not None and there.agent_id is None
        _end_as_joined(session, there if wins else brought, now=now)
        if wins:
            home.mode = "bot"
        else:
            own.mode, brought = "bot", None
    _bring_surveys(session, own, home)
    if brought is None:
        return False
    brought.conversation_id = home.id
    session.flush()
    if not brought.left_message:
        home.mode, home.mode_since, home.mode_reason = own.mode, own.mode_since, own.mode_reason
    home.priority = min(home.priority, own.priority)
    notes = update(DeskNote).where(DeskNote.conversation_id == own.id, DeskNote.handoff_id == brought.id)
    session.execute(notes.values(conversation_id=home.id, after_seq=home.next_seq - 1))
    note_event(session, brought, "joined", now=now, agent_id=brought.agent_id, joined=own.id)
    tell_desk(session, brought, now=now, what="joined", joined=own.id)
    return True


def _end_as_joined(session: Session, case: Handoff, *, now: datetime) -> None:
    case.ended_at, case.due_at, case.offered_to = now, None, None
    note_event(session, case, "closed", now=now, agent_id=case.agent_id, why="joined")
    tell_desk(session, case, now=now, what="closed")


def _bring_surveys(session: Session, own: Conversation, home: Conversation) -> None:
    """Let a question for satisfaction that is to be put, or not answered yet, go along with its case."""
    asked = select(Survey).where(Survey.conversation_id == own.id, Survey.answered_at.is_(None))
    for survey in session.scalars(asked.where(Survey.skipped.is_(None))):
        survey.conversation_id = home.id
        session.get_one(Handoff, survey.handoff_id).conversation_id = home.id
    over = select(Handoff).outerjoin(Survey, Survey.handoff_id == Handoff.id).where(
        Handoff.conversation_id == own.id, Handoff.ended_at.is_not(None), Survey.id.is_(None)
    )  # fmt: skip
    for case in session.scalars(over):
        case.conversation_id = home.id


def _bring_buttons(session: Session, own: Conversation, home: Conversation) -> None:
    """Let the buttons that the page still shows be pressed; their messages stay in the other log."""
    session.execute(update(Button).where(Button.conversation_id == own.id).values(conversation_id=home.id, seq=0))
