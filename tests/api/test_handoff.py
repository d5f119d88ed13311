"""Customers on their way to a person and with one: what they read, what goes to Rasa."""

from __future__ import annotations

from typing import Any

from bridge_kit import Bridge, running, settings
from handoff_cases_kit import at_hour, bridge, button, case_of, place_of, room_of, taken, texts
from test_stream import Served, _next, served

from api.rasa import BotTurn
from core.conversation import Draft
from core.handoff import life

__all__ = ["bridge", "served"]  # fixtures


# -- into the queue


async def test_one_message_tells_place_wait_and_what_was_understood(bridge: Bridge) -> None:
    busy = room_of(bridge).agent(capacity=1)
    room_of(bridge).taken(busy)
    room_of(bridge).request()
    form = {"business": "transfer", "title": "过户", "values": {"新户主": "陈先生"}, "missing": ["联系电话"]}
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "好"),), {"intent": "apply_transfer", "form": form})
    customer = await bridge.customer()
    await customer.say("我想过户")
    [notice] = (await customer.say("转人工"))["messages"]
    assert "您前面还有 1 位，大约要等 " in notice["text"]
    lines = notice["text"].splitlines()
    assert lines[-4:] == ["您想办的：过户", "您说的：新户主 陈先生", "还缺：联系电话", "哪里不对，直接说就行。"]
    assert [one["title"] for one in notice["buttons"]] == ["给坐席留言", "不等了，继续问电小服"]
    assert case_of(bridge, customer).summary["wish"] == "过户"
    found = await place_of(customer)
    assert (found["mode"], found["place"], found["on_duty"]) == ("queued", 2, True)
    assert found["text"] in notice["text"]


async def test_outside_the_queue_there_is_no_place(bridge: Bridge) -> None:
    found = await place_of(await bridge.customer())
    assert found == {"mode": "bot", "place": None, "expected_wait_seconds": None, "on_duty": False, "text": ""}


async def test_with_nobody_on_duty_the_truth_is_told_with_a_time(bridge: Bridge) -> None:
    customer = await bridge.customer()
    [notice] = (await customer.say("转人工"))["messages"]
    assert "现在没有坐席在线" in notice["text"]
    assert "今天12:00前有人回复" in notice["text"]
    assert "95598" in notice["text"]
    assert (await place_of(customer))["expected_wait_seconds"] is None
    promised = [event.kind for event in room_of(bridge).events(case_of(bridge, customer))]
    assert promised == ["requested", "promised"]


async def test_out_of_hours_the_promise_is_in_working_time(sqlite_urls: Any) -> None:
    async with running(settings(*sqlite_urls), clock=at_hour(22)) as bridge:
        [notice] = (await (await bridge.customer()).say("转人工"))["messages"]
        assert "不是人工服务时间" in notice["text"]
        assert "明天10:00前" in notice["text"] or "明天11:00前" in notice["text"]


async def test_asking_again_in_the_queue_tells_the_place(bridge: Bridge) -> None:
    room_of(bridge).agent()
    customer = await bridge.customer()
    await customer.say("转人工")
    assert texts(await customer.say("转人工")) == ["您排在第 1 位，坐席马上接待您。着急请拨打 24 小时热线 95598。"]


async def test_a_message_for_the_agents_is_asked_for_taken_and_answered_later(bridge: Bridge) -> None:
    customer = await bridge.customer()
    queued = await customer.say("转人工")
    asked = await customer.press(button(queued, "给坐席留言"))
    assert (asked["mode"], "写在下面" in asked["messages"][0]["text"]) == ("bot", True)
    taken = await customer.say("我家电表箱门坏了，请派人修")
    assert texts(taken)[0].startswith("已记下")
    assert bridge.rasa.asked == []
    assert texts(await customer.say("上月电费多少")) == ["答：上月电费多少"]  # the bot answers all else
    case = case_of(bridge, customer)
    assert (case.left_message, case.due_at is not None) == (True, True)
    agent = room_of(bridge).agent("小李")
    room_of(bridge).claim(case, agent)
    history = await customer.history()
    assert (history["mode"], "小李" in history["messages"][-1]["text"]) == ("human", True)


async def test_what_was_written_in_the_queue_is_the_message_already(bridge: Bridge) -> None:
    customer = await bridge.customer()
    queued = await customer.say("转人工")
    await customer.say("我家电表箱门坏了")
    answer = await customer.press(button(queued, "给坐席留言"))
    assert texts(answer)[0].startswith("好的，不用排队了。您刚才说的已作为留言")
    assert texts(await customer.say("上月电费多少")) == ["答：上月电费多少"]


async def test_the_button_for_a_message_works_also_after_the_queue_was_left(bridge: Bridge) -> None:
    customer = await bridge.customer()
    queued = await customer.say("转人工")
    await customer.say("算了不等了")
    answer = await customer.press(button(queued, "给坐席留言"))
    assert (answer["mode"], "写在下面" in texts(answer)[0]) == ("bot", True)
    assert case_of(bridge, customer).left_message


async def test_customers_see_neither_offers_nor_the_writing_up(bridge: Bridge) -> None:
    room, customer = room_of(bridge), await bridge.customer()
    agent = room.agent()
    await customer.say("转人工")
    case = case_of(bridge, customer)
    room_of(bridge).offer(case, agent)
    assert (await customer.history())["mode"] == "queued"
    room_of(bridge).claim(case, agent)
    room_of(bridge).call(life.finish, case.conversation_id, agent_id=agent)
    assert (await customer.history())["mode"] == "human"
    assert (await customer.say("好的谢谢"))["mode"] == "human"
    assert room_of(bridge).mode(case) == "wrap_up"


