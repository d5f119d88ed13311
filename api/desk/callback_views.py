"""Calls back as a console shows them: read with a fixed number of queries, however many there are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from api.deps import Parts
from api.desk.access import Signed
from api.desk.cases import agent_names
from api.desk.labels import labels_of
from api.desk.options import options_of
from api.desk.redaction import redactor_for
from api.desk.views import Person
from core import call_back
from core.agent import Agent
from core.call_back_phone import is_on_file
from core.clock import SHANGHAI
from core.conversation import Conversation, Message
from core.handoff.tables import Handoff
from core.recommend.tables import CallBack
from core.survey import Survey


class CallBackView(BaseModel):
    """One call that is owed; `why` in words; `segment` is for staff alone.

    `open_points`: what the agent noted as not done. `phone_on_file`: else a number is looked for in the conversation.
    `wrote_at`: the customer wrote again since the case ended. `others`: further calls that are owed to the same one.
    """

    id: int
    handoff_id: int
    conversation_id: str
    customer: str
    segment: str | None
    why: list[str]
    category: str | None
    outcome: str | None
    ended_at: datetime | None
    due_at: datetime
    overdue: bool
    agent: Person | None
    mine: bool
    served_by: Person | None
    score: int | None
    open_points: list[str]
    phone_on_file: bool
    wrote_at: datetime | None
    others: int


class CallBackCount(BaseModel):
    """How many calls are the caller's business (a supervisor's: all), and how many of these are late."""

    open: int
    overdue: int


class CallBacks(BaseModel):
    """What is owed, the first due first; `overdue` counts all of the desk."""

    now: datetime
    overdue: int
    items: list[CallBackView]


@dataclass(frozen=True)
class Read:
    """One call with all that its line says; the conversation is what it was joined to."""

    row: CallBack
    case: Handoff | None
    conversation: Conversation | None
    score: int | None
    holder: int | None
    wrote_at: datetime | None
    others: int


@dataclass(frozen=True)
class Page:
    """What one transaction has read."""

    reads: list[Read]
    names: dict[int, str]
    overdue: int


def read_page(session: Session, rows: Sequence[CallBack], *, now: datetime) -> Page:
    """Return the calls with what belongs to them."""
    cases = _by_id(session, Handoff, (row.handoff_id for row in rows))
    talks = _talks(session, rows)
    scored = select(Survey.handoff_id, Survey.score).where(Survey.handoff_id.in_(cases))
    scores = {case: score for case, score in session.execute(scored) if score is not None}
    here = set(session.scalars(select(Agent.id).where(Agent.active)))
    wrote, others = _wrote(session, rows, cases, talks), _others(session, rows)
    reads = [
        Read(
            row, cases.get(row.handoff_id), talks.get(row.conversation_id), scores.get(row.handoff_id),
            row.agent_id if row.agent_id in here else None, wrote.get(row.id), others.get(row.customer_no or "", 1) - 1,
        )
        for row in rows
    ]  # fmt: skip
    return Page(reads, agent_names(session), call_back.overdue(session, now=now))


async def views_of(parts: Parts, signed: Signed, page: Page, *, now: datetime) -> list[CallBackView]:
    """Return the calls as this agent is shown them: names masked, notes without what must not stand in them."""
    labels = await labels_of(parts, [one.row.customer_no for one in page.reads])
    return list(await asyncio.gather(*(_view(parts, signed, one, page.names, labels, now) for one in page.reads)))


def _talks(session: Session, rows: Sequence[CallBack]) -> dict[str, Conversation]:
    """Return the conversations of calls by the id that the calls know, each where the customer is now."""
    own = _by_id(session, Conversation, (row.conversation_id for row in rows))
    homes = _by_id(session, Conversation, (one.joined_to for one in own.values() if one.joined_to))
    return {key: homes.get(one.joined_to or "", one) for key, one in own.items()}


def _wrote(
    session: Session, rows: Sequence[CallBack], cases: Mapping[int, Handoff], talks: Mapping[str, Conversation]
) -> dict[int, datetime]:
    """Return when customers last wrote after their case had ended, by call, in whichever conversation of theirs."""
    ended = {row.id: case.ended_at for row in rows if (case := cases.get(row.handoff_id)) and case.ended_at}
    if not ended:
        return {}
    own, numbers = {one.id for one in talks.values()}, {row.customer_no for row in rows if row.customer_no}
    lately = select(Conversation.id, Conversation.customer_no).where(
        or_(Conversation.id.in_(own), Conversation.customer_no.in_(numbers)), Conversation.last_at > min(ended.values())
    )
    theirs = {row.id: row.customer_no for row in session.execute(lately)}
    latest = select(Message.conversation_id, func.max(Message.at)).where(
        Message.conversation_id.in_(theirs), Message.author == "customer", Message.at > min(ended.values())
    )
    wrote: dict[str, datetime] = {}  # by conversation, and by customer
    for talk, at in session.execute(latest.group_by(Message.conversation_id)):
        for key in (talk, theirs[talk]):
            if key is not None:
                wrote[key] = max(at, wrote.get(key, at))
    found = {row.id: _last(wrote, row, talks.get(row.conversation_id)) for row in rows}
    return {key: at for key, at in found.items() if at is not None and key in ended and at > ended[key]}


def _last(wrote: Mapping[str, datetime], row: CallBack, talk: Conversation | None) -> datetime | None:
    times = (wrote.get(key) for key in (talk.id if talk is not None else None, row.customer_no) if key is not None)
    return max((at for at in times if at is not None), default=None)


def _others(session: Session, rows: Sequence[CallBack]) -> dict[str, int]:
    """Return how many calls are owed to each of the customers."""
    query = select(CallBack.customer_no, func.count()).where(
        CallBack.state == call_back.OPEN, CallBack.customer_no.in_({row.customer_no for row in rows if row.customer_no})
    )
    return {number: count for number, count in session.execute(query.group_by(CallBack.customer_no)) if number}


def _by_id(session: Session, table: Any, ids: Iterable[Any]) -> dict[Any, Any]:
    return {row.id: row for row in session.scalars(select(table).where(table.id.in_(set(ids))))}


async def _view(
    parts: Parts, signed: Signed, one: Read, names: dict[int, str], labels: dict[str, str], now: datetime
) -> CallBackView:  # fmt: skip
    row, case, conversation = one.row, one.case, one.conversation
    options, fitting = options_of(parts.settings.data_dir), parts.book.fitting
    still_open = [str(text) for text in (case.note.get("open") or ())] if case is not None else []
    if still_open:
        redactor = await redactor_for(parts, conversation) if conversation is not None else None
        still_open = [redactor.text(text, staff=names.values()) for text in still_open] if redactor else []
    return CallBackView(
        id=row.id, handoff_id=row.handoff_id, conversation_id=row.conversation_id,
        customer=labels.get(row.customer_no, options.unknown_customer) if row.customer_no else options.visitor,
        segment=fitting.rules.name_of(row.segment) if row.segment else None,
        why=[fitting.words.why[key] for key in call_back.why(row, case, one.score, fitting)],
        due_at=row.due_at.astimezone(SHANGHAI), overdue=row.due_at < now, agent=_person(one.holder, names),
        mine=row.agent_id == signed.agent_id, score=one.score, open_points=still_open,
        phone_on_file=conversation is not None and is_on_file(row, conversation),
        wrote_at=one.wrote_at.astimezone(SHANGHAI) if one.wrote_at else None, others=one.others,
        **_of_case(case, names, options.categories, options.outcomes),
    )  # fmt: skip


def _of_case(case: Handoff | None, names: dict[int, str], categories: Any, outcomes: Any) -> dict[str, Any]:
    if case is None:
        return {"category": None, "outcome": None, "ended_at": None, "served_by": None}
    return {
        "category": categories.get(case.category or "", case.category),
        "outcome": outcomes.get(case.outcome or "", case.outcome),
        "ended_at": case.ended_at.astimezone(SHANGHAI) if case.ended_at else None,
        "served_by": _person(case.agent_id, names),
    }


def _person(agent_id: int | None, names: dict[int, str]) -> Person | None:
    return Person(id=agent_id, name=names.get(agent_id, "")) if agent_id is not None else None
