"""Calling users back by subscription messages: one agreement for a call, which is never made twice."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from courier_kit import NOT_SENT, Floor, Follower, floor_of, refused

from api.channels.wechat.errors import WeChatUnreachable
from core.channel import subscriptions
from core.channel.subscriptions import agreed


@pytest.fixture
async def floor(shared_urls: tuple[str, str]) -> AsyncIterator[Floor]:
    async with floor_of(shared_urls, wechat_templates={"agent_replied": "subscribe:T-agent"}) as one:
        yield one


def agrees(floor: Floor, someone: Follower, times: int = 1) -> None:
    for _ in range(times):
        floor.write(lambda session: agreed(session, someone.id, "T-agent", now=floor.clock()))


def left(floor: Floor, someone: Follower) -> int:
    with floor.parts.bridge.reading() as session:
        return subscriptions.left(session, someone.id, "T-agent")


async def answered(floor: Floor, someone: Follower, *, sweeps: int = 3) -> None:
    someone.told("您的电表已换好", "agent", agent_name="小王", agent_id=1)
    await floor.work()
    for _ in range(sweeps):
        await floor.courier.sweep()


async def test_an_agents_answer_calls_who_has_agreed_once_and_uses_one_agreement(floor: Floor) -> None:
    someone = floor.follower()
    agrees(floor, someone, 2)
    await answered(floor, someone)
    ((openid, template_id, data),) = floor.client.subscribed
    assert (openid, template_id, data["thing2"]) == (someone.openid, "T-agent", {"value": "小王"})
    assert (left(floor, someone), floor.client.templates) == (1, [])
    assert [(row.state, row.way) for row in someone.rows()] == [("parked", "template")]


async def test_who_has_agreed_to_nothing_is_not_called(floor: Floor) -> None:
    someone = floor.follower()
    await answered(floor, someone)
    assert floor.client.subscribed == []
    assert [(row.state, row.error) for row in someone.rows()] == [("parked", "no_template")]


async def test_a_call_that_was_surely_not_made_is_made_later_for_the_same_agreement(floor: Floor) -> None:
    someone = floor.follower()
    agrees(floor, someone)
    floor.client.template_plan = [NOT_SENT]
    await answered(floor, someone, sweeps=1)
    assert (floor.client.subscribed, left(floor, someone)) == ([], 1)
    floor.later(seconds=3)
    await floor.courier.sweep()
    assert (len(floor.client.subscribed), left(floor, someone)) == (1, 0)


async def test_a_call_that_perhaps_arrived_is_not_made_again(floor: Floor) -> None:
    someone = floor.follower()
    agrees(floor, someone, 2)
    floor.client.template_plan = [WeChatUnreachable(True, "ReadTimeout")]
    await answered(floor, someone)
    floor.later(minutes=6)
    await floor.courier.sweep()
    assert (floor.client.subscribed, left(floor, someone)) == ([], 1)


async def test_who_has_refused_meanwhile_has_no_agreement_left(floor: Floor) -> None:
    someone = floor.follower()
    agrees(floor, someone, 3)
    floor.client.template_plan = [refused(43101)]
    await answered(floor, someone)
    assert (floor.client.subscribed, floor.client.template_plan, left(floor, someone)) == ([], [], 0)
