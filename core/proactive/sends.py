"""Sends on their way: taken in turn of all broadcasts that may go now, settled in batches, taken up after a crash.

A send is `sending`, and committed so, before anybody is called: whatever happens then is known to have been begun.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from core.channel import subscriptions
from core.channel.tables import ChannelUser
from core.proactive.choices import CUSTOMER
from core.proactive.kinds import CHAT
from core.proactive.tables import (
    DEAD,
    RUNNING,
    SENDING,
    SENT,
    STOPPED,
    SUBSCRIBE,
    WAITING,
    WECHAT,
    Broadcast,
    Send,
)

MAX_ATTEMPTS = 8
MAX_DELAY = timedelta(minutes=10)
MAX_ERROR = 200
SIDE_BY_SIDE = 20  # broadcasts that are sent in turn
CHUNK = 500  # rows that are changed in one transaction
# So long WeChat knows a message again by its client_msg_id; what was begun before that is not begun again.
KNOWN_AGAIN = timedelta(minutes=9)
UNKNOWN = "unknown"  # the error of a send of which nobody knows whether it arrived


_CHANGED = ("state", "attempts", "error", "channel", "remote_id", "next_at", "sent_at")
_SETTLED = (
    update(Send.__table__)  # type: ignore[arg-type]  # a table, typed as its parent class
    .where(Send.id == bindparam("number"), Send.state == SENDING)  # else the channel has said more of it meanwhile
    .values({name: bindparam(f"new_{name}", type_=Send.__table__.c[name].type) for name in _CHANGED})
)


@dataclass(frozen=True)
class Item:
    """A send that is to be made now; `key` is the same at every try."""

    id: int
    broadcast_id: int
    recipient: str
    channel: str
    kind: str
    wording: str
    values: dict[str, str] = field(repr=False)
    attempts: int
    channel_user_id: int | None
    openid: str | None = field(repr=False)
    unsure_since: datetime | None = None  # when it was tried first without it being known whether it arrived
    fallback: str = CHAT  # over which channel it goes if not over this one
    template_id: str | None = None  # of the one subscription message that was taken for it

    @property
    def key(self) -> str:
        """Return by what the other side knows a repetition."""
        return f"{self.broadcast_id}:{self.id}"

    @property
    def customer_no(self) -> str | None:
        """Return the customer's number, None for a channel's user of whom no customer is known."""
        return self.recipient.removeprefix(CUSTOMER) if self.recipient.startswith(CUSTOMER) else None


@dataclass(frozen=True)
class Outcome:
    """What came of one send; `again_after` seconds it is tried anew, `counts` as an attempt or not."""

    item: Item
    state: str
    error: str | None = None
    remote_id: str | None = None
    again_after: float | None = None
    counts: bool = True
    left: bool = False  # the user does not follow us any more
    unsure: bool = False  # nobody knows whether it arrived
    channel: str | None = None  # over which it went, or will go, in the end, if another one
    ended: bool = False  # the user takes no more subscription messages of this template


def settle(session: Session, outcomes: Iterable[Outcome], *, now: datetime) -> None:
    """Write down what came of sends."""
    changes: list[dict[str, Any]] = []
    gone: list[int] = []
    told = list(outcomes)
    _settle_subscriptions(session, told, now=now)
    for one in told:
        changes.append({"number": one.item.id, **_change(one, now=now)})
        if one.left and one.item.channel_user_id is not None:
            gone.append(one.item.channel_user_id)
    if changes:
        session.connection().execute(_SETTLED, changes)
    if gone:
        session.execute(update(ChannelUser).where(ChannelUser.id.in_(gone)).values(followed=False))


def give_back(session: Session, items: Collection[Item], *, now: datetime) -> None:
    """Let sends wait again that were taken and not begun."""
    if items:
        ids = [item.id for item in items]
        session.execute(update(Send).where(Send.id.in_(ids)).values(state=WAITING, next_at=now))
        single = Send.id.in_([item.id for item in items if item.template_id is not None])
        session.execute(update(Send).where(single).values(channel=WECHAT))
        subscriptions.give_back(session, Counter(key for item in items for key in _key(item)), now=now)


def _settle_subscriptions(session: Session, outcomes: Collection[Outcome], *, now: datetime) -> None:
    """Put back what was surely not sent, and empty the ledger of who takes no more."""
    unsent = Counter(key for one in outcomes if one.state != SENT and not one.ended for key in _key(one.item))
    subscriptions.give_back(session, unsent, now=now)
    subscriptions.ended(session, {key for one in outcomes if one.ended for key in _key(one.item)}, now=now)


def _key(item: Item) -> list[subscriptions.Key]:
    if item.template_id is None or item.channel_user_id is None:
        return []
    return [(item.channel_user_id, item.template_id)]


def stop_all(session: Session, reasons: dict[int, str], *, now: datetime) -> None:
    """Stop broadcasts that cannot go well (number: why)."""
    for broadcast_id, reason in reasons.items():
        session.execute(
            update(Broadcast)
            .where(Broadcast.id == broadcast_id, Broadcast.state == RUNNING)
            .values(state=STOPPED, stopped_by=reason[:40], ended_at=now)
        )


def under_way(session: Session, broadcast_ids: Collection[int]) -> set[int]:
    """Return which of these broadcasts are not stopped."""
    query = select(Broadcast.id).where(Broadcast.id.in_(broadcast_ids), Broadcast.state == RUNNING)
    return set(session.scalars(query))


def recover(session: Session, *, now: datetime, but: Collection[int] = ()) -> Counter[str]:
    """Take up what a sender that died had begun, and nobody has in hand (`but`); return how many went which way.

    The other side knows a repetition by its key for some minutes: within these it is sent again. After them it counts
    as sent: a notice less is better than one twice. Subscription messages have no key, and count as sent at once.
    """
    told: Counter[str] = Counter()
    for send in session.scalars(select(Send).where(Send.state == SENDING).order_by(Send.id)):
        if send.id in but:
            continue
        send.sent_at = send.sent_at or send.next_at
        if now - send.sent_at > KNOWN_AGAIN or send.channel == SUBSCRIBE:
            send.state, send.error = SENT, UNKNOWN
        else:
            send.state, send.next_at = WAITING, now
        told[send.state] += 1
    return told


def _change(one: Outcome, *, now: datetime) -> dict[str, Any]:
    attempts = one.item.attempts + one.counts
    state = DEAD if one.state == WAITING and attempts >= MAX_ATTEMPTS else one.state
    since = one.item.unsure_since or (now if one.unsure else None)
    if state == WAITING and is_forgotten(since, now=now):
        return _change(replace(one, state=SENT, error=UNKNOWN), now=since or now)
    delay = timedelta(seconds=one.again_after) if one.again_after is not None else backoff(attempts)
    back = WECHAT if state == WAITING and one.item.channel == SUBSCRIBE else one.item.channel
    return {
        "new_state": state, "new_attempts": attempts, "new_error": (one.error or "")[:MAX_ERROR] or None,
        "new_channel": one.channel or back, "new_remote_id": (one.remote_id or "")[:40] or None,
        "new_next_at": now + delay if state == WAITING else now, "new_sent_at": now if state == SENT else since,
    }  # fmt: skip


def is_forgotten(since: datetime | None, *, now: datetime) -> bool:
    """Tell whether the other side may take another try for something new; `since`: see `Item.unsure_since`."""
    return since is not None and now - since > KNOWN_AGAIN


def backoff(attempts: int) -> timedelta:
    """Return the wait after so many tries: 1 s, 4 s, 16 s, … up to ten minutes."""
    return min(timedelta(seconds=4 ** min(max(attempts - 1, 0), 10)), MAX_DELAY)
