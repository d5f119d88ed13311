"""Reads what the lists of the desk need of cases: a fixed number of queries, however many cases there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import and_, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from api.desk.options import calendars_of
from core import service_clock
from core.agent import Agent
from core.channel.quota import Quota, quotas_of
from core.conversation import Conversation, Message
from core.handoff.figures import Calendars
from core.handoff.tables import Handoff, HandoffEvent
from core.mode import WAITING
from core.service_clock import CLOSURE, FIRST_RESPONSE, Calendar, Event, Figure

REPEATED_WITHIN = timedelta(hours=72)


@dataclass(frozen=True)
class CaseFacts:
    """One case with all that its line in a list says."""

    row: Handoff
    conversation: Conversation
    figures: tuple[Figure, Figure]  # first response, closure
    promises: Mapping[str, int]  # by clock, in seconds
    last: Message | None
    unread: int
    unanswered_since: datetime | None
    answered: bool  # a person has written at least once
    repeat: int  # earlier contacts within 72 h
    paused_reason: str | None
    place: int | None
    quota: Quota | None = None  # what may still be sent over a channel that counts


class CaseReader:
    """Reads cases within one transaction; `seen` tells up to which message the asking agent has read."""

    def __init__(
        self, session: Session, data_dir: Path, *, now: datetime, seen: Mapping[str, int] | None = None
    ) -> None:  # fmt: skip
        self._session, self._now, self._seen = session, now, seen or {}
        self._calendars: Calendars = calendars_of(session, data_dir)

    def read(self, rows: Sequence[Handoff]) -> list[CaseFacts]:
        """Return the facts of the cases, in the same order; one whose conversation is gone is left out."""
        if not rows:
            return []
        conversations = self._conversations(row.conversation_id for row in rows)
        events = self._events([row.id for row in rows])
        last, unread = self._last(conversations, rows), self._unread(conversations)
        repeats, places = self._repeats(rows, conversations), self._places(rows)
        quotas = quotas_of(self._session, conversations.values(), now=self._now)
        found = []
        for row in rows:
            conversation = conversations.get(row.conversation_id)
            if conversation is None:
                continue
            log, open_messages = events[row.id], unread[conversation.id]
            figures, promises = self._clocks(row, log)
            found.append(CaseFacts(
                row=row, conversation=conversation, figures=figures, promises=promises,
                last=last.get(conversation.id),
                unread=sum(seq > self._seen.get(conversation.id, 0) for seq, _ in open_messages),
                unanswered_since=open_messages[0][1] if open_messages else None,
                answered=any(one.kind == "agent_replied" for one in log), repeat=repeats[row.id],
                paused_reason=_paused(log), place=places.get(row.id), quota=quotas.get(conversation.id),
            ))  # fmt: skip
        return found

    def _conversations(self, ids: Iterable[str]) -> dict[str, Conversation]:
        query = select(Conversation).where(Conversation.id.in_(set(ids)))
        return {one.id: one for one in self._session.scalars(query)}

    def _events(self, ids: Sequence[int]) -> dict[int, list[HandoffEvent]]:
        found: dict[int, list[HandoffEvent]] = defaultdict(list)
        query = select(HandoffEvent).where(HandoffEvent.handoff_id.in_(ids)).order_by(HandoffEvent.id)
        for event in self._session.scalars(query):
            found[event.handoff_id].append(event)
        return found

    def _last(self, ids: Iterable[str], rows: Sequence[Handoff]) -> dict[str, Message]:
        """Return what was said last, by conversation: by the customer while nobody has the case, else by either side.

        What bot and bridge say tells whoever is to take the case nothing.
        """
        untaken = {row.conversation_id for row in rows if row.agent_id is None}
        said = or_(
            Message.author == "customer", and_(Message.author != "system", Message.conversation_id.not_in(untaken))
        )
        ends = select(Message.conversation_id, func.max(Message.seq)).where(
            Message.conversation_id.in_(list(ids)), said
        )
        ends = ends.group_by(Message.conversation_id)
        query = select(Message).where(tuple_(Message.conversation_id, Message.seq).in_(ends))
        return {one.conversation_id: one for one in self._session.scalars(query)}

    def _unread(self, conversations: Mapping[str, Conversation]) -> dict[str, list[tuple[int, datetime]]]:
        """Return the customer's messages behind the last word of a person, by conversation."""
        said = aliased(Message)
        answered = (
            select(func.coalesce(func.max(said.seq), 0))
            .where(said.conversation_id == Message.conversation_id, said.author == "agent")
            .correlate(Message).scalar_subquery()
        )  # fmt: skip
        query = select(Message.conversation_id, Message.seq, Message.at).where(
            Message.conversation_id.in_(list(conversations)), Message.author == "customer", Message.seq > answered
        )
        found: dict[str, list[tuple[int, datetime]]] = defaultdict(list)
        for conversation_id, seq, at in self._session.execute(query.order_by(Message.seq)):
            found[conversation_id].append((seq, at))
        return found

    def _repeats(self, rows: Sequence[Handoff], conversations: Mapping[str, Conversation]) -> dict[int, int]:
        """Return how often the same customer asked for a person within 72 h before, by case."""
        first = min(row.requested_at for row in rows) - REPEATED_WITHIN
        customers = {one.customer_no for one in conversations.values() if one.customer_no}
        query = (
            select(Handoff.id, Handoff.requested_at, Handoff.conversation_id, Conversation.customer_no)
            .join(Conversation, Conversation.id == Handoff.conversation_id)
            .where(Handoff.requested_at >= first)
            .where(or_(Conversation.customer_no.in_(customers), Handoff.conversation_id.in_(list(conversations))))
        )
        asked: dict[str, list[datetime]] = defaultdict(list)
        for _, at, conversation_id, customer_no in self._session.execute(query):
            asked[customer_no or conversation_id].append(at)
        result = {}
        for row in rows:
            known = conversations.get(row.conversation_id)
            times = asked[(known.customer_no if known else None) or row.conversation_id]
            result[row.id] = sum(row.requested_at - REPEATED_WITHIN <= at < row.requested_at for at in times)
        return result

    def _places(self, rows: Sequence[Handoff]) -> dict[int, int]:
        """Return the place of the waiting cases among those of their skill."""
        skills = {row.skill for row in rows}
        query = (
            select(Handoff.id, Handoff.skill)
            .join(Conversation, Conversation.id == Handoff.conversation_id)
            .where(Handoff.ended_at.is_(None), Handoff.agent_id.is_(None), Handoff.left_message.is_(False))
            .where(Handoff.skill.in_(skills), Conversation.mode.in_(WAITING))
            .order_by(Handoff.rank_at, Handoff.id)
        )
        counts: dict[str, int] = defaultdict(int)
        places = {}
        for handoff_id, skill in self._session.execute(query):
            counts[skill] += 1
            places[handoff_id] = counts[skill]
        return places

    def _clocks(self, row: Handoff, log: Sequence[HandoffEvent]) -> tuple[tuple[Figure, Figure], dict[str, int]]:
        asked = next((one.at for one in log if one.kind == "requested"), row.requested_at)
        calendar: Calendar = self._calendars.at(asked)
        events = [Event(one.id, one.at, one.kind, _routed(one, row)) for one in log]
        clocks = calendar.desk.clocks
        minutes = clocks.message_minutes if row.left_message else clocks.first_response.promise_minutes
        promises = {FIRST_RESPONSE: minutes * 60, CLOSURE: clocks.closure.promise_minutes * 60}
        return service_clock.figures(events, calendar, now=self._now), promises


