"""What happened to each case, read from the log of the desk: who waited from when, for whom, and what ended it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from core.conversation import Message
from core.db import Database
from core.handoff.tables import Handoff, HandoffEvent

TAKEN = ("claimed", "reassigned", "taken_over")
GIVEN_BACK = ("vanished", "transferred")
OVER = ("handed_back", "closed")
LET_GO, GIVEN_UP = ("declined", "offer_expired"), ("left_queue", "left_message")
BY_LOOK = ("offered", "offer_expired", "queued", "warned")  # written by the loop of the desk, look by look


@dataclass(frozen=True)
class Step:
    """One line of the log."""

    id: int
    at: datetime
    kind: str
    agent_id: int | None
    priority: int | None


@dataclass(frozen=True)
class Attempt:
    """One offer: to whom, when, and when it led to a talk or was let go by (`taken`: the former).

    `at` is when the desk looked who waits, `id` its line of the log: what is written between was not seen by it.
    """

    id: int
    agent_id: int
    at: datetime
    until: datetime
    taken: bool


@dataclass
class Case:
    """One case from the wish for a person to its end."""

    id: int
    conversation_id: str
    skill: str
    steps: list[Step] = field(default_factory=list)

    def at(self, *kinds: str) -> datetime | None:
        """Return when one of these first happened."""
        return next((step.at for step in self.steps if step.kind in kinds), None)

    @property
    def requested_at(self) -> datetime:
        """Return when a person was asked for."""
        return self.steps[0].at

    @property
    def claimed_at(self) -> datetime | None:
        """Return when an agent first had it."""
        return self.at(*TAKEN)

    @property
    def ended_at(self) -> datetime | None:
        """Return when it was over for the queue: done, left, or turned into a message."""
        return self.at(*OVER, *GIVEN_UP)

    @property
    def end(self) -> str:
        """Return how it ended: answered (a message that was left, too), left, message, or lost."""
        kinds = [step.kind for step in self.steps]
        if any(kind in OVER for kind in kinds) and "agent_replied" in kinds:
            return "answered"
        last = next((kind for kind in reversed(kinds) if kind in (*TAKEN, *GIVEN_UP)), None)
        return {"left_message": "message", "left_queue": "left"}.get(last or "", "lost")

    @property
    def was_message(self) -> bool:
        """Tell whether the customer had left a message when an agent first took it."""
        return next((step.kind for step in self.steps if step.kind in (*TAKEN, "left_message")), "") == "left_message"

    @property
    def holders_at_once(self) -> int:
        """Return how many claims there were without the case being given back in between; one is right."""
        most = held = 0
        for step in self.steps:
            held = held + 1 if step.kind in TAKEN else 0 if step.kind in GIVEN_BACK else held
            most = max(most, held)
        return most

    @property
    def attempts(self) -> list[Attempt]:
        """Return its offers in order."""
        return list(self._attempts())

    def _attempts(self) -> Iterator[Attempt]:
        offered: Step | None = None
        for step in self.steps:
            if step.kind == "left_message" and self.was_message and self.claimed_at is not None:
                continue  # whom it was offered to has taken the message
            if step.kind == "offered":
                offered = step
            elif offered is not None and step.kind in (*TAKEN, *LET_GO, *GIVEN_UP):
                yield Attempt(offered.id, offered.agent_id or 0, offered.at, step.at, step.kind in TAKEN)
                offered = None

    def priority_at(self, line: int) -> int:
        """Return the priority class that it had at that line of the log, at first if it is younger."""
        known = [step.priority for step in self.steps if step.id <= line and step.priority is not None]
        return known[-1] if known else self.steps[0].priority or 0

    def waits_at(self, line: int) -> Step | None:
        """Return what had brought it into the queue at that line of the log; None: it was not there, or offered."""
        since: Step | None = None
        for step in self.steps:
            if step.id >= line:
                break
            if step.kind in ("requested", *LET_GO, *GIVEN_BACK):
                since = step
            elif step.kind in ("offered", *TAKEN, *OVER, *GIVEN_UP):
                since = None
        return since

    def let_go_by(self, line: int) -> set[int | None]:
        """Return the agents who had it, or an offer of it, and had let it go at that line of the log."""
        return {step.agent_id for step in self.steps if step.id < line and step.kind in (*LET_GO, *GIVEN_BACK)}


def cases_of(bridge: Database) -> list[Case]:
    """Return all cases with their logs, in the order in which they began."""
    with bridge.reading() as session:
        steps: defaultdict[int, list[Step]] = defaultdict(list)
        for row in session.scalars(select(HandoffEvent).order_by(HandoffEvent.id)):
            priority = row.data.get("priority") if row.kind in ("requested", "queued") else None
            steps[row.handoff_id].append(Step(row.id, row.at, row.kind, row.agent_id, priority))
        rows = session.scalars(select(Handoff).order_by(Handoff.id))
        return [Case(row.id, row.conversation_id, row.skill, steps[row.id]) for row in rows]


def messages_of(bridge: Database) -> dict[str, list[tuple[int, str, str]]]:
    """Return (sequence number, author, text) of each conversation, in order."""
    with bridge.reading() as session:
        found: defaultdict[str, list[tuple[int, str, str]]] = defaultdict(list)
        query = select(Message.conversation_id, Message.seq, Message.author, Message.text)
        for conversation_id, seq, author, text in session.execute(query.order_by(Message.conversation_id, Message.seq)):
            found[conversation_id].append((seq, author, text))
        return found
