"""What stands around a conversation when a message comes and when its answer is there: read at once, not one by one.

A message in an ordinary conversation meets none of it. So one statement says what there is, and only that is read in
full by those whose business it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, select
from sqlalchemy.orm import Session

from core.channel.tables import ChannelUser
from core.conversation import Conversation, LastSaid, Message
from core.handoff.tables import Handoff
from core.pinned import FRESH, LOCATION
from core.proactive.choices import customer
from core.proactive.tables import OFFER, SENT, Broadcast, Send

_NOBODY = ""  # no customer's number, and no recipient
_HERE = Message.conversation_id == bindparam("of")
_CASE = exists().where(Handoff.conversation_id == bindparam("of"), Handoff.ended_at.is_(None)).label("case")
_UNTOLD = and_(
    Broadcast.id == Send.broadcast_id, Send.recipient == bindparam("to"), Send.told_at.is_(None), Send.state == SENT
)


def _newest(column: Any) -> ColumnElement[Any]:
    return select(column).where(_HERE).order_by(Message.seq.desc()).limit(1).scalar_subquery()


# Every message runs these: built once, as in `core.conversation`, and run without the session: nothing is pending, and
# no object comes of them.
_AROUND = select(
    _CASE,
    exists().where(ChannelUser.conversation_id == bindparam("of")).label("user"),
    exists().where(ChannelUser.customer_no == bindparam("claimed"), ChannelUser.followed).label("away"),
    exists().where(Message.channel == bindparam("over"), Message.external_id == bindparam("as")).label("known"),
    exists().where(_UNTOLD, Broadcast.kind != OFFER).label("untold"),
    exists().where(_HERE, Message.turn == "open").label("waiting"),
    exists().where(Conversation.joined_to == bindparam("of")).label("joined"),
    exists().where(
        _HERE, Message.author == "customer", Message.type == LOCATION, Message.at > bindparam("since")
    ).label("pinned"),
    _newest(Message.type).label("last_type"),
    _newest(Message.at).label("last_at"),
)  # fmt: skip
_BEFORE_ANSWER = select(
    select(Message.turn).where(_HERE, Message.seq == bindparam("seq")).scalar_subquery().label("turn"),
    _CASE,
    exists().where(_UNTOLD, Broadcast.kind == OFFER).label("offer"),
)


@dataclass(frozen=True)
class Around:
    """What there is around a conversation (locked) before a message is logged in it."""

    case: bool  # one is open
    user: bool  # the conversation is that of a channel's user
    away: bool  # who has logged in is linked to a channel's user, who can be reached
    known: bool  # the message has come before
    untold: bool  # something was sent to its customer, by number, that is not in the log of any conversation yet
    waiting: bool  # an earlier message is not answered yet
    joined: bool  # others were joined to it
    pinned: bool  # a point on the map was sent lately
    last: LastSaid | None


@dataclass(frozen=True)
class BeforeAnswer:
    """What there is around a conversation (locked) before the answer to a message is logged in it."""

    is_open: bool  # the message waits for it: it was not answered, and not erased
    case: bool
    offer: bool  # a campaign's offer waits for its customer


def look_around(
    session: Session, conversation: Conversation, *, over: str, external_id: str, claimed: str | None, now: datetime
) -> Around:
    """Return what there is as a message comes `over` a channel; `claimed`: the customer number of a login."""
    row = session.connection().execute(_AROUND, {
        "of": conversation.id, "over": over, "as": external_id, "claimed": claimed or _NOBODY, "since": now - FRESH,
        "to": _recipient(conversation),
    }).one()  # fmt: skip
    return Around(
        case=row.case, user=row.user, away=row.away, known=row.known, untold=row.untold, waiting=row.waiting,
        joined=row.joined, pinned=row.pinned,
        last=LastSaid(row.last_type, row.last_at) if row.last_type is not None else None,
    )  # fmt: skip


def look_before_answer(session: Session, conversation: Conversation, key: tuple[str, int]) -> BeforeAnswer:
    """Return what there is as the answer to the message `key` of the log comes."""
    asked = {"of": key[0], "seq": key[1], "to": _recipient(conversation)}
    row = session.connection().execute(_BEFORE_ANSWER, asked).one()
    # A channel's user may be told by other names too: then it is looked up in full.
    offer = row.offer or conversation.channel_user_id is not None
    return BeforeAnswer(is_open=row.turn == "open", case=row.case, offer=offer)


def _recipient(conversation: Conversation) -> str:
    return customer(conversation.customer_no) if conversation.customer_no else _NOBODY