def agent_names(session: Session) -> dict[int, str]:
    """Return the names of all agents, barred ones too: old messages name them."""
    return {row.id: row.name for row in session.execute(select(Agent.id, Agent.name))}


def past_cases(session: Session, conversation: Conversation, *, limit: int = 10) -> list[Handoff]:
    """Return the ended cases of this customer (of this conversation, if nobody knows who it is), newest first."""
    query = select(Handoff).join(Conversation, Conversation.id == Handoff.conversation_id)
    mine = Handoff.conversation_id == conversation.id
    if conversation.customer_no:
        mine = or_(mine, Conversation.customer_no == conversation.customer_no)
    query = query.where(mine, Handoff.ended_at.is_not(None))
    return list(session.scalars(query.order_by(Handoff.ended_at.desc(), Handoff.id.desc()).limit(limit)))


def _paused(log: Sequence[HandoffEvent]) -> str | None:
    """Return what the closure clock waits for at present."""
    for event in reversed(log):
        if event.kind == "paused":
            return str(event.data.get("reason") or "")
        if event.kind in ("resumed", "handed_back", "closed"):
            return None
    return None


def _routed(event: HandoffEvent, row: Handoff) -> Mapping[str, Any]:
    """Return the data of an event; a request says which skill it is for and how urgent it is."""
    return {"skill": row.skill, "priority": row.priority, **event.data} if event.kind == "requested" else event.data
