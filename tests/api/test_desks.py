"""What every desk owes to customers and agents: the built-in one and Chatwoot pass the same tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from bridge_kit import Customer
from desk_drivers import DRIVERS, Driver

from core import conversation as log_of
from core.conversation import Conversation

DANGER = "电线掉在地上了还冒火花"


@pytest.fixture(params=DRIVERS)
async def desk(request: pytest.FixtureRequest, urls: tuple[str, str], tmp_path: Any) -> AsyncIterator[Driver]:
    async with DRIVERS[request.param](urls, upload_dir=tmp_path / "photos") as driver:
        await driver.ready()
        yield driver


async def asked(desk: Driver) -> Customer:
    """Return somebody who has put a question to the bot and then asked for a person."""
    customer = await desk.office.bridge.customer()
    await customer.say("我上个月电费怎么这么高")
    await customer.say("转人工")
    desk.office.clock.on(seconds=1)
    await desk.work()
    return customer


async def served(desk: Driver) -> Customer:
    """Return somebody whose conversation the agent has."""
    customer = await asked(desk)
    await desk.accept(customer)
    return customer


def conversation(desk: Driver, customer: Customer) -> Conversation:
    with desk.office.bridge.parts.bridge.reading() as session:
        return log_of.find_conversation(session, customer.conversation_id)


async def read(customer: Customer, author: str) -> list[str]:
    return [one["text"] for one in (await customer.history())["messages"] if one["author"] == author]


def press(title: str, messages: list[dict[str, Any]]) -> str:
    return next(one["id"] for message in reversed(messages) for one in message["buttons"] if one["title"] == title)


async def test_who_asks_for_a_person_is_shown_to_the_desk_with_all_that_was_said(desk: Driver) -> None:
    customer = await asked(desk)
    assert await desk.waits(customer)
    assert "我上个月电费怎么这么高" in await desk.knows(customer)
    assert (await customer.history())["mode"] == "queued"


async def test_while_somebody_is_there_the_customer_is_told_that_it_takes_a_moment(desk: Driver) -> None:
    customer = await asked(desk)
    told = (await read(customer, "system"))[0]
    assert "排" in told
    assert "没有坐席在线" not in told


async def test_once_an_agent_has_it_the_customer_knows_who_speaks(desk: Driver) -> None:
    customer = await served(desk)
    assert (await customer.history())["mode"] == "human"
    assert "王敏" in (await read(customer, "system"))[-1]


async def test_what_the_agent_says_reaches_the_customer_once_and_in_order(desk: Driver) -> None:
    customer = await served(desk)
    said = ["您好，我来查。", "查到了：12月是157.35元。", "还有别的事吗？"]
    for text in said:
        await desk.says(customer, text)
        await desk.work()
    assert await read(customer, "agent") == said


async def test_what_the_customer_says_reaches_the_agent_once_and_in_order(desk: Driver) -> None:
    customer = await asked(desk)
    said = ["表号我不知道", "是不是你们抄错了", "上上个月才80块"]
    await customer.say(said[0])
    await desk.accept(customer)
    for text in said[1:]:
        await customer.say(text)
    assert await desk.heard(customer) == said
    await desk.work()
    assert await desk.heard(customer) == said


async def test_while_a_person_has_it_the_bot_is_silent(desk: Driver) -> None:
    customer = await served(desk)
    before = len(desk.office.bridge.rasa.asked)
    answer = await customer.say("那我这个月的呢")
    assert (answer["messages"], answer["mode"]) == ([], "human")
    assert len(desk.office.bridge.rasa.asked) == before


async def test_notes_between_agents_do_not_reach_the_customer(desk: Driver) -> None:
    customer = await served(desk)
    await desk.notes(customer, "这位客户上周也来过")
    await desk.work()
    history = await customer.history()
    assert "上周也来过" not in str(history)


async def test_handed_back_the_bot_answers_again_and_says_so(desk: Driver) -> None:
    customer = await served(desk)
    await desk.says(customer, "查好了。")
    await desk.ends(customer)
    history = await customer.history()
    assert history["mode"] == "bot"
    assert desk.office.bridge.parts.book.words.handed_back in [one["text"] for one in history["messages"]]
    desk.office.clock.on(seconds=1)
    answer = await customer.say("怎么交电费")
    assert answer["messages"][0]["author"] == "bot"
    assert not await desk.waits(customer)


async def test_after_the_end_the_bot_is_told_whose_case_it_was(desk: Driver) -> None:
    customer = await served(desk)
    await desk.says(customer, "查好了。")
    await desk.ends(customer)
    note = conversation(desk, customer).note
    assert note is not None
    assert set(note) >= {"done", "open", "promised", "at", "agent", "case"}


async def test_who_leaves_the_queue_has_the_bot_again_and_no_place_at_the_desk(desk: Driver) -> None:
    customer = await asked(desk)
    history = await customer.history()
    left = await customer.press(press("不等了，继续问电小服", history["messages"]))
    assert left["mode"] == "bot"
    await desk.work()
    assert not await desk.waits(customer)
    assert (await customer.say("怎么交电费"))["messages"][0]["author"] == "bot"


async def test_a_message_that_was_left_is_answered_in_the_same_conversation(desk: Driver) -> None:
    customer = await asked(desk)
    await customer.press(press("给坐席留言", (await customer.history())["messages"]))
    await customer.say("我家的电表号想核对一下，明天给我回就行")
    await desk.work()
    assert await desk.waits(customer)
    assert "明天给我回就行" in await desk.knows(customer)
    assert (await customer.history())["mode"] == "bot"
    if desk.name == "builtin":  # Chatwoot's people take it by answering
        await desk.accept(customer)
    await desk.says(customer, "核对好了，没有问题。")
    assert await read(customer, "agent") == ["核对好了，没有问题。"]
    assert (await customer.history())["mode"] == "human"


async def test_the_customer_can_end_the_talk_with_the_person(desk: Driver) -> None:
    customer = await served(desk)
    await desk.says(customer, "查好了。")
    await customer.press(press("结束人工服务", (await customer.history())["messages"]))
    assert conversation(desk, customer).mode == "wrap_up"
    await desk.ends(customer)
    assert conversation(desk, customer).mode == "bot"


async def test_who_writes_again_before_the_end_has_the_person_again(desk: Driver) -> None:
    customer = await served(desk)
    await customer.press(press("结束人工服务", (await customer.history())["messages"]))
    await customer.say("等一下，还有一个问题")
    assert conversation(desk, customer).mode == "human"
    assert "等一下，还有一个问题" in await desk.heard(customer)


async def test_nobody_writes_it_up_and_the_bot_has_it_again_in_time(desk: Driver) -> None:
    customer = await served(desk)
    await customer.press(press("结束人工服务", (await customer.history())["messages"]))
    desk.office.clock.on(minutes=6)
    await desk.work()
    assert (await customer.history())["mode"] == "bot"
    assert not await desk.waits(customer)


async def test_a_danger_goes_to_the_head_and_warns_whoever_has_it(desk: Driver) -> None:
    customer = await served(desk)
    answer = await customer.say(DANGER)
    assert [one["type"] for one in answer["messages"]] == ["safety"]
    assert DANGER in await desk.heard(customer)
    assert "119" in await desk.knows(customer)


async def test_the_question_for_satisfaction_is_put_once_after_the_end(desk: Driver) -> None:
    customer = await served(desk)
    await desk.says(customer, "查好了，这个月的账没有问题。")
    await desk.ends(customer)
    for _ in range(3):
        desk.office.clock.on(minutes=2, seconds=5)
        await desk.work()
    history = (await customer.history())["messages"]
    assert [one["type"] for one in history].count("survey") == 1


async def test_a_customer_who_says_nothing_is_asked_and_then_let_go(desk: Driver) -> None:
    customer = await served(desk)
    await desk.says(customer, "请问户号是多少？")
    desk.office.clock.on(minutes=10, seconds=1)
    await desk.work()
    assert "您还在吗" in (await read(customer, "system"))[-1]
    desk.office.clock.on(minutes=5, seconds=1)
    await desk.work()
    assert conversation(desk, customer).mode == "wrap_up"


async def test_who_waits_for_an_agent_s_words_hears_that_it_takes_longer(desk: Driver) -> None:
    customer = await served(desk)
    await customer.say("人呢")
    for _ in range(4):
        desk.office.clock.on(minutes=2)
        await desk.work()
    told = await read(customer, "system")
    assert told.count(desk.office.bridge.parts.book.words.agent_late) == 1


async def test_a_second_case_of_the_same_conversation_is_a_case_of_its_own(desk: Driver) -> None:
    customer = await served(desk)
    await desk.says(customer, "查好了。")
    await desk.ends(customer)
    desk.office.clock.on(minutes=1)
    await customer.say("转人工")
    await desk.work()
    assert await desk.waits(customer)
    await desk.accept(customer)
    await desk.says(customer, "您好，又见面了。")
    assert await read(customer, "agent") == ["查好了。", "您好，又见面了。"]


async def test_personal_data_is_masked_before_an_agent_reads_it(desk: Driver) -> None:
    customer = await asked(desk)
    await customer.say("打我手机13871234567，我叫欧阳建国，住江城区民主路12号3栋502室")
    await desk.accept(customer)
    shown = await desk.knows(customer)
    assert "打我手机" in shown
    assert "13871234567" not in shown
    assert "502" not in shown
