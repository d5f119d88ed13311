"""Broadcasts: one event that many are told; announced once, stopped and taken up again by an operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer, load_only

from core.proactive.kinds import Notices
from core.proactive.tables import DEAD, DONE, RUNNING, SENDING, STOPPED, WAITING, Broadcast, Send

MAX_KEY, MAX_BY = 80, 40  # characters that the columns hold


class BadAudience(ValueError):
    """It is not said, or not in a way that is understood, who shall be told."""


class BroadcastNotFound(LookupError):
    """There is no broadcast with this number."""


class WrongState(Exception):
    """The broadcast is over, or not in the state from which this can be done."""


class Audience(BaseModel):
    """Who is told; one of these.

    `listed`: whoever is added by `fanout.add`, until `fanout.complete`. Nodes of the network and the like are resolved
    by whoever announces: this database knows accounts only where they were bound.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    accounts: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    users: tuple[int, ...] = ()
    all_followers: bool = False
    listed: bool = False

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.all_followers + self.listed + bool(self.accounts or self.customers or self.users) != 1:
            raise ValueError("say accounts, customers and users, or all_followers, or listed")
        return self

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Audience:
        """Return an audience as it is written down.

        Raises:
            BadAudience: if it is none.
        """
        try:
            return cls.model_validate(said)
        except ValidationError as error:
            wrong = [": ".join([*map(str, item["loc"]), item["msg"]]) for item in error.errors(include_input=False)]
            raise BadAudience("; ".join(wrong)) from None


def announce(
    session: Session, notices: Notices, *, kind: str, key: str, wording: str, values: Mapping[str, str],
    audience: Mapping[str, Any], now: datetime, not_before: datetime | None = None, expires_at: datetime | None = None,
) -> Broadcast:  # fmt: skip
    """Have an event told; the same key again is the same broadcast, whatever else is said.

    With an audience of accounts, customers, users or all followers all `values` that the words need must be there;
    with one that is listed each recipient may bring its own.

    Raises:
        UnknownWording, MissingValue: if it cannot be said in these words.
        BadAudience: if nobody is named.
        ValueError: if the key is too long.
    """
    if not 0 < len(key) <= MAX_KEY:
        raise ValueError(f"a key has 1 to {MAX_KEY} characters")
    if (known := _by_key(session, key)) is not None:
        return known
    people = Audience.of(audience)
    notices.wording(wording, kind=kind)
    if not people.listed:
        notices.check(wording, values, now=now)
    row = Broadcast(
        kind=kind, key=key, wording=wording, values=dict(values), state=RUNNING, created_at=now,
        audience=people.model_dump(mode="json", exclude_defaults=True), not_before=not_before or now,
        expires_at=expires_at or notices.expiry(kind, now=not_before or now),
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:  # somebody else announced it at the same moment
        known = _by_key(session, key)
        if known is None:
            raise
        return known
    return row


def find(session: Session, broadcast_id: int, *, lock: bool = False) -> Broadcast:
    """Return a broadcast.

    Raises:
        BroadcastNotFound: if there is none.
    """
    query = select(Broadcast).where(Broadcast.id == broadcast_id)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise BroadcastNotFound(str(broadcast_id))
    return found


def stop(session: Session, broadcast_id: int, *, by: str, now: datetime) -> Broadcast:
    """Stop a broadcast: what is not on its way yet stays here. Stopping twice changes nothing.

    Raises:
        BroadcastNotFound: if there is none; WrongState: if it is over.
    """
    found = find(session, broadcast_id, lock=True)
    if found.state == DONE:
        raise WrongState(DONE)
    if found.state == RUNNING:
        found.state, found.stopped_by, found.ended_at = STOPPED, by[:MAX_BY], now
    return found


def resume(session: Session, broadcast_id: int, *, now: datetime) -> Broadcast:
    """Let a stopped broadcast go on where it was.

    Raises:
        BroadcastNotFound: if there is none; WrongState: if it is over, or nobody wants to hear of it any more.
    """
    found = find(session, broadcast_id, lock=True)
    if found.state == DONE or (found.expires_at is not None and found.expires_at <= now):
        raise WrongState(DONE if found.state == DONE else "expired")
    found.state, found.stopped_by, found.ended_at = RUNNING, None, None
    return found


def again(session: Session, broadcast_id: int, *, now: datetime) -> int:
    """Try once more what was given up of a broadcast; return how many sends that are.

    Raises:
        BroadcastNotFound: if there is none; WrongState: if nobody wants to hear of it any more.
    """
    found = find(session, broadcast_id, lock=True)
    if found.expires_at is not None and found.expires_at <= now:
        raise WrongState("expired")
    dead = select(Send.id).where(Send.broadcast_id == broadcast_id, Send.state == DEAD)
    ids = list(session.scalars(dead))
    for start in range(0, len(ids), 500):
        session.execute(
            update(Send)
            .where(Send.id.in_(ids[start : start + 500]))
            .values(state=WAITING, next_at=now, attempts=0, error=None)
        )
    if ids and found.state == DONE:
        found.state, found.ended_at = RUNNING, None
    return len(ids)


def latest(session: Session, *, limit: int = 50) -> list[Broadcast]:
    """Return the newest broadcasts, without their audiences."""
    query = select(Broadcast).options(defer(Broadcast.audience)).order_by(Broadcast.id.desc()).limit(limit)
    return list(session.scalars(query))


def counts(session: Session, broadcast_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return how many sends of each broadcast are in which state."""
    query = select(Send.broadcast_id, Send.state, func.count()).where(Send.broadcast_id.in_(broadcast_ids))
    found: dict[int, dict[str, int]] = {one: {} for one in broadcast_ids}
    for broadcast_id, state, count in session.execute(query.group_by(Send.broadcast_id, Send.state)):
        found[broadcast_id][state] = count
    return found


def _by_key(session: Session, key: str) -> Broadcast | None:
    return session.scalar(select(Broadcast).where(Broadcast.key == key))


def figures(session: Session, *, now: datetime) -> tuple[int, dict[str, int]]:
    """Return how many broadcasts are under way, and their sends by state with the dead ones of a week."""
    query = select(Broadcast).options(load_only(Broadcast.id, Broadcast.state))
    rows = session.scalars(query.where((Broadcast.state == RUNNING) | (Broadcast.ended_at > now - timedelta(days=7))))
    states = {row.id: row.state for row in rows}
    found = dict.fromkeys((WAITING, SENDING, DEAD), 0)
    for number, by_state in counts(session, list(states)).items():
        for state, count in by_state.items():
            if state == DEAD or (state in found and states[number] == RUNNING):
                found[state] += count
    return sum(state == RUNNING for state in states.values()), found
