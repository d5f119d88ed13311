"""Bindings: which accounts a customer has proved to be theirs in a conversation, beyond what the company's app says.

A binding belongs to the customer, or for somebody unknown to the conversation alone. One that has ended keeps its row:
an account that the customer let go stays away, although the app's token still names it, until it is bound again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.conversation import ASSURED, Conversation
from core.db import BridgeBase, Instant
from core.identity import Grant


class Binding(BridgeBase):
    """An account that was bound in a conversation, or let go (`ended_at`)."""

    __tablename__ = "bindings"
    __table_args__ = (
        Index("ix_bindings_customer", "customer_no", "account_no"),
        Index("ix_bindings_user", "channel", "channel_user"),
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


def apply_grant(session: Session, conversation: Conversation, grant: Grant, *, now: datetime) -> None:
    """Change whose conversation this is, as the grant of its latest turn says; the same grant again changes nothing."""
    for number in grant.add:
        if number not in conversation.accounts:
            session.add(_row(conversation, number, since=now, ended_at=None))
            conversation.accounts = [*conversation.accounts, number]
    for number in grant.remove:
        if number in conversation.accounts:
            _end(session, conversation, number, now=now)
            conversation.accounts = [one for one in conversation.accounts if one != number]
    if grant.assured:
        conversation.assured = [number for number in grant.assured if number in conversation.accounts]
        conversation.assured_until, conversation.assurance = now + ASSURED, 2
    elif not conversation.accounts and conversation.customer_no is None:
        conversation.assurance = 0


def _end(session: Session, conversation: Conversation, number: str, *, now: datetime) -> None:
    mine = (
        Binding.customer_no == conversation.customer_no
        if conversation.customer_no
        else Binding.conversation_id == conversation.id
    )
    query = select(Binding).where(mine, Binding.account_no == number, Binding.ended_at.is_(None))
    rows = session.scalars(query).all()
    for row in rows:
        row.ended_at = now
    if not rows:  # the app's own binding: only this says that it was let go here
        session.add(_row(conversation, number, since=now, ended_at=now))


def _row(conversation: Conversation, number: str, *, since: datetime, ended_at: datetime | None) -> Binding:
    return Binding(
        conversation_id=conversation.id, channel=conversation.channel, customer_no=conversation.customer_no,
        account_no=number, since=since, ended_at=ended_at,
    )  # fmt: skip
