"""Conversations: the log of all messages (the truth), the mode, and the buttons that were issued.

Every message of customer, bot, agent and system is one row with a sequence number that grows by one within its
conversation. The mode decides who answers; `core.mode` says how it may change.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from core.channel.tables import Delivery
from core.conversation.tables import (
    MAX_REASON,
    MAX_TITLE,
    PRIORITY_DANGER,
    PRIORITY_NORMAL,
    Button,
    Conversation,
    Message,
)
from core.mode import target_of

__all__ = ["PRIORITY_DANGER", "PRIORITY_NORMAL", "Button", "Conversation", "Message"]

Author = Literal["customer", "bot", "agent", "system"]
CONFIRM = "confirm"  # type of a message whose answer will be acted upon

# After so long without a message the dialogue starts afresh: slots of yesterday's question must not answer today's.
DIALOGUE_IDLE = timedelta(minutes=30)
ASSURED = timedelta(minutes=10)  # so long a one-time code, or the app's own check, lets personal data be changed
PAGE = 500  # messages that one reading of the log returns at most
CLOSING = "closing"  # kind of delivery of words that end a talk with a person, and of the question how it was
# Every message runs these: built once, each costs half of what it does when it is put together for every call.
_BY_ID = select(Conversation).where(Conversation.id == bindparam("of"))
# Whoever has looked before and then waited for the lock reads it anew.
_LOCKED = _BY_ID.with_for_update().execution_options(populate_existing=True)
_SAID = select(Message).where(Message.channel == bindparam("over"), Message.external_id == bindparam("as"))
_OPEN = select(Message).where(Message.conversation_id == bindparam("of"), Message.turn == "open")
_BEFORE = (Message.conversation_id == bindparam("of"), Message.seq < bindparam("seq"))
_LAST_BEFORE = select(Message.type, Message.at).where(*_BEFORE).order_by(Message.seq.desc()).limit(1)

_DELIVERED_AS = {"safety": "safety", "survey": CLOSING, "notice": "notice"}  # type of a message: kind of delivery


@dataclass(frozen=True)
class Draft:
    """A message before it is in the log; buttons are (title, payload)."""

    author: Author
    text: str
    type: str = "text"
    card: dict[str, Any] | None = None
    buttons: tuple[tuple[str, str], ...] = field(default=())
    delivered_as: str | None = None  # kind of delivery, if it is not that of the author and the type


@dataclass(frozen=True)
class LastSaid:
    """What a message was and when, without what it says."""

    type: str
    at: datetime


class ConversationNotFound(LookupError):
    """There is no conversation with this id."""


class ConversationClosed(Exception):
    """The conversation is over; a new one has to be opened."""


class ButtonNotFound(LookupError):
    """This conversation never showed such a button."""


def open_conversation(
    session: Session,
    *,
    channel: str,
    customer_no: str | None,
    accounts: list[str],
    assurance: int,
    now: datetime,
) -> Conversation:
    """Start a conversation in mode `bot` and return it."""
    conversation = Conversation(
        id=str(uuid.uuid4()), channel=channel, customer_no=customer_no, accounts=accounts, assurance=assurance,
        assured=accounts if assurance == 2 else [], assured_until=now + ASSURED if assurance == 2 else None,
        mode="bot", mode_since=now, priority=PRIORITY_NORMAL, dialogue=1, next_seq=1, created_at=now, last_at=now,
    )  # fmt: skip
    session.add(conversation)
    session.flush()
    return conversation


def find_conversation(
    session: Session, conversation_id: str, *, lock: bool = False, exact: bool = False
) -> Conversation:
    """Return the conversation, or the one that it was joined to; with `lock` its row stays locked until the
    transaction ends.

    Writers lock it, so that sequence numbers are given out one at a time and in the order of the commits. `exact`: it
    is wanted as it was, whatever it was joined to.

    Raises:
        ConversationNotFound: if there is none.
    """
    found = session.scalar(_LOCKED if lock else _BY_ID, {"of": conversation_id})
    if found is None:
        raise ConversationNotFound(conversation_id)
    if found.joined_to is not None and not exact:
        return find_conversation(session, found.joined_to, lock=lock)
    return found


def record_customer(
    session: Session,
    conversation: Conversation,
    *,
    external_id: str,
    text: str,
    payload: str | None,
    now: datetime,
    urgent: bool = False,
    upload_id: str | None = None,
    is_new: bool = False,
) -> tuple[Message, bool]:
    """Append what the customer said or showed (`upload_id`), once; return the row and whether it is new.

    `is_new`: somebody has looked already, with the conversation locked.

    Raises:
        ConversationClosed: if it is new, not `urgent`, and the conversation is over.
    """
    known = None if is_new else said(session, conversation.channel, external_id)
    if known is not None:
        return known, False
    if conversation.mode == "closed" and not urgent:
        raise ConversationClosed
    if now - conversation.last_at > DIALOGUE_IDLE:
        conversation.dialogue += 1
    draft = Draft("customer", text, "image", {"upload_id": upload_id}) if upload_id else Draft("customer", text)
    return _append(session, conversation, draft, now, external_id=external_id, payload=payload, turn="open"), True


def said(session: Session, channel: str, external_id: str) -> Message | None:
    """Return what was said over a channel under this id of its own."""
    return session.scalar(_SAID, {"over": channel, "as": external_id})


def record_reply(
    session: Session,
    conversation: Conversation,
    draft: Draft,
    *,
    now: datetime,
    in_reply_to: int | None = None,
    **more: Any,
) -> Message:
    """Append a message of bot, agent or system and issue its buttons; `more` are further columns (`agent_id`, …)."""
    buttons = [
        Button(
            id=f"b_{secrets.token_urlsafe(12)}",
            conversation_id=conversation.id,
            seq=conversation.next_seq,
            title=title[:MAX_TITLE],
            payload=payload,
        )  # fmt: skip
        for title, payload in draft.buttons
    ]
    session.add_all(buttons)
    shown = [{"id": button.id, "title": button.title} for button in buttons]
    return _append(session, conversation, draft, now, in_reply_to=in_reply_to, buttons=shown, **more)


def find_button(session: Session, conversation: Conversation, button_id: str) -> Button:
    """Return a button that this conversation showed.

    Raises:
        ButtonNotFound: if it did not, even if another one did.
    """
    button = session.get(Button, button_id)
    if button is None or button.conversation_id != conversation.id:
        raise ButtonNotFound(button_id)
    return button


def change_mode(conversation: Conversation, cause: str, *, now: datetime, reason: str | None = None) -> None:
    """Move the conversation to the mode that `cause` leads to; back with the bot, nothing about it is urgent.

    Raises:
        WrongMode: if the table has no such change from the present mode.
    """
    target = target_of(conversation.mode, cause)
    conversation.mode, conversation.mode_since = target, now
    conversation.mode_reason = reason[:MAX_REASON] if reason else None
    if target == "bot":
        conversation.priority = PRIORITY_NORMAL


def messages_after(session: Session, conversation_id: str, after: int, *, limit: int = PAGE) -> list[Message]:
    """Return the messages whose sequence number is above `after`, in order."""
    query = select(Message).where(Message.conversation_id == conversation_id, Message.seq > after)
    return list(session.scalars(query.order_by(Message.seq).limit(limit)))


def last_before(session: Session, conversation_id: str, seq: int) -> LastSaid | None:
    """Return what was said last before a message; its card and its buttons are not even read."""
    found = session.execute(_LAST_BEFORE, {"of": conversation_id, "seq": seq}).first()
    return LastSaid(found.type, found.at) if found is not None else None


def replies_to(session: Session, message: Message) -> list[Message]:
    """Return the recorded answers to a customer's message, in order."""
    query = select(Message).where(
        Message.conversation_id == message.conversation_id,
        Message.in_reply_to == message.seq,
        Message.seq > message.seq,  # lets the index skip all that was said before
    )
    return list(session.scalars(query.order_by(Message.seq)))


