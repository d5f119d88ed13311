"""The tables of pushing channels (WeChat): users, windows in which they may be written to, deliveries, pushes.

A web page reads the log by itself. To the user of a pushing channel every message of ours has to be sent: it gets a
`Delivery` in the transaction that logs it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import BridgeBase, Instant

WECHAT = "wechat"
# A delivery: waiting (to be sent when `next_at` has come) → passing (in the answer to a push) | sending → sent;
# parked (no window is open: goes along when the user writes), dead (given up, an operator may send it again),
# dropped (seen elsewhere, or the user has left).
WAITING, PASSING, SENDING, SENT, PARKED, DEAD, DROPPED = (
    "waiting", "passing", "sending", "sent", "parked", "dead", "dropped",
)  # fmt: skip
OPEN = (WAITING, PARKED)
MAX_ERROR = 200  # characters of an error that are kept


class ChannelUser(BridgeBase):
    """Somebody whom a channel knows (WeChat: an openid), and the conversation that is theirs now.

    `customer_no` is set when a one-time code has proved that this is the customer (`core.channel.link`).
    """

    __tablename__ = "channel_users"
    __table_args__ = (UniqueConstraint("channel", "user_id"), Index("ix_channel_users_customer", "customer_no"))
    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(16))
    user_id: Mapped[str] = mapped_column(String(64))
    conversation_id: Mapped[str] = mapped_column(String(36), index=True)
    customer_no: Mapped[str | None] = mapped_column(String(12))
    linked_at: Mapped[datetime | None] = mapped_column(Instant)
    followed: Mapped[bool] = mapped_column(default=True)  # false: has left, and nothing may be sent
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_wrote_at: Mapped[datetime | None] = mapped_column(Instant)
    scene: Mapped[str | None] = mapped_column(String(64))  # by which code the user came
    trace: Mapped[str | None] = mapped_column(String(8), index=True)  # of who left and had bound, for 180 days (erase)


class SendWindow(BridgeBase):
    """How many messages may still be sent to a user, and until when; one row a kind of cause (message, tap, …)."""

    __tablename__ = "send_windows"
    channel_user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    opened_at: Mapped[datetime] = mapped_column(Instant)
    until: Mapped[datetime] = mapped_column(Instant)
    left: Mapped[int]


class Subscription(BridgeBase):
    """How many messages made from a template a user has agreed to and not got yet; each agreement is for one."""

    __tablename__ = "subscriptions"
    channel_user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    template_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    left: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(Instant)


class Delivery(BridgeBase):
    """One message of ours on its way to one user; `part` counts the parts of it that are sent already."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("conversation_id", "seq", "channel_user_id"),
        Index("ix_deliveries_due", "state", "next_at"),
        Index("ix_deliveries_user", "channel_user_id", "state"),
        Index("ix_deliveries_sent", "channel_user_id", "sent_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(String(36))
    seq: Mapped[int]
    channel_user_id: Mapped[int]
    kind: Mapped[str] = mapped_column(String(10))  # answer | agent | closing | notice | outage | safety
    in_reply_to: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(8), default=WAITING)
    next_at: Mapped[datetime] = mapped_column(Instant)  # a live request may hold it back for its passive reply
    attempts: Mapped[int] = mapped_column(default=0)
    part: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(String(MAX_ERROR))
    created_at: Mapped[datetime] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    way: Mapped[str | None] = mapped_column(String(10))  # passive | service | template


class Push(BridgeBase):
    """One message or event that a channel pushed, however often it came, and the answer that went back with it."""

    __tablename__ = "channel_pushes"
    __table_args__ = (
        Index(
            "ix_channel_pushes_passing", "passing_at",
            sqlite_where=text("passed_at IS NULL"), postgresql_where=text("passed_at IS NULL"),
        ),
    )  # fmt: skip
    channel: Mapped[str] = mapped_column(String(16), primary_key=True)
    external_id: Mapped[str] = mapped_column(String(120), primary_key=True)
    channel_user_id: Mapped[int] = mapped_column(index=True)
    received_at: Mapped[datetime] = mapped_column(Instant, index=True)
    conversation_id: Mapped[str | None] = mapped_column(String(36))
    seq: Mapped[int | None]  # the customer's message in the log; None for an event that is none
    reply: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # what the passive reply says
    passing_at: Mapped[datetime | None] = mapped_column(Instant)  # the reply was about to be given
    passed_at: Mapped[datetime | None] = mapped_column(Instant)  # it was written to a connection that held
    boot: Mapped[str | None] = mapped_column(String(36))  # which process was about to give it
    todo: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # what a photo still waits for


class UsedNonce(BridgeBase):
    """A signature that was used, so that nobody can use it for another push within the time for which it is fresh."""

    __tablename__ = "used_nonces"
    signature: Mapped[str] = mapped_column(String(64), primary_key=True)
    external_id: Mapped[str] = mapped_column(String(120))  # of the push that it came with
    at: Mapped[datetime] = mapped_column(Instant, index=True)
