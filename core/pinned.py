"""The place that a customer has sent as a point on the map: for a while it is where they mean."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.conversation import Message

LOCATION = "location"  # type of such a message
FRESH = timedelta(minutes=30)  # so long it is taken for the place that is meant


def pinned(session: Session, conversation_id: str, *, now: datetime, until: int | None = None) -> str | None:
    """Return the address of the newest point sent lately, None if there is none; `until` leaves out later messages."""
    query = select(Message.text).where(
        Message.conversation_id == conversation_id, Message.author == "customer", Message.type == LOCATION,
        Message.at > now - FRESH,
    )  # fmt: skip
    if until is not None:
        query = query.where(Message.seq <= until)
    return session.scalar(query.order_by(Message.seq.desc()).limit(1))
