"""Tenancy: an account that has another customer now is no more what somebody bound when it was the earlier one's.

Whose it is stands in the billing system, which is asked apart from our own transactions. What is void ends like what
was let go, and who had it is told once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.account import Account, Customer
from core.binding import NOBODY, Binding, accounts_of_user
from core.channel.link import reconsider
from core.channel.tables import ChannelUser
from core.channel.writer import user_at
from core.conversation import Conversation
from core.handoff.case import say
from core.masking import mask_account_no
from core.proactive.withdrawn import let_go

BATCH = 500


@dataclass(frozen=True)
class Bound:
    """An account that is bound, and whose contract it was then."""

    binding_id: int
    account_no: str
    owner_no: str


def owners(billing: Session, numbers: Collection[str]) -> dict[str, str]:
    """Return whose contract each of the accounts is; unknown ones are left out."""
    query = select(Account.account_no, Customer.customer_no).join(Customer, Customer.id == Account.customer_id)
    rows = billing.execute(query.where(Account.account_no.in_(list(numbers))))
    return {number: customer_no for number, customer_no in rows}  # noqa: C416  a row is no tuple to mypy


def bound_after(session: Session, binding_id: int, *, limit: int = BATCH) -> list[Bound]:
    """Return the next accounts that are bound, after that binding."""
    return _bound(session, _active().where(Binding.id > binding_id).order_by(Binding.id).limit(limit))


def bound_in(session: Session, conversation: Conversation) -> list[Bound]:
    """Return what is bound by those who write in a conversation."""
    ways = [Binding.conversation_id == conversation.id]
    if conversation.customer_no is not None:
        ways.append(Binding.customer_no == conversation.customer_no)
    user = user_at(session, conversation.id)
    if user is not None:
        ways.append(and_(Binding.channel == user.channel, Binding.channel_user == user.user_id))
    return _bound(session, _active().where(or_(*ways)))


def void(
    session: Session, binding_id: int, owner_no: str, *, text: str, open_for: timedelta, now: datetime
) -> list[str]:
    """End a binding whose account is the customer's `owner_no` now, and tell who had it; return what changed.

    `text` names the account as {account}. The same again changes nothing.
    """
    row = session.get(Binding, binding_id)
    if row is None or row.ended_at is not None or row.owner_no in (None, NOBODY, owner_no):
        return []
    words = text.format(account=mask_account_no(row.account_no))
    if row.channel_user is not None:
        query = select(ChannelUser).where(ChannelUser.channel == row.channel, ChannelUser.user_id == row.channel_user)
        user = session.scalar(query.with_for_update().execution_options(populate_existing=True))
        row.ended_at = now
        session.flush()
        if user is not None:
            let_go(session, user.id, row.account_no, accounts_of_user(session, user), now=now)
        return _void_of_user(session, user, row.account_no, words, open_for=open_for, now=now) if user else []
    row.ended_at = now
    changed = []
    for one in _conversations_of(session, row):
        conversation = log_of.find_conversation(session, one, lock=True)
        _take_away(conversation, row.account_no)
        say(session, conversation, words, now=now)
        changed.append(conversation.id)
    session.flush()
    return changed


def _void_of_user(
    session: Session, user: ChannelUser, number: str, words: str, *, open_for: timedelta, now: datetime
) -> list[str]:
    conversation = log_of.find_conversation(session, user.conversation_id, lock=True)
    if conversation.channel_user_id is not None:  # else somebody writes over a page, whose login says what they have
        _take_away(conversation, number)
    session.flush()
    changed = reconsider(session, user, open_for=open_for, now=now)
    present = log_of.find_conversation(session, user.conversation_id, lock=True)
    if user.followed:
        say(session, present, words, now=now)
    session.flush()
    return [*dict.fromkeys([*changed, conversation.id, present.id])]


def _take_away(conversation: Conversation, number: str) -> None:
    conversation.accounts = [one for one in conversation.accounts if one != number]
    conversation.assured = [one for one in conversation.assured if one != number]
    if not conversation.accounts:
        conversation.assurance = 0


def _conversations_of(session: Session, row: Binding) -> list[str]:
    """Return the open conversations in which a binding without a user of a channel counts."""
    mine = Conversation.id == row.conversation_id
    if row.customer_no is not None:
        mine = or_(mine, Conversation.customer_no == row.customer_no)
    query = select(Conversation).where(mine, Conversation.mode != "closed")
    return sorted(one.id for one in session.scalars(query) if row.account_no in one.accounts)


def _active() -> Select[Binding]:
    return select(Binding).where(
        Binding.ended_at.is_(None), Binding.owner_no.is_not(None), Binding.owner_no != NOBODY
    )  # fmt: skip


def _bound(session: Session, query: Select[Binding]) -> list[Bound]:
    return [Bound(row.id, row.account_no, row.owner_no or NOBODY) for row in session.scalars(query)]
