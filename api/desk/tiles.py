"""What the wall shows of each agent and of each skill."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel
from sqlalchemy.orm import Session

from api.deps import Parts
from api.desk.views import CaseView
from core import agent as people
from core.agent import Agent
from core.clock import SHANGHAI
from core.handoff import queue
from core.handoff.tables import Handoff
from core.roster import Worker
from core.service_clock import Calendar


class AgentTile(BaseModel):
    """Somebody of the desk as he stands; `since`: idle since (who is there), or last seen (who is not)."""

    id: int
    name: str
    staff_no: str
    role: str
    skills: list[str]
    status: str
    present: bool
    load: int
    capacity: int
    talking: list[CaseView]
    wrap_up: int
    since: datetime | None


class SkillTile(BaseModel):
    """One skill: whether it works now, who waits, who is there; None: nobody can say how long a wait is."""

    skill: str
    open: bool
    waiting: int
    on_duty: int
    expected_wait_seconds: int | None


def agent_tile(agent: Agent, worker: Worker | None, views: list[CaseView], now: datetime) -> AgentTile:
    """Return how somebody stands, with those of the open cases that he has."""
    has = [one for one in views if one.holder is not None and one.holder.id == agent.id]
    here = people.present(agent, now)
    since = worker.idle_since if here and worker else agent.last_seen_at
    return AgentTile(
        id=agent.id, name=agent.name, staff_no=agent.staff_no, role=agent.role, skills=list(agent.skills),
        status=agent.status, present=here, load=len(has), capacity=agent.capacity,
        talking=[one for one in has if one.mode != "wrap_up"], wrap_up=sum(one.mode == "wrap_up" for one in has),
        since=since.astimezone(SHANGHAI) if since else None,
    )  # fmt: skip


def skill_tile(
    session: Session, parts: Parts, skill: str, calendar: Calendar, staff: list[Worker], now: datetime
) -> SkillTile:
    """Return how it stands for a skill; the wait is that of somebody who would ask for it now."""
    line, book = queue.waiting(session), parts.book
    able = queue.able_for(skill, staff)
    wait = None
    if able:
        before = queue.rivals_of(Handoff(id=0, skill=skill), line, staff)
        model = queue.expected_wait(len(before) + 1, able, queue.handling_time(session, skill, book=book, now=now))
        wait = max(model, queue.stalled(session, skill, before, book=book, now=now))
    return SkillTile(
        skill=skill, open=calendar.open_at(now, skill), waiting=sum(one.skill == skill for one in line),
        on_duty=sum(skill in one.skills for one in staff),
        expected_wait_seconds=None if wait is None else int(wait.total_seconds()),
    )  # fmt: skip
