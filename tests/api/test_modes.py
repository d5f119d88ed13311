from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bridge_kit import Bridge, Customer, customer_token
from sqlalchemy import select

from api.deliveries import deliver_due
from api.rasa import BotTurn
from core import conversation as log_of
from core.conversation import Conversation, Draft
from core.handoff import life
from core.outbox import OutboxItem
from core.work_order import WorkOrder

DANGER = "电线掉在地上了还冒火花"
WAYS = {
    "bot": (), "queued": ("ask_person",), "offered": ("ask_person", "offer"), "human": ("ask_person", "claim"),
    "wrap_up": ("ask_person", "claim", "finish"), "closed": ("close",),
}  # fmt: skip


def _conversation(bridge: Bridge, customer: Customer) -> Conversation:
    with bridge.parts.bridge.reading() as session:
        return log_of.find_conversation(session, customer.conversation_id)


def _change(bridge: Bridge, customer: Customer, *causes: str) -> None:
    with bridge.parts.bridge.transaction() as session:
        conversation = log_of.find_conversation(session, customer.conversation_id, lock=True)
        for cause in causes:
            log_of.change_mode(conversation, cause, now=bridge.clock())


def _orders(bridge: Bridge, customer: Customer) -> list[OutboxItem]:
    with bridge.parts.bridge.reading() as session:
        query = select(OutboxItem).where(OutboxItem.key.startswith(customer.conversation_id))
        return list(session.scalars(query))


@pytest.mark.parametrize("mode", WAYS)
async def test_a_danger_is_answered_at_once_in_every_mode(bridge: Bridge, mode: str) -> None:
    customer = await bridge.customer(customer_token())
    _change(bridge, customer, *WAYS[mode])
    answer = await customer.say(DANGER)
    [warning] = answer["messages"]
    assert (warning["type"], warning["author"]) == ("safety", "system")
    assert "119" in warning["text"]
    found = _conversation(bridge, customer)
    after = mode if mode in ("offered", "human", "wrap_up") else "queued"
    assert (found.mode, found.priority) == (after, log_of.PRIORITY_DANGER)
    [order] = _orders(bridge, customer)
    assert order.payload == {
        "category": "故障报修→紧急→断线落地", "kind": "wire", "description": DANGER, "account_no": "4201234567890",
        "conversation_id": customer.conversation_id, "customer_no": "C0000001",
    }  # fmt: skip
    assert bridge.rasa.asked == []


async def test_a_danger_told_twice_with_one_id_is_one_order(bridge: Bridge) -> None:
    customer = await bridge.customer()
    first = await customer.say(DANGER, "same")
    assert await customer.say(DANGER, "same") == first
    assert len(_orders(bridge, customer)) == 1


async def test_a_danger_does_not_wait_for_the_question_before_it(bridge: Bridge) -> None:
    customer = await bridge.customer()
    bridge.rasa.gate = asyncio.Event()
    asking = asyncio.create_task(customer.say("我上个月电费多少"))
    while not bridge.rasa.asked:
        await asyncio.sleep(0.01)
    assert (await customer.say(DANGER))["messages"][0]["type"] == "safety"
    bridge.rasa.gate.set()
    late = await asking
    assert (late["messages"], late["mode"]) == ([], "queued")


async def test_a_danger_that_only_the_model_understands_raises_the_same_alarm(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((), {"intent": "report_danger"}, handoff="danger")
    customer = await bridge.customer(customer_token(accounts=("1", "2")))
    answer = await customer.say("墙里面噼噼啪啪的我有点怕")
    [warning] = answer["messages"]
    assert (warning["type"], answer["mode"]) == ("safety", "queued")
    assert "离开电线" in warning["text"]
    assert "已为您登记紧急工单" in warning["text"]
    found = _conversation(bridge, customer)
    assert (found.priority, found.mode_reason) == (log_of.PRIORITY_DANGER, "danger")
    [order] = _orders(bridge, customer)
    assert (order.payload["kind"], order.payload["category"]) == ("other", "故障报修→紧急→其他险情")
    assert order.payload["account_no"] is None
    assert bridge.figure("dianfu_danger_total", kind="other") == 1
    assert deliver_due(bridge.parts) >= 1
    with bridge.parts.workorder.reading() as session:
        query = select(WorkOrder).where(WorkOrder.cause == f"{customer.conversation_id}:1")
        assert session.scalars(query).one().priority == "urgent"


async def test_a_danger_understood_late_raises_the_alarm_although_a_person_has_taken_over(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "别碰"),), handoff="danger")
    bridge.rasa.gate = asyncio.Event()
    customer = await bridge.customer()
    asking = asyncio.create_task(customer.say("墙里面噼噼啪啪的我有点怕"))
    while not bridge.rasa.asked:
        await asyncio.sleep(0.01)
    _change(bridge, customer, "ask_person", "claim")
    bridge.rasa.gate.set()
    answer = await asking
    assert ([one["type"] for one in answer["messages"]], answer["mode"]) == (["safety"], "human")
    assert len(_orders(bridge, customer)) == 1


