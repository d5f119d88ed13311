"""Whose a user of a channel is: linked to a customer by a one-time code, and the conversation that both share.

Who has proved an account over WeChat is the customer whose contract it is. The conversation of a linked user who is
reachable is that customer's home: the app and the web page go on in it. A customer has one such user at most. The
later one never sees the conversation of the earlier: the telephone may have been passed on. Locks are taken in the
order user, conversation, joined conversation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, select, update
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.binding import (
    NOBODY,
    Binding,
    accounts_of_user,
    bindings_of_user,
    unsettled,
)
from core.channel.join import bring_cases, close_unreachable, join, joined_to
from core.channel.tables import DROPPED, PARKED, WAITING, ChannelUser, Delivery
from core.channel.users import begin_anew
from core.channel.writer import PAGES, last_writer
from core.conversation import Conversation, Message, change_mode
from core.locking import one_at_a_time
from core.proactive.speaker import bring_back, carry_over

GONE = "gone:"  # what the id of an erased user begins with
_OF_CUSTOMER = select(ChannelUser).where(ChannelUser.customer_no == bindparam("no"), ChannelUser.followed)
_LINKED = _OF_CUSTOMER.order_by(ChannelUser.linked_at.desc()).limit(1)
_LINKED_LOCKED = _LINKED.with_for_update().execution_options(populate_existing=True)
JUST_NOW = timedelta(minutes=1)  # an answer so young was meant for who has just let the account go


@dataclass(frozen=True)
class News:
    """A binding that nobody has looked at yet."""

    binding_id: int
    account_no: str


def is_gone(user: ChannelUser) -> bool:
    """Tell whether a user has left and was erased."""
    return user.user_id.startswith(GONE)


def user_of_customer(session: Session, customer_no: str, *, lock: bool = False) -> ChannelUser | None:
    """Return the user that a customer is linked to and that can be reached."""
    return session.scalar(_LINKED_LOCKED if lock else _LINKED, {"no": customer_no})


def home_of(session: Session, customer_no: str, *, now: datetime) -> Conversation | None:
    """Return the conversation in which a customer's pages go on, locked; None if no channel's user is linked."""
    user = user_of_customer(session, customer_no, lock=True)
    if user is None:
        return None
    home = log_of.find_conversation(session, user.conversation_id, lock=True)
    return begun(session, user, now=now) if home.mode == "closed" else home


def begun(session: Session, user: ChannelUser, *, now: datetime) -> Conversation:
    """Give a user a new conversation, with what this user has proved and no more."""
    fresh = begin_anew(session, user, now=now)
    fresh.accounts = accounts_of_user(session, user)
    fresh.assurance = 1 if fresh.accounts else 0
    session.flush()
    return fresh


def news(session: Session, *, limit: int = 100) -> list[News]:
    """Return the bindings whose contract has to be looked up in the billing system."""
    return [News(row.id, row.account_no) for row in unsettled(session, limit=limit)]


def settle(session: Session, binding_id: int, owner_no: str | None, *, open_for: timedelta, now: datetime) -> list[str]:
    """Note whose contract a binding is, and link, unlink and join as it says; return the conversations that changed.

    `open_for`: how long the session of a page lasts.
    """
    row = session.get(Binding, binding_id)
    if row is None or row.owner_no is not None:
        return []
    row.owner_no = owner_no or NOBODY
    session.flush()
    if row.channel_user is not None:
        query = select(ChannelUser).where(ChannelUser.channel == row.channel, ChannelUser.user_id == row.channel_user)
        user = session.scalar(query.with_for_update().execution_options(populate_existing=True))
        return reconsider(session, user, open_for=open_for, now=now) if user is not None else []
    if row.ended_at is not None or row.customer_no is not None or not owner_no:
        return []
    return _bring_home(session, owner_no, row.conversation_id, now=now)


def reconsider(session: Session, user: ChannelUser, *, open_for: timedelta, now: datetime) -> list[str]:
    """Link a user to the customer of the first account that is bound, or end the link if none of theirs is left.

    Whose customer has proved to have another telephone since stays as they are, whatever else they bind or let go.
    """
    changed = [user.conversation_id]
    bound = bindings_of_user(session, user)
    if user.customer_no is not None:
        if any(row.owner_no in (None, user.customer_no) for row in bound):
            return []
        unlinked(session, user, now=now)
    owners = (row.owner_no for row in bound if row.owner_no and not _taken_since(session, row, user))
    if (owner_no := next(owners, None)) is not None and user.followed:
        linked(session, user, owner_no, open_for=open_for, now=now)
    return [*dict.fromkeys([*changed, user.conversation_id])]


def linked(
    session: Session, user: ChannelUser, customer_no: str, *, open_for: timedelta, now: datetime
) -> Conversation:
    """Make a user (locked) this customer's, and the user's conversation the customer's home; return it.

    A conversation in which somebody else's account was bound before is left behind first.
    """
    one_at_a_time(session, f"customer:{customer_no}")
    others = select(ChannelUser).where(ChannelUser.customer_no == customer_no, ChannelUser.id != user.id)
    left = [_superseded(session, older, now=now) for older in session.scalars(others.with_for_update()).all()]
    home = log_of.find_conversation(session, user.conversation_id, lock=True)
    if user.customer_no is None and _was_anothers(session, home, customer_no):
        leave_behind(session, user, home, now=now)
        home = begun(session, user, now=now)
    user.customer_no, user.linked_at, home.customer_no = customer_no, now, customer_no
    carry_over(session, user, customer_no)
    session.flush()
    for old in left:
        if old is not None:
            _hand_on(session, old, home, now=now)
    own = _latest_of_pages(session, customer_no, since=now - open_for)
    if own is not None:
        join(session, own, home, now=now)
    return home


def _taken_since(session: Session, row: Binding, user: ChannelUser) -> bool:
    """Tell whether another user has become the same customer by a later proof than this one.

    The order of the proofs counts, not when they were looked at: that may be late.
    """
    proof = and_(Binding.channel == ChannelUser.channel, Binding.channel_user == ChannelUser.user_id)
    query = select(Binding.id).join(ChannelUser, proof).where(
        ChannelUser.customer_no == row.owner_no, ChannelUser.id != user.id, Binding.owner_no == row.owner_no,
        Binding.ended_at.is_(None), Binding.id > row.id,
    )  # fmt: skip
    return session.scalar(query.limit(1)) is not None


def unlinked(session: Session, user: ChannelUser, *, now: datetime) -> Conversation:
    """End the link of a user (locked): a fresh conversation is theirs, and what was said stays with the customer."""
    old = log_of.find_conversation(session, user.conversation_id, lock=True)
    bring_back(session, user)
    user.customer_no = user.linked_at = None
    leave_behind(session, user, old, now=now)
    return begun(session, user, now=now)


def leave_behind(session: Session, user: ChannelUser, old: Conversation, *, now: datetime) -> None:
    """Take a conversation (locked) from a user: the customer's pages keep it, and without such it is closed.

    What still waits to be sent of it is not sent, but for the answer of this very moment.
    """
    stale = Delivery.created_at < now - JUST_NOW
    gone = update(Delivery).where(Delivery.channel_user_id == user.id, Delivery.conversation_id == old.id)
    session.execute(gone.where(Delivery.state == PARKED).values(state=DROPPED))
    session.execute(gone.where(Delivery.state == WAITING, stale | (Delivery.kind != "answer")).values(state=DROPPED))
    old.channel_user_id, old.accounts, old.assured, old.assured_until = None, [], [], None
    if has_pages(session, old):
        old.channel = PAGES[0]
    else:
        close_unreachable(session, old, why="unlinked", now=now)
    session.flush()


def _bring_home(session: Session, owner_no: str, conversation_id: str, *, now: datetime) -> list[str]:
    """Join the conversation of somebody unknown, who has proved to be this customer, to the customer's home."""
    home = home_of(session, owner_no, now=now)
    if home is None or home.id == conversation_id:
        return []
    own = log_of.find_conversation(session, conversation_id, lock=True, exact=True)
    return [own.id, home.id] if join(session, own, home, now=now) else []


