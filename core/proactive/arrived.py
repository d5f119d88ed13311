"""What a channel says afterwards of a message that it has taken: it arrived, or it did not.

Subscription messages carry no key of ours. What names one is the number that WeChat gave it, if its answer said so,
else the order: the earliest one to that user of whose fate nothing is known yet.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.proactive.choices import CUSTOMER
from core.proactive.kinds import Notices
from core.proactive.tables import DEAD, DONE, RUNNING, SENDING, SENT, SUBSCRIBE, WAITING, Broadcast, Send

HEARD_WITHIN = timedelta(hours=6)
LET_SETTLE = timedelta(seconds=5)  # the sender may be about to write down what the call itself said
MAX_REMOTE_ID = 40


@dataclass(frozen=True)
class Fate:
    """What the channel says: the number that it gave the message, and why it did not arrive (None: it did)."""

    remote_id: str
    failure: str | None


def heard(
    session: Session, notices: Notices, channel_user_id: int, kinds: Collection[str], fate: Fate, *, now: datetime
) -> Send | None:
    """Note the fate of a subscription message of one of these kinds; return its send, None if none is waited for.

    What did not arrive goes over the other channel of its kind, unless nobody wants to hear of it any more, or it was
    read elsewhere.
    """
    found = _find(session, channel_user_id, kinds, fate.remote_id, now=now)
    if found is None:
        return None
    send, broadcast = found
    send.remote_id, send.error = fate.remote_id[:MAX_REMOTE_ID], fate.failure
    if fate.failure is None:
        send.state = SENT
        send.sent_at = send.sent_at or now
        return send
    if send.told_at is not None:
        return send
    if broadcast.expires_at is not None and broadcast.expires_at <= now:
        send.state = DEAD
        return send
    other = notices.kinds[broadcast.kind].instead(of_customer=send.recipient.startswith(CUSTOMER))
    send.state, send.channel, send.sent_at, send.next_at = WAITING, other, None, now + LET_SETTLE
    if broadcast.state == DONE:
        broadcast.state, broadcast.ended_at = RUNNING, None
    return send


def _find(
    session: Session, channel_user_id: int, kinds: Collection[str], remote_id: str, *, now: datetime
) -> tuple[Send, Broadcast] | None:
    query = (
        select(Send, Broadcast)
        .join(Broadcast, Broadcast.id == Send.broadcast_id)
        .where(
            Send.channel_user_id == channel_user_id, Send.channel == SUBSCRIBE, Send.state.in_((SENT, SENDING)),
            Broadcast.kind.in_(kinds), Send.next_at > now - HEARD_WITHIN,
        )
        .order_by(Send.next_at, Send.id)
        .with_for_update(of=Send)
    )  # fmt: skip
    open_, named = None, None
    for send, broadcast in session.execute(query):
        if send.remote_id == remote_id[:MAX_REMOTE_ID]:
            named = named or (send, broadcast)
        elif send.remote_id is None:
            open_ = open_ or (send, broadcast)
    return named or open_
