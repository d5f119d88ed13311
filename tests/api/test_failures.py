from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bridge_kit import RASA_TOKEN, Bridge, FakeRasa, SetClock, http_rasa, running, settings
from sqlalchemy import select

from api.deliveries import deliver_due
from api.rasa import BotTurn, HttpRasa, RasaFailed
from core import conversation as log_of
from core.conversation import Draft
from core.db import Database
from core.migrations import upgrade
from core.outbox import OutboxItem
from core.work_order import WorkOrder

DANGER = "电线掉在地上了还冒火花"
Start = Callable[..., Any]


def _good(text: str) -> bytes:
    return json.dumps({"messages": [{"text": text}], "understood": {"intent": "greet"}}).encode()


LONG = 20  # seconds: far beyond the deadline of a turn, on a busy machine too


async def _slow(_: Any) -> tuple[int, bytes]:
    await asyncio.sleep(LONG)
    return 200, _good("太晚了")


FAILING: dict[str, Callable[[Any], Any]] = {
    "breaks off": lambda _: None,
    "is slow": _slow,
    "answers 502": lambda _: (502, b'{"error":"the turn brought no answer"}'),
    "answers 401": lambda _: (401, b"{}"),
    "speaks no JSON": lambda _: (200, b"<html>"),
    "is cut short": lambda _: (200, b'{"messages":['),
    "says nothing": lambda _: (200, b'{"messages":[]}'),
    "says blanks": lambda _: (200, b'{"messages":[{"text":"  "}]}'),
    "sends a list": lambda _: (200, b"[]"),
    "sends null": lambda _: (200, b'{"messages":null}'),
    "sends strings": lambda _: (200, b'{"messages":["hi"]}'),
    "sends custom strings": lambda _: (200, b'{"messages":[{"custom":"hi"}]}'),
    "sends a card without text": lambda _: (200, b'{"messages":[{"custom":{"type":"bill_card"}}]}'),
    "sends a button without payload": lambda _: (200, b'{"messages":[{"text":"a","buttons":[{"title":"b"}]}]}'),
}


@pytest.mark.parametrize("how", FAILING)
async def test_when_rasa_fails_there_is_an_apology_within_the_deadline(sqlite_urls: Any, how: str) -> None:
    async with http_rasa(FAILING[how]) as (url, _):
        client = HttpRasa(url, RASA_TOKEN)
        async with running(settings(*sqlite_urls, turn_deadline=1), client) as bridge:
            customer = await bridge.customer()
            began = time.perf_counter()
            answer = await customer.say("我上个月电费多少")
            assert time.perf_counter() - began < LONG / 2
            _is_apology(bridge, answer)
            assert bridge.rows(customer.conversation_id)[0].text == "我上个月电费多少"
            assert bridge.figure("dianfu_turns_total", outcome="failed") == 1
        await client.close()


def _is_apology(bridge: Bridge, answer: dict[str, Any]) -> None:
    wording = bridge.parts.wording
    [message] = answer["messages"]
    assert (message["author"], message["text"], answer["mode"]) == ("system", wording.apology, "bot")
    assert [button["title"] for button in message["buttons"]] == [wording.retry, wording.handoff]


async def test_when_nothing_listens_there_is_an_apology(sqlite_urls: Any) -> None:
    client = HttpRasa("http://127.0.0.1:9", RASA_TOKEN)
    async with running(settings(*sqlite_urls), client) as bridge:
        _is_apology(bridge, await (await bridge.customer()).say("我上个月电费多少"))
    await client.close()


async def test_the_client_speaks_to_rasas_channel_as_agreed(sqlite_urls: Any) -> None:
    async with http_rasa(lambda _: (200, _good("您好"))) as (url, seen):
        client = HttpRasa(url, RASA_TOKEN)
        async with running(settings(*sqlite_urls), client) as bridge:
            customer = await bridge.customer()
            assert (await customer.say("你好"))["messages"][0]["text"] == "您好"
        await client.close()
    lines, body = seen[0]
    assert lines[0] == "post /webhooks/bridge/turn http/1.1"
    assert f"authorization: bearer {RASA_TOKEN}" in lines
    assert {name: body[name] for name in ("sender", "text", "kind")} == {
        "sender": f"{customer.conversation_id}.1", "text": "你好", "kind": "typed",
    }  # fmt: skip
    assert set(body["metadata"]) == {"identity", "asked_at", "channel"}