def _superseded(session: Session, older: ChannelUser, *, now: datetime) -> Conversation | None:
    """End the link of a user (locked) whose customer has another telephone now; what is bound stays.

    The conversation stays too, unless the customer's pages took part in it: then the user, who may be somebody else by
    now, begins anew, and it is returned: nobody reads it any more.
    """
    bring_back(session, older)
    older.customer_no = older.linked_at = None
    conversation = log_of.find_conversation(session, older.conversation_id, lock=True)
    conversation.customer_no = None
    if not has_pages(session, conversation):
        conversation.accounts = accounts_of_user(session, older)
        conversation.assured, conversation.assured_until = [], None
        session.flush()
        return None
    asked = last_writer(session, conversation) == "user"
    leave_behind(session, older, conversation, now=now)
    fresh = begun(session, older, now=now)
    if asked:
        _take_case(session, conversation, fresh, now=now)
    return conversation


def _hand_on(session: Session, old: Conversation, home: Conversation, *, now: datetime) -> None:
    """Let the customer's pages go on in another home (locked): their case, and the sessions that were joined before.

    What was said in the old home is not shown there: another one has written in it.
    """
    _take_case(session, old, home, now=now)
    for page in joined_to(session, old.id):
        page.joined_to, page.joined_at = home.id, now
    session.flush()


