"""The tables of messages that we send first: choices, broadcasts (one event), sends (one subscriber each), marks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import BridgeBase, Instant

# What there is to hear of.
KINDS = ("bill_ready", "balance_low", "planned_outage", "outage", "order_progress", "promise_moved", "offer")
OFFER = "offer"  # advertising by law: nobody hears of it who has not named it, and never ahead of an answer
RUNNING, STOPPED, DONE = "running", "stopped", "done"  # of a broadcast
WAITING, SENDING, SENT, DEAD, SKIPPED = "waiting", "sending", "sent", "dead", "skipped"  # of a send
# Channels of a send, beside `sms` and `chat`; `subscribe`: a subscription message of WeChat, from its taking on.
WECHAT, SUBSCRIBE = "wechat", "subscribe"


class Choice(BridgeBase):
    """Whether a customer (or a channel's user without one) wants to hear of a kind of thing, and over which channel.

    No row: as data/notices.yaml says. `subject` is `customer:<customer_no>` or `user:<channel user's id>`.
    """

    __tablename__ = "notice_choices"
    subject: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    wanted: Mapped[bool]
    channel: Mapped[str] = mapped_column(String(16))  # wechat | sms | chat (in the conversation alone)
    changed_at: Mapped[datetime] = mapped_column(Instant)


class Broadcast(BridgeBase):
    """One event that many are told: fanned out in steps (`cursor`: how far), sent at a rate, stopped by an operator."""

    __tablename__ = "broadcasts"
    __table_args__ = (UniqueConstraint("key"), Index("ix_broadcasts_state", "state"))
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(80))  # the same event again is the same broadcast
    wording: Mapped[str] = mapped_column(String(40))
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
    audience: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(8), default=RUNNING)
    cursor: Mapped[int] = mapped_column(default=0)
    fanned_out: Mapped[bool] = mapped_column(default=False)
    not_before: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)  # nobody wants to hear of it later
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    stopped_by: Mapped[str | None] = mapped_column(String(40))


class Send(BridgeBase):
    """What one subscriber is told of one broadcast."""

    __tablename__ = "sends"
    __table_args__ = (
        UniqueConstraint("broadcast_id", "recipient"),
        Index("ix_sends_due", "broadcast_id", "state", "channel", "next_at", "id"),
        Index("ix_sends_user", "channel_user_id", "broadcast_id"),
        Index("ix_sends_untold", "recipient", "told_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    broadcast_id: Mapped[int]
    recipient: Mapped[str] = mapped_column(String(40))  # user:<id> | customer:<customer_no>
    channel: Mapped[str] = mapped_column(String(16))
    channel_user_id: Mapped[int | None]
    values: Mapped[dict[str, Any]] = mapped_column(JSON)  # beside those of the broadcast
    state: Mapped[str] = mapped_column(String(8), default=WAITING)
    next_at: Mapped[datetime] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(String(200))
    remote_id: Mapped[str | None] = mapped_column(String(40))  # what the channel calls it
    sent_at: Mapped[datetime | None] = mapped_column(Instant)  # while it is not sent: when it perhaps was
    told_at: Mapped[datetime | None] = mapped_column(Instant)  # when it went into the log of a conversation


class NoticeMark(BridgeBase):
    """How far a source of events was read (`core.proactive.sources`); it moves with the sends that came of it."""

    __tablename__ = "notice_marks"
    source: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed_at: Mapped[datetime] = mapped_column(Instant)
