"""Choosing by a number: which button of what a user was shown last is meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.channel.tables import PASSING, SENDING, SENT, Delivery
from core.conversation import Message
from core.text import PUNCTUATION, clean

_BARE = re.compile(r"[1-9]")
_LOOKED_AT = 50  # messages


def bare_number(text: str) -> int | None:
    """Return the number if the text is one digit from 1 to 9 and nothing else."""
    said = unicodedata.normalize("NFKC", clean(text)).strip(PUNCTUATION)
    return int(said) if _BARE.fullmatch(said) else None


def button_of(
    session: Session, conversation_id: str, channel_user_id: int, number: int, *, offers: Callable[[list[str]], bool]
) -> str | None:
    """Return the id of the button with this number in what was sent last since the customer spoke.

    What went in one sending is numbered through; buttons for which `offers` is false were shown without a number.
    """
    shown = _shown_last(session, conversation_id, channel_user_id)
    place = number - 1
    for message in shown:
        buttons = message.buttons or []
        if place < len(buttons):
            return buttons[place]["id"] if offers([one["title"] for one in buttons]) else None
        place -= len(buttons)
    return None


def _shown_last(session: Session, conversation_id: str, channel_user_id: int) -> Sequence[Message]:
    spoke = select(func.max(Message.seq)).where(
        Message.conversation_id == conversation_id, Message.author == "customer"
    )
    query = (
        select(Message, Delivery)
        .join(Delivery, (Delivery.conversation_id == Message.conversation_id) & (Delivery.seq == Message.seq))
        .where(
            Message.conversation_id == conversation_id, Message.seq > (session.scalar(spoke) or 0),
            Delivery.channel_user_id == channel_user_id, Delivery.state.in_((PASSING, SENDING, SENT)),
        )
        .order_by(Message.seq.desc())
        .limit(_LOOKED_AT)
    )  # fmt: skip
    rows = [(message, delivery) for message, delivery in session.execute(query) if message.buttons]
    if not rows:
        return []
    at = rows[0][1].sent_at
    return [message for message, delivery in reversed(rows) if delivery.sent_at == at]
