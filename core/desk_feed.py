"""What the desk is told: one growing list of hints that consoles resume by sequence number.

An event says that something changed and where; who reads it looks the rest up. Numbers grow in the order of the commits
(one writer at a time), so that a reader who has seen number n has missed nothing below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import BridgeBase, Instant
from core.locking import one_at_a_time

KINDS = (
    "case",  # a case was opened, moved, offered, claimed, ended: read it again
    "message",  # the log of a conversation has grown
    "note",  # an internal note was added
    "agents",  # somebody came, went, or changed status
    "warning",  # a clock is close to its promise, or past it
    "whisper",  # a supervisor speaks to the agent alone
    "help",  # an agent asks the supervisor
)


class DeskEvent(BridgeBase):
    """One hint; `agent_id` is whom alone it is for, None means everybody who may see the conversation."""

    __tablename__ = "desk_events"
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(String(10))
    conversation_id: Mapped[str | None] = mapped_column(String(36))
    handoff_id: Mapped[int | None]
    agent_id: Mapped[int | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


def announce(
    session: Session,
    kind: str,
    *,
    now: datetime,
    conversation_id: str | None = None,
    handoff_id: int | None = None,
    agent_id: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> DeskEvent:
    """Append a hint; call it last in a transaction, for it makes other writers of hints wait.

    Raises:
        ValueError: if the kind is none of KINDS.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of desk event: {kind}")
    one_at_a_time(session, "desk_events")
    seq = last_seq(session) + 1
    event = DeskEvent(
        seq=seq, at=now, kind=kind, conversation_id=conversation_id, handoff_id=handoff_id, agent_id=agent_id,
        data=dict(data or {}),
    )  # fmt: skip
    session.add(event)
    session.flush()
    return event


def last_seq(session: Session) -> int:
    """Return the number of the newest hint, 0 if there is none."""
    return session.scalar(select(func.max(DeskEvent.seq))) or 0


def events_after(session: Session, seq: int, *, limit: int = 500) -> list[DeskEvent]:
    """Return the hints above `seq`, in order."""
    return list(session.scalars(select(DeskEvent).where(DeskEvent.seq > seq).order_by(DeskEvent.seq).limit(limit)))
