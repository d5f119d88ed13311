"""What the tests of the customer at the desk share: a bridge over the seeded region, a customer, who sits there."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from bridge_kit import Bridge, running, settings
from sqlalchemy import select

from api.desk import customer, orders
from core import agent as people
from core import audit
from core import conversation as log_of
from core.account import Account, Customer, address_context, name_context, phone_context
from core.agent import NewAgent, PasswordHash, hash_password
from core.audit import Auditor
from core.conversation import Conversation
from core.db import Database
from core.desk_session import open_session
from core.handoff.tables import Handoff
from core.migrations import upgrade

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import NewUrl, Seeded

ORIGIN = "http://bridge.test"
REASON = "核对客户身份"
numbers = itertools.count(1)


@dataclass
class Seat:
    """Somebody of the desk before a console."""

    http: httpx.AsyncClient
    id: int
    csrf: str

    async def call(self, method: str, path: str, **body: Any) -> httpx.Response:
        content = {"json": body} if body or method != "GET" else {}
        return await self.http.request(method, f"/v1/desk{path}", headers={"X-CSRF-Token": self.csrf}, **content)

    async def get(self, path: str) -> Any:
        return good(await self.call("GET", path))

    async def post(self, path: str, **body: Any) -> Any:
        return good(await self.call("POST", path, **body))


@dataclass
class Office:
    """A bridge over the seeded region, an identified customer, and who sits at the desk."""

    bridge: Bridge
    hashed: PasswordHash
    own: dict[str, str]
    customer_no: str
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def seat(self, role: str = "agent", skills: tuple[str, ...] = ("billing",)) -> Seat:
        number, now = next(numbers), self.bridge.clock()
        auditor = Auditor.of(self.bridge.parts.settings.keyring())
        with self.bridge.parts.bridge.transaction() as session:
            new = NewAgent(f"seat{number}", "何敏", f"{number}", role, skills)
            agent = people.add_agent(session, new, self.hashed, auditor=auditor, now=now)
            cookie, row = open_session(session, agent.id, now=now)
            number, csrf = agent.id, row.csrf
        transport = httpx.ASGITransport(self.bridge.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(
            transport=transport, base_url=ORIGIN, headers={"Origin": ORIGIN}, cookies={"dianfu_desk": cookie}
        )
        return Seat(await self.closing.enter_async_context(client), number, csrf)

    def talk(self, holder: Seat | None = None, *, known: bool = True, skill: str = "billing") -> Conversation:
        """Return a conversation that waits in a queue, or that somebody has in hand."""
        now = self.bridge.clock()
        with self.bridge.parts.bridge.transaction() as session:
            made = log_of.open_conversation(
                session, channel="web", customer_no=self.customer_no if known else None,
                accounts=[self.own["account_no"]] if known else [], assurance=int(known), now=now,
            )  # fmt: skip
            made.mode = "human" if holder else "queued"
            session.add(Handoff(
                conversation_id=made.id, reason="asked", skill=skill, requested_at=now, rank_at=now,
                agent_id=holder.id if holder else None,
            ))  # fmt: skip
        return made

    def says(self, conversation: Conversation, text: str) -> int:
        with self.bridge.parts.bridge.transaction() as session:
            row = log_of.find_conversation(session, conversation.id, lock=True)
            return log_of.record_customer(
                session, row, external_id=f"{conversation.id}:{next(numbers)}", text=text, payload=None,
                now=self.bridge.clock(),
            )[0].seq  # fmt: skip

    def audited(self, agent: Seat) -> list[tuple[str, dict[str, Any]]]:
        with self.bridge.parts.bridge.reading() as session:
            rows = audit.entries(session, agent_id=agent.id, limit=500)
            return [(row.action, row.detail) for row in rows]


def good(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.json()["detail"]
    return answer.status_code, answer.json()["code"]


@cache
def hashed() -> PasswordHash:
    return hash_password("江城的灯亮了2026", login="seat")


def customer_urls(seeded: Seeded, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Bridge and work-order database beside the seeded region, in its dialect, for all tests of this module."""
    dialect, directory = seeded.database.engine.dialect.name, tmp_path_factory.mktemp("desk")
    made = {name: new_url(dialect, directory) for name in ("bridge", "workorder")}
    for name, url in made.items():
        database = Database(url)
        upgrade(name, database)
        database.dispose()
    return {**made, "billing": seeded.database.url.render_as_string(hide_password=False)}


@asynccontextmanager
async def customer_office(
    urls: dict[str, str], seeded: Seeded, keyring: Keyring, tmp_path: Path
) -> AsyncIterator[Office]:
    """Open a bridge over the seeded region, with one of its customers."""
    keys = {name: base64.b64encode(key).decode() for name, key in {**keyring.keys, "lookup": keyring.lookup}.items()}
    chosen = settings(
        urls["bridge"], urls["workorder"], billing_url=urls["billing"], field_keys=f"test:{keys['test']}",
        lookup_key=keys["lookup"], upload_dir=tmp_path,
    )  # fmt: skip
    with seeded.database.reading() as session:
        query = select(Account).join(Customer).where(Customer.kind == "person", Account.closed_on.is_(None))
        account = session.scalars(query.order_by(Account.id).offset(next(numbers) % 30)).first()
        assert account is not None
        number = account.customer.customer_no
        own = {
            "name": keyring.decrypt(account.customer.name_cipher, name_context(number)),
            "phone": keyring.decrypt(account.customer.phone_cipher, phone_context(number)),
            "address": keyring.decrypt(account.address_cipher, address_context(account.account_no)),
            "account_no": account.account_no,
        }
    async with running(chosen) as bridge, AsyncExitStack() as closing:
        here = {getattr(route, "path", "") for route in bridge.app.routes}
        for router in (customer.router, orders.router):
            if not {getattr(route, "path", "") for route in router.routes} <= here:
                bridge.app.include_router(router)
        yield Office(bridge, hashed(), own, number, closing)


def in_clear(office: Office, shown: Any) -> list[str]:
    text = json.dumps(shown, ensure_ascii=False)
    return [name for name, value in office.own.items() if value in text]
