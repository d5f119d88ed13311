"""What the tests of the desk's stream share: a desk behind a real server, and how frames are waited for."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from bridge_kit import Customer
from supervision_kit import Office, Seat, office
from websockets.asyncio.client import ClientConnection, connect

from core.desk_feed import last_seq


@dataclass
class Floor:
    """A desk behind a real server."""

    desk: Office
    address: str

    @asynccontextmanager
    async def stream(self, seat: Seat, after: int | None = None, **more: Any) -> AsyncIterator[ClientConnection]:
        cookie = f"dianfu_desk={seat.http.cookies.get('dianfu_desk')}"
        query = "" if after is None else f"?after={after}"
        address = f"ws://{self.address}/v1/desk/stream{query}"
        async with connect(address, additional_headers={"Cookie": cookie}, **more) as one:
            yield one

    async def talking(self, seat: Seat) -> tuple[Customer, str]:
        customer, case = await self.desk.case()
        self.desk.claim(case, seat)
        return customer, customer.conversation_id

    @property
    def seq(self) -> int:
        with self.desk.bridge.parts.bridge.reading() as session:
            return last_seq(session)


@asynccontextmanager
async def served(urls: Any) -> AsyncIterator[Floor]:
    """Open the desk behind a server."""
    async with office(urls) as desk:
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(desk.bridge.app, log_level="warning", lifespan="off"))
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield Floor(desk, f"127.0.0.1:{listener.getsockname()[1]}")
        server.should_exit = True
        await serving


async def frame(one: ClientConnection, *kinds: str, within: float = 5) -> dict[str, Any]:
    """Return the next frame, or the next event, of one of these kinds."""
    async with asyncio.timeout(within):
        while True:
            found: dict[str, Any] = json.loads(await one.recv())
            kind = found["event"]["kind"] if found["kind"] == "event" else found["kind"]
            if not kinds or kind in kinds:
                return found


async def silent(one: ClientConnection, *kinds: str, within: float = 0.4) -> bool:
    try:
        await frame(one, *kinds, within=within)
    except TimeoutError:
        return True
    return False


async def ask(one: ClientConnection, **body: Any) -> None:
    await one.send(json.dumps(body))


async def ready(one: ClientConnection) -> int:
    """Wait until the socket is served; return how far it is."""
    while True:
        await ask(one, kind="ping")
        seq: int = (await frame(one, "pong"))["seq"]
        await asyncio.sleep(0.05)
        return seq
