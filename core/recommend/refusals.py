"""Who wants nothing recommended ever again: a refusal belongs to whoever said it, and follows them to what they prove.

It is kept for the customer where it is known who speaks, else for the user of the channel, else for the conversation.
What somebody unknown has said counts for the customer as whom they are known later (linked, joined, or by an account
that they bound); it is looked up by these ways, so nothing has to be carried over.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, CompoundSelect, String, Subquery, cast, func, literal, select, union
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from core.binding import Binding
from core.channel.tables import ChannelUser
from core.conversation import Conversation
from core.proactive.choices import CUSTOMER, USER, customer, user
from core.proactive.tables import OFFER, Choice
from core.recommend.tables import ALL, RECOMMENDATIONS, Refusal

TALK = "talk:"


class BadOffer(ValueError):
    """What a signed command says is no recommendation, or no answer to one."""


def speaking(session: Session, conversation: Conversation, customers: Collection[str]) -> list[str]:
    """Return whose word it is that is said in a conversation: the proved customers', and who speaks unlinked."""
    subjects = [customer(number) for number in customers]
    if conversation.customer_no is not None:
        return subjects
    one = session.scalar(select(ChannelUser.id).where(ChannelUser.conversation_id == conversation.id).limit(1))
    return [*subjects, f"{TALK}{conversation.id}" if one is None else user(one)]


def refuse(session: Session, subject: str, kind: str, *, now: datetime) -> None:
    """Note that somebody never wants to hear of a kind (or of any, `*`) again, which also ends offers by notice.

    `subject`: of `speaking`.

    Raises:
        BadOffer: if there is no such kind, or nobody is named.
    """
    if kind not in (ALL, *RECOMMENDATIONS) or not subject.startswith((CUSTOMER, USER, TALK)):
        raise BadOffer(f"no kind {kind} of {subject.partition(':')[0]}")
    if session.get(Refusal, (subject, kind)) is None:
        session.add(Refusal(subject=subject, kind=kind, at=now))
    choice = session.get(Choice, (subject, OFFER)) if kind == ALL else None
    if choice is not None and choice.wanted:
        choice.wanted, choice.changed_at = False, now
    session.flush()


def refused(session: Session, customers: Collection[str], talks: Collection[str] = ()) -> frozenset[str]:
    """Return the kinds that these customers, or who speaks in these conversations, never want to hear of again."""
    return frozenset(session.scalars(select(Refusal.kind).where(Refusal.subject.in_(_subjects(customers, talks)))))


def wants_again(session: Session, customers: Collection[str], talks: Collection[str] = ()) -> None:
    """Lift the refusal of everything, however it was said: these customers have asked for recommendations again.

    What was refused by its kind stays refused.
    """
    found = Refusal.subject.in_(_subjects(customers, talks))
    for row in session.scalars(select(Refusal).where(Refusal.kind == ALL, found)).all():
        session.delete(row)
    session.flush()


def _subjects(customers: Collection[str], talks: Collection[str]) -> CompoundSelect[tuple[str]]:
    """Return all under which something that these customers, or who speaks there, have said is kept."""
    named = [select(literal(one)) for one in [*map(customer, customers), *(f"{TALK}{one}" for one in talks)]]
    users = select(_user(ChannelUser.id)).where(
        ChannelUser.customer_no.in_(customers) | ChannelUser.conversation_id.in_(talks)
    )
    unknown = [select(_talk(one.c.id)) for one in _talks_of(list(customers))]
    return union(*named, users, *unknown)


def refusing_all(session: Session) -> set[str]:
    """Return the numbers of all customers who want nothing recommended ever again, however they said it."""
    everything = Refusal.kind == ALL
    number = func.substr(Refusal.subject, len(CUSTOMER) + 1)
    own = select(number).where(everything, Refusal.subject.startswith(CUSTOMER))
    linked = select(ChannelUser.customer_no).join(Refusal, Refusal.subject == _user(ChannelUser.id)).where(everything)
    talk = everything, Refusal.subject.startswith(TALK)
    there = func.substr(Refusal.subject, len(TALK) + 1)  # by the refusals, which are few, to the conversations
    spoke, home = aliased(Conversation), aliased(Conversation)
    known = select(spoke.customer_no).join(Refusal, spoke.id == there).where(*talk)
    joined = (
        select(home.customer_no).join(spoke, spoke.joined_to == home.id).join(Refusal, spoke.id == there).where(*talk)
    )
    proved = select(Binding.owner_no).join(Refusal, Binding.conversation_id == there).where(*talk, *_BY_NOBODY_KNOWN)
    return {one for one in session.scalars(union(own, linked, known, joined, proved)) if one}


_BY_NOBODY_KNOWN = (Binding.customer_no.is_(None), Binding.channel_user.is_(None))


def _talks_of(customers: list[str]) -> list[Subquery]:
    """Return the conversations of customers, those joined to them, and those in which they proved who they are."""
    mine = select(Conversation.id).where(Conversation.customer_no.in_(customers))
    joined = select(Conversation.id).where(Conversation.joined_to.in_(mine))
    proved = select(Binding.conversation_id.label("id")).where(Binding.owner_no.in_(customers), *_BY_NOBODY_KNOWN)
    return [one.subquery() for one in (mine, joined, proved)]


def _talk(conversation_id: ColumnElement[str] | InstrumentedAttribute[str]) -> ColumnElement[str]:
    return literal(TALK) + conversation_id


def _user(number: InstrumentedAttribute[int]) -> ColumnElement[str]:
    return literal(USER) + cast(number, String)
