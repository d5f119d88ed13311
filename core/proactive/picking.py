"""Which sends go next: of all broadcasts that may go now in turn, without those whom it does not concern any more.

Choosing only reads; taking what was chosen is a short transaction of its own, so that nobody who writes to the log of a
conversation waits for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session, load_only

from core.channel import subscriptions
from core.channel.tables import ChannelUser
from core.proactive.choices import CUSTOMER, USER, subject_of
from core.proactive.kinds import CHAT, SMS, Notices
from core.proactive.sends import CHUNK, UNKNOWN, Item, is_forgotten
from core.proactive.tables import (
    DONE,
    RUNNING,
    SENDING,
    SENT,
    SKIPPED,
    SUBSCRIBE,
    WAITING,
    WECHAT,
    Broadcast,
    Choice,
    Send,
)

SIDE_BY_SIDE = 20  # broadcasts that are sent in turn
NO_SINGLES: Mapping[str, str] = {}


@dataclass
class Picked:
    """What goes next, what is left out and why, what perhaps arrived and is not sent a second time (`unsure`).

    And broadcasts that have come too late or may be over.
    """

    items: list[Item] = field(default_factory=list)
    left_out: dict[str, list[int]] = field(default_factory=dict)
    unsure: list[int] = field(default_factory=list)
    unsayable: set[str] = field(default_factory=set)  # wordings that are gone from the file: their broadcasts wait
    late: list[int] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)


def running(session: Session, *, now: datetime) -> list[Broadcast]:
    """Return the broadcasts that are under way, without their audiences."""
    query = select(Broadcast).options(
        load_only(
            Broadcast.id, Broadcast.kind, Broadcast.wording, Broadcast.values, Broadcast.state,
            Broadcast.fanned_out, Broadcast.expires_at,
        )
    )  # fmt: skip
    return list(
        session.scalars(query.where(Broadcast.state == RUNNING, Broadcast.not_before <= now).order_by(Broadcast.id))
    )


def pick(session: Session, notices: Notices, *, channel: str, limit: int, turn: int = 0, now: datetime) -> Picked:
    """Choose up to `limit` sends over a channel, of all broadcasts in turn (`turn` says who is first)."""
    picked, under_way = Picked(), running(session, now=now)
    picked.late = [one.id for one in under_way if one.expires_at is not None and one.expires_at <= now]
    picked.unsayable = {one.wording for one in under_way if one.wording not in notices.wordings}
    ready = [one for one in under_way if one.id not in picked.late and _may_go(one, notices, now=now)]
    first = turn % len(ready) if ready else 0
    lined_up = (ready[first:] + ready[:first])[:SIDE_BY_SIDE]
    had: dict[int, int] = {}
    while lined_up and limit > 0:
        found, lined_up = _share_out(session, lined_up, channel, limit, had, now=now)
        _sort(session, notices, found, picked, now=now)
        limit -= len(found)
    picked.empty = [number for number, count in had.items() if count == 0]
    return picked


def _may_go(one: Broadcast, notices: Notices, *, now: datetime) -> bool:
    return one.wording in notices.wordings and notices.may_go(one.wording, now=now)


def take(
    session: Session, picked: Picked, *, singles: Mapping[str, str] = NO_SINGLES, now: datetime
) -> list[Item]:  # fmt: skip
    """Mark what was picked as on its way, and return what nobody else has taken meanwhile.

    `singles`: kind → template of those kinds of which a user agrees to each message over WeChat beforehand. One is
    taken from the ledger for each; who has none left is told over the other channel.
    """
    ids = [item.id for item in picked.items]
    mine: set[int] = set()
    if ids:
        free = select(Send.id).where(Send.id.in_(ids), Send.state == WAITING).with_for_update(skip_locked=True)
        mine = set(session.scalars(free))
        # `next_at` is now since when it is on its way.
        session.execute(update(Send).where(Send.id.in_(mine)).values(state=SENDING, next_at=now))
    for reason, numbers in picked.left_out.items():
        chosen = update(Send).where(Send.id.in_(numbers), Send.state == WAITING)
        session.execute(chosen.values(state=SKIPPED, error=reason, next_at=now))
    if picked.unsure:
        perhaps = update(Send).where(Send.id.in_(picked.unsure), Send.state == WAITING)
        session.execute(perhaps.values(state=SENT, error=UNKNOWN, next_at=now))
    for number in picked.late:
        _skip_late(session, number, now=now)
    for number in picked.empty:
        _finish_if_over(session, number, now=now)
    return _subscribed(session, [item for item in picked.items if item.id in mine], singles, now=now)


def _subscribed(
    session: Session, items: Sequence[Item], singles: Mapping[str, str], *, now: datetime
) -> list[Item]:  # fmt: skip
    """Give each item that needs one its subscription message; who has none goes over the other channel."""
    wanted = {
        item.id: (item.channel_user_id, singles[item.kind])
        for item in items
        if item.channel == WECHAT and item.kind in singles and item.channel_user_id is not None
    }
    if not wanted:
        return list(items)
    ledger = subscriptions.take(session, wanted.values(), now=now)
    ready, with_one = [], []
    for item in items:
        key = wanted.get(item.id)
        if key is None:
            ready.append(item)
        elif ledger[key]:
            ledger[key] -= 1
            with_one.append(item.id)
            ready.append(replace(item, channel=SUBSCRIBE, template_id=key[1]))
        else:
            other = update(Send).where(Send.id == item.id)
            session.execute(other.values(state=WAITING, channel=item.fallback, next_at=now))
    session.execute(update(Send).where(Send.id.in_(with_one)).values(channel=SUBSCRIBE))
    return ready


def _share_out(
    session: Session, lined_up: Sequence[Broadcast], channel: str, limit: int, had: dict[int, int], *, now: datetime
) -> tuple[list[tuple[Broadcast, Send]], list[Broadcast]]:
    """Return the same number of sends of each broadcast after those that it `had`, and which ones may have more."""
    found: list[tuple[Broadcast, Send]] = []
    more = []
    share = -(-limit // len(lined_up))
    for one in lined_up:
        wanted = min(share, limit - len(found))
        if not wanted:
            break
        taken = _waiting(session, one.id, channel, wanted, had.get(one.id, 0), now=now)
        had[one.id] = had.get(one.id, 0) + len(taken)
        if len(taken) == wanted:
            more.append(one)
        found += [(one, send) for send in taken]
    return found, more


def _waiting(session: Session, broadcast_id: int, channel: str, limit: int, after: int, *, now: datetime) -> list[Send]:
    query = select(Send).where(
        Send.broadcast_id == broadcast_id, Send.state == WAITING, Send.channel == channel, Send.next_at <= now
    )
    return list(session.scalars(query.order_by(Send.next_at, Send.id).limit(limit).offset(after)))


def _sort(
    session: Session, notices: Notices, found: Sequence[tuple[Broadcast, Send]], picked: Picked, *, now: datetime
) -> None:  # fmt: skip
    users = _users(session, [send.channel_user_id for _, send in found if send.channel_user_id is not None])
    declined = _declined(session, found)
    for broadcast, send in found:
        item = _item(broadcast, send, users, _fallback(notices, broadcast, send))
        reason = _why_not(send, item, users, (send.recipient, broadcast.kind) in declined)
        if is_forgotten(send.sent_at, now=now):
            picked.unsure.append(send.id)
        elif reason:
            picked.left_out.setdefault(reason, []).append(send.id)
        else:
            picked.items.append(item)


def _fallback(notices: Notices, broadcast: Broadcast, send: Send) -> str:
    return notices.kinds[broadcast.kind].instead(of_customer=send.recipient.startswith(CUSTOMER))


def _item(broadcast: Broadcast, send: Send, users: dict[int, ChannelUser], fallback: str) -> Item:
    one = users.get(send.channel_user_id or 0)
    return Item(
        send.id, broadcast.id, send.recipient, send.channel, broadcast.kind, broadcast.wording,
        {**broadcast.values, **send.values}, send.attempts, send.channel_user_id, one.user_id if one else None,
        send.sent_at, fallback,
    )  # fmt: skip


def _why_not(send: Send, item: Item, users: dict[int, ChannelUser], declined: bool) -> str | None:
    """Return why a send is left out, None if it is made."""
    if declined:
        return "declined"
    if send.channel_user_id is None or send.channel == SMS:
        return None
    one = users.get(send.channel_user_id)
    if send.channel != CHAT and (one is None or not one.followed):
        return "not following"
    # A telephone that was passed on: who holds it now is not who was to be told.
    passed_on = one is not None and subject_of(one) != item.recipient and not item.recipient.startswith(USER)
    return "somebody else" if passed_on else None


def _users(session: Session, ids: Collection[int]) -> dict[int, ChannelUser]:
    return {one.id: one for one in session.scalars(select(ChannelUser).where(ChannelUser.id.in_(ids)))} if ids else {}


def _declined(session: Session, found: Sequence[tuple[Broadcast, Send]]) -> set[tuple[str, str]]:
    """Return who has said since the fan-out that they want to hear nothing of a kind."""
    if not found:
        return set()
    recipients, kinds = {send.recipient for _, send in found}, {one.kind for one, _ in found}
    query = select(Choice.subject, Choice.kind).where(
        Choice.subject.in_(recipients), Choice.kind.in_(kinds), Choice.wanted.is_(False)
    )
    return {(subject, kind) for subject, kind in session.execute(query)}


def _skip_late(session: Session, number: int, *, now: datetime) -> None:
    query = select(Send.id).where(Send.broadcast_id == number, Send.state == WAITING).limit(CHUNK)
    ids = list(session.scalars(query))
    if ids:
        session.execute(update(Send).where(Send.id.in_(ids)).values(state=SKIPPED, error="expired", next_at=now))
    if len(ids) < CHUNK:
        session.execute(update(Broadcast).where(Broadcast.id == number).values(fanned_out=True))
        _finish_if_over(session, number, now=now)


def _finish_if_over(session: Session, number: int, *, now: datetime) -> None:
    left = select(exists().where(Send.broadcast_id == number, Send.state.in_((WAITING, SENDING))))
    if not session.scalar(left):
        over = update(Broadcast).where(Broadcast.id == number, Broadcast.state == RUNNING, Broadcast.fanned_out)
        session.execute(over.values(state=DONE, ended_at=now))