@pytest.mark.parametrize("words", ["转人工", " 转人工！", "人工。", "０", "真人客服", "转\u200b人工", "我要人工？"])
async def test_the_plain_words_for_a_person_need_no_model(bridge: Bridge, words: str) -> None:
    customer = await bridge.customer()
    answer = await customer.say(words)
    [notice] = answer["messages"]
    assert (answer["mode"], notice["type"]) == ("queued", "notice")
    assert notice["text"].startswith(bridge.parts.book.words.queue.queued)
    assert "95598" in notice["text"]
    assert bridge.rasa.asked == []
    assert bridge.figure("dianfu_handoffs_total", reason="asked") == 1


async def test_a_person_can_be_had_while_rasa_hangs(bridge: Bridge) -> None:
    customer = await bridge.customer()
    bridge.rasa.gate = asyncio.Event()
    asking = asyncio.create_task(customer.say("我上个月电费多少"))
    while not bridge.rasa.asked:
        await asyncio.sleep(0.01)
    assert (await customer.say("转人工"))["mode"] == "queued"
    bridge.rasa.gate.set()
    assert (await asking)["messages"] == []


async def test_rasa_may_hand_over_and_its_words_come_first(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "这个我办不了"),), handoff="asked")
    answer = await (await bridge.customer()).say("你们这电表我看是有问题")
    said, queued = (one["text"] for one in answer["messages"])
    assert (said, queued.startswith(bridge.parts.book.words.queue.queued)) == ("这个我办不了", True)
    assert answer["mode"] == "queued"


