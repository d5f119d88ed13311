"""One-time codes: shown to their own conversation in development, sent by the gateway in production."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from bridge_kit import Bridge, SetClock, http_rasa, running, settings
from sqlalchemy import select

from api.deliveries import deliver_due
from api.sms import deliver_codes
from core.code_sender import SMS, DevelopmentSender, OutboxSender, unseal
from core.conversation import open_conversation
from core.one_time_code import CodeSender, Request, issue
from core.outbox import OutboxItem

PHONE = "13800002842"
Start = Callable[..., Any]


def send(bridge: Bridge, conversation_id: str, *, phone: str | None = PHONE, dev: bool = True) -> None:
    keyring = bridge.parts.settings.keyring()
    sender: CodeSender = DevelopmentSender(keyring) if dev else OutboxSender(keyring)
    wanted = Request("bind", "4201234567890", phone, conversation_id, conversation_id, "t1")
    with bridge.parts.bridge.transaction() as session:
        issue(session, wanted, sender=sender, keyring=keyring, now=bridge.clock())


async def test_the_demonstration_shows_a_conversation_its_own_codes(start: Start) -> None:
    clock = SetClock()
    async with start(clock=clock) as bridge:
        customer, other = await bridge.customer(), await bridge.customer()
        send(bridge, customer.conversation_id)
        (shown,) = (await bridge.http.get("/demo/codes", headers=customer.headers)).json()
        assert (len(shown["code"]), shown["phone"]) == (6, "138****2842")
        assert (await bridge.http.get("/demo/codes", headers=other.headers)).json() == []
        assert (await bridge.http.get("/demo/codes")).status_code == 401
        clock.ahead = timedelta(minutes=11)
        assert (await bridge.http.get("/demo/codes", headers=customer.headers)).json() == []


async def test_nothing_is_shown_for_an_account_that_does_not_exist(start: Start) -> None:
    async with start() as bridge:
        customer = await bridge.customer()
        send(bridge, customer.conversation_id, phone=None)
        assert (await bridge.http.get("/demo/codes", headers=customer.headers)).json() == []


async def test_production_has_no_page_of_codes(start: Start) -> None:
    async with start(env="production") as bridge:
        customer = await bridge.customer()
        send(bridge, customer.conversation_id)
        assert (await bridge.http.get("/demo/codes", headers=customer.headers)).status_code == 404


@asynccontextmanager
async def gateway(status: int) -> AsyncIterator[tuple[str, list[Any]]]:
    async with http_rasa(lambda _body: (status, b"{}")) as (url, seen):
        yield f"{url}/sms", seen


def open_items(bridge: Bridge) -> list[OutboxItem]:
    with bridge.parts.bridge.reading() as session:
        return list(session.scalars(select(OutboxItem).where(OutboxItem.kind == SMS, OutboxItem.done_at.is_(None))))


def conversation_of(bridge: Bridge) -> str:
    with bridge.parts.bridge.transaction() as session:
        return open_conversation(
            session, channel="web", customer_no=None, accounts=[], assurance=0, now=bridge.clock()
        ).id  # fmt: skip


async def deliver(bridge: Bridge) -> int:
    import asyncio

    return await asyncio.to_thread(deliver_codes, bridge.parts)


async def test_the_gateway_gets_telephone_code_and_a_key_against_repetition(sqlite_urls: Any) -> None:
    async with gateway(200) as (url, seen), running(settings(*sqlite_urls, sms_url=url, sms_token="secret")) as bridge:
        send(bridge, conversation_of(bridge), dev=False)
        (item,) = open_items(bridge)
        sealed = unseal(item.key, item.payload, bridge.parts.settings.keyring())
        assert await deliver(bridge) == 1
        ((lines, body),) = seen
        assert body == {
            "phone": PHONE, "template": "one_time_code", "values": {"code": sealed.digits, "minutes": 10},
        }  # fmt: skip
        assert "authorization: bearer secret" in lines
        assert f"idempotency-key: {item.key}" in lines
        assert (await deliver(bridge), len(seen)) == (0, 1)


async def test_a_gateway_that_fails_is_asked_again_until_the_code_has_ended(sqlite_urls: Any) -> None:
    clock = SetClock()
    chosen = settings(*sqlite_urls, sms_url="http://127.0.0.1:9/sms")
    async with running(chosen, clock=clock) as bridge:
        send(bridge, conversation_of(bridge), dev=False)
        assert await deliver(bridge) == 0
        assert len(open_items(bridge)) == 1
        clock.ahead = timedelta(seconds=5)
        assert (await deliver(bridge), open_items(bridge)[0].attempts) == (0, 2)
        clock.ahead = timedelta(minutes=11)
        assert (await deliver(bridge), open_items(bridge)) == (1, [])


async def test_an_account_that_does_not_exist_costs_no_message(sqlite_urls: Any) -> None:
    async with gateway(200) as (url, seen), running(settings(*sqlite_urls, sms_url=url)) as bridge:
        send(bridge, conversation_of(bridge), phone=None, dev=False)
        assert await deliver(bridge) == 1
        assert (seen, open_items(bridge)) == ([], [])


async def test_urgent_orders_do_not_wait_behind_short_messages(sqlite_urls: Any) -> None:
    async with running(settings(*sqlite_urls, sms_url="http://127.0.0.1:9/sms")) as bridge:
        send(bridge, conversation_of(bridge), dev=False)
        assert deliver_due(bridge.parts) == 0
        assert open_items(bridge)[0].attempts == 0


async def test_neither_telephone_nor_code_is_in_the_log_or_in_clear_in_the_outbox(
    sqlite_urls: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async with gateway(500) as (url, seen), running(settings(*sqlite_urls, sms_url=url)) as bridge:
        send(bridge, conversation_of(bridge), dev=False)
        assert await deliver(bridge) == 0
        digits = seen[0][1]["values"]["code"]
        logged = capsys.readouterr().out
        assert "delivery_failed" in logged
        assert PHONE not in logged
        assert digits not in logged
        assert PHONE not in json.dumps(open_items(bridge)[0].payload)
