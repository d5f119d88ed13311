"""What a console has to be told: the feed from a number on, narrowed to what its agent may see, as frames.

Reading is one transaction; each conversation of a batch is shown once, as it stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.bus import Frame
from api.deps import Parts
from api.desk.access import Signed
from api.desk.cases import agent_names
from api.desk.inbox import case_views, list_of
from api.desk.options import options_of
from api.desk.redaction import redactor_for
from api.desk.scope import came_by_code, latest_case, latest_cases, may_see, seen_by_code, visible
from api.desk.talk import note_is_for
from api.desk.views import CaseView, Viewer
from api.desk.whole_talk import states_of, with_states
from core.conversation import PAGE, Conversation, Message, messages_after
from core.desk_feed import DeskEvent, events_after
from core.desk_note import DeskNote
from core.handoff.tables import Handoff
from core.redact import Redactor

BATCH, UNKNOWN_TAIL = 500, 50  # events a reading; messages of a log of which nothing is known to be sent
NOTED = ("note", "help", "whisper")
TOGETHER = ("case", "message")  # of several, the last one says it all


class News:
    """How far one console is: the feed, the logs, and which conversations it knows of."""

    def __init__(self, after: int | None) -> None:
        self.seq = after
        self.caught_up_at = 0  # up to here the console may know of what its agent sees no more
        self.sent: dict[str, int] = {}  # last message sent, by conversation
        self.known: set[str] = set()  # conversations that the console may have in a list

    def begin(self, after: int, newest: int, known: Iterable[str]) -> None:
        """Start behind `after`; what is visible now is known to the console from its inbox."""
        self.seq, self.caught_up_at, self.known = after, newest, set(known)

    def advance(self, reading: Reading) -> None:
        """Note that everything of a reading was sent."""
        self.seq = reading.seq
        for conversation_id, one in reading.logs.items():
            if one.messages:
                self.sent[conversation_id] = one.messages[-1].seq
        for conversation_id, case in reading.cases.items():
            (self.known.add if case else self.known.discard)(conversation_id)


@dataclass
class Log:
    """The new messages of one conversation, behind `after`; `before` is the one with that number."""

    conversation: Conversation
    after: int
    messages: list[Message]
    before: Message | None = None
    states: dict[int, str] = field(default_factory=dict)  # what has become of what had to be sent


@dataclass
class Reading:
    """A part of the feed and what it points at; `cases`: None where there is nothing to see (any more)."""

    seq: int
    whole: bool  # nothing is left behind it
    events: list[DeskEvent]
    cases: dict[str, Handoff | None] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)
    logs: dict[str, Log] = field(default_factory=dict)
    notes: dict[int, DeskNote] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)


def visible_conversations(session: Session, signed: Signed) -> list[str]:
    """Return the conversations with an open case that the agent may see."""
    query = select(Handoff.conversation_id).join(Conversation, Conversation.id == Handoff.conversation_id)
    return list(session.scalars(query.where(Handoff.ended_at.is_(None), visible(signed))))


def read_news(session: Session, signed: Signed, news: News, viewing: str | None) -> Reading:
    """Read the next part of the feed, with what the agent may see of it."""
    after = news.seq or 0
    found = events_after(session, after, limit=BATCH)
    mine = [one for one in found if one.agent_id in (None, signed.agent_id)]
    reading = Reading(found[-1].seq if found else after, len(found) < BATCH, [])
    sights = _Sights(session, signed, reading)
    sights.look_up({one.conversation_id for one in mine if one.conversation_id is not None})
    for event in mine:
        if event.conversation_id is None or sights.sees(event.conversation_id) or event.kind == "case":
            reading.events.append(event)
    for event in reading.events:
        if event.kind == "message" and event.conversation_id is not None:
            _read_log(session, reading, news, event.conversation_id, event.data.get("seq"))
    if viewing is not None and viewing in news.sent and sights.sees(viewing):
        _read_log(session, reading, news, viewing, None)
    _read_notes(session, signed, reading)
    if reading.events or reading.logs:
        reading.names = agent_names(session)
    return reading


async def frames_of(parts: Parts, signed: Signed, news: News, reading: Reading) -> list[Frame]:
    """Return the frames for what was read, in the order of their numbers."""
    shower = await _Shower.of(parts, signed, news, reading)
    last: dict[tuple[str, str | None], int] = {}
    for event in reading.events:
        if event.kind in TOGETHER:
            last[event.kind, event.conversation_id] = event.seq
    frames = []
    for event in reading.events:
        if last.get((event.kind, event.conversation_id), event.seq) == event.seq:
            shown = await shower.event(event)
            if shown is not None:
                frames.append({"kind": "event", "seq": event.seq, "event": shown})
    told = {event.conversation_id for event in reading.events if event.kind == "message"}
    for conversation_id in reading.logs:
        if conversation_id not in told and reading.logs[conversation_id].messages:
            shown = {"kind": "message", "conversation_id": conversation_id, "handoff_id": None, "data": {}}
            shown |= await shower.log(conversation_id)
            frames.append({"kind": "event", "seq": reading.seq, "event": shown})
    return frames


class _Sights:
    """Which conversations of a reading the agent may see, each looked up once."""

    def __init__(self, session: Session, signed: Signed, reading: Reading) -> None:
        self._session, self._signed, self._reading = session, signed, reading
        self._by_code: set[str] = set()  # conversations that a code of the hall has opened

    def look_up(self, conversation_ids: Collection[str]) -> None:
        """Look several up at once: every console asks this after every change, so the queries count."""
        if not conversation_ids:
            return
        cases = latest_cases(self._session, conversation_ids)
        self._by_code |= seen_by_code(self._session, self._signed, conversation_ids)
        for one in self._session.scalars(select(Conversation).where(Conversation.id.in_(conversation_ids))):
            self._note(one.id, one, cases.get(one.id))

    def sees(self, conversation_id: str) -> bool:
        if conversation_id not in self._reading.cases:
            conversation = self._session.get(Conversation, conversation_id)
            self._by_code |= seen_by_code(self._session, self._signed, [conversation_id])
            self._note(conversation_id, conversation, latest_case(self._session, conversation_id))
        return conversation_id in self._reading.conversations

    def _note(self, conversation_id: str, conversation: Conversation | None, case: Handoff | None) -> None:
        reading = self._reading
        allowed = conversation is not None and may_see(self._signed, conversation, case)
        if not allowed and conversation is not None and conversation_id in self._by_code:
            allowed = came_by_code(self._session, self._signed, case)
        if conversation is not None and allowed:
            reading.conversations[conversation_id] = conversation
        reading.cases[conversation_id] = case if allowed and case is not None and case.ended_at is None else None


class _Shower:
    """Turns what was read into what is shown."""

    def __init__(self, parts: Parts, news: News, reading: Reading, views: dict[str, CaseView], agent_id: int) -> None:
        self._parts, self._news, self._reading = parts, news, reading
        self._views, self._agent_id = views, agent_id
        self._viewer = Viewer(options_of(parts.settings.data_dir), reading.names)

    @classmethod
    async def of(cls, parts: Parts, signed: Signed, news: News, reading: Reading) -> _Shower:
        """Read the cases that are to be shown."""
        changed = {one.conversation_id for one in reading.events if one.kind == "case" and one.conversation_id}
        wanted = [case for key, case in reading.cases.items() if key in changed and case is not None]
        views = await case_views(parts, signed, wanted) if wanted else []
        return cls(parts, news, reading, {one.conversation_id: one for one in views}, signed.agent_id)

    async def event(self, event: DeskEvent) -> dict[str, Any] | None:
        """Return what is shown of an event, None if nothing."""
        shown: dict[str, Any] = {
            "kind": event.kind, "conversation_id": event.conversation_id, "handoff_id": event.handoff_id, "data": {},
        }  # fmt: skip
        if event.conversation_id is None:
            return shown | {"data": event.data}
        if event.kind == "case" and event.conversation_id not in self._views:
            known = event.conversation_id in self._news.known or event.seq <= self._news.caught_up_at
            return shown | {"data": _parting(event.data), "case": None, "list": None} if known else None
        conversation = self._reading.conversations[event.conversation_id]
        redactor = await redactor_for(self._parts, conversation)
        shown["data"] = redactor.tree(event.data)
        more = await self._more(event, event.conversation_id, redactor)
        return None if more is None else shown | more

    async def _more(self, event: DeskEvent, conversation_id: str, redactor: Redactor) -> dict[str, Any] | None:
        """Return what an event of this kind brings along, None if there is nothing to show."""
        if event.kind == "case":
            view = self._views[conversation_id]
            return {"case": view.model_dump(mode="json"), "list": list_of(view, self._agent_id)}
        if event.kind == "message":
            return await self.log(conversation_id) if self._reading.logs[conversation_id].messages else None
        if event.kind in NOTED:
            note = self._reading.notes.get(int(event.data.get("note") or 0))
            return {"note": self._viewer.note(note, redactor).model_dump(mode="json")} if note else None
        return {}

    async def log(self, conversation_id: str) -> dict[str, Any]:
        """Return the messages behind the last one sent; `after` tells a console whether it misses any before them."""
        one = self._reading.logs[conversation_id]
        redactor = await redactor_for(self._parts, one.conversation)
        shown = with_states(self._viewer.messages(one.messages, redactor, before=one.before), one.states)
        messages = [message.model_dump(mode="json") for message in shown]
        return {"messages": messages, "after": one.after, "mode": one.conversation.mode}


def _read_log(session: Session, reading: Reading, news: News, conversation_id: str, announced: Any) -> None:
    if conversation_id in reading.logs:
        return
    conversation = reading.conversations[conversation_id]
    after = news.sent.get(conversation_id)
    if after is None:
        first = announced if isinstance(announced, int) else conversation.next_seq - UNKNOWN_TAIL
        after = max(0, first - 1)
    before = session.get(Message, (conversation_id, after)) if after else None
    log = Log(conversation, after, [], before)
    while True:
        rows = messages_after(session, conversation_id, log.messages[-1].seq if log.messages else after)
        log.messages += rows
        if len(rows) < PAGE:
            break
    log.states = states_of(session, conversation_id, log.messages)
    reading.logs[conversation_id] = log


def _read_notes(session: Session, signed: Signed, reading: Reading) -> None:
    wanted = [int(one.data.get("note") or 0) for one in reading.events if one.kind in NOTED]
    if wanted:
        rows = session.scalars(select(DeskNote).where(DeskNote.id.in_(wanted)))
        reading.notes = {row.id: row for row in rows if note_is_for(row, signed)}


def _parting(data: dict[str, Any]) -> dict[str, Any]:
    """Return what somebody may still know of a case that is no longer his: what happened, and who has it now."""
    over = data.get("what") in ("closed", "handed_back")
    return {name: data[name] for name in ("what", "agent") if name in data and not (over and name == "agent")}
