"""What the tests of handoffs share: a bridge database with agents and conversations, and a clock that is set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.agent import Agent
from core.clock import SHANGHAI
from core.conversation import Conversation, Draft, Message
from core.db import Database
from core.handoff import life, routing, waiting
from core.handoff.book import Book
from core.handoff.tables import Handoff, HandoffEvent
from core.migrations import upgrade

Result = TypeVar("Result")
BOOK = Book.load(Path(__file__).parents[1] / "data")
ALL = ("repair", "billing", "business", "complaint")
_numbers = count(1)


@dataclass
class DeskRoom:
    """A desk over a database, at a time of day that tests push forward (a Monday, in working hours)."""

    database: Database
    now: datetime = field(default_factory=lambda: datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI))

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)

    def write(self, work: Callable[[Session], Result]) -> Result:
        with self.database.transaction() as session:
            return work(session)

    def read(self, work: Callable[[Session], Result]) -> Result:
        with self.database.reading() as session:
            return work(session)

    # -- people

    def agent(self, name: str = "小王", *, skills: tuple[str, ...] = ALL, capacity: int = 4, status: str = "online",
              here: bool = True) -> int:  # fmt: skip
        number = next(_numbers)
        agent = Agent(
            login=f"agent{number}", name=name, staff_no=f"{1000 + number}", role="agent", skills=list(skills),
            capacity=capacity, password_hash="x", password_set_at=self.now, active=True, status=status,
            last_seen_at=self.now if here else None, created_at=self.now,
        )  # fmt: skip

        def work(session: Session) -> int:
            session.add(agent)
            session.flush()
            return agent.id

        return self.write(work)

    def alive(self, *agents: int) -> None:
        def work(session: Session) -> None:
            for agent_id in agents:
                session.get_one(Agent, agent_id).last_seen_at = self.now

        self.write(work)

    def conversation(self, customer_no: str | None = None) -> str:
        return self.write(lambda session: log_of.open_conversation(
            session, channel="web", customer_no=customer_no, accounts=[], assurance=0, now=self.now,
        ).id)  # fmt: skip

    # -- steps

    def request(self, conversation_id: str | None = None, reason: str = "asked", **more: Any) -> Handoff:
        conversation_id = conversation_id or self.conversation()
        return self.write(lambda session: life.request(
            session, conversation_id, reason=reason, book=BOOK, now=self.now, **more,
        ))  # fmt: skip

    def offer(self, case: Handoff, agent_id: int) -> Handoff:
        return self.write(lambda session: life.offer(session, case.id, agent_id, book=BOOK, now=self.now))

    def claim(self, case: Handoff, agent_id: int) -> Handoff:
        return self.write(lambda session: life.claim(session, case.id, agent_id, book=BOOK, now=self.now))

    def taken(self, agent_id: int, conversation_id: str | None = None, **more: Any) -> Handoff:
        return self.claim(self.request(conversation_id, **more), agent_id)

    def replies(self, case: Handoff, agent_id: int, text: str = "您好", client_id: str | None = None) -> Message:
        return self.write(lambda session: life.agent_said(
            session, case.conversation_id, agent_id=agent_id, client_id=client_id or f"m{next(_numbers)}",
            draft=Draft("agent", text), book=BOOK, now=self.now,
        ))[0]  # fmt: skip

    def writes(self, case: Handoff, text: str = "在吗", *, closing: bool = False) -> Message:
        def work(session: Session) -> Message:
            conversation = log_of.find_conversation(session, case.conversation_id, lock=True)
            message, _ = log_of.record_customer(
                session, conversation, external_id=f"c{next(_numbers)}", text=text, payload=None, now=self.now
            )
            message.turn = "done"
            life.customer_said(session, conversation, message, book=BOOK, now=self.now, closing=closing)
            return message

        return self.write(work)

    def step(self, case: Handoff) -> str | None:
        return self.write(lambda session: waiting.step(session, case.id, book=BOOK, now=self.now))

    def call(self, step: Callable[..., Result], *arguments: Any, **more: Any) -> Result:
        """Take a step of `life` that needs the book."""
        return self.write(lambda session: step(session, *arguments, book=BOOK, now=self.now, **more))

    def route(self) -> list[tuple[int, int]]:
        """Offer what is to be offered now; return (case, agent)."""
        choices = self.read(lambda session: routing.plan(session, book=BOOK, now=self.now))
        return [
            (one.handoff_id, one.agent_id) for one in choices
            if self.write(lambda session, one=one: routing.offer_chosen(session, one, book=BOOK, now=self.now))
        ]  # fmt: skip

    # -- what stands

    def case(self, case: Handoff) -> Handoff:
        return self.read(lambda session: session.get_one(Handoff, case.id))

    def mode(self, case: Handoff) -> str:
        return self.at(case).mode

    def at(self, case: Handoff) -> Conversation:
        return self.read(lambda session: log_of.find_conversation(session, case.conversation_id))

    def events(self, case: Handoff) -> list[HandoffEvent]:
        return self.read(lambda session: life.events_of(session, case.id))

    def kinds(self, case: Handoff) -> list[str]:
        return [event.kind for event in self.events(case)]

    def log(self, case: Handoff) -> list[Message]:
        return self.read(lambda session: log_of.messages_after(session, case.conversation_id, 0))

    def lines(self, case: Handoff) -> list[str]:
        return [message.text for message in self.log(case) if message.author == "system"]

    def holders(self) -> dict[int, int | None]:
        return self.read(lambda session: dict(session.execute(select(Handoff.id, Handoff.agent_id)).all()))


_TABLES = (
    "surveys", "desk_notes", "handoff_events", "handoffs", "desk_events", "desk_settings", "buttons", "messages",
    "conversations", "agents",
)  # fmt: skip


def empty(database: Database) -> DeskRoom:
    """Return a desk over a database from which all cases, conversations and agents have been taken."""
    with database.transaction() as session:
        for name in _TABLES:
            session.execute(text(f"DELETE FROM {name}"))
    return DeskRoom(database)


def new_room(url: str) -> DeskRoom:
    database = Database(url)
    upgrade("bridge", database)
    return DeskRoom(database)
