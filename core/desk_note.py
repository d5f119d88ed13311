"""Internal notes of the desk: between agents and supervisors, never in the log that customers read."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import BridgeBase, Instant

Kind = Literal["note", "transfer", "help", "whisper"]
MAX_NOTE = 2000  # characters


class DeskNote(BridgeBase):
    """One note; `after_seq` is the last message of the log when it was written, `to_agent` whom a whisper is for."""

    __tablename__ = "desk_notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"), index=True)
    handoff_id: Mapped[int | None] = mapped_column(ForeignKey("handoffs.id"))
    at: Mapped[datetime] = mapped_column(Instant)
    agent_id: Mapped[int]
    kind: Mapped[str] = mapped_column(String(10))
    after_seq: Mapped[int]
    to_agent: Mapped[int | None]
    text: Mapped[str] = mapped_column(Text)


def notes_of(session: Session, conversation_id: str) -> list[DeskNote]:
    """Return the notes of a conversation, in order."""
    return list(
        session.scalars(select(DeskNote).where(DeskNote.conversation_id == conversation_id).order_by(DeskNote.id))
    )
