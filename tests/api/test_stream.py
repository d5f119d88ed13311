from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
import uvicorn
import websockets
from bridge_kit import SESSION_KEY, Bridge, Customer, FakeRasa, SetClock, running, settings
from websockets.asyncio.client import ClientConnection, connect

from core import conversation as log_of
from core.clock import system_clock
from core.conversation import Draft
from core.identity import issue_session


@dataclass
class Served:
    bridge: Bridge
    customer: Customer
    address: str

    @asynccontextmanager
    async def stream(self, after: int = 0, **more: Any) -> AsyncIterator[ClientConnection]:
        protocols = ["dianfu.v1", f"bearer.{self.customer.token}"]
        async with connect(
            f"ws://{self.address}/v1/stream?after={after}", **({"subprotocols": protocols} | more)
        ) as one:
            yield one


@pytest.fixture
async def served(sqlite_urls: Any) -> AsyncIterator[Served]:
    """A bridge behind a real server."""
    async with running(settings(*sqlite_urls), FakeRasa(), clock=SetClock()) as bridge:
        listener = socket.create_server(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(bridge.app, log_level="warning", lifespan="off"))
        serving = asyncio.create_task(server.serve([listener]))
        async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as http:
            while not server.started:
                await asyncio.sleep(0.01)
            customer = await bridge.customer()
            customer.http = http
            yield Served(bridge, customer, address)
        server.should_exit = True
        await serving


async def _next(one: ClientConnection, *kinds: str, within: float = 5) -> dict[str, Any]:
    async with asyncio.timeout(within):
        while True:
            frame: dict[str, Any] = json.loads(await one.recv())
            if frame["kind"] in (kinds or (frame["kind"],)):
                return frame


async def test_the_stream_brings_question_typing_and_answer(served: Served) -> None:
    async with served.stream() as one:
        assert one.subprotocol == "dianfu.v1"
        assert await _next(one) == {"kind": "mode", "mode": "bot"}
        await served.customer.say("我上个月电费多少", "mine")
        frames = [await _next(one) for _ in range(4)]
    messages = [frame["message"] for frame in frames if frame["kind"] == "message"]
    assert [(one["seq"], one["author"], one["client_id"]) for one in messages] == [
        (1, "customer", "mine"), (2, "bot", None),
    ]  # fmt: skip
    assert [one["on"] for one in frames if one["kind"] == "typing"] == [True, False]
    assert messages == (await served.customer.history())["messages"]


async def test_a_stream_goes_on_where_the_last_one_ended(served: Served) -> None:
    for text in ("一", "二", "三"):
        await served.customer.say(text)
    async with served.stream(after=4) as one:
        assert [(await _next(one, "message"))["message"]["seq"] for _ in range(2)] == [5, 6]
    async with served.stream(after=6) as one:
        assert (await _next(one))["kind"] == "mode"
        await served.customer.say("四")
        assert [(await _next(one, "message"))["message"]["seq"] for _ in range(2)] == [7, 8]


async def test_a_long_log_comes_without_waiting(served: Served) -> None:
    bridge, customer = served.bridge, served.customer
    with bridge.parts.bridge.transaction() as session:
        conversation = log_of.find_conversation(session, customer.conversation_id, lock=True)
        for number in range(1200):
            log_of.record_reply(session, conversation, Draft("bot", f"{number}"), now=bridge.clock())
    began = asyncio.get_running_loop().time()
    async with served.stream() as one:
        assert [(await _next(one, "message"))["message"]["seq"] for _ in range(1200)] == list(range(1, 1201))
    assert asyncio.get_running_loop().time() - began < 3


async def test_two_sockets_of_one_customer_see_the_same(served: Served) -> None:
    async with served.stream() as one, served.stream() as two:
        await _next(one, "mode")
        await _next(two, "mode")
        await served.customer.say("在吗")
        seen = [[(await _next(each, "message"))["message"] for _ in range(2)] for each in (one, two)]
    assert seen[0] == seen[1]


