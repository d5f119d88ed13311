"""Features from the conversations: how often a customer gets in touch, about what, and how often with a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.conversation import Conversation
from core.conversation.tables import Message
from core.handoff.tables import Handoff
from core.portrait.accounts import One, Portion, Values
from core.portrait.signals import Signs
from core.portrait.span import Span
from core.portrait.sql import ShanghaiDay, keys_of

_CUSTOMER = "customer"


def talk_features(session: Session, accounts: Sequence[One], span: Span, signs: Signs) -> Portion:
    """Return contacts_year, contacts by topic and person_share; they belong to the customer, so to all his accounts.

    A contact is a day (in Shanghai) on which the customer wrote in a conversation: a conversation itself never ends.
    """
    customers = sorted({one.customer_no for one in accounts})
    contacts = _contacts(session, customers, span)
    cases = _cases(session, customers, span)
    by_customer = {
        customer: _features(contacts.get(customer, {}), cases.get(customer, set()), signs) for customer in customers
    }
    return {one.id: dict(by_customer[one.customer_no]) for one in accounts}


_Contact = tuple[str, str]  # conversation and day


def _contacts(session: Session, customers: Sequence[str], span: Span) -> dict[str, dict[_Contact, set[str]]]:
    """Return the contacts of each customer, each with its intents."""
    keys = keys_of(session, customers)
    day, intent = ShanghaiDay(Message.at), Message.understood["intent"].as_string()
    query = (
        select(Conversation.customer_no, Conversation.id, day, intent)
        .join(keys, keys.c.key == Conversation.customer_no)
        .join(Message, Message.conversation_id == Conversation.id)
        .where(Message.author == _CUSTOMER, Message.at >= span.year_begin, Message.at < span.end)
        .group_by(Conversation.customer_no, Conversation.id, day, intent)
    )
    found: dict[str, dict[_Contact, set[str]]] = defaultdict(lambda: defaultdict(set))
    for customer, conversation, on, meant in session.execute(query):
        found[customer][conversation, str(on)].add(meant or "")
    return found


def _cases(session: Session, customers: Sequence[str], span: Span) -> dict[str, set[_Contact]]:
    """Return of each customer the contacts in which a case was opened."""
    keys = keys_of(session, customers)
    day = ShanghaiDay(Handoff.requested_at)
    query = (
        select(Conversation.customer_no, Conversation.id, day)
        .join(keys, keys.c.key == Conversation.customer_no)
        .join(Handoff, Handoff.conversation_id == Conversation.id)
        .where(Handoff.requested_at >= span.year_begin, Handoff.requested_at < span.end)
        .group_by(Conversation.customer_no, Conversation.id, day)
    )
    found = defaultdict(set)
    for customer, conversation, on in session.execute(query):
        found[customer].add((conversation, str(on)))
    return found


def _features(contacts: dict[_Contact, set[str]], cases: set[_Contact], signs: Signs) -> Values:
    found: Values = {"contacts_year": float(len(contacts)), **dict.fromkeys(signs.topics, 0.0)}
    for intents in contacts.values():
        for feature in {feature for intent in intents for feature in signs.topics_of(intent)}:
            found[feature] += 1
    if contacts:
        found["person_share"] = len(cases & contacts.keys()) / len(contacts)
    return found
