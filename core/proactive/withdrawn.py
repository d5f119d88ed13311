"""What waits to be sent to a channel's user about an account that is theirs no more: it is not sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.proactive.tables import SKIPPED, WAITING, Broadcast, Send

LET_GO = "let go"
TAIL = 4  # digits of an account's number that a message says


def let_go(session: Session, channel_user_id: int, account_no: str, held: Collection[str], *, now: datetime) -> int:
    """Skip what waits for a user about an account that they let go; return how many sends that are.

    `held`: the accounts that they still have. What concerns one of these too, or all followers, is sent.
    """
    query = (
        select(Send.id, Send.values, Broadcast.audience, Broadcast.values)
        .join(Broadcast, Broadcast.id == Send.broadcast_id)
        .where(Send.recipient == f"user:{channel_user_id}", Send.state == WAITING)
    )
    ids = [
        number
        for number, own, audience, common in session.execute(query)
        if channel_user_id not in audience.get("users", ()) and _concerns({**common, **own}, audience, account_no, held)
    ]
    if ids:
        mine = update(Send).where(Send.id.in_(ids), Send.state == WAITING)
        session.execute(mine.values(state=SKIPPED, error=LET_GO, next_at=now))
    return len(ids)


def _concerns(values: Mapping[str, Any], audience: Mapping[str, Any], account_no: str, held: Collection[str]) -> bool:
    if "account_tail" in values:
        tail = str(values["account_tail"])
        return tail == account_no[-TAIL:] and all(one[-TAIL:] != tail for one in held)
    if audience.get("listed"):  # an outage: which of several accounts it is about nobody has written down
        return not held
    accounts = audience.get("accounts", ())
    return account_no in accounts and not set(held) & set(accounts)
