"""Choosing by a number: which choices of ours have one, and which button of what a user was shown last is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.channel.tables import DROPPED, PASSING, SENDING, SENT, Delivery
from core.conversation import Message

SURVEY = "survey"  # type of the message whose choices are numbered by what they are worth
_SHOWN = (PASSING, SENDING, SENT)
_SEEN = "seen"  # error of what was dropped because a page has shown it
_LOOKED_AT = 50  # messages


@dataclass(frozen=True)
class Numbering:
    """Which choices have a number: not those that only lead out of a question, nor any before an open question.

    A digit may be the answer to an open question: what a person says, and words of ours that ask (`asks`) and offer
    nothing else.
    """

    ways_out: frozenset[str]
    asks: re.Pattern[str]

    def offers(self, message: Message) -> bool:
        """Tell whether a message has choices that are answers."""
        return any(button["title"] not in self.ways_out for button in message.buttons or ())

    def is_open(self, message: Message) -> bool:
        """Tell whether a digit after this message may be meant as itself."""
        if self.offers(message):
            return False
        return message.author == "agent" or self.asks.search(message.text) is not None

    def choices(self, messages: Sequence[Message]) -> list[list[Choice]]:
        """Return for each message of one sending its choices; a way out that several have is left to the last.

        The numbers run through; of the question for satisfaction they are the scores, and nothing else has numbers.
        """
        last_open = max((place for place, one in enumerate(messages) if self.is_open(one)), default=-1)
        asked = [place for place, one in enumerate(messages) if place > last_open and self.offers(one)]
        surveys = [place for place in asked if messages[place].type == SURVEY]
        kept = self._kept(messages)
        if surveys:
            scored = surveys[-1]
            most = len(kept[scored])
            kept[scored] = [replace(one, number=most - place) for place, one in enumerate(kept[scored])]
            return kept
        number = 0
        for place in asked if together(kept) else asked[-1:]:
            kept[place] = [replace(one, number=number + count) for count, one in enumerate(kept[place], 1)]
            number += len(kept[place])
        return kept

    def _kept(self, messages: Sequence[Message]) -> list[list[Choice]]:
        found: list[list[Choice]] = []
        later: set[str] = set()
        for message in reversed(messages):
            buttons = [one for one in message.buttons or () if one["title"] not in later]
            found.append([Choice(one["id"], one["title"]) for one in buttons])
            later |= {one["title"] for one in buttons} & self.ways_out
        return found[::-1]


@dataclass(frozen=True)
class Choice:
    """A button, and the number by which it may be chosen."""

    id: str
    title: str
    number: int | None = None


def together(choices: Sequence[Sequence[Choice]]) -> bool:
    """Tell whether choices of several messages can stand in one list: it is clear what each of them means."""
    titles = [one.title for group in choices for one in group]
    return len(set(titles)) == len(titles)


def button_of(
    session: Session, conversation_id: str, channel_user_id: int, number: int, *, numbering: Numbering
) -> str | None:
    """Return the id of the button with this number in what was sent last since the customer spoke."""
    chosen = numbering.choices(_shown_last(session, conversation_id, channel_user_id, numbering))
    return next((one.id for group in chosen for one in group if one.number == number), None)


def last_shown_in(session: Session, channel_user_id: int) -> str | None:
    """Return the conversation of what was sent to a user last."""
    query = select(Delivery.conversation_id).where(
        Delivery.channel_user_id == channel_user_id, Delivery.state.in_(_SHOWN)
    )
    return session.scalar(query.order_by(Delivery.sent_at.desc().nulls_first(), Delivery.id.desc()).limit(1))


def was_shown(session: Session, conversation_id: str, channel_user_id: int) -> bool:
    """Tell whether anything of a conversation was ever for this user."""
    query = select(Delivery.id).where(
        Delivery.conversation_id == conversation_id, Delivery.channel_user_id == channel_user_id
    )
    return session.scalar(query.limit(1)) is not None


def _shown_last(
    session: Session, conversation_id: str, channel_user_id: int, numbering: Numbering
) -> Sequence[Message]:
    """Return what went in the sending that has the last choices; nothing if an open question came after it."""
    spoke = select(func.max(Message.seq)).where(
        Message.conversation_id == conversation_id, Message.author == "customer"
    )
    query = (
        select(Message, Delivery)
        .join(Delivery, (Delivery.conversation_id == Message.conversation_id) & (Delivery.seq == Message.seq))
        .where(
            Message.conversation_id == conversation_id, Message.seq > (session.scalar(spoke) or 0),
            Delivery.channel_user_id == channel_user_id,
        )
        .order_by(Message.seq.desc())
        .limit(_LOOKED_AT)
    )  # fmt: skip
    rows = [(one[0], one[1]) for one in session.execute(query) if _counts(one[0], one[1])]
    for message, delivery in rows:
        if message.buttons and delivery.state in _SHOWN:
            at = delivery.sent_at
            return [one for one, sent in reversed(rows) if sent.state in _SHOWN and sent.sent_at == at]
        if numbering.is_open(message):
            return []
    return []


def _counts(message: Message, delivery: Delivery) -> bool:
    """Tell whether it was shown; what a person says counts at once, for they wait for the answer."""
    seen = delivery.state == DROPPED and delivery.error == _SEEN
    return delivery.state in _SHOWN or seen or message.author == "agent"
