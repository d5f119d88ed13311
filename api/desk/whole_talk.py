"""The whole of a conversation over several channels: what was said before it was joined, and what has arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deps import Parts
from api.desk.redaction import redactor_for
from api.desk.views import DeskMessage, Viewer
from core.channel.deliveries import UNKNOWN
from core.channel.join import joined_to
from core.channel.tables import DEAD, DROPPED, SENT, Delivery
from core.clock import SHANGHAI
from core.conversation import Conversation, Message

MOST_TALKS, MOST_MESSAGES = 5, 100  # of earlier talk that is shown
SEEN = "seen"  # error of a delivery that the customer has read on a page before it was sent
ARRIVED, ON_ITS_WAY, UNSURE, FAILED, READ = "arrived", "waiting", "unsure", "failed", "seen"


class EarlierTalk(BaseModel):
    """What was said elsewhere before that conversation was joined to this one; `more`: its beginning is left out."""

    channel: str
    began: datetime
    joined_at: datetime | None
    more: bool
    messages: list[DeskMessage]


@dataclass(frozen=True)
class Whole:
    """What was read of it: earlier talk, and over which channels the customer has written."""

    conversation: Conversation
    earlier: list[tuple[Conversation, list[Message]]]
    channels: list[str]


def read_whole(session: Session, conversation: Conversation) -> Whole:
    """Read the earlier talk of a conversation, and the channels over which the customer came, the first one first."""
    talks = joined_to(session, conversation.id)
    ids = [*(one.id for one in talks), conversation.id]
    query = select(Message.channel).where(Message.conversation_id.in_(ids), Message.author == "customer").distinct()
    wrote = set(session.scalars(query))
    first = [*(one.channel for one in talks), conversation.channel]
    channels = [
        name for name in dict.fromkeys([*first, *sorted(wrote)]) if name in wrote or name == conversation.channel
    ]
    earlier = [(one, _end_of(session, one)) for one in talks[-MOST_TALKS:]]
    return Whole(conversation, [pair for pair in earlier if pair[1]], channels)


async def earlier_talk(parts: Parts, whole: Whole, viewer: Viewer) -> list[EarlierTalk]:
    """Return the earlier talk, masked by what is known of both conversations' customer."""
    own = await redactor_for(parts, whole.conversation)
    found = []
    for conversation, rows in whole.earlier:
        messages = viewer.messages(rows, await redactor_for(parts, conversation))
        for one in messages:
            one.text, one.card = own.text(one.text), own.tree(one.card) if one.card else None
        found.append(EarlierTalk(
            channel=conversation.channel, began=conversation.created_at.astimezone(SHANGHAI), messages=messages,
            joined_at=conversation.joined_at.astimezone(SHANGHAI) if conversation.joined_at else None,
            more=rows[0].seq > 1,
        ))  # fmt: skip
    return found


def states_of(session: Session, conversation_id: str, rows: Sequence[Message]) -> dict[int, str]:
    """Return by number what has become of messages that had to be sent; those of a page have no state."""
    if not rows:
        return {}
    query = select(Delivery).where(
        Delivery.conversation_id == conversation_id, Delivery.seq >= rows[0].seq, Delivery.seq <= rows[-1].seq
    )
    return {row.seq: _state(row) for row in session.scalars(query)}


def with_states(messages: list[DeskMessage], states: dict[int, str]) -> list[DeskMessage]:
    """Return messages with what has become of them."""
    for one in messages:
        one.delivery = states.get(one.seq)
    return messages


def _state(row: Delivery) -> str:
    if row.state == SENT:
        return UNSURE if row.error == UNKNOWN else ARRIVED
    if row.state == DROPPED:
        return READ if row.error == SEEN else FAILED
    return FAILED if row.state == DEAD else ON_ITS_WAY


def _end_of(session: Session, conversation: Conversation) -> list[Message]:
    query = select(Message).where(Message.conversation_id == conversation.id).order_by(Message.seq.desc())
    return list(session.scalars(query.limit(MOST_MESSAGES)))[::-1]
