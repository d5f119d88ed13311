"""What the tests of messages that we send first share."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.binding import Binding
from core.channel.tables import ChannelUser
from core.clock import SHANGHAI
from core.conversation import Conversation, open_conversation
from core.db import Database
from core.proactive import fanout, picking
from core.proactive.broadcast import announce
from core.proactive.kinds import Notices
from core.proactive.sends import Item
from core.proactive.tables import Broadcast, Send

NOTICES = Notices.load(Path(__file__).parents[2] / "data" / "notices.yaml")
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=SHANGHAI)
VALUES = {"area": "江岸区听涛苑"}
A, B, C = "4201234567890", "4209876543210", "4200000000001"


def follower(
    session: Session, name: str, *, customer_no: str | None = None, accounts: tuple[str, ...] = ()
) -> ChannelUser:
    """Add somebody who follows the account, with a conversation and what they have bound."""
    conversation = open_conversation(
        session, channel="wechat", customer_no=None, accounts=list(accounts), assurance=0, now=NOW - timedelta(days=1)
    )
    user = ChannelUser(
        channel="wechat", user_id=f"o-{name}", conversation_id=conversation.id, customer_no=customer_no,
        linked_at=NOW if customer_no else None, created_at=NOW - timedelta(days=1),
    )  # fmt: skip
    session.add(user)
    session.flush()
    conversation.channel_user_id = user.id
    for number in accounts:
        bind(session, number, conversation_id=conversation.id, channel_user=user.user_id)
    return user


def bind(session: Session, account_no: str, *, conversation_id: str = "c", **who: Any) -> Binding:
    row = Binding(conversation_id=conversation_id, channel="wechat", account_no=account_no, since=NOW, **who)
    session.add(row)
    session.flush()
    return row


def outage(session: Session, audience: dict[str, Any], key: str = "outage:1:begun", **more: Any) -> Broadcast:
    given: dict[str, Any] = {"kind": "outage", "wording": "outage_begun", "values": VALUES, "now": NOW} | more
    return announce(session, NOTICES, key=key, audience=audience, **given)


def fan_out(bridge: Database, broadcast_id: int, *, size: int = 500) -> list[int]:
    """Fan a broadcast out to its end, one transaction a step; return how many sends each step made."""
    made = []
    while True:
        with bridge.transaction() as session:
            made.append(fanout.step(session, NOTICES, broadcast_id, now=NOW, size=size))
            if session.get_one(Broadcast, broadcast_id).fanned_out:
                return made


def claim(session: Session, limit: int = 100, *, channel: str = "wechat", **more: Any) -> list[Item]:
    """Pick and take in one transaction."""
    given = {"now": NOW} | more
    picked = picking.pick(session, NOTICES, channel=channel, limit=limit, **given)
    return picking.take(session, picked, now=given["now"])


def recipients(session: Session, broadcast_id: int) -> dict[str, str]:
    """Return the recipients of a broadcast and the channel of each."""
    rows = session.scalars(select(Send).where(Send.broadcast_id == broadcast_id).order_by(Send.id))
    return {row.recipient: row.channel for row in rows}


def web(session: Session, customer_no: str | None) -> Conversation:
    return open_conversation(
        session, channel="web", customer_no=customer_no, accounts=[], assurance=1 if customer_no else 0, now=NOW
    )