# -- with a person


async def test_an_agents_words_are_shown_with_the_name_and_no_key_of_ours(bridge: Bridge) -> None:
    customer = await bridge.customer()
    agent, case = await taken(bridge, customer)
    room_of(bridge).replies(case, agent, "您好，请讲", "secret-key")
    said = (await customer.history())["messages"][-1]
    assert (said["author"], said["text"], said["client_id"]) == ("agent", "您好，请讲", None)
    assert said["agent"]["name"].startswith("小王 ")


async def test_the_customer_ends_the_talk_by_the_button(bridge: Bridge) -> None:
    customer = await bridge.customer()
    _, case = await taken(bridge, customer)
    line = (await customer.history())["messages"][-1]
    answer = await customer.press(line["buttons"][0]["id"])
    assert texts(answer) == [bridge.parts.book.words.ended_by_customer]
    assert room_of(bridge).mode(case) == "wrap_up"
    assert [event.data.get("by") for event in room_of(bridge).events(case)][-1] == "customer"


async def test_old_buttons_of_the_bot_are_for_the_person_too(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "要看哪个月", buttons=(("十月", "/query_bill"),)),))
    customer = await bridge.customer()
    menu = await customer.say("电费")
    await taken(bridge, customer)
    bridge.rasa.asked.clear()
    answer = await customer.press(button(menu, "十月"))
    assert (answer["messages"], answer["mode"], bridge.rasa.asked) == ([], "human", [])


async def test_a_form_that_the_agent_sends_runs_and_the_rest_is_for_the_agent(bridge: Bridge) -> None:
    customer = await bridge.customer()
    agent, case = await taken(bridge, customer)
    room = room_of(bridge)
    room.write(lambda session: life.agent_said(
        session, case.conversation_id, agent_id=agent, client_id="f", book=bridge.parts.book, now=bridge.clock(),
        draft=Draft("agent", "请填一下", buttons=(("填表", '/inform{"start": "transfer"}'),)),
    ))  # fmt: skip
    form = {"business": "transfer", "title": "过户", "values": {}, "missing": ["姓名"]}
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "新户主叫什么名字？"),), {"intent": "inform", "form": form})
    line = (await customer.history())["messages"][-1]
    started = await customer.press(line["buttons"][0]["id"])
    assert (texts(started), started["mode"]) == (["新户主叫什么名字？"], "human")
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "登记好了"),), {"intent": "inform", "form": None})
    assert texts(await customer.say("陈思雨")) == ["登记好了"]
    assert (await customer.say("好了吗"))["messages"] == []  # the form is done: this is for the person
    assert [one["text"] for one in bridge.rasa.asked] == ['/inform{"start": "transfer"}', "陈思雨"]
    assert room_of(bridge).mode(case) == "human"


async def test_when_the_agent_speaks_during_a_form_the_answer_is_for_the_agent(bridge: Bridge) -> None:
    customer = await bridge.customer()
    agent, case = await taken(bridge, customer)
    room_of(bridge).write(lambda session: life.agent_said(
        session, case.conversation_id, agent_id=agent, client_id="f", book=bridge.parts.book, now=bridge.clock(),
        draft=Draft("agent", "请填一下", buttons=(("填表", '/inform{"start": "transfer"}'),)),
    ))  # fmt: skip
    form = {"business": "transfer", "title": "过户", "values": {}, "missing": ["姓名"]}
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "叫什么名字？"),), {"intent": "inform", "form": form})
    await customer.press((await customer.history())["messages"][-1]["buttons"][0]["id"])
    room_of(bridge).replies(case, agent, "您先别急，我问您个事")
    asked = len(bridge.rasa.asked)
    assert (await customer.say("您说"))["messages"] == []
    assert len(bridge.rasa.asked) == asked


async def test_every_word_to_a_person_is_in_the_cases_log(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("转人工")
    await customer.say("在排队时说的")
    case = case_of(bridge, customer)
    room_of(bridge).claim(case, room_of(bridge).agent())
    await customer.say("对坐席说的")
    seqs = [event.data["seq"] for event in room_of(bridge).events(case) if event.kind == "customer_wrote"]
    texts = {row.seq: row.text for row in bridge.rows(customer.conversation_id)}
    assert [texts[seq] for seq in seqs] == ["在排队时说的", "对坐席说的"]


# -- over the stream


async def test_the_stream_tells_place_and_typing_and_forgets_the_place_with_the_queue(served: Served) -> None:
    bridge, customer = served.bridge, served.customer
    async with served.stream() as one:
        await customer.say("转人工")
        frame = await _next(one, "queue")
        assert (frame["place"], frame["expected_wait_seconds"], frame["on_duty"]) == (1, None, False)
        agent = room_of(bridge).agent()
        frame = await _next(one, "queue")
        assert (frame["expected_wait_seconds"], frame["text"]) == (0, "您排在第 1 位，坐席马上接待您。")
        bridge.parts.bus.publish(customer.conversation_id, {"kind": "typing", "author": "agent", "on": True})
        assert (await _next(one, "typing"))["author"] == "agent"
        room_of(bridge).claim(case_of(bridge, customer), agent)
        bridge.parts.bus.publish(customer.conversation_id)
        assert (await _next(one, "mode"))["mode"] == "human"
