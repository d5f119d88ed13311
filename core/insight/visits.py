"""Contacts out of the log: it is read set-wise in a few slim queries, and cut in one pass.

A contact (来访) begins with a customer's message when for half an hour the customer had written nothing and no person
had the conversation; it holds what the customer writes until the next one begins, for 24 hours at most. Conversations
that were joined are one stream, so that nothing counts twice. The answer to the question for satisfaction, and what is
added to it, are no contact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, aliased

from core.conversation import DIALOGUE_IDLE, Conversation, Message
from core.handoff.tables import Handoff
from core.handoff.words import RATE
from core.insight.topics import NOT_OURS, PERSON, UNCLEAR, Topics
from core.survey import MAX_COMMENT, Survey

LENGTH = timedelta(hours=24)  # what comes later is looked at no more
ANSWER_WITHIN = 50  # the answer to a message stands at most so many messages after it
_TURNS = ("open", "done")  # every customer's message has one; leads into the index (turn, at)
_NO_FORM = (None, "", "{}", "[]", "null")


class Said(NamedTuple):
    """One message of a customer, as far as figures need it."""

    talk: str
    at: datetime
    conversation_id: str
    seq: int
    channel: str
    turn: str
    intent: str | None
    failed: bool | None
    form: str | None


@dataclass(frozen=True, slots=True)
class Visit:
    """One contact as the log has it; `talk` is the conversation that all joined ones go on in."""

    talk: str
    conversation_id: str
    seq: int
    at: datetime
    last_at: datetime
    channel: str
    customer_no: str | None
    messages: int
    failures: int  # messages that the bot did not understand
    silences: int  # messages that got an apology instead of an answer
    ended_failed: bool  # so did the last one
    waiting: int  # messages without an answer yet
    wish: str | None  # the first intent that is a topic
    wish_at: tuple[str, int] | None  # conversation and number of its message
    unclear: bool
    not_ours: bool
    person: bool


def visits(session: Session, start: datetime, end: datetime, *, topics: Topics, apology: str) -> list[Visit]:
    """Return the contacts that began from `start` until before `end`, by time and talk."""
    first, last = start - DIALOGUE_IDLE, end + LENGTH
    talks: defaultdict[str, list[Said]] = defaultdict(list)
    comments = _comments(session, first, last)
    for one in _said(session, first, last):
        if (one.conversation_id, one.seq) not in comments:
            talks[one.talk].append(one)
    silent, held = _silent(session, first, last, apology), held_of(session, first, last)
    customers = customers_of(session, first)
    found = []
    for talk, lines in talks.items():
        lines.sort()
        for part in _parts(lines, held.get(talk, ())):
            if start <= part[0].at < end:
                found.append(_visit(part, customers.get(talk), silent, topics))
    return sorted(found, key=lambda visit: (visit.at, visit.talk))


def _parts(lines: Sequence[Said], held: Sequence[tuple[datetime, datetime | None]]) -> Iterator[list[Said]]:
    """Cut what was said in one talk where a contact begins; what no contact holds is left out."""
    part: list[Said] = []
    before: datetime | None = None
    for line in lines:
        quiet = before is None or line.at - before >= DIALOGUE_IDLE
        before = line.at
        if quiet and not any(since < line.at and (until is None or until > line.at) for since, until in held):
            if part:
                yield part
            part = [line]
        elif part and line.at < part[0].at + LENGTH:
            part.append(line)
    if part:
        yield part


def _visit(part: list[Said], customer_no: str | None, silent: set[tuple[str, int]], topics: Topics) -> Visit:
    first, last = part[0], part[-1]
    failed = [bool(one.failed) and one.form in _NO_FORM for one in part]
    mute = [(one.conversation_id, one.seq) in silent for one in part]
    wish = next((one for one in part if one.intent and topics.skill(one.intent)), None)
    intents = {one.intent for one in part}
    return Visit(
        talk=first.talk, conversation_id=first.conversation_id, seq=first.seq, at=first.at, last_at=last.at,
        channel=first.channel, customer_no=customer_no, messages=len(part), failures=sum(failed),
        silences=sum(mute), ended_failed=failed[-1] or mute[-1], waiting=sum(one.turn == "open" for one in part),
        wish=wish.intent if wish else None, wish_at=(wish.conversation_id, wish.seq) if wish else None,
        unclear=UNCLEAR in intents or any(failed) or any(mute), not_ours=NOT_OURS in intents, person=PERSON in intents,
    )  # fmt: skip


def _talk() -> ColumnElement[str]:
    return func.coalesce(Conversation.joined_to, Conversation.id)


def _customer_wrote(start: datetime, end: datetime) -> tuple[ColumnElement[bool], ...]:
    return Message.turn.in_(_TURNS), Message.author == "customer", Message.at >= start, Message.at < end


def _said(session: Session, start: datetime, end: datetime) -> Iterator[Said]:
    understood = Message.understood
    query = (
        select(
            _talk(), Message.at, Message.conversation_id, Message.seq, Message.channel, Message.turn,
            understood["intent"].as_string(), understood["failed"].as_boolean(), understood["form"].as_string(),
        )
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(*_customer_wrote(start, end))
        .where(or_(Message.payload.is_(None), ~Message.payload.startswith(RATE, autoescape=True)))
    )  # fmt: skip
    return map(Said._make, session.execute(query.execution_options(yield_per=5000)))


def first_said(session: Session) -> datetime | None:
    """Return when a customer first wrote: a step into an index for each state of a turn."""
    firsts = (select(func.min(Message.at)).where(Message.turn == turn).scalar_subquery() for turn in _TURNS)
    found = session.execute(select(*firsts)).one()
    return min((at for at in found if at is not None), default=None)


def customers_of(session: Session, start: datetime) -> dict[str, str]:
    """Return the customer's number by talk, of the talks in which something was written since."""
    query = select(Conversation.id, Conversation.customer_no).where(Conversation.customer_no.is_not(None))
    found = session.execute(query.where(Conversation.last_at >= start))
    return {talk: customer for talk, customer in found if customer is not None}


