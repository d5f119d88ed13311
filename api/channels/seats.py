"""Seats: where the holder of a session token sits now, and from when on they may read what is said there.

A token names the conversation in which its session was opened. That one may have been joined to the customer's home,
and a home may have become somebody else's since: each call looks anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends
from fastapi.requests import HTTPConnection
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep, bearer
from api.inbound import Check
from core import conversation as log_of
from core.channel.arrival import Around
from core.channel.join import join, joined_to
from core.channel.link import home_of, is_gone, user_of_customer
from core.channel.tables import OPEN, ChannelUser, Delivery
from core.channel.writer import user_at
from core.conversation import Conversation, Message
from core.identity import BadToken, Seat, read_seat


class Elsewhere(Exception):
    """Where the seat is now has to be found out first, in transactions of its own; nothing was written."""


@dataclass(frozen=True)
class Place:
    """A conversation as it is now; what was said up to `floor` is not for the holder."""

    conversation: Conversation
    floor: int = 0
    calls_home: bool = False  # the customer has a home, and this conversation is not joined to it yet

    @property
    def id(self) -> str:
        """Return the id of the conversation."""
        return self.conversation.id


async def seat_of(connection: HTTPConnection, parts: PartsDep) -> Seat:
    """Return what the session token of the caller says.

    Raises:
        BadToken: if there is none that is valid.
    """
    token = bearer(connection)
    if token is None:
        raise BadToken("no token")
    return read_seat(parts.settings.session_key.get_secret_value(), token, now=parts.clock())


SeatDep = Annotated[Seat, Depends(seat_of)]


def look(session: Session, seat: Seat) -> Place:
    """Return where a seat is now.

    Raises:
        ConversationNotFound: if there is no such conversation.
        BadToken: if the conversation belongs to somebody else now.
    """
    conversation = log_of.find_conversation(session, seat.conversation_id)
    user = user_at(session, conversation.id)
    _check(seat, conversation, user)
    claim = seat.claim
    if seat.user_id is None and claim is None and conversation.id != seat.conversation_id:
        return Place(conversation, _floor(session, conversation, seat))
    away = claim is not None and user is None and user_of_customer(session, claim.customer_no) is not None
    return Place(conversation, calls_home=away)


async def placed(parts: Parts, seat: Seat) -> Place:
    """Return where a seat is now, which may be the customer's home from this moment on."""
    place = await parts.store.read(lambda session: look(session, seat))
    if place.calls_home and await parts.store.write(lambda session: _go_home(session, seat, now=parts.clock())):
        parts.bus.publish(place.id)
        return await parts.store.read(lambda session: look(session, seat))
    return place


def written_by(seat: Seat, *, fresh: timedelta, now: datetime, photo: bool) -> Check:
    """Return the check of a message from a seat, within the transaction that logs it.

    It lets it pass where `placed` would leave the seat, without a transaction before. It raises `Elsewhere` where the
    customer's home calls, after a pause longer than `fresh`, and in a home for a `photo` and for what came before.
    """

    def check(conversation: Conversation, user: ChannelUser | None, around: Around) -> None:
        _check(seat, conversation, user)
        calls_home = seat.claim is not None and user is None and around.away
        moved = conversation.id != seat.conversation_id
        if calls_home or now - conversation.last_at > fresh or (moved and (photo or around.known)):
            raise Elsewhere

    return check


def held_by(seat: Seat) -> Check:
    """Return the check that a conversation is not somebody else's than the holder's of a seat."""
    return lambda conversation, user, _around: _check(seat, conversation, user)


def earlier_for(session: Session, seat: Seat, place: Place) -> list[Conversation]:
    """Return what was joined to a seat's conversation and is for its holder: a login's own talk, and what they said."""
    found = [one for one in joined_to(session, place.id) if one.joined_at is not None]
    number = seat.claim.customer_no if seat.claim is not None else None
    return [one for one in found if one.id == seat.conversation_id or (number and one.customer_no == number)]


def shown_instead(session: Session, seat: Seat, place: Place, upto: int) -> bool:
    """Tell whether something waits to be sent that the page, on which the customer wrote last, has shown by now."""
    if place.conversation.channel != seat.via:
        return False
    query = select(Delivery.id).where(Delivery.conversation_id == place.id, Delivery.seq <= upto)
    return session.scalar(query.where(Delivery.state.in_(OPEN), Delivery.part == 0).limit(1)) is not None


def _check(seat: Seat, conversation: Conversation, user: ChannelUser | None) -> None:
    if seat.user_id is not None:
        good = user is not None and user.id == seat.user_id and not is_gone(user)
    elif seat.claim is not None:
        good = conversation.customer_no == seat.claim.customer_no
        good = good and (user is None or user.customer_no == seat.claim.customer_no)
    else:
        joined = conversation.id != seat.conversation_id and conversation.customer_no is not None
        good = user is None or (joined and user.customer_no == conversation.customer_no)
    if not good:
        raise BadToken("the conversation is somebody else's now")


def _floor(session: Session, conversation: Conversation, seat: Seat) -> int:
    """Return the last message before somebody unknown came to a conversation."""
    began = log_of.find_conversation(session, seat.conversation_id, exact=True)
    query = select(func.max(Message.seq)).where(
        Message.conversation_id == conversation.id, Message.at < began.joined_at
    )
    return session.scalar(query) or 0


def _go_home(session: Session, seat: Seat, *, now: datetime) -> bool:
    assert seat.claim is not None
    home = home_of(session, seat.claim.customer_no, now=now)
    own = log_of.find_conversation(session, seat.conversation_id, lock=True, exact=True)
    return home is not None and own.joined_to is None and join(session, own, home, now=now)
