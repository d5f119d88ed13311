"""Calls for help of the agents: open until a supervisor looked, whispered, or put the case into other hands."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.desk_note import DeskNote
from core.handoff.case import note_event, tell_desk
from core.handoff.tables import Handoff, HandoffEvent

ASKED, SEEN = "help_asked", "help_seen"
_KINDS = (ASKED, SEEN, "whispered", "taken_over", "reassigned", "transferred")  # what a call is, and what settles it


def open_calls(session: Session, conversation_id: str | None = None) -> list[DeskNote]:
    """Return the questions that no supervisor has turned to, the oldest first; of one conversation, or of all.

    Of several of one case only the last is returned.
    """
    last = select(func.max(HandoffEvent.id)).join(Handoff, Handoff.id == HandoffEvent.handoff_id)
    last = last.where(Handoff.ended_at.is_(None), HandoffEvent.kind.in_(_KINDS)).group_by(HandoffEvent.handoff_id)
    if conversation_id is not None:
        last = last.where(Handoff.conversation_id == conversation_id)
    asked = select(HandoffEvent.handoff_id).where(HandoffEvent.id.in_(last), HandoffEvent.kind == ASKED)
    notes = select(func.max(DeskNote.id)).where(DeskNote.kind == "help", DeskNote.handoff_id.in_(asked))
    query = select(DeskNote).where(DeskNote.id.in_(notes.group_by(DeskNote.handoff_id)))
    return list(session.scalars(query.order_by(DeskNote.id)))


def look_at_calls(session: Session, conversation_id: str, *, agent_id: int, now: datetime) -> bool:
    """Note that supervisor `agent_id` has opened the conversation; false if nobody else there asks for help."""
    calls = [one for one in open_calls(session, conversation_id) if one.agent_id != agent_id]
    for one in calls:
        case = session.get_one(Handoff, one.handoff_id)
        note_event(session, case, SEEN, now=now, agent_id=agent_id)
        tell_desk(session, case, now=now, what=SEEN)
    return bool(calls)
