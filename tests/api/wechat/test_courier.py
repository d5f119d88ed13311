from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from courier_kit import Floor, floor_of, refused
from sqlalchemy.exc import OperationalError

from api.channels.wechat.courier import deliver
from core.channel.tables import Delivery


@pytest.fixture
async def floor(shared_urls: tuple[str, str]) -> AsyncIterator[Floor]:
    async with floor_of(shared_urls) as one:
        yield one


async def test_what_waits_is_sent_in_order_and_bot_messages_go_together(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    for text in ("您好", "本月电费98元", "还有什么可以帮您"):
        someone.told(text)
    await floor.work()
    assert floor.client.texts() == ["您好\n\n本月电费98元\n\n还有什么可以帮您"]
    assert (someone.states(), someone.left()) == (["sent"] * 3, 4)
    assert {(row.way, row.error) for row in someone.rows()} == {("service", None)}


async def test_each_word_of_an_agent_goes_by_itself(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    someone.told("稍等，正在转人工")
    someone.told("我是小王", "agent", agent_name="小王", agent_id=1)
    someone.told("请问什么事", "agent", agent_name="小王", agent_id=1)
    await floor.work()
    assert (len(floor.client.shown), someone.left()) == (3, 2)
    assert [text.endswith(end) for text, end in zip(floor.client.texts(), ("人工", "小王", "什么事"), strict=True)]


async def test_the_bot_leaves_two_for_people_and_what_waits_rides_along_with_them(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    for number in range(4):
        someone.told(f"第{number}条")
        await floor.work()
    assert (someone.states(), someone.left()) == (["sent"] * 3 + ["parked"], 2)
    someone.told("我来帮您", "agent", agent_name="小王", agent_id=1)
    await floor.work()
    assert someone.states() == ["sent"] * 5
    assert [("第3条" in text, "我来帮您" in text) for text in floor.client.texts()[3:]] == [
        (True, False), (False, True),
    ]  # fmt: skip


async def test_words_of_an_agent_go_together_with_their_times_when_there_is_little_left(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    for text in ("甲", "乙", "丙", "丁"):
        someone.told(text, "agent", agent_name="小王", agent_id=1)
        await floor.work()
    for text in ("戊一", "戊二", "戊三"):
        someone.told(text, "agent", agent_name="小王", agent_id=1)
    await floor.work()
    last = floor.client.texts()[-1]
    assert (len(floor.client.shown), someone.left(), someone.states()) == (5, 0, ["sent"] * 7)
    assert [last.index(text) for text in ("戊一", "戊二", "戊三")] == sorted(
        last.index(t) for t in ("戊一", "戊二", "戊三")
    )
    assert last.count(":") == 3


async def test_without_a_window_it_is_parked_and_goes_when_the_user_does_something(floor: Floor) -> None:
    someone = floor.follower()
    someone.told("停电已恢复")
    await floor.work()
    assert (someone.states(), floor.client.calls) == (["parked"], 0)
    someone.writes("tap")
    await floor.work()
    assert (someone.states(), floor.client.texts()) == (["sent"], ["停电已恢复"])


async def test_a_long_message_goes_in_parts_as_far_as_may_be_sent(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    text = "".join(f"第{number}行，说明一下这个月的用电情况和电费。\n" for number in range(140))
    someone.told(text)
    someone.told("完")
    await floor.work()
    assert someone.states() == ["parked", "parked"]
    someone.writes()
    await floor.work()
    shown = "\n".join(floor.client.texts()).replace("\n\n", "\n")
    assert shown.split() == [*text.split(), "完"]
    assert all(len(one.encode()) <= 2048 for one in floor.client.texts())
    assert someone.states() == ["sent", "sent"]


async def test_nothing_is_sent_to_a_user_whose_request_is_open(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    someone.told("答")
    assert floor.parts.wechat is not None
    with floor.parts.wechat.holds.hold(someone.id):
        await floor.work()
        assert floor.client.calls == 0
    await floor.work()
    assert someone.states() == ["sent"]


async def test_several_users_are_served_at_once_and_each_in_order(floor: Floor) -> None:
    users = [floor.follower() for _ in range(12)]
    for user in users:
        user.writes()
        user.told("一", "agent", agent_name="小王", agent_id=1)
        user.told("二", "agent", agent_name="小王", agent_id=1)
    floor.client.gate = asyncio.Event()
    working = asyncio.create_task(floor.work())
    async with asyncio.timeout(30):
        while floor.client.most_at_once < 8:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)  # nobody comes in addition
    floor.client.gate.set()
    await working
    assert floor.client.most_at_once == 8
    for user in users:
        assert [text[-1] for text in floor.client.texts(user.openid)] == ["一", "二"]


async def test_nothing_is_sent_while_something_goes_passively(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    someone.told("一")
    someone.told("二")
    first = someone.rows()[0].id
    floor.write(lambda session: setattr(session.get_one(Delivery, first), "state", "passing"))
    await floor.work()
    assert someone.states() == ["passing", "waiting"]
    assert floor.client.calls == 0
    floor.write(lambda session: setattr(session.get_one(Delivery, first), "state", "sent"))
    floor.later(seconds=2)
    await floor.work()
    assert floor.client.texts() == ["二"]


async def test_buttons_are_a_menu_where_that_is_allowed_and_links_where_it_is_not(shared_urls: tuple[str, str]) -> None:
    async with floor_of(shared_urls, wechat_choices="menu") as floor:
        someone = floor.follower()
        someone.writes()
        someone.told("要查哪个月", buttons=(("上个月", "/a"), ("这个月", "/b")))
        await floor.work()
        message = floor.client.shown[0][1]
        assert message["msgtype"] == "msgmenu"
        assert [one["content"] for one in message["msgmenu"]["list"]] == ["上个月", "这个月"]
        floor.client.plan = [refused(40200)]
        someone.told("还要吗", buttons=(("要", "/a"), ("不要", "/b")))
        await floor.work()
        assert "weixin://bizmsgmenu" in floor.client.texts()[-1]
        assert (someone.states(), someone.left()) == (["sent"] * 2, 3)


async def test_what_a_crashed_process_was_sending_counts_as_sent(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    someone.told("一")
    floor.client.gate = asyncio.Event()
    await floor.courier.round()
    while not floor.client.at_once:
        await asyncio.sleep(0.01)
    (task,) = floor.courier._busy.values()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    floor.client.gate = None
    floor.again()
    someone.told("二")
    await floor.courier.sweep()
    await floor.work()
    assert (someone.states(), floor.client.calls) == (["sending", "waiting"], 0)
    floor.later(seconds=31)
    await floor.courier.sweep()
    await floor.work()
    assert [(row.state, row.error) for row in someone.rows()] == [("sent", "unknown"), ("sent", None)]
    assert floor.client.texts() == ["二"]


async def test_what_was_written_on_the_page_waits_twenty_seconds_for_it(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()

    def on_the_page(session: Any) -> None:
        from core.conversation import find_conversation

        find_conversation(session, someone.conversation_id).channel = "h5"

    floor.write(on_the_page)
    someone.told("答")
    floor.later(seconds=19)
    await floor.work()
    assert floor.client.calls == 0
    floor.later(seconds=2)
    await floor.work()
    assert someone.states() == ["sent"]


async def test_a_message_that_cannot_be_written_does_not_stop_the_next(floor: Floor, monkeypatch: Any) -> None:
    from api.channels.wechat import courier_carrier

    someone = floor.follower()
    someone.writes()
    someone.told("一", "agent", agent_name="小王", agent_id=1)
    someone.told("二", "agent", agent_name="小王", agent_id=1)
    good = courier_carrier.next_shipment

    def broken(items: Any, *more: Any, **named: Any) -> Any:
        if items[0].message.text == "一":
            raise KeyError("a card of another shape")
        return good(items, *more, **named)

    monkeypatch.setattr(courier_carrier, "next_shipment", broken)
    await floor.work()
    assert someone.states() == ["dead", "sent"]


async def test_nobody_is_served_whom_the_channel_does_not_know(floor: Floor) -> None:
    someone = floor.follower()
    someone.told("答")
    row_id = someone.rows()[0].id
    floor.write(lambda session: setattr(session.get_one(Delivery, row_id), "channel_user_id", 10**6))
    await floor.work()
    with floor.parts.bridge.reading() as session:
        assert session.get_one(Delivery, row_id).state == "dropped"
    assert floor.client.calls == 0


async def test_what_wechat_said_is_written_down_though_the_database_was_away(floor: Floor, monkeypatch: Any) -> None:
    from api.channels.wechat import courier_carrier

    someone = floor.follower()
    someone.writes()
    someone.told("答")
    floor.client.plan = [refused(45047)]
    good, failures = courier_carrier.settle, [OperationalError("x", None, Exception())] * 2

    def settle(*given: Any, **named: Any) -> None:
        if failures:
            raise failures.pop()
        good(*given, **named)

    monkeypatch.setattr(courier_carrier, "settle", settle)
    monkeypatch.setattr(courier_carrier, "SETTLE_AGAIN_SECONDS", 0.01)
    await floor.work()
    assert (someone.states(), floor.client.calls) == (["parked"], 1)


async def test_what_is_on_its_way_when_the_bridge_stops_is_brought_to_its_end(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    someone.told("答")
    floor.client.gate = asyncio.Event()
    delivering = asyncio.create_task(deliver(floor.parts))
    async with asyncio.timeout(5):
        while not floor.client.at_once:
            await asyncio.sleep(0.01)
    delivering.cancel()
    await asyncio.sleep(0.05)
    floor.client.gate.set()
    await asyncio.gather(delivering, return_exceptions=True)
    assert [(row.state, row.error) for row in someone.rows()] == [("sent", None)]


async def test_without_an_official_account_there_is_nothing_to_deliver(floor: Floor) -> None:
    await deliver(replace(floor.parts, wechat=None))