def confirms(session: Session, message: Message) -> bool:
    """Tell whether a customer's message answers one of type `confirm`."""
    query = select(Message.type).where(
        Message.conversation_id == message.conversation_id, Message.seq < message.seq, Message.author == "bot"
    )
    return session.scalar(query.order_by(Message.seq.desc()).limit(1)) == CONFIRM


def open_turns(session: Session, conversation_id: str) -> list[Message]:
    """Return the customer's messages of a conversation that wait for an answer, in order."""
    # Sorted here: asked to sort, SQLite would walk through the whole conversation instead of its few open messages.
    return sorted(session.scalars(_OPEN, {"of": conversation_id}), key=lambda message: message.seq)


def conversations_with_open_turns(session: Session, *, limit: int = 50) -> list[str]:
    """Return the ids of conversations in which an answer is missing, the one that waits longest first."""
    query = select(Message.conversation_id).where(Message.turn == "open").group_by(Message.conversation_id)
    return list(session.scalars(query.order_by(func.min(Message.at)).limit(limit)))


def _append(session: Session, conversation: Conversation, draft: Draft, now: datetime, **more: Any) -> Message:
    message = Message(
        conversation_id=conversation.id, seq=conversation.next_seq, at=now, author=draft.author, type=draft.type,
        text=draft.text, card=draft.card, channel=conversation.channel, **{"buttons": [], **more},
    )  # fmt: skip
    conversation.next_seq += 1
    conversation.last_at = now
    session.add(message)
    if draft.author != "customer" and conversation.channel_user_id is not None:
        session.add(_delivery(conversation.channel_user_id, message, draft.delivered_as))
    return message


def _delivery(channel_user_id: int, message: Message, kind: str | None) -> Delivery:
    kind = kind or _DELIVERED_AS.get(message.type, "agent" if message.author == "agent" else "answer")
    return Delivery(
        conversation_id=message.conversation_id, seq=message.seq, channel_user_id=channel_user_id, kind=kind,
        in_reply_to=message.in_reply_to, next_at=message.at, created_at=message.at,
    )  # fmt: skip
