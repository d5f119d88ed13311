"""Customers on their way to a person, with one, and back: what they read, what goes to Rasa, what the desk does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from bridge_kit import Bridge, Customer, FakeRasa, SetClock, customer_token, running, settings
from handoff_kit import DeskRoom, empty
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from test_stream import Served, _next, served

from api import dispatch
from api.dispatch import dispatch_once
from api.rasa import BotTurn, RasaFailed
from core import conversation as log_of
from core.clock import SHANGHAI, system_clock
from core.conversation import CONFIRM, Draft
from core.handoff import life, routing
from core.handoff.ending import WrapUp
from core.handoff.tables import Handoff
from core.work_order import WorkOrder

__all__ = ["served"]  # a fixture


def _at(hour: int) -> SetClock:
    """Return a clock that goes on from this hour of tomorrow, whatever the time is where the tests run."""
    clock, now = SetClock(), system_clock()
    clock.ahead = (now + timedelta(days=1)).replace(hour=hour, minute=0, second=0) - now
    return clock


@pytest.fixture
async def bridge(shared_urls: Any) -> AsyncIterator[Bridge]:
    """A bridge in the morning over the module's databases, without cases or agents; nothing runs by itself."""
    async with running(settings(*shared_urls), clock=_at(10)) as one:
        empty(one.parts.bridge)
        yield one


def _room(bridge: Bridge) -> DeskRoom:
    return DeskRoom(bridge.parts.bridge, bridge.clock())


def _case(bridge: Bridge, customer: Customer) -> Handoff:
    with bridge.parts.bridge.reading() as session:
        query = select(Handoff).where(Handoff.conversation_id == customer.conversation_id)
        return session.scalars(query.order_by(Handoff.id.desc())).first()  # type: ignore[return-value] - there is one


async def _taken(bridge: Bridge, customer: Customer) -> tuple[int, Handoff]:
    """Let an agent have the conversation."""
    agent = _room(bridge).agent("小王")
    await customer.say("转人工")
    case = _case(bridge, customer)
    _room(bridge).claim(case, agent)
    return agent, case


def _texts(answer: dict[str, Any]) -> list[str]:
    return [one["text"] for one in answer["messages"]]


def _button(answer: dict[str, Any], title: str) -> str:
    return next(one["id"] for row in answer["messages"] for one in row["buttons"] if one["title"] == title)


async def _queue(customer: Customer) -> dict[str, Any]:
    answer = await customer.http.get("/v1/queue", headers=customer.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# -- into the queue


async def test_one_message_tells_place_wait_and_what_was_understood(bridge: Bridge) -> None:
    busy = _room(bridge).agent(capacity=1)
    _room(bridge).taken(busy)
    _room(bridge).request()
    form = {"business": "transfer", "title": "过户", "values": {"新户主": "陈先生"}, "missing": ["联系电话"]}
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "好"),), {"intent": "apply_transfer", "form": form})
    customer = await bridge.customer()
    await customer.say("我想过户")
    [notice] = (await customer.say("转人工"))["messages"]
    assert "您前面还有 1 位，大约要等 " in notice["text"]
    lines = notice["text"].splitlines()
    assert lines[-4:] == ["您想办的：过户", "您说的：新户主 陈先生", "还缺：联系电话", "哪里不对，直接说就行。"]
    assert [one["title"] for one in notice["buttons"]] == ["给坐席留言", "不等了，继续问电小服"]
    assert _case(bridge, customer).summary["wish"] == "过户"
    found = await _queue(customer)
    assert (found["mode"], found["place"], found["on_duty"]) == ("queued", 2, True)
    assert found["text"] in notice["text"]


async def test_outside_the_queue_there_is_no_place(bridge: Bridge) -> None:
    found = await _queue(await bridge.customer())
    assert found == {"mode": "bot", "place": None, "expected_wait_seconds": None, "on_duty": False, "text": ""}


async def test_with_nobody_on_duty_the_truth_is_told_with_a_time(bridge: Bridge) -> None:
    customer = await bridge.customer()
    [notice] = (await customer.say("转人工"))["messages"]
    assert "现在没有坐席在线" in notice["text"]
    assert "今天12:00前有人回复" in notice["text"]
    assert "95598" in notice["text"]
    assert (await _queue(customer))["expected_wait_seconds"] is None
    promised = [event.kind for event in _room(bridge).events(_case(bridge, customer))]
    assert promised == ["requested", "promised"]