async def test_another_customers_messages_do_not_come(served: Served) -> None:
    other = await served.bridge.customer()
    async with served.stream() as one:
        await _next(one, "mode")
        await other.say("在吗")
        with pytest.raises(TimeoutError):
            await _next(one, within=0.3)


async def test_a_message_without_a_hint_arrives_with_the_next_look(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.channels.stream.POLL_SECONDS", 0.2)
    async with served.stream() as one:
        await _next(one, "mode")
        monkeypatch.setattr(served.bridge.parts.bus, "publish", lambda *_: None)
        with served.bridge.parts.bridge.transaction() as session:
            conversation = log_of.find_conversation(session, served.customer.conversation_id, lock=True)
            log_of.record_reply(session, conversation, Draft("agent", "我是坐席"), now=system_clock())
            log_of.change_mode(conversation, "ask_person", now=system_clock())
        assert (await _next(one, "message", within=1))["message"]["text"] == "我是坐席"
        assert (await _next(one, "mode"))["mode"] == "queued"


async def _code(served: Served, **more: Any) -> int:
    with pytest.raises(websockets.ConnectionClosed) as closed:
        async with served.stream(**more) as one:
            await _next(one)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


async def test_a_bad_token_closes_with_4401(served: Served) -> None:
    now = system_clock()
    unknown = issue_session(SESSION_KEY, conversation_id="nobody", now=now, lifetime=timedelta(hours=1))
    for token in ("rubbish", unknown, served.customer.token[:-3] + "abc"):
        assert await _code(served, subprotocols=["dianfu.v1", f"bearer.{token}"]) == 4401
    assert await _code(served, subprotocols=["dianfu.v1"]) == 4401


async def test_a_stream_ends_when_its_token_does(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.channels.stream.POLL_SECONDS", 0.1)
    async with served.stream() as one:
        await _next(one, "mode")
        served.bridge.clock.ahead = timedelta(days=2)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await _next(one)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_programs_may_send_the_token_as_a_header(served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.customer.token}"}
    async with served.stream(subprotocols=None, additional_headers=headers) as one:
        assert (await _next(one))["kind"] == "mode"


async def test_a_foreign_page_may_not_connect(served: Served) -> None:
    for origin in ("https://evil.example", "null", f"http://{served.address}.evil.example"):
        assert await _code(served, origin=origin) == 4403


async def test_our_own_and_the_allowed_pages_may(served: Served) -> None:
    served.bridge.parts.settings.allowed_origins.append("https://shop.example")
    for origin in (f"http://{served.address}", "https://shop.example"):
        async with served.stream(origin=origin) as one:
            assert (await _next(one))["kind"] == "mode"


async def test_a_ping_is_answered_and_nonsense_is_ignored(served: Served) -> None:
    async with served.stream() as one:
        await _next(one, "mode")
        for nonsense in ("", "{", "[1]", '"ping"', '{"kind":7}', "[" * 10_000, b"\x00\x01"):
            await one.send(nonsense)
        await one.send('{"kind":"ping"}')
        assert await _next(one) == {"kind": "pong"}


async def test_open_sockets_are_counted_and_let_go(served: Served) -> None:
    async with served.stream() as one:
        await _next(one, "mode")
        assert served.bridge.figure("dianfu_sockets") == 1
    for _ in range(100):
        if served.bridge.figure("dianfu_sockets") == 0:
            break
        await asyncio.sleep(0.02)
    assert served.bridge.figure("dianfu_sockets") == 0
    assert not served.bridge.parts.bus._listeners


async def test_when_the_log_fails_the_client_is_told_to_try_later(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.channels.stream.POLL_SECONDS", 0.1)
    async with served.stream() as one:
        await _next(one, "mode")
        with served.bridge.parts.bridge.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE messages RENAME TO lost")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await _next(one)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013
