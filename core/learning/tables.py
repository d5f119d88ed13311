"""The tables of learning from questions: what was not understood, in groups; what reviewers made of it; models."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import BridgeBase, Instant

# Why a message is here; one message may have several reasons.
REASONS = ("unanswered", "low_confidence", "corrected", "handed_over")
OPEN, LABELLED, ANSWERED, DISMISSED = "open", "labelled", "answered", "dismissed"  # of an item


class LearningItem(BridgeBase):
    """One message of a customer that the bot did not do justice to; `text` is already without personal data."""

    __tablename__ = "learning_items"
    __table_args__ = (
        UniqueConstraint("conversation_id", "seq"),
        Index("ix_learning_items_group", "group_id", "state"),
        Index("ix_learning_items_at", "at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(String(36))
    seq: Mapped[int]
    at: Mapped[datetime] = mapped_column(Instant)
    channel: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    reasons: Mapped[list[str]] = mapped_column(JSON)
    intent: Mapped[str | None] = mapped_column(String(80))  # as it was understood
    confidence: Mapped[float | None]
    suggested: Mapped[str | None] = mapped_column(String(80))  # an agent's correction
    harm: Mapped[float] = mapped_column(default=0)
    parts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # what the harm is the sum of
    group_id: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(10), default=OPEN)
    label: Mapped[str | None] = mapped_column(String(80))  # the right intent, of a reviewer
    faq_id: Mapped[int | None]
    reviewed_by: Mapped[int | None]
    reviewed_at: Mapped[datetime | None] = mapped_column(Instant)
    exported_at: Mapped[datetime | None] = mapped_column(Instant)


class LearningGroup(BridgeBase):
    """Messages that say much the same, with a readable name; ranked by harm, not by size alone."""

    __tablename__ = "learning_groups"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    size: Mapped[int]
    harm: Mapped[float] = mapped_column(index=True)
    parts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # what the harm is the sum of
    example: Mapped[str] = mapped_column(Text)  # the message in its middle
    made_at: Mapped[datetime] = mapped_column(Instant)


class LearnedFaq(BridgeBase):
    """A question with its answer that a reviewer wrote; it is known to the model once it was trained with it."""

    __tablename__ = "learned_faqs"
    __table_args__ = (UniqueConstraint("key"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(40))  # the id of the item of knowledge
    question: Mapped[str] = mapped_column(Text)
    also: Mapped[list[str]] = mapped_column(JSON)  # other ways in which customers put it
    answer: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(String(10))
    source: Mapped[str] = mapped_column(Text)
    month: Mapped[str] = mapped_column(String(7))  # YYYY-MM of the facts
    status: Mapped[str] = mapped_column(String(10))  # verified | secondary | unverified, as of an item of knowledge
    state: Mapped[str] = mapped_column(String(10))  # draft | ready | withdrawn
    author_id: Mapped[int]
    edited_by: Mapped[int]  # who changed it last, at `at`
    version: Mapped[int] = mapped_column(default=1)  # counts the changes: an edit names the one that it was made from
    at: Mapped[datetime] = mapped_column(Instant)


class ModelVersion(BridgeBase):
    """One trained model: where it lies, what it was trained from, how it compares, and whether it runs."""

    __tablename__ = "model_versions"
    __table_args__ = (UniqueConstraint("name"), Index("ix_model_versions_state", "state"))
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    file: Mapped[str] = mapped_column(String(120))  # below models/
    sha256: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10))  # training | candidate | running | retired | failed
    trained_at: Mapped[datetime | None] = mapped_column(Instant)
    started_at: Mapped[datetime] = mapped_column(Instant)
    promoted_at: Mapped[datetime | None] = mapped_column(Instant)
    learned: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # how many messages and answers it adds
    figures: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # by validation set
    compared: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # with which, verdict, what got worse
    asked_by: Mapped[int | None]  # agent who asked for it in the console
    error: Mapped[str | None] = mapped_column(Text)
