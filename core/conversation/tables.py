"""The tables of the log: conversations, their messages, and the buttons that were issued."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import BridgeBase, Instant

PRIORITY_NORMAL, PRIORITY_DANGER = 5, 0  # lower is served first
MAX_TITLE, MAX_REASON = 80, 40  # characters that the columns hold


class Conversation(BridgeBase):
    """One customer's conversation; `channel` is where the customer wrote last, and so where replies go.

    `channel_user_id` is set while replies have to be pushed to a user of a channel (`core.channel`). A conversation
    that was joined to another one (`joined_to`) goes on there.
    """

    __tablename__ = "conversations"
    __table_args__ = (Index("ix_conversations_queue", "mode", "priority", "mode_since"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    channel: Mapped[str] = mapped_column(String(16))
    customer_no: Mapped[str | None] = mapped_column(String(12), index=True)
    accounts: Mapped[list[str]] = mapped_column(JSON, default=list)
    assurance: Mapped[int] = mapped_column(default=0)
    assured: Mapped[list[str]] = mapped_column(JSON, default=list)  # accounts that the latest code covers
    assured_until: Mapped[datetime | None] = mapped_column(Instant)
    mode: Mapped[str] = mapped_column(String(8), default="bot")
    mode_since: Mapped[datetime] = mapped_column(Instant)
    mode_reason: Mapped[str | None] = mapped_column(String(MAX_REASON))
    priority: Mapped[int] = mapped_column(default=PRIORITY_NORMAL)
    dialogue: Mapped[int] = mapped_column(default=1)  # counts the fresh starts of the dialogue
    next_seq: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_at: Mapped[datetime] = mapped_column(Instant)
    note: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # what a person left for the bot: done, open, promised
    channel_user_id: Mapped[int | None] = mapped_column(index=True)
    joined_to: Mapped[str | None] = mapped_column(String(36), index=True)
    joined_at: Mapped[datetime | None] = mapped_column(Instant)

    @property
    def sender(self) -> str:
        """Return the id under which Rasa knows the present dialogue."""
        return f"{self.id}.{self.dialogue}"

    def assured_at(self, now: datetime) -> tuple[str, ...]:
        """Return the accounts that a code still covers."""
        fresh = self.assured_until is not None and now < self.assured_until
        return tuple(number for number in self.accounts if number in self.assured) if fresh else ()

    def assurance_at(self, now: datetime) -> int:
        """Return the assurance: 2 only while a code covers all accounts, else 1 or 0."""
        fresh = self.assured_until is not None and now < self.assured_until
        covered = fresh and set(self.accounts) <= set(self.assured)
        return self.assurance if covered else min(self.assurance, 1)


class Message(BridgeBase):
    """One message of the log."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("channel", "external_id"),
        Index("ix_messages_turn", "turn", "at"),
    )
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    author: Mapped[str] = mapped_column(String(8))
    type: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text)
    card: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    buttons: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)
    channel: Mapped[str] = mapped_column(String(16))
    external_id: Mapped[str | None] = mapped_column(String(120))  # what the channel calls a customer's message
    payload: Mapped[str | None] = mapped_column(Text)  # what a pressed button stood for
    in_reply_to: Mapped[int | None]
    understood: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # intent and confidence of a customer's message
    turn: Mapped[str | None] = mapped_column(String(8))  # of a customer's message: open until answered, then done
    agent_id: Mapped[int | None]  # who wrote it, of an agent's message
    agent_name: Mapped[str | None] = mapped_column(String(40))  # as the customer saw it


class Button(BridgeBase):
    """A button that was shown: its opaque id stands for a payload that only the bridge knows."""

    __tablename__ = "buttons"
    id: Mapped[str] = mapped_column(String(24), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"), index=True)
    seq: Mapped[int]
    title: Mapped[str] = mapped_column(String(MAX_TITLE))
    payload: Mapped[str] = mapped_column(Text)
