"""Who is on duty, with what skills, and how much they have to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.agent import Agent, present
from core.handoff.tables import Handoff, HandoffEvent

_REMEMBERED = timedelta(hours=12)


@dataclass(frozen=True)
class Worker:
    """An agent who can be given conversations: `load` conversations of his, offers included, of `capacity`."""

    id: int
    skills: frozenset[str]
    capacity: int
    load: int
    idle_since: datetime | None  # when a case last came to him or was over; None: not in the last hours

    @property
    def free(self) -> int:
        """How many more conversations he may have."""
        return max(0, self.capacity - self.load)


def load_of(session: Session, agent_id: int) -> int:
    """Return how many open cases an agent has or is being offered."""
    mine = or_(Handoff.agent_id == agent_id, Handoff.offered_to == agent_id)
    return session.scalar(select(func.count()).select_from(Handoff).where(mine, Handoff.ended_at.is_(None))) or 0


def on_duty(session: Session, *, now: datetime) -> list[Worker]:
    """Return who is there and may be given conversations, by id."""
    agents = [
        agent for agent in session.scalars(select(Agent).where(Agent.active.is_(True), Agent.status == "online"))
        if present(agent, now) and agent.capacity > 0
    ]  # fmt: skip
    loads = _loads(session)
    since = _busy_since(session, now - _REMEMBERED)
    return [
        Worker(
            agent.id, frozenset(agent.skills), agent.capacity, loads.get(agent.id, 0),
            since.get(agent.id),
        )
        for agent in sorted(agents, key=lambda one: one.id)
    ]  # fmt: skip


def _busy_since(session: Session, start: datetime) -> dict[int, datetime]:
    kinds = ("claimed", "reassigned", "taken_over", "handed_back", "closed")
    query = select(HandoffEvent.agent_id, func.max(HandoffEvent.at)).where(
        HandoffEvent.at >= start, HandoffEvent.kind.in_(kinds), HandoffEvent.agent_id.is_not(None)
    )
    found = session.execute(query.group_by(HandoffEvent.agent_id))
    return {agent_id: at for agent_id, at in found if agent_id is not None}


def _loads(session: Session) -> dict[int, int]:
    counts: dict[int, int] = {}
    for column in (Handoff.agent_id, Handoff.offered_to):
        query = select(column, func.count()).where(Handoff.ended_at.is_(None), column.is_not(None)).group_by(column)
        for agent_id, count in session.execute(query):
            counts[agent_id or 0] = counts.get(agent_id or 0, 0) + count
    return counts