async def test_health_of_rasa_is_never_a_failure_of_ours() -> None:
    for reply, expected in (
        ((200, b'{"model":true,"actions":false}'), {"rasa": True, "model": True, "actions": False}),
        ((200, b"[]"), {"rasa": False, "model": False, "actions": False}),
        ((500, b"{}"), {"rasa": False, "model": False, "actions": False}),
    ):
        async with http_rasa(lambda _, reply=reply: reply) as (url, _):
            client = HttpRasa(url, RASA_TOKEN)
            assert await client.health() == expected
            await client.close()


async def test_try_again_asks_the_same_question_again(bridge: Bridge) -> None:
    def fail(_: str) -> BotTurn:
        raise RasaFailed("ConnectError")

    customer = await bridge.customer()
    bridge.rasa.answer, well = fail, bridge.rasa.answer
    retry, _ = (await customer.say(' /inform{"n":"1"}'))["messages"][0]["buttons"]
    bridge.rasa.answer = well
    answer = await customer.press(retry["id"])
    assert [(one["text"], one["payload"]) for one in bridge.rasa.asked] == [('inform{"n":"1"}', False)] * 2
    assert answer["messages"][0]["text"] == '答：inform{"n":"1"}'
    bridge.rasa.answer = fail
    again = (await customer.press(retry["id"]))["messages"][0]["buttons"][0]
    bridge.rasa.answer = well
    assert (await customer.press(again["id"]))["messages"][0]["text"] == '答：inform{"n":"1"}'


async def test_try_again_after_a_button_presses_the_same_button_again(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "哪一户？", buttons=(("甲", '/inform{"n":"1"}'),)),))
    customer = await bridge.customer()
    button = (await customer.say("电费"))["messages"][0]["buttons"][0]

    def fail(_: str) -> BotTurn:
        raise RasaFailed("ConnectError")

    bridge.rasa.answer, well = fail, bridge.rasa.answer
    retry = (await customer.press(button["id"]))["messages"][0]["buttons"][0]
    bridge.rasa.answer = well
    await customer.press(retry["id"])
    assert [(one["text"], one["payload"]) for one in bridge.rasa.asked[1:]] == [('/inform{"n":"1"}', True)] * 2


async def test_a_bug_in_the_turn_is_an_apology_too_and_the_turn_is_over(bridge: Bridge) -> None:
    customer = await bridge.customer()
    bridge.rasa.answer = lambda _: 1 / 0
    _is_apology(bridge, await customer.say("我上个月电费多少"))
    assert bridge.rows(customer.conversation_id)[0].turn == "done"


async def test_an_answer_that_cannot_be_stored_is_an_apology_and_not_asked_for_again(bridge: Bridge) -> None:
    customer = await bridge.customer()
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "电\ud800费", card={"x": {1, 2}}),))
    _is_apology(bridge, await customer.say("我上个月电费多少"))
    assert await bridge.parts.dialogue.turns.sweep() == 0
    assert len(bridge.rasa.asked) == 1


async def test_long_titles_and_reasons_are_cut_to_what_the_columns_hold(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "选", buttons=(("甲" * 200, "/a"),)),), handoff="r" * 100)
    customer = await bridge.customer()
    answer = await customer.say("x")
    assert (answer["messages"][0]["buttons"][0]["title"], answer["mode"]) == ("甲" * 80, "queued")


async def test_a_turn_that_outlasts_the_deadline_comes_later_with_the_same_id(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge.parts.dialogue, "_deadline", 2)
    customer = await bridge.customer()
    bridge.rasa.gate = asyncio.Event()
    first = asyncio.create_task(customer.say("第一问", "one"))
    while not bridge.rasa.asked:
        await asyncio.sleep(0.005)
    answers = await asyncio.gather(first, customer.say("第二问", "two"))
    assert [(answer["messages"], answer["pending"]) for answer in answers] == [([], True)] * 2
    monkeypatch.undo()
    bridge.rasa.gate.set()
    later = await customer.say("第二问", "two")
    assert ([one["text"] for one in later["messages"]], later["pending"]) == (["答：第二问"], False)
    assert [one["text"] for one in bridge.rasa.asked] == ["第一问", "第二问"]


# -- turns that were cut off


