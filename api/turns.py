"""The turns that are running: one at a time and in the log's order within a conversation, each put to Rasa once.

A conversation with open turns has one worker, which takes them from the log, oldest first. What a killed process left
open is found by `sweep`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.identity import Asker
from api.store import Store
from core import conversation as log_of
from core.conversation import Conversation, Message
from core.mode import WITH_PERSON

log = structlog.get_logger("api.turns")
Key = tuple[str, int]
# Long enough to cover the moment between a message's commit and the start of its turn, whatever the load.
_REMEMBERED = 512
REST_SECONDS = 3.0  # after a failed turn, until the sweep tries again


class TurnWaits(Exception):
    """The answer cannot be had now, and the turn must not end without it: the sweep takes it up again."""


@dataclass(frozen=True)
class Question:
    """A customer's message and its conversation, as they were when they were read."""

    conversation: Conversation
    message: Message
    asker: Asker | None = None  # it is new and nothing before it waits: no need to look again

    @property
    def key(self) -> Key:
        """Return what names the message in the log."""
        return self.conversation.id, self.message.seq

    @property
    def is_of_a_form(self) -> bool:
        """Tell whether the turn belongs to a form although a person has the conversation.

        Such turns alone are left open by the reception once the person is there (`WaitingRoom.with_person`).
        """
        return self.conversation.mode in WITH_PERSON and self.message.at > self.conversation.mode_since

    def is_overtaken(self, now: Conversation) -> bool:
        """Tell whether a person took over, or it ended, while the bot was thinking; also if it is back with the bot."""
        at = (now.note or {}).get("at") if now.mode == "bot" else None
        given_back = at is not None and datetime.fromisoformat(at) > self.message.at
        return given_back or now.mode != self.conversation.mode


@dataclass(frozen=True)
class Outcome:
    """The answer to one message: `messages` in order, the mode after it, the sequence number of the question."""

    messages: tuple[Message, ...]
    mode: str
    seq: int | None
    pending: bool = False
    conversation_id: str = ""  # where the message is; empty if it could not be logged


def recorded(session: Session, question: Question) -> Outcome:
    """Return what the log holds of the answer."""
    conversation = log_of.find_conversation(session, question.key[0])
    message = session.get_one(Message, question.key)
    replies = tuple(log_of.replies_to(session, message))
    return Outcome(
        replies, conversation.mode, message.seq, pending=message.turn == "open", conversation_id=conversation.id
    )  # fmt: skip


class Turns:
    """Starts turns and hands their outcomes to whoever waits; `answer` has to close the turn or to raise."""

    def __init__(self, store: Store, answer: Callable[[Question], Awaitable[Outcome]]) -> None:
        self._store, self._answer = store, answer
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()  # conversations whose worker has to look once more before it ends
        self._waiting: dict[Key, asyncio.Future[Outcome | None]] = {}
        self._taken: deque[Key] = deque(maxlen=_REMEMBERED)
        self._resting_until = 0.0

    def start(self, question: Question) -> asyncio.Future[Outcome | None]:
        """Return the future outcome of a turn; None says that the log has it."""
        known = self._waiting.get(question.key)
        if known:
            return known
        future = self._waiting[question.key] = asyncio.get_running_loop().create_future()
        fresh = question.asker is not None and question.key not in self._taken
        self._wake(question.conversation.id, question if fresh else None)
        return future

    async def sweep(self) -> int:
        """Take up turns that were cut off (a killed process, a database that was away).

        Return in how many conversations.
        """
        if asyncio.get_running_loop().time() < self._resting_until:
            return 0
        waiting = await self._store.read(log_of.conversations_with_open_turns)
        idle = [conversation_id for conversation_id in waiting if conversation_id not in self._workers]
        for conversation_id in idle:
            self._wake(conversation_id)
        return len(idle)

    async def drain(self, timeout: float) -> None:
        """Let running turns end, for at most so many seconds."""
        if self._workers:
            await asyncio.wait(set(self._workers.values()), timeout=timeout)

    def _wake(self, conversation_id: str, question: Question | None = None) -> None:
        if conversation_id in self._workers:
            self._again.add(conversation_id)
            return
        worker = asyncio.create_task(self._work(conversation_id, question))
        self._workers[conversation_id] = worker
        worker.add_done_callback(lambda done: self._ended(conversation_id, done))

    async def _work(self, conversation_id: str, question: Question | None) -> None:
        if question:
            await self._take(question)
            if conversation_id not in self._again:
                return
        while True:
            self._again.discard(conversation_id)
            found = await self._store.read(lambda session: self._oldest(session, conversation_id))
            if found is None:
                return
            await self._take(found)

    async def _take(self, question: Question) -> None:
        self._taken.append(question.key)
        outcome = await self._answer(question)
        self._settle(question.key, outcome)

    def _ended(self, conversation_id: str, worker: asyncio.Task[None]) -> None:
        del self._workers[conversation_id]
        error = asyncio.CancelledError() if worker.cancelled() else worker.exception()
        if error is None and conversation_id in self._again:
            self._wake(conversation_id)
            return
        self._again.discard(conversation_id)
        if isinstance(error, TurnWaits):
            self._resting_until = asyncio.get_running_loop().time() + REST_SECONDS
        elif isinstance(error, Exception):
            self._resting_until = asyncio.get_running_loop().time() + REST_SECONDS
            log.error("turn_failed", conversation=conversation_id, error=type(error).__name__,
                      exc_info=None if isinstance(error, SQLAlchemyError) else error)  # fmt: skip
        for key in [key for key in self._waiting if key[0] == conversation_id]:
            self._settle(key, error)

    def _settle(self, key: Key, outcome: Outcome | BaseException | None) -> None:
        future = self._waiting.pop(key, None)
        if future is None or future.done():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
            future.exception()  # whoever waited may have given up: nobody has to hear of it
        else:
            future.set_result(outcome if isinstance(outcome, Outcome) else None)

    @staticmethod
    def _oldest(session: Session, conversation_id: str) -> Question | None:
        waiting = log_of.open_turns(session, conversation_id)
        return Question(log_of.find_conversation(session, conversation_id), waiting[0]) if waiting else None
