"""Earlier contacts of the same customer with people of the desk."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.clock import SHANGHAI
from core.conversation import Conversation
from core.handoff.tables import Handoff

REPEAT = timedelta(hours=72)  # a contact within it is a repeated one
MOST = 10


def contacts_of(session: Session, conversation: Conversation, *, now: datetime) -> dict[str, Any]:
    """Return the cases of this customer, newest first: of this conversation and of what was joined to it, if nobody
    knows who it is.

    `within_72h` counts all of them that were opened in that time, the present one too.
    """
    mine = or_(Conversation.id == conversation.id, Conversation.joined_to == conversation.id)
    if conversation.customer_no is not None:
        mine = or_(mine, Conversation.customer_no == conversation.customer_no)
    query = (
        select(Handoff)
        .join(Conversation, Conversation.id == Handoff.conversation_id)
        .where(mine)
        .order_by(Handoff.requested_at.desc(), Handoff.id.desc())
    )
    recent = session.scalars(query.where(Handoff.requested_at > now - REPEAT)).all()
    return {"within_72h": len(recent), "cases": [_case(row) for row in session.scalars(query.limit(MOST))]}


def _case(row: Handoff) -> dict[str, Any]:
    return {
        "handoff_id": row.id, "conversation_id": row.conversation_id, "requested_at": _instant(row.requested_at),
        "ended_at": _instant(row.ended_at), "reason": row.reason, "skill": row.skill, "agent_id": row.agent_id,
        "category": row.category, "outcome": row.outcome, "left_message": row.left_message,
    }  # fmt: skip


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(SHANGHAI).isoformat() if at else None
