"""What a change of a conversation means to the desk, told after its commit and never waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.orm import Session

from api.bus import MemoryBus
from api.desks.base import DESK, Case, HandoffDesk
from core.conversation import Conversation, Message
from core.handoff import life
from core.handoff.tables import Handoff

log = structlog.get_logger("api.desk_news")


@dataclass(frozen=True)
class Change:
    """A case that began or ended with a message, and the message if people are to read it."""

    conversation: Conversation
    message: Message
    opened: Case | None
    ended: Case | None
    said: bool

    @classmethod
    def between(
        cls, session: Session, conversation: Conversation, message: Message, before: Handoff | None
    ) -> Change | None:
        """Return what became of the open case `before` a message, None if no case is concerned."""
        now = life.open_case(session, conversation.id)
        if before is None and now is None:
            return None
        same = before is not None and now is not None and before.id == now.id
        return cls(
            conversation, message, None if same else _case(now), None if same else _case(before),
            said=now is not None and (same or not now.left_message),
        )  # fmt: skip


class DeskNews:
    """Tells the desk in the background: whoever waits for an answer does not wait for the desk."""

    def __init__(self, desk: HandoffDesk, bus: MemoryBus) -> None:
        self._desk, self._bus = desk, bus
        self._telling: set[asyncio.Task[None]] = set()

    def tell(self, change: Change | None) -> None:
        """Pass a change on."""
        if change is None:
            return
        self._bus.publish(DESK)
        task = asyncio.create_task(self._pass_on(change))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _pass_on(self, change: Change) -> None:
        if change.ended:
            await _guarded(self._desk.ended(change.ended))
        if change.opened:
            await _guarded(self._desk.opened(change.opened))
        elif change.said:
            await _guarded(self._desk.customer_said(change.conversation, change.message))


def _case(case: Handoff | None) -> Case | None:
    return Case(case.id, case.conversation_id) if case else None


async def _guarded(telling: Coroutine[Any, Any, None]) -> None:
    try:
        await telling
    except Exception as error:
        log.error("desk_not_told", error=type(error).__name__)
