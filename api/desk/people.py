"""The supervisor's page of people: who works at the desk, with which skills and role, and their way in.

A supervisor sets up agents; whose role is above an agent's is the administrators' business, and so are roles.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AdministratorDep, Signed, SupervisorDep
from api.desk.options import loads
from api.desk.supervision import Refusal, SupervisionRoute, auditor, wake
from core import agent as people
from core.agent import ADMINISTRATOR, AGENT, Agent, Changes, NewAgent
from core.clock import SHANGHAI

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=SupervisionRoute)

Role = Literal["agent", "supervisor", "administrator"]
Skill = Literal["repair", "billing", "business", "complaint"]


class AgentRow(BaseModel):
    """Somebody of the desk, as supervisors see him; never a password or anything that it could be told from."""

    id: int
    login: str
    name: str
    staff_no: str
    role: str
    skills: list[str]
    capacity: int
    active: bool
    status: str
    present: bool
    load: int
    must_change: bool
    second_factor: bool
    locked_until: datetime | None
    last_seen_at: datetime | None
    created_at: datetime


class NewAgentBody(BaseModel):
    """Somebody to add; only an administrator gives a role above an agent's."""

    model_config = ConfigDict(extra="forbid")

    login: Annotated[str, Field(max_length=64)]
    name: Annotated[str, Field(max_length=80)]
    staff_no: Annotated[str, Field(max_length=40)]
    role: Role = "agent"
    skills: list[Skill] = []
    capacity: int = 4


class AgentBody(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=80)] | None = None
    staff_no: Annotated[str, Field(max_length=40)] | None = None
    role: Role | None = None
    skills: list[Skill] | None = None
    capacity: int | None = None
    active: bool | None = None


class FirstPassword(BaseModel):
    """A password that is shown this once, and has to be changed at the first login."""

    agent: AgentRow
    password: str


@router.get("/agents")
async def agents(parts: PartsDep, _signed: SupervisorDep) -> list[AgentRow]:
    """Return everybody who works or worked at the desk, by login."""

    def work(session: Session) -> list[AgentRow]:
        load = loads(session)
        return [_row(session, parts, one, load.get(one.id, 0)) for one in people.list_agents(session)]

    return await parts.store.read(work)


@router.post("/agents", status_code=HTTPStatus.CREATED)
async def add_agent(body: NewAgentBody, parts: PartsDep, signed: SupervisorDep) -> FirstPassword:
    """Add somebody; the answer holds his first password, which nobody can read again."""
    if body.role != AGENT:
        _administrators_only(signed)
    password = people.new_password()
    hashed = await asyncio.to_thread(people.hash_password, password, login=body.login)
    new = NewAgent(body.login, body.name, body.staff_no, body.role, tuple(body.skills), body.capacity)
    now = parts.clock()

    def work(session: Session) -> AgentRow:
        made = people.add_agent(
            session, new, hashed, auditor=auditor(parts, signed), now=now, must_change=True
        )  # fmt: skip
        return _row(session, parts, made, 0)

    row = await parts.store.write(work)
    await wake(parts)
    return FirstPassword(agent=row, password=password)


@router.put("/agents/{agent_id}")
async def change_agent(agent_id: int, body: AgentBody, parts: PartsDep, signed: SupervisorDep) -> AgentRow:
    """Change somebody; another role or being barred ends his sessions."""
    given: dict[str, Any] = body.model_dump(exclude_none=True)
    if body.skills is not None:
        given["skills"] = tuple(body.skills)
    now = parts.clock()

    def work(session: Session) -> AgentRow:
        agent = people.find_agent(session, agent_id)
        _may_change(signed, agent, body.role)
        people.change_agent(session, agent, Changes(**given), auditor=auditor(parts, signed), now=now)
        return _row(session, parts, agent, loads(session).get(agent.id, 0))

    row = await parts.store.write(work)
    await wake(parts)
    return row


@router.post("/agents/{agent_id}/password")
async def new_password(agent_id: int, parts: PartsDep, signed: AdministratorDep) -> FirstPassword:
    """Give somebody a new first password; all his sessions end."""
    login = await parts.store.read(lambda session: people.find_agent(session, agent_id).login)
    password = people.new_password()
    hashed = await asyncio.to_thread(people.hash_password, password, login=login)
    now = parts.clock()

    def work(session: Session) -> AgentRow:
        agent = people.find_agent(session, agent_id)
        people.set_password(session, agent, hashed, auditor=auditor(parts, signed), now=now, must_change=True)
        return _row(session, parts, agent, loads(session).get(agent.id, 0))

    return FirstPassword(agent=await parts.store.write(work), password=password)


@router.post("/agents/{agent_id}/unlock")
async def unlock(agent_id: int, parts: PartsDep, signed: SupervisorDep) -> AgentRow:
    """Let somebody try to sign in again after too many failures."""
    keyring, now = parts.settings.keyring(), parts.clock()

    def work(session: Session) -> AgentRow:
        agent = people.find_agent(session, agent_id)
        _may_change(signed, agent, None)
        people.unlock(session, agent, keyring=keyring, auditor=auditor(parts, signed), now=now)
        return _row(session, parts, agent, loads(session).get(agent.id, 0))

    return await parts.store.write(work)


def _may_change(signed: Signed, agent: Agent, role: str | None) -> None:
    """Refuse a supervisor who would change one above an agent, or a role."""
    if agent.role != AGENT or role not in (None, agent.role):
        _administrators_only(signed)


def _administrators_only(signed: Signed) -> None:
    if not signed.may(ADMINISTRATOR):
        raise Refusal(HTTPStatus.FORBIDDEN, "above_you")


def _row(session: Session, parts: Parts, agent: Agent, load: int) -> AgentRow:
    keyring, now = parts.settings.keyring(), parts.clock()
    locked = people.locked_until(session, agent.login, keyring=keyring, now=now)
    return AgentRow(
        id=agent.id, login=agent.login, name=agent.name, staff_no=agent.staff_no, role=agent.role,
        skills=list(agent.skills), capacity=agent.capacity, active=agent.active, status=agent.status,
        present=people.present(agent, now), load=load, must_change=agent.must_change,
        second_factor=agent.totp_cipher is not None, locked_until=_local(locked),
        last_seen_at=_local(agent.last_seen_at), created_at=agent.created_at.astimezone(SHANGHAI),
    )  # fmt: skip


def _local(at: datetime | None) -> datetime | None:
    return at.astimezone(SHANGHAI) if at else None