async def test_out_of_hours_the_promise_is_in_working_time(sqlite_urls: Any) -> None:
    async with running(settings(*sqlite_urls), clock=_at(22)) as bridge:
        [notice] = (await (await bridge.customer()).say("转人工"))["messages"]
        assert "不是人工服务时间" in notice["text"]
        assert "明天10:00前" in notice["text"] or "明天11:00前" in notice["text"]


async def test_asking_again_in_the_queue_tells_the_place(bridge: Bridge) -> None:
    _room(bridge).agent()
    customer = await bridge.customer()
    await customer.say("转人工")
    assert _texts(await customer.say("转人工")) == ["您排在第 1 位，坐席马上接待您。着急请拨打 24 小时热线 95598。"]


async def test_a_message_for_the_agents_is_asked_for_taken_and_answered_later(bridge: Bridge) -> None:
    customer = await bridge.customer()
    queued = await customer.say("转人工")
    asked = await customer.press(_button(queued, "给坐席留言"))
    assert (asked["mode"], "写在下面" in asked["messages"][0]["text"]) == ("bot", True)
    taken = await customer.say("我家电表箱门坏了，请派人修")
    assert _texts(taken)[0].startswith("已记下")
    assert bridge.rasa.asked == []
    assert _texts(await customer.say("上月电费多少")) == ["答：上月电费多少"]  # the bot answers all else
    case = _case(bridge, customer)
    assert (case.left_message, case.due_at is not None) == (True, True)
    agent = _room(bridge).agent("小李")
    _room(bridge).claim(case, agent)
    history = await customer.history()
    assert (history["mode"], "小李" in history["messages"][-1]["text"]) == ("human", True)


async def test_what_was_written_in_the_queue_is_the_message_already(bridge: Bridge) -> None:
    customer = await bridge.customer()
    queued = await customer.say("转人工")
    await customer.say("我家电表箱门坏了")
    answer = await customer.press(_button(queued, "给坐席留言"))
    assert _texts(answer)[0].startswith("好的，不用排队了。您刚才说的已作为留言")
    assert _texts(await customer.say("上月电费多少")) == ["答：上月电费多少"]


async def test_the_button_for_a_message_works_also_after_the_queue_was_left(bridge: Bridge) -> None:
    customer = await bridge.customer()
    queued = await customer.say("转人工")
    await customer.say("算了不等了")
    answer = await customer.press(_button(queued, "给坐席留言"))
    assert (answer["mode"], "写在下面" in _texts(answer)[0]) == ("bot", True)
    assert _case(bridge, customer).left_message


async def test_customers_see_neither_offers_nor_the_writing_up(bridge: Bridge) -> None:
    room, customer = _room(bridge), await bridge.customer()
    agent = room.agent()
    await customer.say("转人工")
    case = _case(bridge, customer)
    _room(bridge).offer(case, agent)
    assert (await customer.history())["mode"] == "queued"
    _room(bridge).claim(case, agent)
    _room(bridge).call(life.finish, case.conversation_id, agent_id=agent)
    assert (await customer.history())["mode"] == "human"
    assert (await customer.say("好的谢谢"))["mode"] == "human"
    assert _room(bridge).mode(case) == "wrap_up"


# -- with a person


async def test_an_agents_words_are_shown_with_the_name_and_no_key_of_ours(bridge: Bridge) -> None:
    customer = await bridge.customer()
    agent, case = await _taken(bridge, customer)
    _room(bridge).replies(case, agent, "您好，请讲", "secret-key")
    said = (await customer.history())["messages"][-1]
    assert (said["author"], said["text"], said["client_id"]) == ("agent", "您好，请讲", None)
    assert said["agent"]["name"].startswith("小王 ")


