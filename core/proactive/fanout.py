"""Fanning a broadcast out: from accounts, customers and users to one send for each who wants to hear of it.

It goes in steps: who is next is found by reading, which hinders nobody, and written in a short transaction that also
moves the cursor: killed in between, it goes on there. Whoever is reached by several accounts or channels is one
recipient, and a recipient has one send of a broadcast.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.binding import Binding
from core.channel.tables import ChannelUser
from core.proactive.broadcast import Audience, find
from core.proactive.choices import CUSTOMER, USER, chosen, customer, subject_of, user
from core.proactive.kinds import CHAT, SMS, Notices
from core.proactive.tables import RUNNING, WAITING, Broadcast, Send

STEP = 200
WECHAT = "wechat"


@dataclass(frozen=True)
class Person:
    """Somebody who may be told: subject, the channel's user if there is one, values of their own.

    `bound`: an account of theirs is concerned, so that what holds for customers holds for them too.
    """

    subject: str
    channel_user_id: int | None = None
    bound: bool = False
    values: Mapping[str, str] = field(default_factory=dict)


def unfinished(session: Session, *, now: datetime) -> int | None:
    """Return the first broadcast that is to be fanned out further, None if there is none."""
    query = select(Broadcast.id).where(
        Broadcast.state == RUNNING, Broadcast.fanned_out.is_(False), Broadcast.not_before <= now,
        Broadcast.audience["listed"].as_boolean().is_not(True),
    )  # fmt: skip
    return session.scalar(query.order_by(Broadcast.id).limit(1))


@dataclass(frozen=True)
class Step:
    """What one step writes: the rows of new sends, and the cursor of the broadcast from where and to where."""

    broadcast_id: int
    cursor: int
    until: int
    rows: list[dict[str, Any]] = field(repr=False)
    new: int  # rows that were not there before


def prepare(
    session: Session, notices: Notices, broadcast_id: int, *, now: datetime, size: int = STEP
) -> Step | None:  # fmt: skip
    """Find the sends for the next `size` of the audience; None if there is nothing to fan out. Only reads."""
    broadcast = find(session, broadcast_id)
    if broadcast.state != RUNNING or broadcast.fanned_out:
        return None
    people, until = _next(session, Audience.of(broadcast.audience), broadcast.cursor, size)
    rows = _rows(session, notices, broadcast, people, now=now)
    return Step(broadcast.id, broadcast.cursor, until, rows, len(rows) - _known(session, broadcast.id, rows))


def write(session: Session, step: Step) -> int:
    """Write what was prepared, unless the broadcast was stopped or fanned out further meanwhile; say how many are new.

    At the end `fanned_out` is set.
    """
    moved = update(Broadcast).where(
        Broadcast.id == step.broadcast_id, Broadcast.cursor == step.cursor, Broadcast.state == RUNNING,
        Broadcast.fanned_out.is_(False),
    )  # fmt: skip
    changed = session.execute(moved.values(cursor=step.until, fanned_out=step.until == step.cursor))
    if not cast(CursorResult[Any], changed).rowcount:
        return 0
    _insert(session, step.rows)
    return step.new


def step(session: Session, notices: Notices, broadcast_id: int, *, now: datetime, size: int = STEP) -> int:
    """Prepare and write in one transaction."""
    prepared = prepare(session, notices, broadcast_id, now=now, size=size)
    return write(session, prepared) if prepared is not None else 0


def add(
    session: Session, notices: Notices, broadcast_id: int, people: Iterable[tuple[str, Mapping[str, str]]], *,
    now: datetime,
) -> int:  # fmt: skip
    """Add recipients (`customer:…` or `user:…`, with values of their own) to a listed broadcast, at most some hundred
    at a time; return how many are new. The same again adds nobody.

    Raises:
        BroadcastNotFound: if there is none.
        MissingValue: if the words cannot be said with a recipient's values.
    """
    broadcast = find(session, broadcast_id)
    given = dict(people)
    for values in given.values():
        notices.check(broadcast.wording, {**broadcast.values, **values}, now=now)
    numbers = [one.removeprefix(CUSTOMER) for one in given if one.startswith(CUSTOMER)]
    users = [int(one.removeprefix(USER)) for one in given if one.startswith(USER)]
    found = _people(session, numbers, users)
    named = {user(one.channel_user_id): one for one in found if one.channel_user_id is not None}
    by_subject = {one.subject: one for one in found}
    wanted = []
    for subject, values in given.items():
        one = by_subject.get(subject) or named.get(subject)
        if one is not None:
            wanted.append(replace(one, bound=True, values=values))
    rows = _rows(session, notices, broadcast, wanted, now=now)
    new = len(rows) - _known(session, broadcast.id, rows)
    _insert(session, rows)
    return new


def complete(session: Session, broadcast_id: int) -> None:
    """Say that all recipients of a listed broadcast were added."""
    find(session, broadcast_id, lock=True).fanned_out = True


def _next(session: Session, audience: Audience, cursor: int, size: int) -> tuple[list[Person], int]:
    """Return the next part of an audience and where the one after it begins."""
    if audience.all_followers:
        query = select(ChannelUser).where(ChannelUser.id > cursor).order_by(ChannelUser.id).limit(size)
        rows = list(session.scalars(query))
        ids = [row.id for row in rows if row.followed]
        return _people(session, (), ids), rows[-1].id if rows else cursor
    # One after the other; each list has its own part of the numbers that the cursor runs through.
    first, second = len(audience.accounts), len(audience.accounts) + len(audience.customers)
    until = min(cursor + size, second + len(audience.users))
    accounts = audience.accounts[cursor:until]
    customers = audience.customers[max(cursor - first, 0) : max(until - first, 0)]
    users = audience.users[max(cursor - second, 0) : max(until - second, 0)]
    by_account, their_users = _holders(session, accounts)
    people = _people(session, [*customers, *by_account], [*users, *their_users], bound=their_users)
    return people, until


def _holders(session: Session, accounts: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the customers, and the channels' users, who have bound one of these accounts."""
    if not accounts:
        return [], []
    query = select(Binding).where(Binding.account_no.in_(accounts), Binding.ended_at.is_(None))
    rows = list(session.scalars(query))
    numbers = {row.customer_no for row in rows if row.customer_no}
    keys = {(row.channel, row.channel_user) for row in rows if row.channel_user}
    found = select(ChannelUser.id).where(tuple_(ChannelUser.channel, ChannelUser.user_id).in_(keys))
    return sorted(numbers), sorted(session.scalars(found)) if keys else []


