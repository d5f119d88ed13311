"""What the desk is shown of cases, messages and notes: masked, in Chinese, with the clocks as they stand.

Reading is one thing (`CaseReader`, in one transaction, a fixed number of queries however many cases), showing is
another (`Viewer`, which hides personal data); nothing leaves the server that did not go through a redactor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from api.desk.cases import CaseFacts
from api.desk.options import DeskOptions
from core.channel.quota import Quota
from core.clock import SHANGHAI
from core.conversation import Message
from core.desk_note import DeskNote
from core.hall_words import HALL_CODE_SHOWN
from core.handoff.tables import DANGER, Handoff
from core.redact import Redactor
from core.service_clock import Figure

WAITS, PREVIEW = ("queued", "offered"), 80  # characters of the last message in a list


class Person(BaseModel):
    """Somebody of the desk."""

    id: int
    name: str


class ClockView(BaseModel):
    """One service clock; `events` are the rows of the log behind it."""

    state: str
    due_at: datetime | None
    warn_at: datetime | None
    aim_at: datetime | None
    elapsed_seconds: int
    promise_seconds: int | None
    events: list[int]

    @classmethod
    def of(cls, figure: Figure, promise_seconds: int | None) -> ClockView:
        """Return a figure as the console draws it."""
        return cls(
            state=figure.state, due_at=figure.due_at, warn_at=figure.warn_at, aim_at=figure.aim_at,
            elapsed_seconds=int(figure.elapsed.total_seconds()), promise_seconds=promise_seconds,
            events=list(figure.events),
        )  # fmt: skip


class CustomerLine(BaseModel):
    """Whose case it is, as far as a list says it."""

    label: str
    segment: str | None = None
    flags: list[str] = []


class QuotaView(BaseModel):
    """What may still be sent to a customer whose channel counts (WeChat); see `core.channel.quota.Quota`."""

    left: int | None
    reserved: int
    until: datetime | None
    waiting: int
    parked: int
    called: bool
    followed: bool

    @classmethod
    def of(cls, quota: Quota) -> QuotaView:
        """Return it as the console shows it."""
        return cls(**asdict(quota) | {"until": _maybe(quota.until)})


class LastMessage(BaseModel):
    """The end of the log."""

    author: str
    text: str
    at: datetime


class CaseView(BaseModel):
    """One case in a list; `waiting_seconds`: for a person, or with a person for the next answer."""

    handoff_id: int
    conversation_id: str
    mode: str
    reason: str
    reason_text: str
    skill: str
    priority: int
    priority_text: str
    requested_at: datetime
    waiting_seconds: int
    due_at: datetime | None
    offer_expires_at: datetime | None
    holder: Person | None
    offered_to: int | None
    customer: CustomerLine
    channel: str
    last_message: LastMessage | None
    unread: int
    repeat: int
    clocks: dict[str, ClockView]
    paused_reason: str | None
    place: int | None
    left_message: bool
    wechat_quota: QuotaView | None


class Understood(BaseModel):
    """What the bot took a customer's message for."""

    intent: str
    label: str
    confidence: float | None


class DeskMessage(BaseModel):
    """One message of the log as the desk sees it: personal data masked, buttons by their titles."""

    seq: int
    at: datetime
    author: str
    type: str
    text: str
    card: dict[str, Any] | None
    buttons: list[dict[str, str]]
    agent: Person | None
    understood: Understood | None
    client_id: str | None
    channel: str  # over which it came, or went
    delivery: str | None = None  # of what had to be sent: arrived | seen | waiting | unsure | failed


class NoteView(BaseModel):
    """One internal note."""

    id: int
    at: datetime
    kind: str
    agent: Person
    text: str
    after_seq: int
    to_agent: int | None


class PastCase(BaseModel):
    """An earlier contact of the same customer."""

    handoff_id: int
    conversation_id: str
    ended_at: datetime
    agent: str | None
    category: str | None
    outcome: str | None


