"""Who writes in a conversation: a user of a channel, the login of a page, or somebody unknown who has joined it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from core.binding import Binding, accounts_of, accounts_of_conversation, accounts_of_user, apply_grant, bindings_of_user
from core.channel.join import talks_of
from core.channel.tables import ChannelUser
from core.conversation import ASSURED, Conversation, Message
from core.identity import Grant, Seat

_USER_AT = select(ChannelUser).where(ChannelUser.conversation_id == bindparam("at")).limit(1)
PAGES = ("web", "app")  # channels that no user of ours stands behind: who writes there is known by a login


def user_at(session: Session, conversation_id: str) -> ChannelUser | None:
    """Return the user of a channel whose conversation this is now."""
    return session.scalar(_USER_AT, {"at": conversation_id})


def writes(
    session: Session, conversation: Conversation, *, seat: Seat | None, user: ChannelUser | None, now: datetime
) -> None:  # fmt: skip
    """Let what stands in a conversation (locked, its channel set) be that of who writes now, before it is logged.

    `user`: the channel's, whose conversation it is (`user_at`).
    In a customer's home several write: the channel's user has what was proved there, a page with a login what the login
    names, somebody unknown what was bound in the conversation that was joined. A code assures only who has typed it.
    """
    claim = seat.claim if seat is not None else None
    mine = claim is not None and claim.customer_no == conversation.customer_no
    if user is None and not (mine and not conversation.accounts):
        return
    if last_writer(session, conversation) != _key(conversation, seat, user):
        conversation.assured, conversation.assured_until = [], None
    if conversation.channel_user_id is not None and user is not None:
        conversation.accounts, least = accounts_of_user(session, user), 1
    elif mine and claim is not None and seat is not None:
        conversation.accounts, least = _named(session, user, claim.customer_no, claim.accounts), claim.assurance
        if claim.assurance == 2 and now - seat.began < ASSURED and conversation.assured_until is None:
            conversation.assured, conversation.assured_until = conversation.accounts, seat.began + ASSURED
    else:
        conversation.accounts, least = accounts_of_conversation(session, seat.conversation_id if seat else ""), 1
    conversation.assurance = 2 if conversation.assured_until else min(least, 1) if conversation.accounts else 0
    session.flush()


def _named(session: Session, user: ChannelUser | None, customer_no: str, claimed: tuple[str, ...]) -> list[str]:
    """Return the accounts of a login, and what the same customer has proved over the channel and not let go here."""
    own = accounts_of(session, customer_no, claimed)
    if user is None or user.customer_no != customer_no:
        return own
    ended = set(session.scalars(
        select(Binding.account_no).where(Binding.customer_no == customer_no, Binding.ended_at.is_not(None))
    ))  # fmt: skip
    more = [row.account_no for row in bindings_of_user(session, user) if row.owner_no == customer_no]
    return own + [number for number in more if number not in own and number not in ended]


def _key(conversation: Conversation, seat: Seat | None, user: ChannelUser | None) -> str:
    """Name a writer, so that another one can be told from them."""
    if conversation.channel_user_id is not None and user is not None:
        return "user"
    return "login" if seat is None or seat.claim is not None else seat.conversation_id


def last_writer(session: Session, conversation: Conversation) -> str:
    """Name who wrote last, as the log has it."""
    query = select(Message).where(Message.conversation_id == conversation.id, Message.author == "customer")
    last = session.scalar(query.order_by(Message.seq.desc()).limit(1))
    return "user" if last is None else writer_of(session, last)


def writer_of(session: Session, message: Message) -> str:
    """Name who wrote a message: `user` of a channel, `login` of the page, or the conversation of somebody unknown."""
    if message.channel not in PAGES:
        return "user"
    began = (message.external_id or "").partition(":")[0]
    joined = session.get(Conversation, began) if began != message.conversation_id else None
    return began if joined is not None and joined.customer_no is None else "login"


def earlier_talks(session: Session, message: Message, *, proved: bool) -> tuple[str, ...]:
    """Return the latest of the conversations joined to that of a message whose orders its writer may hear of.

    Who has proved an account of the customer (`proved`) hears of all, somebody unknown of their own alone.
    """
    found = talks_of(session, message.conversation_id)
    own = "" if proved or not found else writer_of(session, message)
    return found if proved else tuple(one for one in found if one == own)


def grant_to(session: Session, conversation: Conversation, message: Message, grant: Grant, *, now: datetime) -> None:
    """Apply what was proved in the turn of a message to who wrote it, whoever may have written since."""
    writer, user = writer_of(session, message), None
    if writer == "user":
        user = user_at(session, conversation.id)
        if user is None and conversation.channel_user_id is not None:
            user = session.get(ChannelUser, conversation.channel_user_id)
    seat = writer if writer not in ("user", "login") else None
    present = last_writer(session, conversation) == writer
    apply_grant(session, conversation, grant, now=now, user=user, seat=seat, present=present)