def _people(
    session: Session, customers: Collection[str], users: Collection[int], *, bound: Collection[int] = ()
) -> list[Person]:
    """Return each of them once: a channel's user who is a customer is that customer."""
    found = {customer(number): Person(customer(number), bound=True) for number in customers}
    rows = list(session.scalars(select(ChannelUser).where(ChannelUser.id.in_(users)))) if users else []
    linked = {*customers, *(row.customer_no for row in rows if row.customer_no)}
    if linked:
        query = select(ChannelUser).where(ChannelUser.customer_no.in_(linked))
        rows += sorted(session.scalars(query), key=lambda row: (row.linked_at or row.created_at, row.id))
    for row in rows:  # of several who are one customer the one who was linked last
        if row.followed:
            subject = subject_of(row)
            found[subject] = Person(subject, row.id, bound=subject.startswith(CUSTOMER) or row.id in bound)
    return list(found.values())


def _rows(
    session: Session, notices: Notices, broadcast: Broadcast, people: Sequence[Person], *, now: datetime
) -> list[dict[str, Any]]:  # fmt: skip
    choices = chosen(session, [one.subject for one in people], broadcast.kind, notices)
    reached = _reached(session, broadcast.id, [one.channel_user_id for one in people if one.channel_user_id])
    kind = notices.kinds[broadcast.kind]
    rows: list[dict[str, Any]] = []
    for one in people:
        choice = choices[one.subject]
        wanted = choice.wanted if choice.own or not one.bound else kind.customers
        channel = _channel(choice.channel, one, kind.fallback)
        if wanted and channel is not None and one.channel_user_id not in reached:
            rows.append({
                "broadcast_id": broadcast.id, "recipient": one.subject, "channel": channel, "state": WAITING,
                "channel_user_id": one.channel_user_id, "values": dict(one.values), "next_at": now, "attempts": 0,
            })  # fmt: skip
    return rows


def _insert(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        new = insert(Send.__table__).on_conflict_do_nothing(index_elements=["broadcast_id", "recipient"])  # type: ignore[arg-type]  # a table, typed as its parent class
        session.connection().execute(new, rows)


def _channel(wanted: str, one: Person, fallback: str) -> str | None:
    """Return over which channel somebody can be told, None if over none."""
    known = one.subject.startswith(CUSTOMER)  # whose telephone billing knows
    if wanted == WECHAT and one.channel_user_id is None:
        wanted = fallback
    if wanted == SMS and not known:
        return WECHAT if one.channel_user_id is not None else None
    return wanted if known or one.channel_user_id is not None else (CHAT if wanted == CHAT else None)


def _reached(session: Session, broadcast_id: int, users: Collection[int]) -> set[int | None]:
    """Return which of these users have a send of this broadcast, under whatever name: one may have become a customer
    since."""
    if not users:
        return set()
    query = select(Send.channel_user_id).where(Send.channel_user_id.in_(users), Send.broadcast_id == broadcast_id)
    return set(session.scalars(query))


def _known(session: Session, broadcast_id: int, rows: Sequence[Mapping[str, Any]]) -> int:
    """Return of how many of these rows there are sends."""
    recipients = [row["recipient"] for row in rows]
    query = select(func.count()).where(Send.broadcast_id == broadcast_id, Send.recipient.in_(recipients))
    return session.scalar(query) or 0 if recipients else 0