class Viewer:
    """Makes views of what was read; `names` are those of the agents."""

    def __init__(self, labels: DeskOptions, names: Mapping[int, str]) -> None:
        self._labels, self._names = labels, names

    def case(self, facts: CaseFacts, redactor: Redactor, label: str | None, *, now: datetime) -> CaseView:
        """Return a case; `label` is the masked name of its customer, None: a visitor."""
        row, conversation = facts.row, facts.conversation
        offered = conversation.mode == "offered"
        return CaseView(
            handoff_id=row.id, conversation_id=row.conversation_id, mode=conversation.mode, reason=row.reason,
            reason_text=self._labels.reasons.get(row.reason, row.reason), skill=row.skill, priority=row.priority,
            priority_text=self._labels.priority(row.priority), requested_at=_local(row.requested_at),
            waiting_seconds=waiting_seconds(facts, now), due_at=_maybe(row.due_at),
            offer_expires_at=_maybe(row.due_at) if offered else None,
            holder=self.person(row.agent_id), offered_to=row.offered_to,
            customer=CustomerLine(label=label or self._labels.visitor, flags=self._flags(row)),
            channel=conversation.channel, last_message=self._last(facts.last, redactor), unread=facts.unread,
            repeat=facts.repeat, paused_reason=facts.paused_reason, place=facts.place, left_message=row.left_message,
            wechat_quota=QuotaView.of(facts.quota) if facts.quota else None,
            clocks={
                figure.name: ClockView.of(figure, facts.promises.get(figure.name)) for figure in facts.figures
            },
        )  # fmt: skip

    def message(self, row: Message, redactor: Redactor, *, asked: str = "") -> DeskMessage:
        """Return a message; `asked` is the text of the one before it, which tells what a short answer is."""
        return DeskMessage(
            seq=row.seq, at=_local(row.at), author=row.author, type=row.type, text=self._text(row, redactor, asked),
            card=redactor.tree(row.card) if row.card else None,
            buttons=[{"title": redactor.text(one["title"])} for one in row.buttons or []],
            agent=self._author(row), understood=self._understood(row), client_id=_client_id(row), channel=row.channel,
        )  # fmt: skip

    def messages(
        self, rows: Sequence[Message], redactor: Redactor, *, before: Message | None = None
    ) -> list[DeskMessage]:
        """Return messages in order; `before` is the one that precedes the first."""
        earlier = [before, *rows[:-1]]
        return [
            self.message(row, redactor, asked=past.text if past is not None and past.author != "customer" else "")
            for past, row in zip(earlier, rows, strict=True)
        ] if rows else []  # fmt: skip

    def note(self, row: DeskNote, redactor: Redactor) -> NoteView:
        """Return a note."""
        return NoteView(
            id=row.id, at=_local(row.at), kind=row.kind, agent=self.person(row.agent_id) or Person(id=0, name=""),
            text=redactor.text(row.text, staff=self._names.values()), after_seq=row.after_seq, to_agent=row.to_agent,
        )  # fmt: skip

    def past(self, row: Handoff) -> PastCase:
        """Return an ended case."""
        assert row.ended_at is not None
        return PastCase(
            handoff_id=row.id, conversation_id=row.conversation_id, ended_at=_local(row.ended_at),
            agent=self._names.get(row.agent_id or 0), outcome=self._labels.outcomes.get(row.outcome or "", row.outcome),
            category=self._labels.categories.get(row.category or "", row.category),
        )  # fmt: skip

    def person(self, agent_id: int | None) -> Person | None:
        """Return an agent by his id, None if nobody."""
        return None if agent_id is None else Person(id=agent_id, name=self._names.get(agent_id, ""))

    def _flags(self, row: Handoff) -> list[str]:
        named = [str(flag) for flag in row.summary.get("flags") or ()]
        if row.priority == DANGER and "danger" not in named:
            named.insert(0, "danger")
        return named

    def _last(self, row: Message | None, redactor: Redactor) -> LastMessage | None:
        if row is None:
            return None
        text = " ".join(self._text(row, redactor).split())
        return LastMessage(author=row.author, text=text[:PREVIEW], at=_local(row.at))

    def _text(self, row: Message, redactor: Redactor, asked: str = "") -> str:
        """Return the words of a message; our own people's names are no secret, a code of the hall is one."""
        if row.type == HALL_CODE_SHOWN:
            return re.sub(r"\d{4} \d{4}", "**** ****", row.text)
        return redactor.text(row.text, asked=asked, staff=None if row.author == "customer" else self._names.values())

    def _author(self, row: Message) -> Person | None:
        if row.author != "agent":
            return None
        return Person(id=row.agent_id or 0, name=row.agent_name or self._names.get(row.agent_id or 0, ""))

    def _understood(self, row: Message) -> Understood | None:
        intent = (row.understood or {}).get("intent")
        if row.author != "customer" or not intent:
            return None
        name = str(intent.get("name") if isinstance(intent, dict) else intent)
        given = (row.understood or {}).get("confidence")
        confidence = float(given) if isinstance(given, int | float) else None
        return Understood(intent=name, label=self._labels.intent(name), confidence=confidence)


def waiting_seconds(facts: CaseFacts, now: datetime) -> int:
    """Return how long the customer has waited: for a person, or with a person for the answer to the last words."""
    if facts.row.left_message or facts.conversation.mode in WAITS or not facts.answered:
        since: datetime | None = facts.row.requested_at
    else:
        since = facts.unanswered_since
    if facts.row.ended_at is not None or facts.conversation.mode == "wrap_up":
        since = None
    return max(0, int((now - since).total_seconds())) if since else 0


def _client_id(row: Message) -> str | None:
    """Return what the agent's console called its own message (desk:<agent>:<client id>)."""
    if row.author != "agent" or not row.external_id:
        return None
    return row.external_id.split(":", 3)[-1]


def _local(at: datetime) -> datetime:
    return at.astimezone(SHANGHAI)


def _maybe(at: datetime | None) -> datetime | None:
    return None if at is None else _local(at)