async def test_the_customer_ends_the_talk_by_the_button(bridge: Bridge) -> None:
    customer = await bridge.customer()
    _, case = await _taken(bridge, customer)
    line = (await customer.history())["messages"][-1]
    answer = await customer.press(line["buttons"][0]["id"])
    assert _texts(answer) == [bridge.parts.book.words.ended_by_customer]
    assert _room(bridge).mode(case) == "wrap_up"
    assert [event.data.get("by") for event in _room(bridge).events(case)][-1] == "customer"


async def test_old_buttons_of_the_bot_are_for_the_person_too(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "要看哪个月", buttons=(("十月", "/query_bill"),)),))
    customer = await bridge.customer()
    menu = await customer.say("电费")
    await _taken(bridge, customer)
    bridge.rasa.asked.clear()
    answer = await customer.press(_button(menu, "十月"))
    assert (answer["messages"], answer["mode"], bridge.rasa.asked) == ([], "human", [])


async def test_a_form_that_the_agent_sends_runs_and_the_rest_is_for_the_agent(bridge: Bridge) -> None:
    customer = await bridge.customer()
    agent, case = await _taken(bridge, customer)
    room = _room(bridge)
    room.write(lambda session: life.agent_said(
        session, case.conversation_id, agent_id=agent, client_id="f", book=bridge.parts.book, now=bridge.clock(),
        draft=Draft("agent", "请填一下", buttons=(("填表", '/inform{"start": "transfer"}'),)),
    ))  # fmt: skip
    form = {"business": "transfer", "title": "过户", "values": {}, "missing": ["姓名"]}
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "新户主叫什么名字？"),), {"intent": "inform", "form": form})
    line = (await customer.history())["messages"][-1]
    started = await customer.press(line["buttons"][0]["id"])
    assert (_texts(started), started["mode"]) == (["新户主叫什么名字？"], "human")
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "登记好了"),), {"intent": "inform", "form": None})
    assert _texts(await customer.say("陈思雨")) == ["登记好了"]
    assert (await customer.say("好了吗"))["messages"] == []  # the form is done: this is for the person
    assert [one["text"] for one in bridge.rasa.asked] == ['/inform{"start": "transfer"}', "陈思雨"]
    assert _room(bridge).mode(case) == "human"


async def test_when_the_agent_speaks_during_a_form_the_answer_is_for_the_agent(bridge: Bridge) -> None:
    customer = await bridge.customer()
    agent, case = await _taken(bridge, customer)
    _room(bridge).write(lambda session: life.agent_said(
        session, case.conversation_id, agent_id=agent, client_id="f", book=bridge.parts.book, now=bridge.clock(),
        draft=Draft("agent", "请填一下", buttons=(("填表", '/inform{"start": "transfer"}'),)),
    ))  # fmt: skip
    form = {"business": "transfer", "title": "过户", "values": {}, "missing": ["姓名"]}
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "叫什么名字？"),), {"intent": "inform", "form": form})
    await customer.press((await customer.history())["messages"][-1]["buttons"][0]["id"])
    _room(bridge).replies(case, agent, "您先别急，我问您个事")
    asked = len(bridge.rasa.asked)
    assert (await customer.say("您说"))["messages"] == []
    assert len(bridge.rasa.asked) == asked


async def test_every_word_to_a_person_is_in_the_cases_log(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("转人工")
    await customer.say("在排队时说的")
    case = _case(bridge, customer)
    _room(bridge).claim(case, _room(bridge).agent())
    await customer.say("对坐席说的")
    seqs = [event.data["seq"] for event in _room(bridge).events(case) if event.kind == "customer_wrote"]
    texts = {row.seq: row.text for row in bridge.rows(customer.conversation_id)}
    assert [texts[seq] for seq in seqs] == ["在排队时说的", "对坐席说的"]


# -- escalation


async def test_anger_brings_a_person_at_once(bridge: Bridge) -> None:
    customer = await bridge.customer()
    answer = await customer.say("你们这帮骗子，我要去12345告你们")
    assert (answer["mode"], _texts(answer)[0].startswith("真对不起")) == ("queued", True)
    case = _case(bridge, customer)
    assert (case.reason, case.skill, case.priority, bridge.rasa.asked) == ("anger", "complaint", 3, [])


async def test_at_a_confirmation_even_anger_is_an_answer(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "确认提交吗", CONFIRM),))
    customer = await bridge.customer()
    await customer.say("我要投诉")
    assert (await customer.say("提交！气死我了"))["mode"] == "bot"


