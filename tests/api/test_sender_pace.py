"""The sender's short messages, and its pace in every second."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sender_kit import NOTICES, Account, bridge, rows, start, state, work

from api.sender.pace import Pacer
from api.sender.settings import SenderSettings
from api.sender.ways import SmsWay
from core.account import Customer, phone_context
from core.clock import system_clock
from core.db import Database
from core.fields import Keyring, new_key
from core.migrations import upgrade

__all__ = ["bridge"]


async def test_a_short_message_goes_to_the_telephone_that_billing_knows_under_a_key(
    bridge: Database, tmp_path: Path
) -> None:
    keyring = Keyring.parse(f"test:{new_key()}", new_key())
    billing = Database(f"sqlite:///{tmp_path / 'billing.db'}")
    upgrade("billing", billing)
    with billing.transaction() as session:
        cipher = keyring.encrypt("13800002842", phone_context("100000001001"))
        session.add(
            Customer(customer_no="100000001001", kind="person", name_cipher="x", phone_cipher=cipher, phone_hash="h")
        )
    got: list[tuple[Any, str]] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        got.append((json.loads(request.content), request.headers["Idempotency-Key"]))
        return httpx.Response(503 if len(got) == 1 else 200)

    settings = SenderSettings.model_construct(sms_url="https://sms.test/send", sms_token=SecretStr(""))
    way = SmsWay(settings, billing, keyring, NOTICES, system_clock)
    way._http = httpx.AsyncClient(transport=httpx.MockTransport(gateway))
    number = start(bridge, audience={"customers": ["100000001001", "100000001002"]})
    await work(bridge, Account(), lambda: state(bridge, number) == "done", sms=way)
    await way.close()
    billing.dispose()
    found = rows(bridge)
    assert found["customer:100000001002"].error == "no telephone"
    sent = found["customer:100000001001"]
    assert (sent.state, sent.attempts) == ("sent", 2)
    body = {
        "phone": "13800002842", "template": "outage_begun", "values": {"area": "江岸区听涛苑"},
        "text": "江岸区听涛苑发生停电，正在组织抢修，有进展会再通知您。",
    }  # fmt: skip
    assert got == [(body, f"notice:{number}:{sent.id}")] * 2


async def test_the_pace_is_held_in_every_second_however_long_answers_take() -> None:
    loop = asyncio.get_running_loop()
    pacer, starts, ends = Pacer(200), [], []

    async def one(seconds: float) -> None:
        starts.append(loop.time())
        await asyncio.sleep(seconds)
        ends.append(loop.time())
        pacer.done()

    tasks = []
    for number in range(500):
        await pacer.slot()
        tasks.append(asyncio.create_task(one(0.3 if 150 < number < 250 else 0.001)))
    await asyncio.gather(*tasks)
    # Whenever between its start and its end each of them arrives: no second has more than the bound.
    assert most_in_a_second(starts) <= 210
    assert most_in_a_second(ends) <= 210
    assert 500 / (max(ends) - min(starts)) > 140


def most_in_a_second(times: list[float]) -> int:
    ordered, first, most = sorted(times), 0, 0
    for last, at in enumerate(ordered):
        while ordered[first] <= at - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_the_rate_is_halved_and_comes_back_slowly() -> None:
    now = 100.0
    pacer = Pacer(64, now=lambda: now)
    for _ in range(10):
        pacer.slow_down()
    assert pacer.rate == 1
    rates = []
    for _ in range(30):
        now += 10
        pacer._wait()
        rates.append(pacer.rate)
    assert rates[0] == pytest.approx(4.2)
    assert rates[-1] == 64
    assert rates == sorted(rates)