def _comments(session: Session, start: datetime, end: datetime) -> set[tuple[str, int]]:
    """Return which messages were added to an answer for satisfaction, and not said to the bot."""
    query = (
        select(Message.conversation_id, Message.seq)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Survey, or_(Survey.conversation_id == Message.conversation_id, Survey.conversation_id == _talk()))
        .where(Survey.comment.is_not(None), Survey.answered_at <= Message.at, Message.payload.is_(None))
        .where(Survey.comment == func.substr(Message.text, 1, MAX_COMMENT), *_customer_wrote(start, end))
        .where(Message.understood["intent"].as_string().is_(None))
    )
    return {(row[0], row[1]) for row in session.execute(query)}


def _silent(session: Session, start: datetime, end: datetime, apology: str) -> set[tuple[str, int]]:
    """Return which messages were answered by the apology for a turn that failed, as `api.escalation` tells it."""
    reply = aliased(Message)
    query = (
        select(Message.conversation_id, Message.seq)
        .join(reply, reply.conversation_id == Message.conversation_id)
        .where(*_customer_wrote(start, end), Message.understood["intent"].as_string().is_(None))
        .where(reply.seq > Message.seq, reply.seq <= Message.seq + ANSWER_WITHIN, reply.in_reply_to == Message.seq)
        .where(reply.author == "system", reply.text == apology)
    )
    return {(row[0], row[1]) for row in session.execute(query)}


def held_of(
    session: Session, start: datetime, end: datetime
) -> dict[str, list[tuple[datetime, datetime | None]]]:  # fmt: skip
    """Return by talk from when till when a person had it, or was to; messages that were left keep nobody."""
    query = (
        select(_talk(), Handoff.requested_at, Handoff.ended_at)
        .join(Conversation, Conversation.id == Handoff.conversation_id)
        .where(~Handoff.left_message, Handoff.requested_at < end)
        .where(or_(Handoff.ended_at.is_(None), Handoff.ended_at > start))
    )
    held: defaultdict[str, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    for talk, since, until in session.execute(query):
        held[talk].append((since, until))
    return dict(held)