async def test_the_second_failure_offers_a_person_and_the_third_brings_one(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "没听懂"),), {"intent": "nlu_fallback", "failed": True})
    customer = await bridge.customer()
    titles = []
    for text in ("呜啦", "咕噜"):
        titles.append([one["title"] for one in (await customer.say(text))["messages"][0]["buttons"]])
    third = await customer.say("啊吧")
    assert titles == [[], ["转人工"]]
    assert (third["mode"], _texts(third)[0].startswith("我几次都没听明白")) == ("queued", True)
    assert _case(bridge, customer).reason == "failures"


async def test_an_answer_between_two_failures_begins_the_count_anew(bridge: Bridge) -> None:
    customer = await bridge.customer()
    for text in ("呜啦", "电费", "咕噜", "电费", "啊吧"):
        failed = text != "电费"
        understood = {"intent": "nlu_fallback", "failed": True} if failed else {"intent": "query_bill"}
        bridge.rasa.answer = lambda _, understood=understood: BotTurn((Draft("bot", "答"),), understood)  # type: ignore[misc]
        answer = await customer.say(text)
        assert (answer["mode"], answer["messages"][0]["buttons"]) == ("bot", [])


async def test_other_peoples_business_offers_a_person_and_never_forces_one(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "这个我不懂"),), {"intent": "out_of_scope"})
    customer = await bridge.customer()
    answers = [await customer.say(text) for text in ("天气", "股票", "机票", "写首诗")]
    assert [answer["mode"] for answer in answers] == ["bot"] * 4
    assert [len(answer["messages"][0]["buttons"]) for answer in answers] == [0, 1, 1, 1]


async def test_when_the_system_fails_twice_a_person_comes_with_honest_words(bridge: Bridge) -> None:
    def fail(_: str) -> BotTurn:
        raise RasaFailed("down")

    bridge.rasa.answer = fail
    customer = await bridge.customer()
    first, second = await customer.say("电费"), await customer.say("电费呢")
    assert (_texts(first), first["mode"]) == ([bridge.parts.wording.apology], "bot")
    assert (len(second["messages"]), second["mode"]) == (1, "queued")
    assert "出了故障" in _texts(second)[0]
    assert _case(bridge, customer).reason == "system_failed"


async def test_a_complaint_offers_a_person_once_and_not_in_the_middle_of_its_form(bridge: Bridge) -> None:
    customer = await bridge.customer()
    form = {"business": "complain", "title": "投诉", "values": {}, "missing": ["事由"]}
    told = []
    for open_form in (form, None, None):
        understood = {"intent": "complain", "form": open_form}
        bridge.rasa.answer = lambda _, understood=understood: BotTurn((Draft("bot", "记下了"),), understood)  # type: ignore[misc]
        told.append([one["title"] for one in (await customer.say("抄表员态度差"))["messages"][0]["buttons"]])
    assert told == [[], [], []]
    other = await bridge.customer()
    assert [one["title"] for one in (await other.say("抄表员态度差"))["messages"][0]["buttons"]] == ["转人工"]