async def test_the_button_of_the_apology_hands_over(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: 1 / 0
    customer = await bridge.customer()
    _, handoff = (await customer.say("电费"))["messages"][0]["buttons"]
    assert (await customer.press(handoff["id"]))["mode"] == "queued"


async def test_in_the_queue_messages_are_kept_noted_and_not_put_to_rasa(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("转人工")
    answer = await customer.say("我的电表转得太快")
    assert [one["author"] for one in answer["messages"]] == ["system"]
    assert bridge.rows(customer.conversation_id)[2].text == "我的电表转得太快"
    assert bridge.rasa.asked == []


async def test_who_writes_while_nobody_is_there_is_told_so_and_until_when_somebody_answers(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("转人工")
    first, second = [(await customer.say(text))["messages"] for text in ("有人没", "喂")]
    words = bridge.parts.book.words.queue
    assert first[0]["text"].startswith(words.noted)
    assert "前有人回复" in first[0]["text"]
    assert second[0]["text"] == bridge.parts.wording.queued_note  # the same again and again would help nobody


async def test_the_queue_can_be_left_and_the_bot_answers_again(bridge: Bridge) -> None:
    customer = await bridge.customer()
    leave = (await customer.say("转人工"))["messages"][0]["buttons"][-1]
    left = await customer.press(leave["id"])
    assert (left["mode"], left["messages"][0]["text"]) == ("bot", bridge.parts.wording.left_queue)
    assert (await customer.say("电费"))["messages"][0]["author"] == "bot"
    assert len((await customer.press(leave["id"]))["messages"]) == 1  # pressed again, it is no silence


@pytest.mark.parametrize(
    "text", ["等不起，不排了，还是问你", "算了不等了", "莫等哒", "不要人工了", "没空等，我直接问你", "不想等了！"]
)
async def test_the_queue_can_be_left_in_words(bridge: Bridge, text: str) -> None:
    customer = await bridge.customer()
    await customer.say("转人工")
    left = await customer.say(text)
    assert (left["mode"], left["messages"][0]["text"]) == ("bot", bridge.parts.wording.left_queue)
    assert bridge.rasa.asked == []


@pytest.mark.parametrize(
    "text",
    ["等不及了快来人", "还要等多久", "不等了，你们马上派人", "电表不走了", "我家孩子等不到电", "你们是不是不用排队"],
)
async def test_who_only_presses_for_speed_stays_in_the_queue(bridge: Bridge, text: str) -> None:
    customer = await bridge.customer()
    await customer.say("转人工")
    answer = await customer.say(text)
    assert answer["mode"] == "queued"
    assert answer["messages"][0]["text"] != bridge.parts.wording.left_queue


async def test_words_do_not_leave_the_queue_while_a_danger_waits(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say(DANGER)
    answer = await customer.say("不等了")
    assert (answer["mode"], answer["messages"][0]["text"]) == ("queued", bridge.parts.wording.queued_danger_unplaced)


async def test_who_leaves_the_queue_after_a_danger_is_no_longer_at_its_head(bridge: Bridge) -> None:
    customer = await bridge.customer()
    leave = (await customer.say("转人工"))["messages"][0]["buttons"][-1]
    await customer.say(DANGER)
    note = (await customer.say("在中山大道"))["messages"][0]
    assert (note["text"], note["buttons"]) == (bridge.parts.wording.queued_danger_note, [])
    await customer.press(leave["id"])
    assert _conversation(bridge, customer).priority == log_of.PRIORITY_NORMAL


async def test_while_a_person_has_the_conversation_nobody_else_speaks(bridge: Bridge) -> None:
    customer = await bridge.customer()
    leave = (await customer.say("转人工"))["messages"][0]["buttons"][-1]
    _change(bridge, customer, "claim")
    for answer in (await customer.say("您好"), await customer.say("转人工"), await customer.press(leave["id"])):
        assert (answer["messages"], answer["mode"], answer["pending"]) == ([], "human", False)
    assert bridge.rasa.asked == []


async def test_an_answer_is_dropped_when_a_person_took_over_meanwhile(bridge: Bridge) -> None:
    customer = await bridge.customer()
    bridge.rasa.gate = asyncio.Event()
    asking = asyncio.create_task(customer.say("我上个月电费多少"))
    while not bridge.rasa.asked:
        await asyncio.sleep(0.01)
    _change(bridge, customer, "ask_person", "claim")
    bridge.rasa.gate.set()
    assert (await asking)["messages"] == []
    assert [row.turn for row in bridge.rows(customer.conversation_id)] == ["done"]


async def test_an_answer_is_dropped_though_the_person_has_given_the_conversation_back_already(bridge: Bridge) -> None:
    customer = await bridge.customer()
    bridge.rasa.gate = asyncio.Event()
    asking = asyncio.create_task(customer.say("我上个月电费多少"))
    while not bridge.rasa.asked:
        await asyncio.sleep(0.01)
    book, who = bridge.parts.book, customer.conversation_id
    with bridge.parts.bridge.transaction() as session:
        now = bridge.clock()
        case = life.request(session, who, reason="asked", book=book, now=now)
        life.claim(session, case.id, 0, book=book, now=now, name="李霞")
        life.wrap_up(session, who, life.WrapUp(outcome="solved"), agent_id=0, book=book, now=now)
    bridge.rasa.gate.set()
    answer = await asking
    assert (answer["messages"], answer["mode"]) == ([], "bot")


async def test_the_button_that_ends_a_talk_does_not_wake_an_agent_who_is_writing_it_up(bridge: Bridge) -> None:
    customer = await bridge.customer()
    book, who = bridge.parts.book, customer.conversation_id
    with bridge.parts.bridge.transaction() as session:
        now = bridge.clock()
        case = life.request(session, who, reason="asked", book=book, now=now)
        life.claim(session, case.id, 0, book=book, now=now, name="李霞")
        life.finish(session, who, agent_id=0, book=book, now=now)
    end = next(one for row in (await customer.history())["messages"] for one in row["buttons"])
    answer = await customer.press(end["id"])
    assert [one["text"] for one in answer["messages"]] == [book.words.ended_by_customer]
    assert _conversation(bridge, customer).mode == "wrap_up"


async def test_a_closed_conversation_takes_no_more_but_still_shows_itself(bridge: Bridge) -> None:
    customer = await bridge.customer()
    first = await customer.say("在吗", "a")
    _change(bridge, customer, "close")
    answer = await customer.post(client_id="b", text="还在吗")
    assert (answer.status_code, answer.json()["code"]) == (409, "closed")
    assert (await customer.say("在吗", "a"))["messages"] == first["messages"]
    assert (await customer.history())["mode"] == "closed"


@pytest.mark.parametrize("shape", ["unless", "figure"])
async def test_a_question_about_safety_is_no_alarm(bridge: Bridge, shape: str) -> None:
    said: dict[str, Any] = {"unless": "怎么预防触电", "figure": "这电费看得我头上冒火"}
    customer = await bridge.customer()
    assert (await customer.say(said[shape]))["mode"] == "bot"
    assert _orders(bridge, customer) == []