def _cut_off(bridge: Bridge, conversation_id: str, *texts: str) -> None:
    """Leave the log as a killed process leaves it: the messages are in, their turns are open, nobody works on them."""
    with bridge.parts.bridge.transaction() as session:
        conversation = log_of.find_conversation(session, conversation_id, lock=True)
        for number, text in enumerate(texts):
            log_of.record_customer(
                session, conversation, external_id=f"{conversation_id}:cut{number}", text=text, payload=None,
                now=bridge.clock(),
            )  # fmt: skip


async def test_a_cut_off_turn_is_taken_up_exactly_once(start: Start) -> None:
    async with start() as bridge:
        customer = await bridge.customer()
        _cut_off(bridge, customer.conversation_id, "第一问", "第二问")
        bridge.rasa.seconds = 0.05
        turns = bridge.parts.dialogue.turns
        taken = await asyncio.gather(*(turns.sweep() for _ in range(5)))
        await turns.drain(5)
        assert (sum(taken), await turns.sweep()) == (1, 0)
        assert [one["text"] for one in bridge.rasa.asked] == ["第一问", "第二问"]
        logged = [row.text for row in bridge.rows(customer.conversation_id)]
        assert logged == ["第一问", "第二问", "答：第一问", "答：第二问"]


async def test_a_new_message_does_not_overtake_a_cut_off_one(start: Start) -> None:
    async with start() as bridge:
        customer = await bridge.customer()
        _cut_off(bridge, customer.conversation_id, "第一问")
        await customer.say("第二问")
        assert [one["text"] for one in bridge.rasa.asked] == ["第一问", "第二问"]


async def test_sending_a_cut_off_message_again_brings_its_answer(start: Start) -> None:
    async with start() as bridge:
        customer = await bridge.customer()
        _cut_off(bridge, customer.conversation_id, "第一问")
        answer, _ = await asyncio.gather(customer.say("第一问", "cut0"), bridge.parts.dialogue.turns.sweep())
        assert [one["text"] for one in answer["messages"]] == ["答：第一问"]
        assert len(bridge.rasa.asked) == 1


async def test_a_restarted_bridge_answers_what_the_killed_one_left(start: Start) -> None:
    async with start() as killed:
        customer = await killed.customer()
        _cut_off(killed, customer.conversation_id, "第一问")
    async with start(loops=True) as fresh:
        for _ in range(100):
            if len(fresh.rows(customer.conversation_id)) == 2:
                break
            await asyncio.sleep(0.05)
        assert [row.text for row in fresh.rows(customer.conversation_id)] == ["第一问", "答：第一问"]


async def test_two_bridges_on_one_log_answer_a_cut_off_turn_once(start: Start) -> None:
    async with start() as one, start() as two:
        customer = await one.customer()
        _cut_off(one, customer.conversation_id, "第一问")
        await asyncio.gather(one.parts.dialogue.turns.sweep(), two.parts.dialogue.turns.sweep())
        await one.parts.dialogue.turns.drain(5)
        await two.parts.dialogue.turns.drain(5)
        assert [row.text for row in one.rows(customer.conversation_id)] == ["第一问", "答：第一问"]


async def test_ending_lets_running_turns_finish(start: Start) -> None:
    rasa = FakeRasa(seconds=0.3)
    async with start(rasa, loops=True) as bridge:
        customer = await bridge.customer()
        asking = asyncio.create_task(customer.say("第一问"))
        while not rasa.asked:  # a busy machine takes its time to log the question
            await asyncio.sleep(0.01)
    with Database(str(bridge.parts.settings.bridge_url)).reading() as session:
        assert len(log_of.messages_after(session, customer.conversation_id, 0)) == 2
    asking.cancel()


# -- databases that are away


async def test_without_the_log_a_question_is_unavailable_and_a_danger_is_answered(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}.db" for name in ("bridge", "workorder")]
    for name, url in zip(("bridge", "workorder"), urls, strict=True):
        upgrade(name, Database(url))
    async with running(settings(*urls)) as bridge:
        customer = await bridge.customer()
        with bridge.parts.bridge.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE messages")
        await _unavailable(bridge, customer)