async def test_a_reason_that_the_model_gives_is_kept(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn(
        (Draft("bot", "这个得请人看"),), {"intent": "claim_compensation"}, "high_risk"
    )
    customer = await bridge.customer()
    await customer.say("冰箱烧了要赔")
    case = _case(bridge, customer)
    assert (case.reason, case.skill) == ("high_risk", "complaint")


# -- back to the bot


async def test_the_bot_is_told_what_the_person_has_left_for_a_day(bridge: Bridge) -> None:
    customer = await bridge.customer()
    agent, case = await _taken(bridge, customer)
    note = {"done": ["已退违约金"], "open": [], "promised": [{"text": "回电", "due_at": None}]}
    written = WrapUp("bill", "solved", note=note, intents=["query_bill"])
    _room(bridge).call(life.wrap_up, case.conversation_id, written, agent_id=agent)
    await customer.say("刚才那个事怎么样了")
    [asked] = bridge.rasa.asked
    left = asked["metadata"]["handed_back"]
    assert (left["done"], left["promised"], left["case"]) == (["已退违约金"], note["promised"], case.id)
    assert asked["sender"] == f"{customer.conversation_id}.2"
    bridge.clock.ahead += timedelta(hours=23, minutes=59)
    fresh = log_of.find_conversation
    with bridge.parts.bridge.reading() as session:
        conversation = fresh(session, customer.conversation_id)
    from api.identity import handed_back

    book, since = bridge.parts.book, datetime.fromisoformat(left["at"])
    assert handed_back(conversation, book, now=since + timedelta(hours=23, minutes=59)) == left
    assert handed_back(conversation, book, now=since + timedelta(hours=24)) is None


async def test_without_a_note_nothing_is_told(bridge: Bridge) -> None:
    await (await bridge.customer()).say("电费")
    assert "handed_back" not in bridge.rasa.asked[0]["metadata"]


# -- the loop


async def test_the_loop_offers_lapses_and_goes_on_to_the_next(bridge: Bridge) -> None:
    room = _room(bridge)
    agents = [room.agent("甲"), room.agent("乙")]
    customer = await bridge.customer()
    await customer.say("转人工")
    case = _case(bridge, customer)
    await dispatch_once(bridge.parts)
    first = room.case(case).offered_to
    bridge.clock.ahead += timedelta(seconds=21)
    _room(bridge).alive(*agents)
    await dispatch_once(bridge.parts)
    second = room.case(case).offered_to
    assert {first, second} == set(agents)


async def test_a_vanished_agents_customer_is_back_in_the_queue_within_two_minutes(bridge: Bridge) -> None:
    customer = await bridge.customer()
    _, case = await _taken(bridge, customer)
    for _ in range(4):
        bridge.clock.ahead += timedelta(seconds=30)
        await dispatch_once(bridge.parts)
    assert _room(bridge).mode(case) == "queued"
    history = await customer.history()
    told = bridge.parts.book.words.vanished_nobody
    assert (history["mode"], any(text.startswith(told) for text in _texts(history))) == ("queued", True)


async def test_an_agent_who_is_away_keeps_what_he_has_and_gets_nothing_new(bridge: Bridge) -> None:
    from core.agent import Agent

    customer, other = await bridge.customer(), await bridge.customer()
    agent, case = await _taken(bridge, customer)
    with bridge.parts.bridge.transaction() as session:
        session.get_one(Agent, agent).status = "away"
    await other.say("转人工")
    await dispatch_once(bridge.parts)
    assert (_room(bridge).case(case).agent_id, _room(bridge).case(_case(bridge, other)).offered_to) == (agent, None)


async def test_several_loops_do_each_step_once(shared_urls: Any) -> None:
    clock = _at(10)
    async with running(settings(*shared_urls), clock=clock) as one, running(settings(*shared_urls), clock=clock) as two:
        room = empty(one.parts.bridge)
        room.now = clock()
        agents = [room.agent(capacity=2) for _ in range(3)]
        cases = [room.request() for _ in range(8)]
        await asyncio.gather(*(dispatch_once(bridge.parts) for bridge in (one, two) * 3))
        offered = [room.case(case).offered_to for case in cases]
        assert sorted(agent for agent in offered if agent) == sorted(agents * 2)
        assert [room.kinds(case).count("offered") for case in cases] == [1] * 6 + [0] * 2


async def test_one_case_that_breaks_does_not_hold_up_the_others(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = _room(bridge)
    room.agent()
    broken, sound = room.request(), room.request()
    real = routing.offer_chosen

    def fail(session: Any, choice: Any, **more: Any) -> bool:
        if choice.handoff_id == broken.id:
            raise KeyError("broken row")
        return real(session, choice, **more)

    monkeypatch.setattr(dispatch.routing, "offer_chosen", fail)
    await dispatch_once(bridge.parts)
    assert (room.mode(broken), room.mode(sound)) == ("queued", "offered")


async def test_the_loop_survives_its_database_being_away(sqlite_urls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real, failures = routing.plan, iter([True, True])

    def away(session: Any, **more: Any) -> Any:
        if next(failures, False):
            raise OperationalError("select", {}, Exception("gone"))
        return real(session, **more)

    monkeypatch.setattr(dispatch.routing, "plan", away)
    monkeypatch.setattr("api.deliveries.PAUSE_SECONDS", 0.02)
    async with running(settings(*sqlite_urls), clock=_at(10), loops=True) as bridge:
        room = _room(bridge)
        room.agent()
        case = room.request()
        async with asyncio.timeout(10):
            while room.mode(case) != "offered":
                await asyncio.sleep(0.02)


async def test_life_support_is_found_in_the_work_orders_and_lifts_the_case(bridge: Bridge) -> None:
    now = bridge.clock()
    with bridge.parts.workorder.transaction() as session:
        session.add(WorkOrder(
            order_no=f"{now:%y%m%d%H%M%S%f}", cause=f"x{now.timestamp()}", category="服务申请→特殊服务→居家医疗设备",
            title="t",
            kind="k", family="f", priority="normal", state="closed", customer_no="C0000001", description_cipher="",
            details_cipher="", opened_at=now, updated_at=now,
        ))  # fmt: skip
    customer = await bridge.customer(customer_token(now=now))
    await customer.say("转人工")
    earlier = _room(bridge).request()
    await dispatch_once(bridge.parts)
    case = _case(bridge, customer)
    assert (case.priority, case.summary["flags"]) == (1, ["life_support"])
    assert case.rank_at < _room(bridge).case(earlier).rank_at


async def test_without_the_work_order_system_cases_are_still_offered(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(dispatch, "flags_of", away)
    room = _room(bridge)
    room.agent()
    case = room.request()
    await dispatch_once(bridge.parts)
    assert room.mode(case) == "offered"


async def test_breaches_are_noted_by_the_loop(bridge: Bridge) -> None:
    room = _room(bridge)
    case = room.request()
    agent = room.agent(capacity=1)
    room.taken(agent)
    bridge.clock.ahead += timedelta(minutes=16)
    _room(bridge).alive(agent)
    await dispatch_once(bridge.parts)
    await dispatch_once(bridge.parts)
    assert [room.kinds(case).count(kind) for kind in ("breached", "escalated")] == [1, 1]


async def test_a_broken_desk_does_not_keep_a_customer_waiting(sqlite_urls: Any) -> None:
    class Broken:
        name, routes = "broken", False

        async def opened(self, case: Any) -> None:
            await asyncio.sleep(0)
            raise RuntimeError("desk down")

        async def customer_said(self, conversation: Any, message: Any) -> None:
            raise RuntimeError("desk down")

        async def ended(self, case: Any) -> None:
            raise RuntimeError("desk down")

    async with running(settings(*sqlite_urls), FakeRasa(), clock=_at(10)) as bridge:
        bridge.parts.dialogue._news._desk = Broken()  # type: ignore[assignment]
        customer = await bridge.customer()
        assert (await customer.say("转人工"))["mode"] == "queued"
        assert "已记下" in _texts(await customer.say("在吗"))[0]
        assert (await customer.say("算了不等了"))["mode"] == "bot"
        await asyncio.sleep(0.05)


async def test_times_are_told_in_shanghai(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("转人工")
    due = _room(bridge).events(_case(bridge, customer))[1].data["due_at"]
    assert datetime.fromisoformat(due).astimezone(SHANGHAI).hour == 12


# -- over the stream


async def test_the_stream_tells_place_and_typing_and_forgets_the_place_with_the_queue(served: Served) -> None:
    bridge, customer = served.bridge, served.customer
    async with served.stream() as one:
        await customer.say("转人工")
        frame = await _next(one, "queue")
        assert (frame["place"], frame["expected_wait_seconds"], frame["on_duty"]) == (1, None, False)
        agent = _room(bridge).agent()
        frame = await _next(one, "queue")
        assert (frame["expected_wait_seconds"], frame["text"]) == (0, "您排在第 1 位，坐席马上接待您。")
        bridge.parts.bus.publish(customer.conversation_id, {"kind": "typing", "author": "agent", "on": True})
        assert (await _next(one, "typing"))["author"] == "agent"
        _room(bridge).claim(_case(bridge, customer), agent)
        bridge.parts.bus.publish(customer.conversation_id)
        assert (await _next(one, "mode"))["mode"] == "human"
