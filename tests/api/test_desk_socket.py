"""The desk's stream over a real server: what comes, in which order, to whom, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets
from desk_floor import Floor, ask, frame, ready, served, silent
from supervision_kit import Seat, good, text_of

from core import desk_session
from core.conversation import Draft, find_conversation, record_reply
from core.handoff import life


@pytest.fixture
async def floor(sqlite_urls: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    monkeypatch.setattr("api.desk.socket.CHECK_SECONDS", 0.2)
    async with served(sqlite_urls) as one:
        yield one


async def test_a_new_case_comes_with_its_line_and_its_list(floor: Floor) -> None:
    seat = await floor.desk.seat()
    async with floor.stream(seat) as one:
        await ready(one)
        customer, case = await floor.desk.case()
        floor.desk.bridge.parts.bus.publish("desk")
        found = await frame(one, "case")
    assert found["seq"] == floor.seq
    event = found["event"]
    assert (event["handoff_id"], event["conversation_id"]) == (case, customer.conversation_id)
    assert (event["list"], event["case"]["mode"], event["case"]["place"]) == ("queue", "queued", 1)


async def test_without_a_hint_it_comes_with_the_next_look(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.desk.socket.POLL_SECONDS", 0.2)
    seat = await floor.desk.seat()
    async with floor.stream(seat) as one:
        await ready(one)
        monkeypatch.setattr(floor.desk.bridge.parts.bus, "publish", lambda *_: None)
        await floor.desk.case()
        assert (await frame(one, "case", within=2))["event"]["list"] == "queue"


async def test_a_conversation_that_goes_out_of_sight_is_taken_off_the_lists(floor: Floor) -> None:
    winner, loser, stranger = (
        await floor.desk.seat(),
        await floor.desk.seat(),
        await floor.desk.seat(skills=("billing",)),
    )
    async with floor.stream(loser) as one, floor.stream(stranger) as two:
        await ready(one)
        await ready(two)
        _, case = await floor.desk.case()
        floor.desk.bridge.parts.bus.publish("desk")
        assert (await frame(one, "case"))["event"]["list"] == "queue"
        await winner.post(f"/cases/{case}/claim")
        gone = (await frame(one, "case"))["event"]
        assert (gone["case"], gone["list"]) == (None, None)
        assert gone["data"] == {"what": "claimed", "agent": winner.id}  # who was faster, and nothing else
        assert await silent(two, "case")  # who never saw it hears nothing of it


async def test_what_went_out_of_sight_while_cut_off_is_told_on_return(floor: Floor) -> None:
    winner, loser = await floor.desk.seat(), await floor.desk.seat()
    _, case = await floor.desk.case()
    seq = (await loser.get("/inbox"))["seq"]
    await winner.post(f"/cases/{case}/claim")
    async with floor.stream(loser, after=seq) as one:
        assert (await frame(one, "case"))["event"]["case"] is None


async def test_an_agent_hears_the_customer_and_the_customer_the_agent(floor: Floor) -> None:
    seat = await floor.desk.seat()
    customer, conversation_id = await floor.talking(seat)
    async with floor.stream(seat) as one:
        await ready(one)
        await customer.say("师傅什么时候到，我电话13871234567")
        floor.desk.bridge.parts.bus.publish("desk")
        event = (await frame(one, "message"))["event"]
        assert [m["author"] for m in event["messages"]] == ["customer"]
        assert "13871234567" not in text_of(event)
        good(await seat.call("POST", f"/conversations/{conversation_id}/messages", client_id="a", text="十分钟内"))
        event = (await frame(one, "message"))["event"]
        assert [(m["author"], m["client_id"]) for m in event["messages"]] == [("agent", "a")]
    assert (await customer.history())["messages"][-1]["text"] == "十分钟内"


async def test_messages_of_other_agents_conversations_do_not_come(floor: Floor) -> None:
    holder, other, chief = await floor.desk.seat(), await floor.desk.seat(), await floor.desk.seat("supervisor")
    customer, _ = await floor.talking(holder)
    async with floor.stream(other) as one, floor.stream(chief) as two:
        await ready(one)
        await ready(two)
        await customer.say("我在等")
        floor.desk.bridge.parts.bus.publish("desk")
        assert (await frame(two, "message"))["event"]["messages"][-1]["text"] == "我在等"
        assert await silent(one, "message", "case")


async def test_the_socket_goes_on_where_the_last_one_ended(floor: Floor) -> None:
    seat = await floor.desk.seat()
    customer, conversation_id = await floor.talking(seat)
    await customer.say("一")
    seq = floor.seq
    for text in ("二", "三"):
        await customer.say(text)
    async with floor.stream(seat, after=seq) as one:
        event = (await frame(one, "message"))["event"]
        assert [m["text"] for m in event["messages"]] == ["二", "三"]
        await ask(one, kind="ping")
        assert (await frame(one, "pong"))["seq"] == floor.seq
    async with floor.stream(seat, after=floor.seq) as one:
        await ready(one)
        assert await silent(one, "message", "case")


async def test_a_number_from_the_future_is_the_present(floor: Floor) -> None:
    seat = await floor.desk.seat()
    async with floor.stream(seat, after=10**9) as one:
        await ready(one)
        await floor.desk.case()
        floor.desk.bridge.parts.bus.publish("desk")
        assert (await frame(one, "case"))["event"]["list"] == "queue"


async def test_a_long_absence_comes_as_the_present_state_and_not_as_its_history(floor: Floor) -> None:
    seat = await floor.desk.seat()
    customer, conversation_id = await floor.talking(seat)
    now = floor.desk.clock()
    for number in range(300):
        kept = f"第{number}句"
        floor.desk.reply(customer, seat, kept)
        if number % 50 == 0:
            floor.desk.write(lambda s: life.ask_help(s, conversation_id, agent_id=seat.id, text="看看", now=now))
    async with floor.stream(seat, after=0) as one:
        events = []
        while not events or events[-1]["seq"] < floor.seq:
            events.append(await frame(one, "case", "message", "help"))
    kinds = [one["event"]["kind"] for one in events]
    assert (kinds.count("case"), kinds.count("message"), kinds.count("help")) == (1, 1, 6)
    messages = next(one["event"]["messages"] for one in events if one["event"]["kind"] == "message")
    assert [m["seq"] for m in messages][-300:] == list(range(messages[-1]["seq"] - 299, messages[-1]["seq"] + 1))
    assert [one["seq"] for one in events] == sorted(one["seq"] for one in events)


async def test_what_nobody_announced_comes_to_whoever_looks_at_the_conversation(floor: Floor) -> None:
    seat = await floor.desk.seat()
    customer, conversation_id = await floor.talking(seat)
    async with floor.stream(seat) as one:
        last = len(floor.desk.bridge.rows(conversation_id))
        await ask(one, kind="view", conversation_id=conversation_id, after=last)
        await frame(one, "presence")
        with floor.desk.bridge.parts.bridge.transaction() as session:
            conversation = find_conversation(session, conversation_id, lock=True)
            record_reply(session, conversation, Draft("system", "您的工单已派出", "notice"), now=floor.desk.clock())
        floor.desk.bridge.parts.bus.publish(conversation_id)
        event = (await frame(one, "message"))["event"]
        assert [(m["seq"], m["author"]) for m in event["messages"]] == [(last + 1, "system")]
        assert event["after"] == last


async def test_looking_again_from_a_number_brings_what_is_behind_it(floor: Floor) -> None:
    seat = await floor.desk.seat()
    customer, conversation_id = await floor.talking(seat)
    for text in ("一", "二", "三"):
        await customer.say(text)
    async with floor.stream(seat) as one:
        await ask(one, kind="view", conversation_id=conversation_id, after=2)
        event = (await frame(one, "message"))["event"]
        assert [m["seq"] for m in event["messages"]] == list(range(3, len(floor.desk.bridge.rows(conversation_id)) + 1))


async def test_notes_whispers_and_calls_for_help_come_to_whom_they_are_for(floor: Floor) -> None:
    seat, chief, colleague = await floor.desk.seat(), await floor.desk.seat("supervisor"), await floor.desk.seat()
    _, conversation_id = await floor.talking(seat)
    path, now = f"/conversations/{conversation_id}", floor.desk.clock()
    async with floor.stream(seat) as one, floor.stream(chief) as two, floor.stream(colleague) as three:
        for each in (one, two, three):
            await ready(each)
        await seat.post(f"{path}/notes", text="客户住在3号楼502室")
        for each in (one, two):
            note = (await frame(each, "note"))["event"]["note"]
            assert note["text"].startswith("客户住在")
            assert "502" not in note["text"]
        await seat.post(f"{path}/help", text="可以先答应吗")
        assert (await frame(two, "help"))["event"]["note"]["text"] == "可以先答应吗"
        floor.desk.write(lambda s: life.whisper(s, conversation_id, agent_id=chief.id, text="可以", now=now))
        floor.desk.bridge.parts.bus.publish("desk")
        assert (await frame(one, "whisper"))["event"]["note"]["text"] == "可以"
        assert await silent(three)


async def test_nonsense_is_ignored(floor: Floor) -> None:
    seat = await floor.desk.seat()
    async with floor.stream(seat) as one:
        for nonsense in (
            "", "{", "[1]", '"ping"', '{"kind":7}', "[" * 10_000, b"\x00\x01", '{"kind":"view","conversation_id":7}',
            '{"kind":"typing","conversation_id":"a","on":"yes"}', '{"kind":"view","conversation_id":"a","after":"b"}',
        ):  # fmt: skip
            await one.send(nonsense)
        await ready(one)


async def code_of(floor: Floor, seat: Seat, **more: Any) -> int:
    async with floor.stream(seat, **more) as one:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await frame(one, "nothing comes")
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


async def test_without_a_session_or_from_a_foreign_page_there_is_no_stream(floor: Floor) -> None:
    seat, nobody = await floor.desk.seat(), await floor.desk.nobody()
    assert await code_of(floor, nobody) == 4401
    assert await code_of(floor, seat, origin="https://evil.example") == 4403


async def test_a_session_that_ends_closes_its_stream(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.desk.socket.POLL_SECONDS", 0.1)
    seat = await floor.desk.seat()
    async with floor.stream(seat) as one:
        await ready(one)
        now = floor.desk.clock()
        floor.desk.write(lambda s: desk_session.end_sessions(s, seat.id, why="logout", now=now))
        await frame(one, "signed_out")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await frame(one)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_when_the_feed_fails_the_console_is_told_to_try_later(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.desk.socket.POLL_SECONDS", 0.1)
    seat = await floor.desk.seat()
    async with floor.stream(seat) as one:
        await ready(one)
        with floor.desk.bridge.parts.bridge.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE desk_events RENAME TO lost")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await frame(one, "case")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


async def test_a_console_that_reads_nothing_holds_nobody_up(floor: Floor) -> None:
    slow, quick = await floor.desk.seat("supervisor"), await floor.desk.seat()
    customer, _ = await floor.talking(quick)
    async with floor.stream(slow, max_queue=1) as _unread, floor.stream(quick) as one:
        await ready(one)
        for number in range(40):
            floor.desk.reply(customer, quick, "电" * 5000 + str(number))
        floor.desk.bridge.parts.bus.publish("desk")
        seen: list[str] = []
        while len(seen) < 40:
            seen += [m["text"][-2:] for m in (await frame(one, "message"))["event"]["messages"]]
    assert seen[-1] == "39"


async def test_sockets_are_let_go(floor: Floor) -> None:
    seat = await floor.desk.seat()
    _, conversation_id = await floor.talking(seat)
    async with floor.stream(seat) as one:
        await ask(one, kind="view", conversation_id=conversation_id)
        await frame(one, "presence")
        assert floor.desk.bridge.figure("dianfu_sockets") == 1
    for _ in range(100):
        if floor.desk.bridge.figure("dianfu_sockets") == 0:
            break
        await asyncio.sleep(0.02)
    assert floor.desk.bridge.figure("dianfu_sockets") == 0
    assert not floor.desk.bridge.parts.bus._listeners
