"""The place that a customer has sent as a point on the map: for a while it is where they mean."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from core.conversation import Message

LOCATION = "location"  # type of such a message
FRESH = timedelta(minutes=30)  # so long it is taken for the place that is meant
MAX_SEQ = 2**31 - 1  # what the column holds
_PINS = select(Message.text).where(
    Message.conversation_id == bindparam("of"), Message.author == "customer", Message.type == LOCATION,
    Message.at > bindparam("since"), Message.seq <= bindparam("until"),
)  # fmt: skip
_PINNED = _PINS.order_by(Message.seq.desc()).limit(1)


def pinned(session: Session, conversation_id: str, *, now: datetime, until: int | None = None) -> str | None:
    """Return the address of the newest point sent lately, None if there is none; `until` leaves out later messages."""
    whose = {"of": conversation_id, "since": now - FRESH, "until": MAX_SEQ if until is None else until}
    return session.scalar(_PINNED, whose)
