"""What a desk is to the bridge: told of cases and of what customers say, and heard by the same two functions.

The log, the mode and the case (`core.handoff.life`) are the bridge's own whatever the desk: a desk shows them to people
and brings back what those people say. What a desk is told is a hint after the commit; it may be lost with the process,
so a desk that has to deliver something elsewhere finds what is missing by itself in `work`, called every second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy.orm import Session

from api.bus import MemoryBus
from api.store import Store
from core.clock import Clock
from core.conversation import Conversation, Draft, Message
from core.handoff import life
from core.handoff.book import Book
from core.mode import WAITING

Result = TypeVar("Result")
# The agent who stands for everybody of a desk that is not ours: its people have no rows in our table.
OUTSIDE = 0
DESK = "desk"  # the name on the bus that wakes all consoles


@dataclass(frozen=True)
class Case:
    """One case as a desk is told of it."""

    handoff_id: int
    conversation_id: str


class HandoffDesk(Protocol):
    """Where people answer."""

    name: str
    routes: bool  # true: the bridge offers cases to agents and watches over them (`api.dispatch`)

    async def opened(self, case: Case) -> None:
        """Hear of a new case; never raises."""

    async def customer_said(self, conversation: Conversation, message: Message) -> None:
        """Hear what a customer said while a person waits for it or has the conversation; never raises."""

    async def ended(self, case: Case) -> None:
        """Hear that a case is over for the bridge (handed back, closed, the queue left); never raises."""

    async def work(self) -> int:
        """Do what is due (deliveries, retries) and return how much it was; called about every second."""


class DeskInbound:
    """What a desk that is not ours brings in; everything is idempotent by the desk's own ids.

    It names the case and not the conversation: what belongs to a case that is over reaches nobody.
    """

    def __init__(self, *, store: Store, bus: MemoryBus, clock: Clock, book: Book) -> None:
        self._store, self._bus, self._clock, self._book = store, bus, clock, book

    async def agent_said(self, handoff_id: int, external_id: str, agent_name: str, text: str) -> Message | None:
        """Log what somebody at the desk said; the first words take the case. None if no person is wanted (any more).

        Raises:
            CaseNotFound: if there is no such case.
        """

        def work(session: Session) -> Message | None:
            now = self._clock()
            conversation, case = life.hold_case(session, handoff_id)
            if case.ended_at is not None or case.agent_id not in (None, OUTSIDE):
                return None
            if life.said_before(session, conversation, agent_id=OUTSIDE, client_id=external_id) is not None:
                return None  # delivered again: it neither takes a case nor begins a talk anew that is over
            if case.agent_id is None:
                life.claim(session, case.id, OUTSIDE, book=self._book, now=now, name=agent_name, unlimited=True)
            elif conversation.mode == "wrap_up":
                life.reopen(session, conversation.id, agent_id=OUTSIDE, book=self._book, now=now)
            message, _ = life.agent_said(
                session, conversation.id, agent_id=OUTSIDE, name=agent_name, client_id=external_id,
                draft=Draft("agent", text), book=self._book, now=now,
            )  # fmt: skip
            return message

        return await self._write(handoff_id, work)

    async def taken(self, handoff_id: int, agent_name: str) -> bool:
        """Let somebody at the desk have a case that waits; false if it does not. A message that was left waits on.

        Raises:
            CaseNotFound: if there is no such case.
        """

        def work(session: Session) -> bool:
            conversation, case = life.hold_case(session, handoff_id)
            if case.ended_at is not None or conversation.mode not in WAITING:
                return False
            now = self._clock()
            life.claim(session, case.id, OUTSIDE, book=self._book, now=now, name=agent_name, unlimited=True)
            return True

        return await self._write(handoff_id, work)

    async def ended(self, handoff_id: int, *, unanswered: str) -> bool:
        """Give the conversation back to the bot; false if that has happened already.

        `unanswered`: what the customer is told if nobody at the desk ever took the case.

        Raises:
            CaseNotFound: if there is no such case.
        """

        def work(session: Session) -> bool:
            now = self._clock()
            conversation, case = life.hold_case(session, handoff_id)
            if case.ended_at is not None:
                return False
            if case.agent_id is None and conversation.mode in WAITING:
                life.leave_queue(session, conversation.id, book=self._book, now=now)
                life.say(session, conversation, unanswered, now=now)
                return True
            if case.agent_id is None:  # a message that was left, and settled in another way than here
                case.ended_at, case.due_at = now, None
                life.note_event(session, case, "closed", now=now, agent_id=OUTSIDE, why="no_answer")
                life.say(session, conversation, unanswered, now=now)
                life.tell_desk(session, case, now=now, what="closed")
                return True
            written = life.WrapUp(outcome="solved")
            life.wrap_up(session, conversation.id, written, agent_id=OUTSIDE, book=self._book, now=now)
            return True

        return await self._write(handoff_id, work)

    async def _write(self, handoff_id: int, work: Callable[[Session], Result]) -> Result:
        """Do it, and wake whoever reads this conversation."""

        def run(session: Session) -> tuple[Result, str]:
            conversation, _ = life.hold_case(session, handoff_id)
            return work(session), conversation.id

        result, conversation_id = await self._store.write(run)
        self._bus.publish(conversation_id)
        self._bus.publish(DESK)
        return result
