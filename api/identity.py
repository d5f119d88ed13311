"""What the dialogue is told of a question: who asks, when, and what a person has left for the bot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from core.conversation import Conversation, Message
from core.fitting import Service
from core.handoff.book import Book
from core.identity import Identity, issue_identity


def metadata_of(
    conversation: Conversation, message: Message, talks: tuple[str, ...], service: Service, *, key: str, book: Book,
    now: datetime, place: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return the metadata of a turn; orders of `talks`, joined to it, may be told; `place`: a point sent lately.

    Of the `service` only what the customer meets goes along: the segment is nobody's business out there.
    """
    identity = Identity(
        conversation_id=conversation.id, customer_no=conversation.customer_no, accounts=tuple(conversation.accounts),
        assurance=conversation.assurance_at(now), channel=conversation.channel, assured=conversation.assured_at(now),
        conversations=talks, style=service.style, first=service.first,
    )  # fmt: skip
    metadata: dict[str, Any] = {
        "identity": issue_identity(key, identity, now=now),
        "asked_at": message.at.astimezone(UTC).isoformat(),  # the same when the turn is run again
        "channel": conversation.channel,
    }
    if place is not None:
        metadata["place"] = place
    if (note := handed_back(conversation, book, now=now)) is not None:
        metadata["handed_back"] = note
    return metadata


def handed_back(conversation: Conversation, book: Book, *, now: datetime) -> dict[str, Any] | None:
    """Return what a person has left for the bot, None if it is too old to be respected or there is nothing."""
    note = conversation.note
    if not note or not note.get("at"):
        return None
    return note if now - datetime.fromisoformat(note["at"]) < book.limits.hours("note") else None
