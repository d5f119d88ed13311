"""Showing one masked value to an agent: for a reason, one field at a time, for five minutes, written down.

A field is named without what it hides: `name`, `phone` (of the conversation's customer), `name:<ref>`, `phone:<ref>`,
`address:<ref>`, `account_no:<ref>` (of an account, by its reference on the card), `message:<seq>`, and
`order:<number>:contact`, `:address`, `:description`, `:details`, `:account_no`, `:notes`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import work_order
from core.account import Account, Customer, address_context, name_context, phone_context
from core.channel.join import talks_of
from core.conversation import Conversation, Message
from core.customer_card import Sources, account_ref
from core.db import BridgeBase, Instant
from core.fields import Keyring
from core.text import clean, folded
from core.work_order import WorkOrder, note_context

LASTS = timedelta(minutes=5)
SHORTEST_REASON, LONGEST_REASON = 4, 200
ORDER_PARTS = ("contact", "address", "description", "details", "account_no", "notes")
_FIELD = re.compile(
    r"(?P<own>name|phone)|(?P<kind>name|phone|address|account_no):(?P<ref>[a-p]{12})|message:(?P<seq>[0-9]{1,9})"
    rf"|order:(?P<order>[0-9]{{14}}):(?P<part>{'|'.join(ORDER_PARTS)})",
    re.ASCII,
)


class Reveal(BridgeBase):
    """One value that was shown to one agent."""

    __tablename__ = "reveals"
    __table_args__ = (Index("ix_reveals_agent", "agent_id", "at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    agent_id: Mapped[int]
    conversation_id: Mapped[str] = mapped_column(String(36), index=True)
    field: Mapped[str] = mapped_column(String(60))
    reason: Mapped[str] = mapped_column(String(LONGEST_REASON))
    at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)


class UnknownField(ValueError):
    """There is no such field to show."""


class ReasonTooShort(ValueError):
    """The reason says nothing: fewer than four characters, the same one over and over, or far too long."""


class NothingToShow(LookupError):
    """The field exists and is empty, or is of another conversation: the two look alike."""


@dataclass(frozen=True)
class Wanted:
    """A field that was named: what it is, and of which account, message or order."""

    kind: str
    of: str = ""
    part: str = ""


def parse_field(field: str) -> Wanted:
    """Return what a field names.

    Raises:
        UnknownField: if it names nothing.
    """
    found = _FIELD.fullmatch(field)
    if found is None:
        raise UnknownField(field[:60])
    if found["own"]:
        return Wanted(found["own"])
    if found["ref"]:
        return Wanted(found["kind"], found["ref"])
    return Wanted("message", found["seq"]) if found["seq"] else Wanted("order", found["order"], found["part"])


def check_reason(reason: str) -> str:
    """Return a reason without outer blanks.

    Raises:
        ReasonTooShort: if it is no reason.
    """
    text = clean(reason)
    if len(folded(text)) < SHORTEST_REASON or len(set(folded(text))) < 3 or len(text) > LONGEST_REASON:
        raise ReasonTooShort
    return text


def record(
    session: Session, *, agent_id: int, conversation_id: str, field: str, reason: str, now: datetime
) -> Reveal:  # fmt: skip
    """Write down that a value is shown; the caller audits it in the same transaction and only then shows it.

    Raises:
        UnknownField, ReasonTooShort: as `parse_field` and `check_reason`.
    """
    parse_field(field)
    row = Reveal(
        agent_id=agent_id, conversation_id=conversation_id, field=field, reason=check_reason(reason), at=now,
        expires_at=now + LASTS,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def in_force(session: Session, *, agent_id: int, conversation_id: str, now: datetime) -> list[Reveal]:
    """Return what this agent may still see of a conversation, newest first."""
    query = select(Reveal).where(
        Reveal.agent_id == agent_id, Reveal.conversation_id == conversation_id, Reveal.expires_at > now
    )
    return list(session.scalars(query.order_by(Reveal.id.desc())))


def value_of(sources: Sources, conversation: Conversation, wanted: Wanted) -> str:
    """Return the value in clear.

    Raises:
        NothingToShow: if the conversation has none.
        core.fields.UnreadableField: if a key is gone.
    """
    if wanted.kind == "message":
        value = _message(sources, conversation, int(wanted.of))
    elif wanted.kind == "order":
        value = _order_part(sources, conversation, wanted)
    else:
        value = _on_file(sources, conversation, wanted)
    if not value:
        raise NothingToShow
    return value


def _on_file(sources: Sources, conversation: Conversation, wanted: Wanted) -> str:
    keyring = sources.keyring
    numbers = [number for number in conversation.accounts if account_ref(number, keyring=keyring) == wanted.of]
    if wanted.of and not numbers:
        raise NothingToShow
    if wanted.kind == "account_no":
        return numbers[0]
    with sources.billing.reading() as session:
        if wanted.kind == "address":
            account = session.scalar(select(Account).where(Account.account_no == numbers[0]))
            return keyring.decrypt(account.address_cipher, address_context(numbers[0])) if account else ""
        who = select(Customer).where(Customer.customer_no == conversation.customer_no)
        if numbers:
            who = select(Customer).join(Account).where(Account.account_no == numbers[0])
        customer = session.scalar(who)
        return _of_person(customer, wanted.kind, keyring) if customer else ""


def _of_person(customer: Customer, kind: str, keyring: Keyring) -> str:
    if kind == "name":
        return keyring.decrypt(customer.name_cipher, name_context(customer.customer_no))
    return keyring.decrypt(customer.phone_cipher, phone_context(customer.customer_no))


def _message(sources: Sources, conversation: Conversation, seq: int) -> str:
    with sources.bridge.reading() as session:
        found = session.get(Message, (conversation.id, seq))
        return found.text if found is not None else ""


def _order_part(sources: Sources, conversation: Conversation, wanted: Wanted) -> str:
    with sources.bridge.reading() as log_session:
        talks = talks_of(log_session, conversation.id)
    with sources.workorder.reading() as session:
        try:
            order = work_order.orders_of(
                session, conversation_id=conversation.id, conversations=talks, customer_no=conversation.customer_no,
                accounts=conversation.accounts, order_no=wanted.of,
            )[0]  # fmt: skip
        except work_order.OrderNotFound:
            raise NothingToShow from None
        if wanted.part == "account_no":
            return order.account_no or ""
        if wanted.part == "notes":
            return _notes(order, sources.keyring)
        text = work_order.reveal(order, keyring=sources.keyring)
        if wanted.part == "details":
            return "\n".join(f"{label}: {value}" for label, value in text.details.items())
        return str(getattr(text, wanted.part) or "")


def _notes(order: WorkOrder, keyring: Keyring) -> str:
    notes = [event for event in order.events if event.note_cipher]
    return "\n".join(keyring.decrypt(str(one.note_cipher), note_context(order.order_no, one.seq)) for one in notes)
