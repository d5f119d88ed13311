"""What the tests of the supervisor's pages share: a desk at a time that stands still, its people, its cases."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import uvicorn
from bridge_kit import ROOT, Bridge, Customer, FakeRasa, running, settings
from sqlalchemy.orm import Session

from core import agent as people
from core import conversation as log_of
from core.agent import NewAgent, PasswordHash, hash_password
from core.audit import Auditor
from core.clock import SHANGHAI
from core.conversation import Draft
from core.desk_session import open_session
from core.fields import new_key
from core.handoff import life
from core.handoff.book import Book

MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI)
ORIGIN = "http://bridge.test"
FIELD_KEYS, LOOKUP_KEY = f"test:{new_key()}", new_key()  # the audit log of a database has one key for good
PASSWORD = "江城的灯亮了2026"
BOOK = Book.load(ROOT / "data")
numbers = itertools.count(1)


class StillClock:
    """A clock that stands where the test puts it."""

    def __init__(self, at: datetime = MONDAY) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def on(self, **by: float) -> datetime:
        self.at += timedelta(**by)
        return self.at


@dataclass
class Seat:
    """Somebody of the desk before his console."""

    http: httpx.AsyncClient
    id: int = 0
    login: str = ""
    csrf: str = ""

    async def call(self, method: str, path: str, **body: Any) -> httpx.Response:
        content = {"json": body} if body else {}
        return await self.http.request(method, f"/v1/desk{path}", headers={"X-CSRF-Token": self.csrf}, **content)

    async def get(self, path: str) -> Any:
        return good(await self.call("GET", path))

    async def post(self, path: str, **body: Any) -> Any:
        return good(await self.call("POST", path, **body))

    async def put(self, path: str, **body: Any) -> Any:
        return good(await self.call("PUT", path, **body))


def good(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


@dataclass
class Office:
    """A bridge with the desk's routes."""

    bridge: Bridge
    clock: StillClock
    hashed: PasswordHash
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def seat(
        self, role: str = "agent", *, skills: tuple[str, ...] = ("repair",), online: bool = True, **more: Any
    ) -> Seat:
        """Sit somebody new down at a console."""
        number = next(numbers)
        new = NewAgent(f"seat{number}", more.pop("name", f"坐席{number}"), f"{1000 + number}", role, skills, **more)
        with self.bridge.parts.bridge.transaction() as session:
            agent = people.add_agent(session, new, self.hashed, auditor=self.auditor, now=self.clock())
            if online:
                people.set_status(agent, "online")
                people.touch(session, agent.id, now=self.clock())
            value, row = open_session(session, agent.id, now=self.clock())
            return await self._seat(Seat, value, agent_id=agent.id, login=agent.login, csrf=row.csrf)

    async def nobody(self) -> Seat:
        """Give somebody who is not signed in."""
        return Seat(await self._http(None))

    @property
    def auditor(self) -> Auditor:
        return Auditor.of(self.bridge.parts.settings.keyring())

    def write(self, work: Any) -> Any:
        with self.bridge.parts.bridge.transaction() as session:
            return work(session)

    async def case(
        self, *, said: str = "家里突然停电了", skill: str = "repair", token: str | None = None
    ) -> tuple[Customer, int]:
        """Let a customer ask for a person; the case and its customer."""
        customer = await self.bridge.customer(token)
        await customer.say(said)
        intent = {"repair": "report_outage", "billing": "query_bill", "complaint": "complain"}[skill]

        def work(session: Session) -> int:
            return life.request(
                session, customer.conversation_id, reason="asked", book=BOOK, now=self.clock(), intents=(intent,)
            ).id

        return customer, self.write(work)

    async def closed(self, agent: Seat, *, minutes: float = 20, reply: float = 2, **more: Any) -> tuple[Customer, int]:
        """Let a case be answered by an agent and end; the clock stands at its end."""
        customer, case = await self.case(**more)
        self.claim(case, agent)
        self.clock.on(minutes=reply)
        self.reply(customer, agent, "您好，我来帮您查。")
        self.clock.on(minutes=minutes - reply)
        written = life.WrapUp(category="outage", outcome="solved", then="close")
        self.write(
            lambda session: life.wrap_up(
                session, customer.conversation_id, written, agent_id=agent.id, book=BOOK, now=self.clock()
            )
        )
        return customer, case

    def claim(self, case: int, agent: Seat) -> None:
        self.write(lambda session: life.claim(session, case, agent.id, book=BOOK, now=self.clock()))

    def reply(self, customer: Customer, agent: Seat, text: str) -> None:
        self.write(
            lambda session: life.agent_said(
                session, customer.conversation_id, agent_id=agent.id, client_id=f"c{next(numbers)}",
                draft=Draft("agent", text), book=BOOK, now=self.clock(),
            )
        )  # fmt: skip

    def mode(self, customer: Customer) -> str:
        with self.bridge.parts.bridge.reading() as session:
            return log_of.find_conversation(session, customer.conversation_id).mode

    async def _seat(self, made: type[Seat], cookie: str, *, agent_id: int, login: str, csrf: str) -> Seat:
        return made(await self._http(cookie), agent_id, login, csrf)

    async def _http(self, cookie: str | None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.bridge.app, raise_app_exceptions=False)
        cookies = {"dianfu_desk": cookie} if cookie else {}
        client = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"Origin": ORIGIN}, cookies=cookies)
        return await self.closing.enter_async_context(client)


@asynccontextmanager
async def office(urls: tuple[str, str], *, rasa: FakeRasa | None = None, **more: Any) -> AsyncIterator[Office]:
    """Open the desk on a Monday at ten."""
    clock = StillClock()
    chosen = settings(*urls, **({"field_keys": FIELD_KEYS, "lookup_key": LOOKUP_KEY} | more))
    async with running(chosen, rasa, clock=clock) as bridge, AsyncExitStack() as closing:  # type: ignore[arg-type]  # any clock will do
        yield Office(bridge, clock, hash_password(PASSWORD, login="seat"), closing)


@asynccontextmanager
async def served(desk: Office) -> AsyncIterator[str]:
    """Put the desk behind a real server; its host and port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(desk.bridge.app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving


def routes_of(holder: Any) -> Iterator[tuple[str, str]]:
    """Yield (method, path) of every route of an application, those of included routers too; sockets have `WS`."""
    for route in holder.routes:
        if hasattr(route, "original_router"):
            yield from routes_of(route.original_router)
        elif hasattr(route, "path"):
            methods = getattr(route, "methods", None)
            yield from ((method, route.path) for method in sorted(methods or ("WS",)) if method != "HEAD")


def text_of(value: Any) -> str:
    """Return a payload as one text to search in."""
    return json.dumps(value, ensure_ascii=False)
