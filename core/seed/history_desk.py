"""The desk of the past: who of it takes a case when, with no more at once than he may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.agent import Agent
from core.handoff.tables import Handoff
from core.seed.agents import demo_logins

AHEAD = timedelta(minutes=30)  # a case that lies so long before the present one takes nobody's time any more


class NobodyAtTheDesk(Exception):
    """The demonstration's agents are not in the bridge database: they have to be made first."""


@dataclass
class Worker:
    """One of the desk; `busy` holds from when to when a conversation was his."""

    id: int
    name: str
    staff_no: str
    skills: frozenset[str]
    capacity: int
    reviews: bool
    busy: list[tuple[datetime, datetime]] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """How customers read the name."""
        return f"{self.name} {self.staff_no}"

    def load(self, at: datetime) -> int:
        """Return how many conversations were his at an instant."""
        return sum(start <= at < end for start, end in self.busy)


@dataclass
class Desk:
    """All of the desk; `numbers` gives out the ids of cases."""

    workers: Sequence[Worker]
    numbers: count[int]

    def reviewer(self, agent_id: int) -> Worker | None:
        """Return a supervisor who may check what this agent did."""
        return next((one for one in self.workers if one.reviews and one.id != agent_id), None)

    def able(self, skill: str, at: datetime, *, but: int | None = None) -> list[Worker]:
        """Return who may take a case of a skill, the least busy first; with nobody free, still the least busy.

        Supervisors only help out when nobody else has room.
        """
        skilled = [one for one in self.workers if skill in one.skills and one.id != but]
        free = [one for one in skilled if one.load(at) < one.capacity] or skilled
        return sorted(free, key=lambda one: (one.reviews, one.load(at) / one.capacity, one.id))

    def free_at(self, worker: Worker, at: datetime) -> datetime:
        """Return when he has room for one more."""
        while worker.load(at) >= worker.capacity:
            at = min(end for start, end in worker.busy if start <= at < end)
        return at

    def takes(self, worker: Worker, start: datetime, end: datetime) -> None:
        """Note that a conversation is his for some time."""
        worker.busy = [span for span in worker.busy if span[1] > start - timedelta(days=2)]
        worker.busy.append((start, end))


def desk_of(session: Session, directory: Path) -> Desk:
    """Return the demonstration's agents as they stand in the bridge database.

    Raises:
        NobodyAtTheDesk: if they are not there.
    """
    logins = demo_logins(directory)
    agents = session.scalars(select(Agent).where(Agent.login.in_(logins), Agent.capacity > 0).order_by(Agent.id))
    workers = [
        Worker(one.id, one.name, one.staff_no, frozenset(one.skills), one.capacity, one.role == "supervisor")
        for one in agents
    ]
    if not workers:
        raise NobodyAtTheDesk
    return Desk(workers, count((session.scalar(select(func.max(Handoff.id))) or 0) + 1))
