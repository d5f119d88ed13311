"""Who writes over a channel: finding or creating the user, and the conversation that is theirs now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.binding import accounts_of_user
from core.channel.tables import ChannelUser
from core.conversation import Conversation


def user_of(session: Session, channel: str, user_id: str, *, now: datetime) -> ChannelUser:
    """Return the user of a channel, locked; somebody new gets an anonymous conversation."""
    found = known_user(session, channel, user_id)
    if found is not None:
        return found
    try:
        with session.begin_nested():  # two first messages at once: the second one finds what the first has made
            conversation = log_of.open_conversation(
                session, channel=channel, customer_no=None, accounts=[], assurance=0, now=now
            )
            user = ChannelUser(
                channel=channel, user_id=user_id, conversation_id=conversation.id, followed=True, created_at=now
            )  # fmt: skip
            session.add(user)
            session.flush()
            conversation.channel_user_id = user.id
            return user
    except IntegrityError:
        other = known_user(session, channel, user_id)
        if other is None:
            raise
        return other


def known_user(session: Session, channel: str, user_id: str) -> ChannelUser | None:
    """Return the user of a channel, locked until the transaction ends, or None."""
    query = select(ChannelUser).where(ChannelUser.channel == channel, ChannelUser.user_id == user_id)
    return session.scalar(query.with_for_update().execution_options(populate_existing=True))


def conversation_of(session: Session, user: ChannelUser, *, lock: bool = False) -> Conversation:
    """Return the conversation in which the user writes now, whatever it was joined to."""
    conversation = log_of.find_conversation(session, user.conversation_id, lock=lock)
    user.conversation_id = conversation.id
    return conversation


def begin_anew(session: Session, user: ChannelUser, *, now: datetime) -> Conversation:
    """Give the user a new conversation, since theirs is over; what they have proved goes along."""
    accounts = accounts_of_user(session, user)
    conversation = log_of.open_conversation(
        session, channel=user.channel, customer_no=user.customer_no, accounts=accounts,
        assurance=1 if accounts else 0, now=now,
    )  # fmt: skip
    conversation.channel_user_id = user.id
    user.conversation_id = conversation.id
    return conversation
