"""The two desks behind one set of actions, so that one suite can ask the same of both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import httpx
from bridge_kit import Customer
from fake_chatwoot import FakeChatwoot, chosen, speaking
from supervision_kit import Office, Seat, StillClock, office

from api.dispatch import dispatch_once

WRITTEN = {
    "category": "bill", "outcome": "solved", "corrected": {}, "note": {"done": [], "open": [], "promised": []},
    "intents": [], "then": "bot",
}  # fmt: skip


class Driver(Protocol):
    """A desk with one agent, and the bridge behind it."""

    name: str
    office: Office

    async def ready(self) -> None:
        """Let the agent be there and take conversations."""

    async def accept(self, customer: Customer) -> None:
        """Let the agent have the conversation."""

    async def says(self, customer: Customer, text: str) -> None:
        """Let the agent say something to the customer."""

    async def notes(self, customer: Customer, text: str) -> None:
        """Let the agent write something that is not for the customer."""

    async def ends(self, customer: Customer) -> None:
        """Let the agent give the conversation back to the bot."""

    async def heard(self, customer: Customer) -> list[str]:
        """Return what the agent reads of the customer's words since the case began, in order."""

    async def waits(self, customer: Customer) -> bool:
        """Tell whether the desk shows the conversation as one that waits or is under way."""

    async def knows(self, customer: Customer) -> str:
        """Return all that the agent is told of the case's story, as one text."""

    async def work(self) -> None:
        """Let the bridge do all that is due."""


class Builtin:
    """The desk of our own, over its HTTP interface."""

    name, agent_name = "builtin", "王敏"

    def __init__(self, office: Office) -> None:
        self.office = office
        self._seat: Seat | None = None
        self._sent = 0

    @property
    def seat(self) -> Seat:
        assert self._seat is not None
        return self._seat

    async def ready(self) -> None:
        skills = ("repair", "billing", "business", "complaint")
        self._seat = await self.office.seat(name=self.agent_name, skills=skills)

    async def accept(self, customer: Customer) -> None:
        await self.seat.post("/me/status", status="online")
        inbox = await self.seat.get("/inbox")
        lists = ("offers", "queue", "messages", "mine")
        [case] = [one for key in lists for one in inbox[key] if one["conversation_id"] == customer.conversation_id]
        await self.seat.post(f"/cases/{case['handoff_id']}/claim")

    async def says(self, customer: Customer, text: str) -> None:
        self._sent += 1
        await self.seat.post(
            f"/conversations/{customer.conversation_id}/messages", client_id=f"m{self._sent}", text=text
        )

    async def notes(self, customer: Customer, text: str) -> None:
        await self.seat.post(f"/conversations/{customer.conversation_id}/notes", text=text)

    async def ends(self, customer: Customer) -> None:
        await self.seat.post(f"/conversations/{customer.conversation_id}/wrap_up", **WRITTEN)

    async def heard(self, customer: Customer) -> list[str]:
        shown = await self._shown(customer)
        asked = max(one["seq"] for one in shown["messages"] if one["text"] == "转人工")
        return [one["text"] for one in shown["messages"] if one["author"] == "customer" and one["seq"] > asked]

    async def waits(self, customer: Customer) -> bool:
        inbox = await self.seat.get("/inbox")
        lists = ("mine", "offers", "queue", "messages", "wrap_up")
        return any(one["conversation_id"] == customer.conversation_id for key in lists for one in inbox[key])

    async def knows(self, customer: Customer) -> str:
        shown = await self._shown(customer)
        return "\n".join(one["text"] for one in shown["messages"])

    async def work(self) -> None:
        if self._seat is not None:
            await self.seat.post("/me/status", status="online")
        await dispatch_once(self.office.bridge.parts)

    async def _shown(self, customer: Customer) -> Any:
        return await self.seat.get(f"/conversations/{customer.conversation_id}")


class Chatwoot:
    """Chatwoot, over its interface and its webhooks."""

    name, agent_name = "chatwoot", "王敏"

    def __init__(self, office: Office, fake: FakeChatwoot) -> None:
        self.office, self.fake = office, fake
        self.member: dict[str, Any] = {}

    async def ready(self) -> None:
        self.member = self.fake.agent(self.agent_name)
        await self.work()

    def remote(self, customer: Customer) -> int:
        return self.fake.of(customer.conversation_id)[-1]

    async def accept(self, customer: Customer) -> None:
        await self.fake.assign(self.remote(customer), self.member)

    async def says(self, customer: Customer, text: str) -> None:
        await self.fake.says(self.remote(customer), text, self.member)

    async def notes(self, customer: Customer, text: str) -> None:
        await self.fake.says(self.remote(customer), text, self.member, private=True)

    async def ends(self, customer: Customer) -> None:
        await self.fake.resolve(self.remote(customer))

    async def heard(self, customer: Customer) -> list[str]:
        await self.work()
        return self.fake.seen(self.remote(customer))

    async def waits(self, customer: Customer) -> bool:
        await self.work()
        return any(self.fake.conversations[one]["status"] == "open" for one in self.fake.of(customer.conversation_id))

    async def knows(self, customer: Customer) -> str:
        await self.work()
        remote = self.remote(customer)
        return "\n".join(self.fake.seen(remote, private=True) + self.fake.seen(remote))

    async def work(self) -> None:
        await dispatch_once(self.office.bridge.parts)
        await self.fake.send_hooks()


@asynccontextmanager
async def builtin(urls: tuple[str, str], **more: Any) -> AsyncIterator[Builtin]:
    """Open the desk of our own."""
    async with office(urls, **more) as opened:
        yield Builtin(opened)


@asynccontextmanager
async def chatwoot(urls: tuple[str, str], **more: Any) -> AsyncIterator[Chatwoot]:
    """Open a bridge before a Chatwoot."""
    clock = StillClock()
    async with speaking(lambda: clock()) as fake, office(urls, **chosen(fake), **more) as opened:
        clock = opened.clock

        async def deliver(body: bytes, headers: dict[str, str]) -> httpx.Response:
            return await opened.bridge.http.post("/v1/desks/chatwoot", content=body, headers=headers)

        fake.deliver = deliver
        yield Chatwoot(opened, fake)
        await opened.bridge.parts.desk.close()  # type: ignore[attr-defined]  # it is the one that has connections


DRIVERS = {"builtin": builtin, "chatwoot": chatwoot}
