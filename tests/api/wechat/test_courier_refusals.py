"""The courier when WeChat refuses, does not answer, or finds something wrong with a message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from courier_kit import NOT_SENT, PERHAPS, Floor, floor_of, refused


@pytest.fixture
async def floor(shared_urls: tuple[str, str]) -> AsyncIterator[Floor]:
    async with floor_of(shared_urls) as one:
        yield one


@pytest.mark.parametrize("code", [45015, 45047])
async def test_a_window_that_wechat_calls_closed_is_closed_and_the_message_parked(floor: Floor, code: int) -> None:
    someone = floor.follower()
    someone.writes()
    someone.told("答")
    floor.client.plan = [refused(code)]
    await floor.work()
    assert (someone.states(), someone.left() or 0, floor.client.calls) == (["parked"], 0, 1)
    assert someone.rows()[0].sent_at is None
    someone.writes()
    await floor.work()
    assert (someone.states(), floor.client.texts()) == (["sent"], ["答"])


@pytest.mark.parametrize("code", [40003, 43004])
async def test_who_has_left_is_not_written_to_again(floor: Floor, code: int) -> None:
    someone = floor.follower()
    someone.writes()
    someone.told("一", "agent", agent_name="小王", agent_id=1)
    someone.told("二", "agent", agent_name="小王", agent_id=1)
    floor.client.plan = [refused(code)]
    await floor.work()
    assert (someone.states(), someone.user.followed, floor.client.calls) == (["dropped"] * 2, False, 1)
    someone.told("三")
    await floor.work()
    assert (someone.states()[-1], floor.client.calls) == ("dropped", 1)


@pytest.mark.parametrize(
    "trouble", [refused(-1), NOT_SENT, refused(40164), refused(40013), refused(48001), refused(40001)]
)
async def test_what_was_surely_not_sent_waits_ever_longer_and_costs_nothing(floor: Floor, trouble: Any) -> None:
    someone = floor.follower()
    someone.writes()
    someone.told("一")
    floor.client.plan = [trouble] * 3
    for attempt, seconds in enumerate((1, 2, 4), 1):
        before = floor.clock()
        await floor.work()
        row = someone.rows()[0]
        assert (row.state, row.attempts, someone.left()) == ("waiting", attempt, 5)
        assert timedelta(seconds=seconds) <= row.next_at - before < timedelta(seconds=seconds + 1)
        floor.later(seconds=seconds + 1)
    someone.told("二")
    await floor.work()
    assert (someone.states(), floor.client.texts()) == (["sent"] * 2, ["一\n\n二"])


async def test_what_comes_after_does_not_overtake_what_waits(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    someone.told("一", "agent", agent_name="小王", agent_id=1)
    floor.client.plan = [NOT_SENT]
    await floor.work()
    someone.told("二", "agent", agent_name="小王", agent_id=1)
    await floor.work()
    assert (floor.client.calls, someone.states()) == (1, ["waiting"] * 2)
    floor.later(seconds=2)
    await floor.work()
    assert [text[-1] for text in floor.client.texts()] == ["一", "二"]


async def test_after_an_hour_without_wechat_all_goes_out_as_soon_as_one_does(floor: Floor) -> None:
    users = [floor.follower() for _ in range(3)]
    for user in users:
        user.writes()
        user.told("答")
    floor.client.decide = lambda _: NOT_SENT
    for _ in range(15):
        await floor.work()
        floor.later(minutes=4)
    floor.client.decide = None
    assert {state for user in users for state in user.states()} == {"waiting"}
    floor.later(minutes=5)
    await floor.work()
    assert {state for user in users for state in user.states()} == {"sent"}
    assert {user.left() for user in users} == {4}


async def test_what_perhaps_arrived_is_not_sent_again(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    someone.told("答")
    floor.client.plan = [PERHAPS]
    await floor.work()
    row = someone.rows()[0]
    assert (row.state, row.error, someone.left(), floor.client.calls) == ("sent", "unknown", 4, 1)


@pytest.mark.parametrize("code", [45009, 45011])
async def test_too_many_calls_stop_all_for_a_minute(floor: Floor, code: int) -> None:
    one, other = floor.follower(), floor.follower()
    one.writes()
    one.told("甲")
    floor.client.plan = [refused(code)]
    await floor.work()
    other.writes()
    other.told("乙")
    floor.later(seconds=50)
    await floor.work()
    assert (floor.client.calls, one.states(), other.states()) == (1, ["waiting"], ["waiting"])
    assert floor.figure("dianfu_wechat_alarms_total", cause="rate") == 1
    floor.later(seconds=15)
    await floor.work()
    assert (one.states(), other.states()) == (["sent"], ["sent"])


@pytest.mark.parametrize("code", [40033, 45008, 99999])
async def test_what_wechat_will_never_take_is_given_up_and_the_next_goes_on(floor: Floor, code: int) -> None:
    someone = floor.follower()
    someone.writes()
    someone.told("一", "agent", agent_name="小王", agent_id=1)
    someone.told("二", "agent", agent_name="小王", agent_id=1)
    floor.client.plan = [refused(code)]
    await floor.work()
    assert (someone.states(), someone.left()) == (["dead", "sent"], 4)
    assert someone.rows()[0].error == f"{code} no"
    await floor.courier.sweep()
    assert floor.figure("dianfu_wechat_dead") >= 1


async def test_a_message_that_alone_is_refused_again_and_again_is_given_up_and_the_next_goes_on(floor: Floor) -> None:
    someone, other = floor.follower(), floor.follower()
    someone.writes()
    for text in ("一", "二"):
        someone.told(text)
    floor.client.decide = lambda openid: refused(-1) if openid == someone.openid else None
    for turn in range(9):
        other.writes()
        other.told(f"{turn}")
        await floor.work()
        floor.later(minutes=1)
        if someone.states() != ["waiting"] * 2:
            break
    assert (turn > 4, someone.states()) == (True, ["dead", "waiting"])
    floor.later(minutes=1)
    floor.client.decide = None
    await floor.work()
    assert (someone.states(), someone.left()) == (["dead", "sent"], 4)
    assert floor.client.texts(someone.openid) == ["二"]


async def test_while_wechat_takes_nothing_at_all_nothing_is_given_up_for_an_hour(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    someone.told("一")
    floor.client.decide = lambda _: refused(-1)
    for _ in range(12):
        await floor.work()
        floor.later(minutes=5)
    assert (someone.states(), someone.left()) == (["waiting"], 5)
    for _ in range(13):
        await floor.work()
        floor.later(minutes=5)
    assert (someone.states(), someone.left()) == (["dead"], 5)


async def test_what_wechat_finds_too_long_goes_in_smaller_pieces(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    text = "用电越多越要留意分时电价的时段。" * 35
    someone.told(text)
    floor.client.plan = [refused(45002)]
    await floor.work()
    assert ("".join(floor.client.texts()), someone.states(), someone.left()) == (text, ["sent"], 3)
