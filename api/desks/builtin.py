"""The built-in desk: its consoles read the feed (`core.desk_feed`), so that there is nothing to deliver."""

from __future__ import annotations

from api.bus import MemoryBus
from api.desks.base import DESK, Case
from core.conversation import Conversation, Message


class BuiltinDesk:
    """Wakes the consoles; all else is in the database."""

    name = "builtin"
    routes = True

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    async def opened(self, case: Case) -> None:  # noqa: ARG002 - the feed says what
        """See `HandoffDesk.opened`."""
        self._bus.publish(DESK)

    async def customer_said(self, conversation: Conversation, message: Message) -> None:  # noqa: ARG002 - as above
        """See `HandoffDesk.customer_said`."""
        self._bus.publish(DESK)

    async def ended(self, case: Case) -> None:  # noqa: ARG002 - as above
        """See `HandoffDesk.ended`."""
        self._bus.publish(DESK)

    async def work(self) -> int:
        """See `HandoffDesk.work`."""
        return 0
