"""How the items behind the service's figures are shown as rows: nothing that names a customer is among them."""

from __future__ import annotations

from datetime import datetime

from core.clock import SHANGHAI
from core.insight.arrivals import Arrival
from core.insight.contacts import Contact
from core.insight.kpi import Cell, Table
from core.insight.promised import Complaint, Owed, Told
from core.insight.talked import CaseItem
from core.insight.words import Words

CONSOLE = "/desk#/conversations/"


def link_to(conversation_id: str | None) -> str | None:
    """Return the address that opens a conversation in the desk's console."""
    return f"{CONSOLE}{conversation_id}" if conversation_id else None


def time(at: datetime | None) -> str | None:
    """Return an instant as it is read, in Shanghai."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S") if at else None


def _topic(topic: str | None, words: Words) -> Cell:
    return words.topics.get(topic, topic) if topic else None


def _channel(channel: str, words: Words) -> Cell:
    return words.channels.get(channel, channel)


def _yes(value: bool | None, words: Words) -> Cell:
    return None if value is None else words.yes_no[value]


def _reasons(one: Contact, words: Words) -> Cell:
    return words.texts.and_.join(words.reasons.get(case.reason, case.reason) for case in one.cases) or None


def _tells(one: Contact) -> tuple[str, int]:
    """Return the message that tells most of a contact: its first wish, or else its first message."""
    return one.visit.wish_at or (one.visit.conversation_id, one.visit.seq)


CONTACTS = Table(
    columns={
        "at": lambda one, _words: time(one.at),
        "conversation_id": lambda one, _words: one.visit.conversation_id,
        "channel": lambda one, words: _channel(one.visit.channel, words),
        "topic": lambda one, words: _topic(one.topic, words),
        "messages": lambda one, _words: one.visit.messages,
        "failures": lambda one, _words: one.visit.failures,
        "silences": lambda one, _words: one.visit.silences,
        "handed": lambda one, words: words.texts.and_.join(
            words.reasons.get(case.reason, case.reason) for case in one.cases
        ),
        "alone": lambda one, words: _yes(one.alone, words),
        "after": lambda one, words: words.value("after", one.after) if one.after else None,
    },
    link=lambda one: link_to(one.visit.talk),
    conversation=_tells,
)


def _case_state(one: CaseItem, name: str, words: Words) -> Cell:
    return words.value("clock", getattr(one.figures, name).state)


CASES = Table(
    columns={
        "at": lambda one, _words: time(one.at),
        "handoff_id": lambda one, _words: one.figures.handoff_id,
        "conversation_id": lambda one, _words: one.figures.conversation_id,
        "channel": lambda one, words: _channel(one.channel, words),
        "topic": lambda one, words: _topic(one.topic, words),
        "reason": lambda one, words: words.reasons.get(one.figures.reason, one.figures.reason),
        "skill": lambda one, words: words.skills.get(one.figures.skill, one.figures.skill),
        "agent": lambda one, _words: one.agent,
        "waited": lambda one, _words: None if one.waited is None else round(one.waited),
        "first_response": lambda one, words: _case_state(one, "first_response", words),
        "closure": lambda one, words: _case_state(one, "closure", words),
        "outcome": lambda one, words: words.outcomes.get(one.figures.outcome or "", one.figures.outcome),
        "score": lambda one, _words: one.score,
    },
    link=lambda one: link_to(one.figures.conversation_id),
)


def _arrival(one: Arrival, words: Words) -> Cell:
    return words.value("clock", one.figure.state)


ARRIVALS = Table(
    columns={
        "at": lambda one, _words: time(one.at),
        "order_no": lambda one, _words: one.order_no,
        "due_at": lambda one, _words: time(one.figure.due_at),
        "arrived_at": lambda one, _words: time(one.arrived_at),
        "state": _arrival,
    }
)


def _complaint_state(one: Complaint, words: Words) -> Cell:
    return words.value("order", one.state)


COMPLAINTS = Table(
    columns={
        "at": lambda one, _words: time(one.at),
        "order_no": lambda one, _words: one.order_no,
        "category": lambda one, _words: one.category,
        "district": lambda one, _words: one.district,
        "state": _complaint_state,
        "conversation_id": lambda one, _words: one.conversation_id,
    },
    link=lambda one: link_to(one.conversation_id),
)


def _subject(one: Told, words: Words) -> Cell:
    return f"{words.value('subject', one.subject_kind)} {one.number or one.subject_id}"


PROMISES = Table(
    columns={
        "due_at": lambda one, _words: time(one.at),
        "subject": _subject,
        "promise": lambda one, words: words.value("promise", one.kind),
        "kept_at": lambda one, _words: time(one.kept_at),
        "kept": lambda one, words: _yes(one.kept, words),
        "told": lambda one, _words: one.times,
        "conversation_id": lambda one, _words: one.conversation_id,
    },
    link=lambda one: link_to(one.conversation_id),
)


def _owed_state(one: Owed, words: Words) -> Cell:
    return words.value("call_back", one.state)


CALL_BACKS = Table(
    columns={
        "due_at": lambda one, _words: time(one.at),
        "handoff_id": lambda one, _words: one.handoff_id,
        "conversation_id": lambda one, _words: one.conversation_id,
        "state": _owed_state,
        "done_at": lambda one, _words: time(one.done_at),
        "kept": lambda one, words: _yes(one.kept, words),
    },
    link=lambda one: link_to(one.conversation_id),
)
