"""Which telephone a customer is called back on: the one on file, else one that was left in this very conversation.

A number that the customer left here was given to be reached about this matter; of earlier conversations, of other
accounts or of whoever the conversation belongs to by now none is taken. Nothing is shown without a reason, and what is
shown is written down by the caller (`core.reveal`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select

from core import reveal, work_order
from core.channel.join import talks_of
from core.conversation import Conversation, Message
from core.customer_card import Sources
from core.recommend.tables import CallBack
from core.redact.marks import Marks
from core.redact.numbers import mark_numbers
from core.reveal import NothingToShow, Wanted

Source = Literal["on_file", "order", "written"]
PHONE = "phone"
MOST_MESSAGES, MOST_ORDERS = 200, 20  # the latest ones, in which a number is looked for


@dataclass(frozen=True)
class Number:
    """A telephone number in clear, where it comes from, and the field (`core.reveal`) of which conversation it is."""

    value: str
    source: Source
    field: str
    conversation_id: str

    def __repr__(self) -> str:
        """Say nothing of the number: this may stand in a trace."""
        return f"Number({self.source})"


def is_on_file(row: CallBack, conversation: Conversation) -> bool:
    """Tell whether the number on file is that of whom the call is owed to: the conversation may be another's by now."""
    known = conversation.customer_no
    return known is not None and row.customer_no in (None, known)


def number_for(sources: Sources, row: CallBack, conversation: Conversation) -> Number:
    """Return on which number to call; `conversation`: that of the call, or what it was joined to.

    Raises:
        NothingToShow: if there is none.
        core.fields.UnreadableField: if a key is gone.
        SQLAlchemyError: if a database is away.
    """
    if is_on_file(row, conversation):
        try:
            value = reveal.value_of(sources, conversation, Wanted(PHONE))
            return Number(value, "on_file", PHONE, conversation.id)
        except NothingToShow:
            pass
    if None not in (row.customer_no, conversation.customer_no) and row.customer_no != conversation.customer_no:
        raise NothingToShow  # it is another customer's conversation now, and so may be whatever is left in it
    found = _in_orders(sources, row, conversation) or _written(sources, row, conversation)
    if found is None:
        raise NothingToShow
    return found


def _in_orders(sources: Sources, row: CallBack, conversation: Conversation) -> Number | None:
    """Return the number that was left for the latest order of this conversation."""
    with sources.bridge.reading() as log_session:
        talks = talks_of(log_session, conversation.id)
    talks = tuple({row.conversation_id, *talks})
    with sources.workorder.reading() as session:
        orders = work_order.orders_of(session, conversation_id=conversation.id, conversations=talks, limit=MOST_ORDERS)
        for order in sorted(orders, key=lambda one: one.opened_at, reverse=True):
            if order.conversation_id not in (conversation.id, *talks):
                continue  # somebody else filed it, and only followed it here
            contact = work_order.reveal(order, keyring=sources.keyring).contact
            if contact:
                return Number(contact, "order", f"order:{order.order_no}:contact", conversation.id)
    return None


def _written(sources: Sources, row: CallBack, conversation: Conversation) -> Number | None:
    """Return the number that the customer wrote last."""
    for conversation_id in dict.fromkeys((conversation.id, row.conversation_id)):
        query = (
            select(Message.seq, Message.text)
            .where(Message.conversation_id == conversation_id, Message.author == "customer")
            .order_by(Message.seq.desc())
            .limit(MOST_MESSAGES)
        )
        with sources.bridge.reading() as session:
            rows = session.execute(query).all()
        for seq, text in rows:
            value = _number_in(text)
            if value:
                return Number(value, "written", f"message:{seq}", conversation_id)
    return None


def _number_in(text: str) -> str | None:
    marks = Marks(text)
    spans = mark_numbers(marks)
    if not spans:
        return None
    start, end = max(spans)  # the last one: who corrects himself does it after
    return "".join(char for char in marks.spoken[start:end] if char.isdigit())
