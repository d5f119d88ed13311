from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from courier_kit import NOT_SENT, Floor, floor_of, refused

from core.channel.tables import ChannelUser

TEMPLATES = {"agent_replied": "T-agent", "order_progress": "T-order"}


@pytest.fixture
async def floor(shared_urls: tuple[str, str]) -> AsyncIterator[Floor]:
    async with floor_of(shared_urls, wechat_templates=TEMPLATES) as one:
        yield one


async def test_an_agents_answer_without_a_window_calls_the_user_back_once(floor: Floor) -> None:
    someone = floor.follower()
    someone.told("您的电表已换好", "agent", agent_name="小王", agent_id=1)
    someone.told("还有问题请留言", "agent", agent_name="小王", agent_id=1)
    await floor.work()
    await floor.courier.sweep()
    await floor.courier.sweep()
    ((openid, template_id, data, key),) = floor.client.templates
    assert (openid, template_id, key) == (someone.openid, "T-agent", f"d{someone.rows()[0].id}")
    assert data["thing2"] == {"value": "小王"}
    assert [(row.state, row.way) for row in someone.rows()] == [("parked", "template")] * 2
    someone.told("在吗", "agent", agent_name="小王", agent_id=1)
    await floor.work()
    await floor.courier.sweep()
    assert len(floor.client.templates) == 1
    someone.writes()
    await floor.work()
    assert [(row.state, row.way) for row in someone.rows()] == [("sent", "service")] * 3


async def test_progress_of_an_order_is_told_with_its_number(floor: Floor) -> None:
    someone = floor.follower()
    someone.told("您的故障报修（工单号20261122000007）已派给处理班组。", "system", type="notice")
    await floor.work()
    await floor.courier.sweep()
    ((_, template_id, data, _),) = floor.client.templates
    assert (template_id, data["character_string1"]) == ("T-order", {"value": "20261122000007"})
    assert all(len(field["value"]) <= 32 for field in data.values())


async def test_answers_of_the_bot_and_notices_without_an_order_call_nobody(floor: Floor) -> None:
    someone, other = floor.follower(), floor.follower()
    someone.told("您好")
    other.told("今天起热线升级", "system", type="notice")
    await floor.work()
    await floor.courier.sweep()
    await floor.courier.sweep()
    assert (floor.client.templates, someone.states(), other.states()) == ([], ["parked"], ["parked"])


async def test_a_notice_that_calls_nobody_does_not_keep_an_agents_answer_from_calling(floor: Floor) -> None:
    someone = floor.follower()
    someone.told("今天起热线升级", "system", type="notice")
    someone.told("您的电表已换好", "agent", agent_name="小王", agent_id=1)
    await floor.work()
    for _ in range(3):
        await floor.courier.sweep()
    assert [template_id for _, template_id, _, _ in floor.client.templates] == ["T-agent"]
    assert [(row.state, row.way) for row in someone.rows()] == [("parked", "template")] * 2


async def test_who_has_left_keeps_nobody_from_being_called(floor: Floor) -> None:
    gone, someone = floor.follower(), floor.follower()
    for number in range(25):
        gone.told(f"第{number}条", "agent", agent_name="小王", agent_id=1)
    someone.told("您的电表已换好", "agent", agent_name="小王", agent_id=1)
    await floor.work()
    floor.write(lambda session: setattr(session.get_one(ChannelUser, gone.id), "followed", False))
    for _ in range(3):
        await floor.courier.sweep()
    assert [openid for openid, *_ in floor.client.templates] == [someone.openid]


async def test_a_call_that_did_not_get_through_is_made_again_later(floor: Floor) -> None:
    someone = floor.follower()
    someone.told("好了", "agent", agent_name="小王", agent_id=1)
    floor.client.template_plan = [NOT_SENT, refused(-1)]
    await floor.work()
    await floor.courier.sweep()
    await floor.courier.sweep()
    assert floor.client.template_plan == [refused(-1)] or len(floor.client.template_plan) == 1
    floor.later(seconds=2)
    await floor.courier.sweep()
    floor.later(seconds=3)
    await floor.courier.sweep()
    assert len(floor.client.templates) == 1


async def test_a_template_that_wechat_refuses_is_not_tried_for_ever(floor: Floor) -> None:
    someone = floor.follower()
    someone.told("好了", "agent", agent_name="小王", agent_id=1)
    floor.client.template_plan = [refused(47003)]
    await floor.work()
    for _ in range(3):
        await floor.courier.sweep()
        floor.later(minutes=6)
    row = someone.rows()[0]
    assert (floor.client.templates, row.state, row.way, row.error) == ([], "parked", "template", "47003 no")


async def test_who_has_left_cannot_be_called(floor: Floor) -> None:
    someone = floor.follower()
    someone.told("好了", "agent", agent_name="小王", agent_id=1)
    floor.client.template_plan = [refused(43004)]
    await floor.work()
    await floor.courier.sweep()
    assert (someone.states(), someone.user.followed) == (["dropped"], False)


async def test_without_templates_it_just_waits(shared_urls: tuple[str, str]) -> None:
    async with floor_of(shared_urls) as floor:
        someone = floor.follower()
        someone.told("好了", "agent", agent_name="小王", agent_id=1)
        await floor.work()
        await floor.courier.sweep()
        assert (someone.states(), someone.rows()[0].way) == (["parked"], None)
