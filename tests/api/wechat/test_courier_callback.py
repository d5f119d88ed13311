from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from courier_kit import NOT_SENT, Floor, Follower, floor_of, refused

from api.deliveries import deliver_notices
from core import notice
from core.channel.tables import ChannelUser
from core.clock import SHANGHAI

TEMPLATES = {"agent_replied": "T-agent", "order_progress": "T-order"}
RESTORED = {"area": "江岸区听涛苑", "restored_at": "2026-11-22T10:00:00+08:00"}


def _noticed(floor: Floor, someone: Follower, wording: str, values: dict[str, str]) -> None:
    """Have the conversation of somebody told of what they asked for, or of an order of theirs."""
    with floor.parts.workorder.transaction() as session:
        notice.put(
            session, key=f"{someone.openid}:{wording}:{len(values)}:{values.get('due_at')}", wording=wording,
            conversation_id=someone.conversation_id, values=values, now=floor.clock(),
        )  # fmt: skip
    deliver_notices(floor.parts)


def _calls(floor: Floor, someone: Follower) -> list[tuple[str, str, Any, str | None]]:
    return [one for one in floor.client.templates if one[0] == someone.openid]


def _until(floor: Floor, hour: int) -> None:
    """Push the clock forward to an hour in Shanghai."""
    at = floor.clock().astimezone(SHANGHAI)
    floor.clock.ahead += (at.replace(hour=hour, minute=30, second=0) - at) % timedelta(days=1)


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
    assert ([str(one) for one in floor.client.template_plan], floor.client.templates) == (["-1 no"], [])  # put off
    floor.later(seconds=2)
    await floor.courier.sweep()
    assert (floor.client.template_plan, floor.client.templates) == ([], [])
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


async def test_news_of_an_outage_that_was_asked_for_calls_each_time(shared_urls: tuple[str, str]) -> None:
    async with floor_of(shared_urls, wechat_templates=TEMPLATES | {"outage": "T-outage"}) as floor:
        someone = floor.follower()
        due = (floor.clock() + timedelta(hours=3)).isoformat()
        _noticed(floor, someone, "outage_expected", {"area": "江岸区听涛苑", "due_at": due})
        await floor.work()
        await floor.courier.sweep()
        await floor.courier.sweep()
        ((_, template_id, data, _),) = _calls(floor, someone)
        assert template_id == "T-outage"
        assert data["thing1"]["value"].startswith("江岸区听涛苑停电：预计")
        _noticed(floor, someone, "outage_restored", RESTORED)
        await floor.work()
        await floor.courier.sweep()
        await floor.courier.sweep()
        assert len(_calls(floor, someone)) == 2
        someone.writes()
        await floor.work()
        assert [(row.state, row.way) for row in someone.rows()] == [("sent", "service")] * 2
        await floor.courier.sweep()
        assert len(_calls(floor, someone)) == 2


async def test_without_a_template_for_outages_that_of_an_answer_calls(floor: Floor) -> None:
    someone = floor.follower()
    _noticed(floor, someone, "outage_restored", RESTORED)
    await floor.work()
    await floor.courier.sweep()
    assert [template_id for _, template_id, _, _ in _calls(floor, someone)] == ["T-agent"]


ORDER = {"order_no": "20261122000007", "title": "故障报修", "reason": ""}


async def test_progress_of_an_order_by_night_waits_for_the_morning(floor: Floor) -> None:
    _until(floor, 3)
    someone = floor.follower()
    someone.writes()
    _noticed(floor, someone, "order_taken", ORDER)
    await floor.courier.sweep()
    await floor.work()
    assert (floor.client.texts(someone.openid), _calls(floor, someone)) == ([], [])
    assert [(row.state, row.error) for row in someone.rows()] == [("parked", "quiet")]
    _until(floor, 8)
    await floor.courier.sweep()
    await floor.work()
    assert [(row.state, row.way, row.error) for row in someone.rows()] == [("sent", "service", None)]


async def test_without_a_window_the_user_is_called_in_the_morning(floor: Floor) -> None:
    _until(floor, 3)
    someone = floor.follower()
    _noticed(floor, someone, "order_taken", ORDER)
    await floor.courier.sweep()
    _until(floor, 8)
    for _ in range(3):
        await floor.courier.sweep()
        await floor.work()
    assert [template_id for _, template_id, _, _ in _calls(floor, someone)] == ["T-order"]


async def test_what_rests_by_night_goes_along_with_what_an_agent_says_or_when_the_user_writes(floor: Floor) -> None:
    _until(floor, 3)
    someone, other = floor.follower(), floor.follower()
    someone.writes()
    for one in (someone, other):
        _noticed(floor, one, "order_taken", ORDER)
    someone.told("您的电表已换好", "agent", agent_name="小王", agent_id=1)
    other.writes()
    await floor.work()
    assert (someone.states(), other.states()) == (["sent"] * 2, ["sent"])


async def test_what_follows_from_what_the_customer_has_just_done_is_told_at_once(floor: Floor) -> None:
    _until(floor, 3)
    someone = floor.follower()
    someone.told("撤了吧", "customer")
    someone.writes()
    _noticed(floor, someone, "order_cancelled", ORDER)
    await floor.work()
    assert someone.states()[-1] == "sent"


async def test_news_of_an_outage_that_was_asked_for_wakes(floor: Floor) -> None:
    _until(floor, 3)
    someone = floor.follower()
    someone.writes()
    _noticed(floor, someone, "outage_restored", RESTORED)
    await floor.work()
    assert someone.states() == ["sent"]


async def test_who_waits_for_the_crew_is_told_by_night_that_it_stands_at_the_door(floor: Floor) -> None:
    _until(floor, 3)
    someone = floor.follower()
    someone.writes()
    _noticed(floor, someone, "order_arrived", ORDER)
    due = (floor.clock() + timedelta(hours=1)).isoformat()
    _noticed(floor, someone, "moved_order_arrival", {**ORDER, "due_at": due})
    await floor.courier.sweep()
    await floor.work()
    assert [(row.state, row.way) for row in someone.rows()] == [("sent", "service")] * 2
