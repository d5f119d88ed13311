from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from courier_kit import NOT_SENT, Floor, floor_of

from api.bus import MemoryBus
from api.channels.wechat.typing import Typing
from core.conversation import find_conversation

BOT, AGENT = ({"kind": "typing", "author": author, "on": True} for author in ("bot", "agent"))
OFF = {"kind": "typing", "author": "bot", "on": False}


@pytest.fixture
async def floor(shared_urls: tuple[str, str]) -> AsyncIterator[Floor]:
    async with floor_of(shared_urls) as one:
        yield one


def _typing(floor: Floor, patience: float = 0.05) -> Typing:
    assert floor.parts.wechat is not None
    return Typing(floor.parts.store, floor.parts.wechat.client, floor.clock, patience=patience)


async def test_a_bot_that_works_for_long_is_seen_typing(floor: Floor) -> None:
    someone, typing = floor.follower(), _typing(floor)
    typing.hear(someone.conversation_id, BOT)
    assert floor.client.typings == []
    await asyncio.sleep(0.3)
    assert floor.client.typings == [(someone.openid, True)]


async def test_a_bot_that_answers_at_once_is_not(floor: Floor) -> None:
    someone, typing = floor.follower(), _typing(floor)
    typing.hear(someone.conversation_id, BOT)
    typing.hear(someone.conversation_id, OFF)
    await asyncio.sleep(0.2)
    assert floor.client.typings == []


async def test_an_agent_is_seen_typing_once_in_fifteen_seconds_unless_something_was_sent(floor: Floor) -> None:
    someone, typing = floor.follower(), _typing(floor, patience=5)
    for seconds, sent, expected in ((0, False, 1), (10, False, 1), (6, False, 2), (1, True, 3)):
        floor.later(seconds=seconds)
        if sent:
            typing.sent(someone.openid)
        typing.hear(someone.conversation_id, AGENT)
        await asyncio.sleep(0.15)
        assert len(floor.client.typings) == expected


async def test_who_writes_on_the_page_or_has_left_sees_nothing_in_wechat(floor: Floor) -> None:
    someone, typing = floor.follower(), _typing(floor)
    floor.write(lambda session: setattr(find_conversation(session, someone.conversation_id), "channel", "h5"))
    typing.hear(someone.conversation_id, AGENT)
    typing.hear("no such conversation", AGENT)
    await asyncio.sleep(0.2)
    assert floor.client.typings == []


async def test_a_signal_that_cannot_be_given_harms_nothing(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(openid: str, on: bool) -> bool:
        raise NOT_SENT

    someone, typing = floor.follower(), _typing(floor)
    monkeypatch.setattr(floor.client, "typing", broken)
    typing.hear(someone.conversation_id, AGENT)
    await asyncio.sleep(0.15)
    await typing.close()


async def test_the_courier_hears_the_whole_bus_and_sends_at_once(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    running = asyncio.create_task(floor.courier.run())
    await asyncio.sleep(0.7)
    someone.told("答")
    floor.parts.bus.publish(someone.conversation_id)
    floor.parts.bus.publish(someone.conversation_id, AGENT)
    async with asyncio.timeout(0.45):
        while not (floor.client.shown and floor.client.typings):
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await floor.courier.drain(2)
    assert (floor.client.texts(), floor.client.typings) == (["答"], [(someone.openid, True)])


def test_a_bus_that_nobody_watches_is_like_any_other() -> None:
    bus = MemoryBus()
    with bus.listen("a") as queue, bus.watch() as heard:
        bus.publish("a", {"kind": "x"})
        bus.publish("b")
        assert (queue.get_nowait(), queue.empty()) == ({"kind": "x"}, True)
        assert [heard.get_nowait(), heard.get_nowait()] == [("a", {"kind": "x"}), ("b", None)]
    bus.publish("b")
    assert heard.empty()
