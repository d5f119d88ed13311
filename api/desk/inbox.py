"""The inbox: what an agent has, is offered, may take; and taking it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AgentDep, Signed
from api.desk.cases import CaseFacts, CaseReader, agent_names
from api.desk.errors import DeskProblem, DeskRoute
from api.desk.labels import labels_of
from api.desk.options import options_of
from api.desk.redaction import redactor_for
from api.desk.scope import case_in_scope, visible
from api.desk.steps import agent_of, publish, touch_presence
from api.desk.views import CaseView, Person, Viewer
from api.desk.watch import watch_of
from core import agent as people
from core.agent import Agent
from core.clock import SHANGHAI
from core.conversation import Conversation
from core.desk_feed import announce, last_seq
from core.handoff import asking
from core.handoff.tables import AlreadyTaken, Handoff

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=DeskRoute)
MOST_QUEUED = 300  # cases that one list shows


class Inbox(BaseModel):
    """All lists of a console, and from where on its socket goes on (`seq`)."""

    seq: int
    now: datetime
    mine: list[CaseView]
    offers: list[CaseView]
    queue: list[CaseView]
    messages: list[CaseView]
    wrap_up: list[CaseView]


class StatusRequest(BaseModel):
    """What an agent wants to be."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["online", "away", "offline"]


class StatusAnswer(BaseModel):
    """What he is now."""

    status: str


@router.get("/inbox")
async def inbox(parts: PartsDep, signed: AgentDep) -> Inbox:
    """Return every list; a new socket opened with `after=seq` misses nothing that comes later."""
    await touch_presence(parts, signed.agent_id)

    def work(session: Session) -> tuple[int, list[Handoff]]:
        seq = last_seq(session)  # read first: what changes meanwhile comes again, nothing is missed
        query = select(Handoff).join(Conversation, Conversation.id == Handoff.conversation_id)
        query = query.where(Handoff.ended_at.is_(None), visible(signed))
        # However long the queue is, what is one's own is never cut off.
        query = query.order_by(Handoff.agent_id.is_(None), Handoff.offered_to.is_(None), Handoff.rank_at, Handoff.id)
        return seq, list(session.scalars(query.limit(MOST_QUEUED)))

    seq, rows = await parts.store.read(work)
    lists: dict[str, list[CaseView]] = {name: [] for name in ("mine", "offers", "queue", "messages", "wrap_up")}
    for view in await case_views(parts, signed, rows):
        name = list_of(view, signed.agent_id)
        if name:
            lists[name].append(view)
    return Inbox(seq=seq, now=parts.clock().astimezone(SHANGHAI), **lists)


@router.post("/cases/{handoff_id}/accept")
async def accept(handoff_id: int, parts: PartsDep, signed: AgentDep) -> CaseView:
    """Take a case that is offered; 409 with the holder if another one was first."""
    return await _take(handoff_id, parts, signed)


@router.post("/cases/{handoff_id}/claim")
async def claim(handoff_id: int, parts: PartsDep, signed: AgentDep) -> CaseView:
    """Pull a case out of the queue, or take a message that was left."""
    return await _take(handoff_id, parts, signed)


@router.post("/cases/{handoff_id}/decline", status_code=204)
async def decline(handoff_id: int, parts: PartsDep, signed: AgentDep) -> None:
    """Let an offer go by; the next agent gets it at once. One that is over already is no error."""

    def work(session: Session) -> str:
        case = case_in_scope(session, signed, handoff_id)
        if case.offered_to == signed.agent_id:
            asking.decline(session, handoff_id, signed.agent_id, book=parts.book, now=parts.clock())
        return case.conversation_id

    publish(parts, await parts.store.write(work))


@router.post("/me/status")
async def change_status(body: StatusRequest, parts: PartsDep, signed: AgentDep) -> StatusAnswer:
    """Come, go away for a while, or go: who is away or offline gets no offers and keeps what he has."""

    def work(session: Session) -> str:
        agent, now = agent_of(session, signed), parts.clock()
        people.set_status(agent, body.status)
        people.touch(session, agent.id, now=now)
        announce(session, "agents", now=now, data={"agent": agent.id, "status": body.status})
        return agent.status

    status = await parts.store.write(work)
    publish(parts)
    return StatusAnswer(status=status)


async def _take(handoff_id: int, parts: Parts, signed: Signed) -> CaseView:
    def work(session: Session) -> Handoff | Person | None:
        case = session.get(Handoff, handoff_id)
        rival = case is not None and case.agent_id is not None and case.skill in signed.skills
        if not rival:  # who may have wanted it is told by the claim itself who has it
            case_in_scope(session, signed, handoff_id)
        try:
            return asking.claim(session, handoff_id, signed.agent_id, book=parts.book, now=parts.clock())
        except AlreadyTaken as error:
            holder = session.get(Agent, error.agent_id) if error.agent_id else None
            return Person(id=holder.id, name=holder.name) if holder else None

    await touch_presence(parts, signed.agent_id)  # or who has not opened the inbox yet is taken for gone at once
    taken = await parts.store.write(work)
    if not isinstance(taken, Handoff):
        holder = taken.model_dump() if taken else None
        raise DeskProblem(HTTPStatus.CONFLICT, "already_taken", holder=holder)
    publish(parts, taken.conversation_id)
    return (await case_views(parts, signed, [taken]))[0]


async def case_views(parts: Parts, signed: Signed, rows: list[Handoff]) -> list[CaseView]:
    """Return the cases as this agent is shown them."""
    now, data_dir, seen = parts.clock(), parts.settings.data_dir, watch_of(parts).seen(signed.agent_id)

    def work(session: Session) -> tuple[list[CaseFacts], dict[int, str]]:
        return CaseReader(session, data_dir, now=now, seen=seen).read(rows), agent_names(session)

    facts, names = await parts.store.read(work)
    labels = await labels_of(parts, (one.conversation.customer_no for one in facts))
    viewer = Viewer(options_of(data_dir), names)
    redactors = await asyncio.gather(*(redactor_for(parts, one.conversation) for one in facts))
    return [
        viewer.case(one, redactor, labels.get(one.conversation.customer_no or ""), now=now)
        for one, redactor in zip(facts, redactors, strict=True)
    ]


def list_of(view: CaseView, agent_id: int) -> str | None:
    """Return the list in which an agent finds an open case, None if in none."""
    if view.holder is not None:
        if view.holder.id != agent_id:
            return None
        return "wrap_up" if view.mode == "wrap_up" else "mine"
    if view.left_message:
        return "messages"
    if view.mode == "offered":
        return "offers" if view.offered_to == agent_id else None
    return "queue" if view.mode == "queued" else None