def _take_case(session: Session, old: Conversation, new: Conversation, *, now: datetime) -> None:
    """Let who waits for a person in a conversation that is left go on waiting in another one."""
    if old.mode == "closed":
        return
    on_page = last_writer(session, old) != "user"
    if not bring_cases(session, old, new, now=now):
        return
    if on_page and old.last_at > new.last_at:
        new.channel, new.channel_user_id = old.channel, None
    change_mode(old, "close", now=now)


def _was_anothers(session: Session, conversation: Conversation, customer_no: str) -> bool:
    """Tell whether an account of somebody else was ever bound in a conversation, or it was somebody else's home."""
    query = select(Binding.id).where(
        Binding.conversation_id == conversation.id, Binding.owner_no.is_not(None),
        Binding.owner_no.not_in((customer_no, NOBODY)),
    )  # fmt: skip
    known = conversation.customer_no not in (None, customer_no)
    return known or session.scalar(query.limit(1)) is not None or has_pages(session, conversation)


def has_pages(session: Session, conversation: Conversation) -> bool:
    """Tell whether the web page or the app takes part in a conversation."""
    joined = select(Conversation.id).where(Conversation.joined_to == conversation.id)
    if session.scalar(joined.limit(1)) is not None:
        return True
    said = select(Message.seq).where(
        Message.conversation_id == conversation.id, Message.author == "customer", Message.channel.in_(PAGES)
    )
    return session.scalar(said.limit(1)) is not None


def _latest_of_pages(session: Session, customer_no: str, *, since: datetime) -> Conversation | None:
    """Return the latest open conversation of a customer's own page, locked."""
    query = select(Conversation).where(
        Conversation.customer_no == customer_no, Conversation.channel.in_(PAGES), Conversation.mode != "closed",
        Conversation.joined_to.is_(None), Conversation.created_at >= since, Conversation.next_seq > 1,
    )  # fmt: skip
    at_home = select(ChannelUser.id).where(ChannelUser.conversation_id == Conversation.id).exists()
    latest = query.where(~at_home).order_by(Conversation.last_at.desc()).limit(1)
    return session.scalar(latest.with_for_update().execution_options(populate_existing=True))
