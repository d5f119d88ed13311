"""Who looks, who types, who is there: what consoles tell each other over the stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from desk_floor import Floor, ask, frame, ready, served, silent

from core import agent as people
from core.agent import Agent


@pytest.fixture
async def floor(sqlite_urls: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    monkeypatch.setattr("api.desk.socket.CHECK_SECONDS", 0.2)
    async with served(sqlite_urls) as one:
        yield one


async def test_two_agents_see_that_they_look_at_the_same_and_that_one_types(floor: Floor) -> None:
    ming, hong = await floor.desk.seat(name="小明"), await floor.desk.seat(name="小红")
    customer, _ = await floor.desk.case()
    place = customer.conversation_id
    async with floor.stream(ming) as one, floor.stream(hong) as two:
        await ask(one, kind="view", conversation_id=place)
        assert [v["name"] for v in (await frame(one, "presence"))["viewers"]] == ["小明"]
        await ask(two, kind="view", conversation_id=place)
        for each in (one, two):
            while len((await frame(each, "presence"))["viewers"]) != 2:
                pass
        await ask(two, kind="typing", conversation_id=place, on=True)
        typed = await frame(one, "typing")
        assert (typed["conversation_id"], typed["author"], typed["agent"]["name"], typed["on"]) == (
            place, "agent", "小红", True,
        )  # fmt: skip
        assert await silent(two, "typing")  # nobody is told of himself
        await ask(two, kind="typing", conversation_id=place, on=False)
        assert (await frame(one, "typing"))["on"] is False
        await ask(two, kind="view", conversation_id=None)
        while [v["name"] for v in (await frame(one, "presence"))["viewers"]] != ["小明"]:
            pass
        opened = await ming.get(f"/conversations/{place}")
        assert [v["name"] for v in opened["viewers"]] == ["小明"]


async def test_who_is_gone_looks_no_more(floor: Floor) -> None:
    ming, hong = await floor.desk.seat(name="小明"), await floor.desk.seat(name="小红")
    customer, _ = await floor.desk.case()
    async with floor.stream(ming) as one:
        await ask(one, kind="view", conversation_id=customer.conversation_id)
        async with floor.stream(hong) as two:
            await ask(two, kind="view", conversation_id=customer.conversation_id)
            while len((await frame(one, "presence"))["viewers"]) != 2:
                pass
        assert len((await frame(one, "presence"))["viewers"]) == 1


async def test_looks_and_typing_expire_by_themselves(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    from api.desk.watch import Watch

    now = 0.0
    watch = Watch(lambda: now)
    assert watch.looks("c", 1)
    assert watch.types("c", 1, on=True)
    assert not watch.types("c", 1, on=True)
    now = 9.0
    watch.looks("c", 1)
    assert watch.viewers("c") == {1: True}
    now = 11.0
    assert watch.viewers("c") == {1: False}
    now = 20.0
    assert watch.viewers("c") == {}
    assert watch.looks("c", 1)


async def test_the_typing_of_the_customers_agent_alone_reaches_the_customer(floor: Floor) -> None:
    seat, chief = await floor.desk.seat(), await floor.desk.seat("supervisor")
    _, conversation_id = await floor.talking(seat)
    with floor.desk.bridge.parts.bus.listen(conversation_id) as hints:
        await chief.post(f"/conversations/{conversation_id}/typing", on=True)
        assert hints.empty()
        await seat.post(f"/conversations/{conversation_id}/typing", on=True)
        assert hints.get_nowait() == {"kind": "typing", "author": "agent", "on": True}


async def test_the_customers_typing_reaches_who_looks(floor: Floor) -> None:
    seat = await floor.desk.seat()
    _, conversation_id = await floor.talking(seat)
    async with floor.stream(seat) as one:
        await ask(one, kind="view", conversation_id=conversation_id)
        await frame(one, "presence")
        floor.desk.bridge.parts.bus.publish(conversation_id, {"kind": "typing", "author": "customer", "on": True})
        typed = await frame(one, "typing")
    assert typed == {"kind": "typing", "author": "customer", "on": True, "conversation_id": conversation_id}


async def test_a_foreign_conversation_cannot_be_looked_at(floor: Floor) -> None:
    holder, other = await floor.desk.seat(), await floor.desk.seat()
    customer, conversation_id = await floor.talking(holder)
    async with floor.stream(other) as one:
        for target in (conversation_id, "nobody", "x" * 5000):
            await ask(one, kind="view", conversation_id=target, after=0)
            await ask(one, kind="typing", conversation_id=target, on=True)
        await customer.say("在吗")
        await ready(one)
        assert await silent(one, "presence", "typing", "message", "case")
    assert (await holder.get(f"/conversations/{conversation_id}"))["viewers"] == []


async def test_pings_keep_an_agent_present_but_not_his_session_awake(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.desk.watch.TOUCH_SECONDS", 0.0)
    monkeypatch.setattr("api.desk.socket.POLL_SECONDS", 0.1)
    seat = await floor.desk.seat()
    async with floor.stream(seat) as one:
        await ready(one)
        floor.desk.clock.on(minutes=50)
        await ready(one)
        with floor.desk.bridge.parts.bridge.reading() as session:
            assert people.present(session.get_one(Agent, seat.id), floor.desk.clock())
        floor.desk.clock.on(minutes=11)
        await frame(one, "signed_out")


async def test_the_desk_hears_of_an_agent_who_comes_back(floor: Floor) -> None:
    chief, seat = await floor.desk.seat("supervisor"), await floor.desk.seat()
    floor.desk.clock.on(minutes=5)
    async with floor.stream(chief) as one:
        await ready(one)
        async with floor.stream(seat) as two:
            await ready(two)
            data = [(await frame(one, "agents"))["event"]["data"]]
            if data[-1]["agent"] != seat.id:  # his own coming
                data.append((await frame(one, "agents"))["event"]["data"])
    assert data[-1] == {"agent": seat.id, "status": "online"}
