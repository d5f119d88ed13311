"""Who is to hear of what concerns an account: found for many accounts at once, never one after the other.

Those are the users of a channel who have bound it, and the customer whose contract it is, if we know that customer: by
a conversation, a channel, or a choice. Customers who have never had to do with us are not written to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from core.account import Account, Customer
from core.binding import Binding
from core.channel.tables import ChannelUser
from core.conversation import Conversation
from core.proactive.choices import customer, subject_of, user
from core.proactive.tables import Choice


@dataclass(frozen=True)
class Owner:
    """Whose contract an account is, by the billing system."""

    account_no: str
    customer_no: str


def owners_of(billing: Session, accounts: Collection[str], *, today: date) -> list[Owner]:
    """Return the owners of those of the accounts that are not closed."""
    if not accounts:
        return []
    query = select(Account.account_no, Customer.customer_no).join(Customer, Customer.id == Account.customer_id)
    query = query.where(Account.account_no.in_(accounts), (Account.closed_on.is_(None)) | (Account.closed_on > today))
    return [Owner(row[0], row[1]) for row in billing.execute(query)]


def hearers(bridge: Session, owners: Collection[Owner]) -> dict[str, list[str]]:
    """Return by account who is to hear of it, as `customer:<no>` and `user:<id>`; accounts of nobody are left out."""
    if not owners:
        return {}
    known = _known(bridge, {one.customer_no for one in owners})
    found: dict[str, dict[str, None]] = {}
    for one in owners:
        if one.customer_no in known:
            found.setdefault(one.account_no, {})[customer(one.customer_no)] = None
    for account_no, subject in _bound(bridge, {one.account_no: one.customer_no for one in owners}):
        found.setdefault(account_no, {})[subject] = None
    return {account_no: list(subjects) for account_no, subjects in found.items()}


@dataclass(frozen=True)
class Elsewhere:
    """Who hears something in conversations: `pushed` to them there; `logged`: they find it when they look."""

    pushed: frozenset[str]
    logged: frozenset[str]


def hearing_in(bridge: Session, conversation_ids: Iterable[str], *, size: int = 500) -> Elsewhere:
    """Return the customers and users of a channel to whom these conversations belong, wherever they go on now."""
    ids = list(dict.fromkeys(conversation_ids))
    pushed: set[str] = set()
    logged: set[str] = set()
    for start in range(0, len(ids), size):
        part = ids[start : start + size]
        moved = bridge.execute(select(Conversation.id, Conversation.joined_to).where(Conversation.id.in_(part))).all()
        homes = {row[1] or row[0] for row in moved}
        query = select(Conversation.id, Conversation.customer_no, Conversation.channel_user_id)
        rows = bridge.execute(query.where(Conversation.id.in_(homes))).all()
        users = {
            one.conversation_id: one
            for one in bridge.scalars(select(ChannelUser).where(ChannelUser.conversation_id.in_(homes)))
        }
        for conversation_id, customer_no, user_id in rows:
            found = pushed if user_id is not None else logged
            one = users.get(conversation_id)
            found |= {customer(customer_no)} if customer_no else set()
            found |= {user(one.id), subject_of(one)} if one is not None else set()
    return Elsewhere(frozenset(pushed), frozenset(logged - pushed))


def _known(bridge: Session, numbers: Collection[str]) -> set[str]:
    """Return which customers we have to do with."""
    followed = select(ChannelUser.customer_no).where(ChannelUser.customer_no.in_(numbers), ChannelUser.followed)
    talked = select(Conversation.customer_no).where(Conversation.customer_no.in_(numbers)).distinct()
    chose = select(Choice.subject).where(Choice.subject.in_([customer(one) for one in numbers])).distinct()
    found = {str(one) for one in bridge.scalars(followed)} | {str(one) for one in bridge.scalars(talked)}
    return found | {one.partition(":")[2] for one in bridge.scalars(chose)}


def _bound(bridge: Session, owner_of: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return accounts and the users of a channel who have bound them, while the contract is still whose it was."""
    query = select(Binding).where(
        Binding.account_no.in_(owner_of), Binding.ended_at.is_(None), Binding.channel_user.is_not(None)
    )
    rows = [row for row in bridge.scalars(query) if row.owner_no in (None, owner_of[row.account_no])]
    keys = {(row.channel, row.channel_user) for row in rows}
    if not keys:
        return []
    users = select(ChannelUser).where(tuple_(ChannelUser.channel, ChannelUser.user_id).in_(keys), ChannelUser.followed)
    subjects = {(one.channel, one.user_id): subject_of(one) for one in bridge.scalars(users)}
    return [
        (row.account_no, subjects[row.channel, str(row.channel_user)])
        for row in rows
        if (row.channel, row.channel_user) in subjects
    ]
