"""What customers chose to hear of, and over which channel."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.channel.tables import ChannelUser
from core.proactive.kinds import CHANNELS, Notices
from core.proactive.tables import KINDS, Choice

CUSTOMER, USER = "customer:", "user:"


class BadChoice(ValueError):
    """There is no such kind, channel or subject."""


@dataclass(frozen=True)
class Chosen:
    """Whether somebody wants to hear of a kind of thing, over which channel, and whether they said so themselves."""

    wanted: bool
    channel: str
    own: bool


def customer(customer_no: str) -> str:
    """Return the subject and recipient that a customer is."""
    return f"{CUSTOMER}{customer_no}"


def user(channel_user_id: int) -> str:
    """Return the subject and recipient that a channel's user without a customer is."""
    return f"{USER}{channel_user_id}"


def subject_of(one: ChannelUser) -> str:
    """Return whose choices hold for a channel's user: the linked customer's, else their own."""
    return customer(one.customer_no) if one.customer_no else user(one.id)


def customers_in(subject: str) -> list[str]:
    """Return the number of the customer whom a subject names; nobody for a user of whom none is known."""
    return [subject.removeprefix(CUSTOMER)] if subject.startswith(CUSTOMER) else []


def choose(session: Session, subject: str, kind: str, *, wanted: bool, channel: str, now: datetime) -> None:
    """Keep what somebody chose; the last word counts.

    Raises:
        BadChoice: if kind, channel or subject is none.
    """
    if kind not in KINDS or channel not in CHANNELS or not subject.startswith((CUSTOMER, USER)):
        raise BadChoice(f"{subject.partition(':')[0]} {kind} {channel}")
    row = session.get(Choice, (subject, kind))
    if row is None:
        session.add(Choice(subject=subject, kind=kind, wanted=wanted, channel=channel, changed_at=now))
    else:
        row.wanted, row.channel, row.changed_at = wanted, channel, now
    session.flush()


def chosen(session: Session, subjects: Collection[str], kind: str, notices: Notices) -> dict[str, Chosen]:
    """Return for each subject what holds for a kind: their own choice, else what the file says."""
    query = select(Choice).where(Choice.kind == kind, Choice.subject.in_(subjects))
    rows = {row.subject: row for row in session.scalars(query)}
    return {subject: _holds(rows.get(subject), subject, kind, notices) for subject in subjects}


def choices_of(session: Session, subject: str, notices: Notices) -> Mapping[str, Chosen]:
    """Return what holds for one subject, by kind, in the order in which kinds are shown."""
    rows = {row.kind: row for row in session.scalars(select(Choice).where(Choice.subject == subject))}
    return {kind: _holds(rows.get(kind), subject, kind, notices) for kind in KINDS}


def _holds(row: Choice | None, subject: str, kind: str, notices: Notices) -> Chosen:
    default = notices.kinds[kind]
    if row is not None:
        return Chosen(row.wanted, row.channel if row.channel in default.ways else default.channel, own=True)
    wanted = default.customers if subject.startswith(CUSTOMER) else default.followers
    return Chosen(wanted, default.channel, own=False)
