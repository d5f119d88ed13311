"""What the tests of the bridge share: a Rasa of their own, a clock to set, and a customer who talks to the bridge."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.deps import Parts
from api.rasa import BotTurn
from api.settings import ApiSettings
from core.clock import system_clock
from core.conversation import Draft, Message
from core.fields import new_key
from core.identity import issue_customer

ROOT = Path(__file__).parents[2]
CUSTOMER_KEY, SESSION_KEY, IDENTITY_KEY, RASA_TOKEN = (name * 8 for name in ("cust-", "sess-", "iden-", "rasa-"))
ALIVE = {"rasa": True, "model": True, "actions": True}


class SetClock:
    """The system's clock, which tests may push forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return system_clock() + self.ahead


@dataclass
class FakeRasa:
    """Rasa's place: keeps what it was asked, and answers as the test says (by default it repeats the text)."""

    answer: Callable[[str], BotTurn] = lambda text: BotTurn((Draft("bot", f"答：{text}"),))
    seconds: float = 0.0
    asked: list[dict[str, Any]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    gate: asyncio.Event | None = None
    state: dict[str, bool] = field(default_factory=lambda: dict(ALIVE))

    async def turn(self, *, sender: str, text: str, payload: bool, metadata: dict[str, Any], within: float) -> BotTurn:
        self.asked.append({"sender": sender, "text": text, "payload": payload, "metadata": metadata, "within": within})
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.gate:
                await self.gate.wait()
            if self.seconds:
                await asyncio.sleep(self.seconds)
            return self.answer(text)
        finally:
            self.at_once -= 1

    async def health(self) -> dict[str, bool]:
        return self.state


@dataclass
class Customer:
    """Somebody with a session."""

    http: httpx.AsyncClient
    conversation_id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def post(self, **body: Any) -> httpx.Response:
        return await self.http.post("/v1/messages", json=body, headers=self.headers)

    async def say(self, text: str, client_id: str | None = None) -> dict[str, Any]:
        return self._good(await self.post(client_id=client_id or uuid.uuid4().hex, text=text))

    async def press(self, button_id: str) -> dict[str, Any]:
        return self._good(await self.post(client_id=uuid.uuid4().hex, button_id=button_id))

    async def history(self, after: int = 0) -> dict[str, Any]:
        return self._good(await self.http.get("/v1/messages", params={"after": after}, headers=self.headers))

    @staticmethod
    def _good(answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


@dataclass
class Bridge:
    """A bridge in this process."""

    app: FastAPI
    rasa: FakeRasa
    clock: SetClock
    http: httpx.AsyncClient

    @property
    def parts(self) -> Parts:
        parts: Parts = self.app.state.parts
        return parts

    async def customer(self, token: str | None = None) -> Customer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await self.http.post("/v1/sessions", json={"channel": "web"}, headers=headers)
        assert answer.status_code == 201, answer.text
        return Customer(self.http, answer.json()["conversation_id"], answer.json()["token"])

    def rows(self, conversation_id: str) -> list[Message]:
        from core.conversation import messages_after

        with self.parts.bridge.reading() as session:
            return messages_after(session, conversation_id, 0)

    def figure(self, name: str, **labels: str) -> float:
        return self.parts.metrics.registry.get_sample_value(name, labels) or 0.0


def settings(bridge_url: str, workorder_url: str, **more: Any) -> ApiSettings:
    given = {
        "env": "development", "data_dir": ROOT / "data", "bridge_url": bridge_url, "workorder_url": workorder_url,
        "billing_url": "sqlite://", "field_keys": f"test:{new_key()}", "lookup_key": new_key(),
        "identity_key": IDENTITY_KEY, "rasa_token": RASA_TOKEN, "customer_token_key": CUSTOMER_KEY,
        "session_key": SESSION_KEY, "turn_deadline": 30,
    }  # fmt: skip
    return ApiSettings(**(given | more))


@asynccontextmanager
async def running(
    chosen: ApiSettings, rasa: Any = None, *, clock: SetClock | None = None, loops: bool = False
) -> AsyncIterator[Bridge]:
    """Give a bridge; with `loops` it delivers and sweeps by itself."""
    rasa, clock = rasa or FakeRasa(), clock or SetClock()
    app = create_app(chosen, rasa=rasa, clock=clock)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge.test") as http:
        if loops:
            async with app.router.lifespan_context(app):
                yield Bridge(app, rasa, clock, http)
        else:
            yield Bridge(app, rasa, clock, http)
            await app.state.parts.dialogue.turns.drain(5)
            app.state.parts.store.close()
            app.state.parts.bridge.dispose()
            app.state.parts.workorder.dispose()


def customer_token(**more: Any) -> str:
    given: dict[str, Any] = {
        "customer_no": "C0000001", "accounts": ("4201234567890",), "assurance": 1,
        "now": system_clock(), "lifetime": timedelta(minutes=5),
    }  # fmt: skip
    return issue_customer(CUSTOMER_KEY, **(given | more))


@asynccontextmanager
async def http_rasa(answer: Callable[[dict[str, Any]], Any]) -> AsyncIterator[tuple[str, list[Any]]]:
    """Serve HTTP in Rasa's place; `answer` gives status and body to a request's JSON, None breaks it off."""
    seen: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
                body = json.loads(await reader.readexactly(length) or b"{}")
                seen.append((lines, body))
                reply = answer(body)
                if asyncio.iscoroutine(reply):
                    reply = await reply
                if reply is None:
                    break
                status, content = reply
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the bridge or the test has ended
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen
    finally:
        server.close()
