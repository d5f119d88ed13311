"""What the tests of Chatwoot share: customers of its cases, and webhooks, good and bad."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
from bridge_kit import ROOT, Customer
from desk_drivers import Chatwoot
from fake_chatwoot import ACCOUNT, INBOX, signed
from sqlalchemy import select

from api.desks.chatwoot_notes import Notes
from core.handoff.tables import Handoff

DANGER = "电线掉在地上了还冒火花"
NOTES = Notes.load(ROOT / "data")


async def asked(desk: Chatwoot, *, token: str | None = None) -> Customer:
    customer = await desk.office.bridge.customer(token)
    await customer.say("我上个月电费怎么这么高")
    await customer.say("转人工")
    desk.office.clock.on(seconds=1)  # what is said from now on is not part of the story before
    return customer


async def served(desk: Chatwoot) -> Customer:
    customer = await asked(desk)
    await desk.work()
    await desk.accept(customer)
    return customer


async def texts(customer: Customer, author: str) -> list[str]:
    return [one["text"] for one in (await customer.history())["messages"] if one["author"] == author]


def case_of(desk: Chatwoot, customer: Customer) -> Handoff:
    with desk.office.bridge.parts.bridge.reading() as session:
        query = select(Handoff).where(Handoff.conversation_id == customer.conversation_id)
        return session.scalars(query.order_by(Handoff.id.desc())).first()  # type: ignore[return-value]  # there is one


def message(desk: Chatwoot, remote: int, **changes: Any) -> dict[str, Any]:
    """Return what Chatwoot tells of a message of an agent."""
    return {
        "event": "message_created", "id": 9001, "content": "您好", "message_type": "outgoing", "private": False,
        "content_type": "text", "source_id": None, "sender": {"id": 7, "name": "王敏", "type": "user"},
        "conversation": {"id": remote, "status": "open"}, "account": {"id": ACCOUNT}, "inbox": {"id": INBOX},
    } | changes  # fmt: skip


async def hook(
    desk: Chatwoot, event: Any, change: Callable[[bytes, dict[str, str]], bytes] = lambda body, _: body, **how: Any
) -> httpx.Response:
    body = event if isinstance(event, bytes) else json.dumps(event, ensure_ascii=False).encode()
    headers = signed(body, **({"at": desk.office.clock()} | how))
    return await desk.office.bridge.http.post("/v1/desks/chatwoot", content=change(body, headers), headers=headers)


def without(name: str) -> Callable[[bytes, dict[str, str]], bytes]:
    def change(body: bytes, headers: dict[str, str]) -> bytes:
        del headers[name]
        return body

    return change


def instead(name: str, value: str) -> Callable[[bytes, dict[str, str]], bytes]:
    def change(body: bytes, headers: dict[str, str]) -> bytes:
        headers[name] = value
        return body

    return change
