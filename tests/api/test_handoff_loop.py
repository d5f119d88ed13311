"""The loop of the desk: offers, lapses, agents who vanish, and what it does when something is down."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from bridge_kit import Bridge, FakeRasa, customer_token, running, settings
from handoff_cases_kit import at_hour, bridge, case_of, room_of, taken, texts
from handoff_kit import empty
from sqlalchemy.exc import OperationalError

from api import dispatch
from api.dispatch import dispatch_once
from core.clock import SHANGHAI
from core.handoff import routing
from core.work_order import WorkOrder

__all__ = ["bridge"]  # fixtures


# -- the loop


async def test_the_loop_offers_lapses_and_goes_on_to_the_next(bridge: Bridge) -> None:
    room = room_of(bridge)
    agents = [room.agent("甲"), room.agent("乙")]
    customer = await bridge.customer()
    await customer.say("转人工")
    case = case_of(bridge, customer)
    await dispatch_once(bridge.parts)
    first = room.case(case).offered_to
    bridge.clock.ahead += timedelta(seconds=21)
    room_of(bridge).alive(*agents)
    await dispatch_once(bridge.parts)
    second = room.case(case).offered_to
    assert {first, second} == set(agents)


async def test_a_vanished_agents_customer_is_back_in_the_queue_within_two_minutes(bridge: Bridge) -> None:
    customer = await bridge.customer()
    _, case = await taken(bridge, customer)
    for _ in range(4):
        bridge.clock.ahead += timedelta(seconds=30)
        await dispatch_once(bridge.parts)
    assert room_of(bridge).mode(case) == "queued"
    history = await customer.history()
    told = bridge.parts.book.words.vanished_nobody
    assert (history["mode"], any(text.startswith(told) for text in texts(history))) == ("queued", True)


async def test_an_agent_who_is_away_keeps_what_he_has_and_gets_nothing_new(bridge: Bridge) -> None:
    from core.agent import Agent

    customer, other = await bridge.customer(), await bridge.customer()
    agent, case = await taken(bridge, customer)
    with bridge.parts.bridge.transaction() as session:
        session.get_one(Agent, agent).status = "away"
    await other.say("转人工")
    await dispatch_once(bridge.parts)
    assert (room_of(bridge).case(case).agent_id, room_of(bridge).case(case_of(bridge, other)).offered_to) == (
        agent,
        None,
    )


async def test_several_loops_do_each_step_once(shared_urls: Any) -> None:
    clock = at_hour(10)
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
    room = room_of(bridge)
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
    async with running(settings(*sqlite_urls), clock=at_hour(10), loops=True) as bridge:
        room = room_of(bridge)
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
    earlier = room_of(bridge).request()
    await dispatch_once(bridge.parts)
    case = case_of(bridge, customer)
    assert (case.priority, case.summary["flags"]) == (1, ["life_support"])
    assert case.rank_at < room_of(bridge).case(earlier).rank_at


async def test_without_the_work_order_system_cases_are_still_offered(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(dispatch, "flags_of", away)
    room = room_of(bridge)
    room.agent()
    case = room.request()
    await dispatch_once(bridge.parts)
    assert room.mode(case) == "offered"


async def test_breaches_are_noted_by_the_loop(bridge: Bridge) -> None:
    room = room_of(bridge)
    case = room.request()
    agent = room.agent(capacity=1)
    room.taken(agent)
    bridge.clock.ahead += timedelta(minutes=16)
    room_of(bridge).alive(agent)
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

    async with running(settings(*sqlite_urls), FakeRasa(), clock=at_hour(10)) as bridge:
        bridge.parts.dialogue._news._desk = Broken()  # type: ignore[assignment]
        customer = await bridge.customer()
        assert (await customer.say("转人工"))["mode"] == "queued"
        assert "已记下" in texts(await customer.say("在吗"))[0]
        assert (await customer.say("算了不等了"))["mode"] == "bot"
        await asyncio.sleep(0.05)


async def test_times_are_told_in_shanghai(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("转人工")
    due = room_of(bridge).events(case_of(bridge, customer))[1].data["due_at"]
    assert datetime.fromisoformat(due).astimezone(SHANGHAI).hour == 12
