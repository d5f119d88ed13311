"""Bindings: which accounts a customer has proved to be theirs in a conversation, beyond what the company's app says.

A binding belongs to the user of a channel who made it (WeChat), else to the customer, or for somebody unknown to the
conversation alone. One that has ended keeps its row: an account that the customer let go stays away, although the app's
token still names it, until it is bound again. `owner_no` is whose contract it was in the billing system then; who has
taken it over since is somebody else (`core.channel.tenancy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Index, String, and_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.channel.tables import ChannelUser
from core.conversation import ASSURED, Conversation
from core.db import BridgeBase, Instant
from core.identity import Grant
from core.proactive.withdrawn import let_go

NOBODY = ""  # `owner_no` of an account that the billing system does not know


class Binding(BridgeBase):
    """An account that was bound in a conversation, or let go (`ended_at`)."""

    __tablename__ = "bindings"
    __table_args__ = (
        Index("ix_bindings_customer", "customer_no", "account_no"),
        Index("ix_bindings_user", "channel", "channel_user"),
        Index("ix_bindings_owner", "owner_no"),
        Index("ix_bindings_account", "account_no"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(String(36), index=True)
    channel: Mapped[str] = mapped_column(String(16))
    customer_no: Mapped[str | None] = mapped_column(String(12))
    channel_user: Mapped[str | None] = mapped_column(String(64))  # who the channel says it is, where it knows
    account_no: Mapped[str] = mapped_column(String(13))
    owner_no: Mapped[str | None] = mapped_column(String(12))  # whose contract it was when it was bound
    since: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


def accounts_of(session: Session, customer_no: str | None, claimed: Sequence[str]) -> list[str]:
    """Return the accounts of a new conversation: those that the app names, and those bound here, without the ended."""
    if not customer_no:
        return list(claimed)
    rows = session.scalars(select(Binding).where(Binding.customer_no == customer_no).order_by(Binding.id)).all()
    latest = {row.account_no: row for row in rows}
    kept = [number for number in claimed if number not in latest or latest[number].ended_at is None]
    return kept + [number for number, row in latest.items() if row.ended_at is None and number not in kept]


def bindings_of_user(session: Session, user: ChannelUser) -> list[Binding]:
    """Return what a user of a channel has bound and not let go, the first one first."""
    query = select(Binding).where(_of_user(user), Binding.ended_at.is_(None)).order_by(Binding.id)
    return list({row.account_no: row for row in session.scalars(query)}.values())


def accounts_of_user(session: Session, user: ChannelUser) -> list[str]:
    """Return the accounts that a user of a channel has bound."""
    return [row.account_no for row in bindings_of_user(session, user)]


def accounts_of_conversation(session: Session, conversation_id: str) -> list[str]:
    """Return what somebody unknown has bound in a conversation."""
    mine = and_(Binding.conversation_id == conversation_id, Binding.customer_no.is_(None))
    query = select(Binding).where(mine, Binding.channel_user.is_(None), Binding.ended_at.is_(None)).order_by(Binding.id)
    return list(dict.fromkeys(row.account_no for row in session.scalars(query)))


def apply_grant(
    session: Session, conversation: Conversation, grant: Grant, *, now: datetime, user: ChannelUser | None = None,
    seat: str | None = None, present: bool = True,
) -> None:  # fmt: skip
    """Change whose conversation this is, as the grant of its latest turn says; the same grant again changes nothing.

    `user` wrote it, by a channel that knows its users; `seat`: somebody unknown of another conversation, which was
    joined to this one. Not `present`: somebody else has written since, and what stands in the conversation is theirs.
    """
    held = conversation.accounts if present else _held(session, conversation, user, seat)
    for number in _proved_again(session, user, grant):
        session.add(_row(conversation, number, user, seat, since=now, ended_at=None))
    for number in grant.add:
        if number not in held:
            session.add(_row(conversation, number, user, seat, since=now, ended_at=None))
            held = [*held, number]
    for number in grant.remove:
        if number in held or not present:
            _end(session, conversation, number, user, seat, now=now)
            held = [one for one in held if one != number]
    session.flush()
    if not present:
        return
    conversation.accounts = held
    if grant.assured:
        conversation.assured = [number for number in grant.assured if number in conversation.accounts]
        conversation.assured_until, conversation.assurance = now + ASSURED, 2
    elif not conversation.accounts and (user is not None or conversation.customer_no is None):
        conversation.assurance = 0


def owners_of(session: Session, account_nos: Sequence[str]) -> dict[str, str]:
    """Return whose contract accounts were when they were last bound, of those of which that was looked up."""
    if not account_nos:
        return {}
    known = and_(Binding.owner_no.is_not(None), Binding.owner_no != NOBODY)
    query = select(Binding.account_no, Binding.owner_no).where(Binding.account_no.in_(list(account_nos)), known)
    return {number: owner for number, owner in session.execute(query.order_by(Binding.id)) if owner is not None}


def unsettled(session: Session, *, limit: int = 100) -> list[Binding]:
    """Return the bindings of which it is not known yet whose contract they are, oldest first."""
    return list(session.scalars(select(Binding).where(Binding.owner_no.is_(None)).order_by(Binding.id).limit(limit)))


def _proved_again(session: Session, user: ChannelUser | None, grant: Grant) -> list[str]:
    """Return what a user who is no longer linked to the customer has proved anew, and may be linked by again."""
    if user is None or user.customer_no is not None:
        return []
    looked_up = {row.account_no for row in bindings_of_user(session, user) if row.owner_no}
    return [number for number in dict.fromkeys((*grant.add, *grant.assured)) if number in looked_up]


def _held(session: Session, conversation: Conversation, user: ChannelUser | None, seat: str | None) -> list[str]:
    if user is not None:
        return accounts_of_user(session, user)
    if seat is not None or conversation.customer_no is None:
        return accounts_of_conversation(session, seat or conversation.id)
    return accounts_of(session, conversation.customer_no, ())


def _of_user(user: ChannelUser) -> ColumnElement[bool]:
    return and_(Binding.channel == user.channel, Binding.channel_user == user.user_id)


def _end(
    session: Session, conversation: Conversation, number: str, user: ChannelUser | None, seat: str | None, *,
    now: datetime,
) -> None:  # fmt: skip
    if user is not None:
        mine = _of_user(user)
    elif conversation.customer_no and seat is None:
        mine = Binding.customer_no == conversation.customer_no
    else:
        mine = and_(Binding.conversation_id == (seat or conversation.id), Binding.channel_user.is_(None))
    query = select(Binding).where(mine, Binding.account_no == number, Binding.ended_at.is_(None))
    rows = session.scalars(query).all()
    for row in rows:
        row.ended_at = now
    if user is not None:
        session.flush()
        let_go(session, user.id, number, accounts_of_user(session, user), now=now)
    # Of the app's own binding only such a row says that it was let go; of a user's it is the news.
    if user is not None or not rows:
        session.add(_row(conversation, number, user, seat, since=now, ended_at=now))


def _row(
    conversation: Conversation, number: str, user: ChannelUser | None, seat: str | None, *, since: datetime,
    ended_at: datetime | None,
) -> Binding:  # fmt: skip
    return Binding(
        conversation_id=seat or conversation.id, channel=user.channel if user else conversation.channel,
        customer_no=conversation.customer_no if user is None and seat is None else None,
        channel_user=user.user_id if user else None, account_no=number, since=since, ended_at=ended_at,
    )  # fmt: skip
