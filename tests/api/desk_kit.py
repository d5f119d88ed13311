"""A bridge with the desk, agents with a password, and browsers that sign in; routes to try the roles with."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import structlog
from bridge_kit import Bridge, running, settings
from fastapi import APIRouter, WebSocket

from api.desk import login as desk_login
from api.desk.access import (
    AdministratorDep,
    AgentDep,
    CsrfFailed,
    Forbidden,
    NotSignedIn,
    Signed,
    SupervisorDep,
    signed_socket,
    still_signed,
)
from core import agent as people
from core import audit
from core.agent import Changes, NewAgent, PasswordHash
from core.audit import Auditor
from core.fields import new_key

PASSWORD, OTHER = "江城的灯亮了2026", "lamps by the river 1987"
ORIGIN = "http://bridge.test"
FIELD_KEYS, LOOKUP_KEY = f"test:{new_key()}", new_key()  # the audit log of a database has one key for good
numbers = itertools.count(1)
trial = APIRouter(prefix="/v1/desk/trial")


@trial.get("/agent")
async def for_agents(signed: AgentDep) -> dict[str, Any]:
    return {"id": signed.agent_id, "login": signed.login, "name": signed.name, "skills": signed.skills}


@trial.post("/agent")
async def change_of_agents(signed: AgentDep) -> str:
    return signed.role


@trial.get("/supervisor")
async def for_supervisors(signed: SupervisorDep) -> str:
    return signed.role


@trial.delete("/administrator")
async def for_administrators(signed: AdministratorDep) -> str:
    return signed.role


@trial.websocket("/stream")
async def for_sockets(opened: WebSocket) -> None:
    await opened.accept()
    try:
        signed: Signed = await signed_socket(opened)
        await opened.send_json({"login": signed.login})
        await opened.receive_text()
        await still_signed(opened, active=True)
    except (NotSignedIn, CsrfFailed, Forbidden) as error:
        await opened.close(4401, type(error).__name__)
    else:
        await opened.close(1000)


@dataclass
class Desk:
    """A bridge with the desk's routes, and what was logged."""

    bridge: Bridge
    hashed: PasswordHash
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return self.bridge.clock()

    def add(self, role: str = "agent", **more: Any) -> str:
        number = next(numbers)
        new = NewAgent(f"agent{number}", "李霞", f"{number}", role=role, skills=("billing",))
        self._write(lambda session, by: people.add_agent(session, new, self.hashed, auditor=by, now=self.now, **more))
        return new.login

    def change(self, login: str, **changes: Any) -> None:
        def work(session: Any, by: Auditor) -> None:
            agent = people.agent_by_login(session, login)
            people.change_agent(session, agent, Changes(**changes), auditor=by, now=self.now)

        self._write(work)

    def audited(self, login: str) -> list[str]:
        with self.bridge.parts.bridge.reading() as session:
            return [row.action for row in audit.entries(session, limit=500) if row.subject == login]

    def browser(self) -> Browser:
        transport = httpx.ASGITransport(self.bridge.app, raise_app_exceptions=False)
        return Browser(httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"Origin": ORIGIN}))

    async def signed(self, role: str = "agent") -> Browser:
        browser = self.browser()
        answer = await browser.sign_in(self.add(role))
        assert answer.status_code == 200, answer.text
        return browser

    def _write(self, work: Callable[[Any, Auditor], Any]) -> None:
        with self.bridge.parts.bridge.transaction() as session:
            work(session, Auditor.of(self.bridge.parts.settings.keyring()))


@dataclass
class Browser:
    """One browser with its cookies; it knows the CSRF token that the login gave it."""

    http: httpx.AsyncClient
    csrf: str = ""

    async def sign_in(self, login: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
        answer = await self.http.post("/v1/desk/login", json={"login": login, "password": password, **more})
        self.csrf = answer.json().get("csrf_token", self.csrf)
        return answer

    async def call(self, method: str, path: str, **headers: str) -> httpx.Response:
        return await self.http.request(method, f"/v1/desk{path}", headers={"X-CSRF-Token": self.csrf} | headers)

    async def send(self, method: str, path: str, **body: Any) -> httpx.Response:
        answer = await self.http.request(method, f"/v1/desk{path}", headers={"X-CSRF-Token": self.csrf}, json=body)
        if answer.status_code == 200:
            self.csrf = answer.json().get("csrf_token", self.csrf)
        return answer


@asynccontextmanager
async def desk_over(urls: tuple[str, str], hashed: PasswordHash, **more: Any) -> AsyncIterator[Desk]:
    """Give a bridge with the desk's routes and those of this trial."""
    async with running(settings(*urls, field_keys=FIELD_KEYS, lookup_key=LOOKUP_KEY, **more)) as bridge:
        if not any(getattr(route, "path", "") == "/v1/desk/login" for route in bridge.app.routes):
            bridge.app.include_router(desk_login.router)
        bridge.app.include_router(trial)
        with structlog.testing.capture_logs() as lines:
            yield Desk(bridge, hashed, lines)


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]