@pytest.mark.parametrize("url", ["postgresql+psycopg://nobody@127.0.0.1:9/none", "sqlite:////proc/none/bridge.db"])
async def test_with_a_dead_database_too(sqlite_urls: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(settings(*sqlite_urls)) as well:
        customer = await well.customer()
        monkeypatch.setattr("pathlib.Path.mkdir", lambda *_, **__: None)
        async with running(settings(url, url)) as bridge:
            customer.http = bridge.http
            await _unavailable(bridge, customer)
            assert (await bridge.http.get("/readyz")).status_code == 503


async def _unavailable(bridge: Bridge, customer: Any) -> None:
    answer = await customer.post(client_id="a", text="我上个月电费多少")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.json()["detail"] == bridge.parts.wording.problems["unavailable"]
    assert answer.headers["retry-after"] == "2"
    warned = await customer.say(DANGER, "b")
    assert [(one["type"], one["author"], one["seq"]) for one in warned["messages"]] == [("safety", "system", 0)]
    assert "已为您登记" not in warned["messages"][0]["text"]
    assert bridge.figure("dianfu_danger_total", kind="wire") == 1
    assert bridge.rasa.asked == []


async def test_a_danger_does_not_wait_for_a_log_that_hangs(sqlite_urls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.dialogue.DANGER_PATIENCE", 0.2)
    async with running(settings(*sqlite_urls, turn_deadline=0.6)) as bridge:
        customer = await bridge.customer()
        holder = Database(sqlite_urls[0])
        with holder.transaction() as session:
            session.connection()  # now somebody holds the write lock
            began = time.perf_counter()
            warned, asked = await asyncio.gather(
                customer.say(DANGER, "danger"), customer.post(client_id="q", text="在吗")
            )
            assert time.perf_counter() - began < 2
            assert warned["messages"][0]["type"] == "safety"
            assert asked.status_code == 503
        for _ in range(100):
            if len(bridge.rows(customer.conversation_id)) >= 3:
                break
            await asyncio.sleep(0.05)
        again = await customer.say(DANGER, "danger")  # what was late is in the log all the same
        assert ([one["type"] for one in again["messages"]], again["mode"]) == (["safety"], "queued")
        assert "已为您登记" in again["messages"][0]["text"]


URGENT = select(OutboxItem).where(OutboxItem.kind == "urgent_order")


async def test_an_urgent_order_waits_for_its_database_and_is_opened_once(start: Start, tmp_path: Path) -> None:
    clock = SetClock()
    async with start(clock=clock) as bridge:
        customer = await bridge.customer()
        well = bridge.parts.workorder
        object.__setattr__(bridge.parts, "workorder", Database("postgresql+psycopg://nobody@127.0.0.1:9/none"))
        assert (await customer.say(DANGER))["mode"] == "queued"
        for _ in range(3):
            assert deliver_due(bridge.parts) == 0
            clock.ahead += timedelta(minutes=6)
        object.__setattr__(bridge.parts, "workorder", well)
        assert deliver_due(bridge.parts) == 2  # the order, and the time by which somebody answers
        clock.ahead += timedelta(hours=1)
        assert deliver_due(bridge.parts) == 0
        with well.reading() as session:
            [order] = session.scalars(select(WorkOrder)).all()
        assert (order.cause, order.priority, order.kind) == (f"{customer.conversation_id}:1", "urgent", "wire")
        with bridge.parts.bridge.reading() as session:
            item = session.scalars(URGENT).one()
        assert (item.attempts, item.done_at is not None) == (4, True)


async def test_an_order_delivered_but_not_settled_is_not_opened_twice(start: Start) -> None:
    async with start() as bridge:
        customer = await bridge.customer()
        await customer.say(DANGER)
        deliver_due(bridge.parts)
        with bridge.parts.bridge.transaction() as session:
            session.scalars(URGENT).one().done_at = None
        deliver_due(bridge.parts)
        with bridge.parts.workorder.reading() as session:
            assert len(session.scalars(select(WorkOrder)).all()) == 1


async def test_the_loops_survive_whatever_goes_wrong(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.deliveries.PAUSE_SECONDS", 0.02)
    calls: list[int] = []

    def broken(_: Any) -> int:
        calls.append(1)
        raise RuntimeError("a bug")

    monkeypatch.setattr("api.deliveries.deliver_due", broken)
    async with start(loops=True) as bridge:
        for _ in range(200):
            await asyncio.sleep(0.02)
            if len(calls) > 2:
                break
        assert len(calls) > 2
        assert (await (await bridge.customer()).say("在吗"))["messages"][0]["text"] == "答：在吗"
