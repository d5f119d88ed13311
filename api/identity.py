"""What the dialogue is told of a question: who asks, when, and what a person has left for the bot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from api.fitting import shown_to
from core.channel.arrival import Around
from core.channel.writer import earlier_talks
from core.conversation import Conversation, Message
from core.fitting import Service
from core.handoff.book import Book
from core.identity import Identity, issue_identity
from core.pinned import LOCATION, pinned


@dataclass(frozen=True)
class Asker:
    """What is known of who asks, beside the conversation: it is read with the message and goes with its turn.

    Orders of `talks`, joined to the conversation, may be told; `place`: a point on the map sent lately.
    """

    service: Service
    talks: tuple[str, ...] = ()
    place: str | None = None


def asker_of(
    session: Session, conversation: Conversation, message: Message, *, book: Book, now: datetime,
    around: Around | None = None,
) -> Asker:  # fmt: skip
    """Return what is known of who asks; what they filed before it was one conversation is theirs too.

    `around`: what there was as the message came, if nothing has happened since.
    """
    known, proved = conversation.customer_no is not None, bool(conversation.accounts)
    joined = known and (around is None or around.joined)
    sent = around is None or around.pinned or message.type == LOCATION
    return Asker(
        service=shown_to(book, session, conversation, now=now),
        talks=earlier_talks(session, message, proved=proved) if joined else (),
        place=pinned(session, conversation.id, now=message.at, until=message.seq) if sent else None,
    )


def metadata_of(
    conversation: Conversation, message: Message, asker: Asker, *, key: str, book: Book, now: datetime
) -> dict[str, Any]:
    """Return the metadata of a turn.

    Of the service only what the customer meets goes along: the segment is nobody's business out there.
    """
    identity = Identity(
        conversation_id=conversation.id, customer_no=conversation.customer_no, accounts=tuple(conversation.accounts),
        assurance=conversation.assurance_at(now), channel=conversation.channel, assured=conversation.assured_at(now),
        conversations=asker.talks, style=asker.service.style, first=asker.service.first,
    )  # fmt: skip
    metadata: dict[str, Any] = {
        "identity": issue_identity(key, identity, now=now),
        "asked_at": message.at.astimezone(UTC).isoformat(),  # the same when the turn is run again
        "channel": conversation.channel,
    }
    if asker.place is not None:
        metadata["place"] = asker.place
    if (note := handed_back(conversation, book, now=now)) is not None:
        metadata["handed_back"] = note
    return metadata


def handed_back(conversation: Conversation, book: Book, *, now: datetime) -> dict[str, Any] | None:
    """Return what a person has left for the bot, None if it is too old to be respected or there is nothing."""
    note = conversation.note
    if not note or not note.get("at"):
        return None
    return note if now - datetime.fromisoformat(note["at"]) < book.limits.hours("note") else None
