"""What waits to be sent to the users of a channel: in order, one at a time, and never recorded as sent when it was not.

`part` counts what was taken from the user's window for a delivery: its parts that are sent already. Of deliveries that
went in one sending the last has it counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Update, func, select, update
from sqlalchemy.orm import Session

from core.channel.tables import (
    DEAD,
    DROPPED,
    MAX_ERROR,
    OPEN,
    PARKED,
    PASSING,
    SENDING,
    SENT,
    WAITING,
    ChannelUser,
    Delivery,
)
from core.channel.windows import PRIVILEGED, SERVICE, Taken, give_back, take
from core.conversation import Message

H5 = "h5"
H5_PATIENCE = timedelta(seconds=20)  # so long a page that is open has to show a message by itself
LONGEST_DELAY = timedelta(minutes=5)
IN_FLIGHT = (PASSING, SENDING)
RETRY_FLIGHT = timedelta(seconds=1)
SENDING_TAKES = timedelta(seconds=30)  # at most
QUIET = "quiet"  # error of what is parked until the quiet hours are over
UNKNOWN = "unknown"  # error of what was sent and perhaps did not arrive


class DeliveryChanged(Exception):
    """Somebody else has taken a delivery since it was read; nothing was taken from the window."""


@dataclass(frozen=True)
class Waiting:
    """One delivery, as it was when it was read, and its message."""

    delivery: Delivery
    message: Message


def pending(session: Session, channel_user_id: int) -> list[Delivery]:
    """Return what waits or is parked for a user, in the order in which it has to be sent."""
    query = select(Delivery).where(Delivery.channel_user_id == channel_user_id, Delivery.state.in_(OPEN))
    return _in_order(session.scalars(query).all())


def users_due(session: Session, *, now: datetime, but: Collection[int] = (), limit: int = 256) -> list[int]:
    """Return users to whom something has to be sent now, whoever waits longest first; `but`: not these."""
    query = select(Delivery.channel_user_id).where(Delivery.state == WAITING, Delivery.next_at <= now)
    if but:
        query = query.where(Delivery.channel_user_id.not_in(but))
    query = query.group_by(Delivery.channel_user_id).order_by(func.min(Delivery.next_at)).limit(limit)
    return list(session.scalars(query))


def due(session: Session, channel_user_id: int, *, now: datetime) -> list[Waiting]:
    """Return what can be sent to a user now: a run from the first that waits, so that nothing overtakes anything.

    Empty while the first has to wait, or while something earlier is on its way; what is due behind it then waits too.
    """
    rows = pending(session, channel_user_id)
    if not rows or _under_way(session, channel_user_id):
        _postpone(rows, now=now, until=now + RETRY_FLIGHT)
        return []
    found: list[Waiting] = []
    for place, row in enumerate(rows):
        message = session.get_one(Message, (row.conversation_id, row.seq))
        at = max(row.next_at, message.at + H5_PATIENCE) if message.channel == H5 else row.next_at
        if row.state == WAITING and at > now:
            _postpone(rows[place:], now=now, until=at)
            break
        found.append(Waiting(row, message))
    return found


def claim(
    session: Session, channel_user_id: int, chosen: Sequence[Waiting], *, kind: str, now: datetime, times: int = 1
) -> list[Taken] | None:
    """Set deliveries to `sending` and take so many messages from the windows.

    None: there are not so many, and all that waits is parked.

    Raises:
        DeliveryChanged: if one of them, or the order, is no longer as it was read.
    """
    session.get(ChannelUser, channel_user_id, with_for_update=True)  # as `core.channel.passive` does
    taken = [one for _ in range(times) if (one := take(session, channel_user_id, kind, now=now))]
    rows = {row.id: row for row in _locked(session, [one.delivery.id for one in chosen])}
    unchanged = all(
        (row := rows.get(one.delivery.id)) is not None and row.state in OPEN and row.part == one.delivery.part
        for one in chosen
    )
    if not unchanged or _under_way(session, channel_user_id):
        raise DeliveryChanged
    if len(taken) < times:
        for one in taken:
            give_back(session, channel_user_id, one)
        park(session, channel_user_id)
        return None
    for row in rows.values():
        row.state, row.next_at = SENDING, now
    return taken


def sent(
    session: Session, ids: Sequence[int], *, now: datetime, count: int = 1, more: bool = False,
    error: str | None = None,
) -> None:  # fmt: skip
    """Note that one sending of `count` messages took these along; `more`: of the last, parts are left.

    `error`: nobody knows whether they arrived.
    """
    rows = [row for row in _locked(session, ids) if row.state == SENDING or row.error == UNKNOWN]
    for row in rows:
        row.state, row.sent_at, row.way, row.error = SENT, now, SERVICE, error
    if rows:
        last = max(rows, key=lambda row: ids.index(row.id))
        last.part += count
        if more:
            last.state, last.next_at, last.attempts = WAITING, now, 0


def failed(session: Session, ids: Collection[int], *, now: datetime, error: str, wait: timedelta | None = None) -> None:
    """Note that these were surely not sent: they wait 1 s, 2 s, 4 s, … up to five minutes, or as long as is said."""
    for row in _ours(session, ids):
        row.attempts += 1
        delay = min(timedelta(seconds=2 ** min(row.attempts - 1, 9)), LONGEST_DELAY)
        row.state, row.error, row.next_at = WAITING, error[:MAX_ERROR], now + (delay if wait is None else wait)


def afresh(session: Session, ids: Collection[int], *, now: datetime) -> None:
    """Let these wait as if they had never been tried: what was refused was another one that they went along with."""
    for row in _ours(session, ids):
        row.state, row.next_at, row.attempts = WAITING, now, 0


def park(session: Session, channel_user_id: int, sending: Collection[int] = ()) -> None:
    """Let all that waits for a user, and what was refused for want of a window, wait until the user writes."""
    for row in _ours(session, sending):
        row.state = PARKED
    waiting = update(Delivery).where(Delivery.channel_user_id == channel_user_id, Delivery.state == WAITING)
    session.execute(waiting.values(state=PARKED))


def rest(session: Session, chosen: Update, *, until: datetime, now: datetime) -> None:
    """Let these wait for the end of the quiet hours; what is sent before, or said to a user who writes, takes them."""
    if until > now:
        session.execute(chosen.values(state=PARKED, error=QUIET, next_at=until))


def wake(session: Session, *, now: datetime) -> None:
    """Have sent what waited for the end of the quiet hours."""
    over = update(Delivery).where(Delivery.state == PARKED, Delivery.error == QUIET, Delivery.next_at <= now)
    session.execute(over.values(state=WAITING, error=None))


def bury(session: Session, ids: Collection[int], *, now: datetime, error: str, count: int = 0) -> None:
    """Give up: an operator may look and have it sent again (`revive`); what comes after goes on.

    `count`: so many messages of it were sent before.
    """
    for row in _ours(session, ids):
        row.state, row.error = DEAD, error[:MAX_ERROR]
        if count:
            row.part, row.way, row.sent_at = row.part + count, SERVICE, now


def revive(session: Session, delivery_id: int, *, now: datetime) -> bool:
    """Have a dead delivery sent after all; tell whether it was one."""
    rows = [row for row in _locked(session, [delivery_id]) if row.state == DEAD]
    for row in rows:
        row.state, row.next_at, row.attempts = WAITING, now, 0
    return bool(rows)


def drop(session: Session, channel_user_id: int, *, why: str, sending: Collection[int] = ()) -> None:
    """Send a user nothing of what waits: they have left."""
    for row in _ours(session, sending):
        row.state, row.error = DROPPED, why[:MAX_ERROR]
    open_ = update(Delivery).where(Delivery.channel_user_id == channel_user_id, Delivery.state.in_(OPEN))
    session.execute(open_.values(state=DROPPED, error=why[:MAX_ERROR]))


def lost(session: Session, channel_user_id: int, ids: Collection[int]) -> None:
    """Note that the channel says a user is not reachable: nothing is sent until they follow again."""
    user = session.get(ChannelUser, channel_user_id)
    if user is not None:
        user.followed = False
    drop(session, channel_user_id, why="unreachable", sending=ids)


def seen(session: Session, conversation_id: str, upto_seq: int) -> int:
    """Drop what waits and was shown to the customer on a page, up to a number; return how many it was."""
    found = (
        update(Delivery)
        .where(
            Delivery.conversation_id == conversation_id, Delivery.seq <= upto_seq, Delivery.state.in_(OPEN),
            Delivery.part == 0,
        )
        .values(state=DROPPED, error="seen")
        .returning(Delivery.id)
    )  # fmt: skip
    return len(session.scalars(found).all())


def recover(session: Session, *, now: datetime, but: Collection[int] = ()) -> int:
    """Count as sent what a process that is gone was about to send; return how many it was.

    Nobody knows whether it arrived. A second one would be worse than none, and the page has it anyway. `but`: users
    to whom this process is sending.
    """
    query = select(Delivery).where(Delivery.state == SENDING, Delivery.next_at < now - SENDING_TAKES)
    rows = [row for row in session.scalars(query.with_for_update()) if row.channel_user_id not in but]
    for row in rows:
        row.state, row.way, row.sent_at, row.error = SENT, SERVICE, now, UNKNOWN
        row.part += 1
    return len(rows)


def hurry(session: Session, *, now: datetime) -> None:
    """Let everything that was put off after failures be tried now: the channel answers again."""
    session.execute(
        update(Delivery)
        .where(Delivery.state == WAITING, Delivery.attempts > 0, Delivery.next_at > now)
        .values(next_at=now)
    )


def tallies(session: Session) -> dict[str, int]:
    """Return how many deliveries there are in the states that an operator watches."""
    query = select(Delivery.state, func.count()).where(Delivery.state.in_((WAITING, PARKED, DEAD)))
    found = {row[0]: row[1] for row in session.execute(query.group_by(Delivery.state))}
    return {state: found.get(state, 0) for state in (WAITING, PARKED, DEAD)}


def kind_of(chosen: Iterable[Waiting]) -> str:
    """Return as what a run is sent: if something in it may use the reserve, what stands before it may, too."""
    kinds = [one.delivery.kind for one in chosen]
    return next((kind for kind in kinds if kind in PRIVILEGED), kinds[0])


def _in_order(rows: Iterable[Delivery]) -> list[Delivery]:
    """Sort by conversation, the one that began first, and within it by number."""
    ordered = sorted(rows, key=lambda row: row.id)
    first: dict[str, int] = {}
    for row in ordered:
        first.setdefault(row.conversation_id, row.id)
    return sorted(ordered, key=lambda row: (first[row.conversation_id], row.seq))


def _under_way(session: Session, channel_user_id: int) -> bool:
    query = select(Delivery.id).where(Delivery.channel_user_id == channel_user_id, Delivery.state.in_(IN_FLIGHT))
    return session.scalar(query.limit(1)) is not None


def _postpone(rows: Iterable[Delivery], *, now: datetime, until: datetime) -> None:
    for row in rows:
        if row.state == WAITING and row.next_at <= now:
            row.next_at = until


def _ours(session: Session, ids: Collection[int]) -> list[Delivery]:
    """Return those that nobody else has taken since, and what `recover` took for sent while it still was on its way."""
    rows = _locked(session, ids)
    for row in rows:
        if row.state == SENT and row.error == UNKNOWN:
            row.state, row.way, row.sent_at, row.error = SENDING, None, None, None
            row.part -= 1
    return [row for row in rows if row.state in (SENDING, *OPEN)]


def _locked(session: Session, ids: Collection[int]) -> list[Delivery]:
    query = select(Delivery).where(Delivery.id.in_(ids)).order_by(Delivery.id).with_for_update()
    return list(session.scalars(query.execution_options(populate_existing=True)))
