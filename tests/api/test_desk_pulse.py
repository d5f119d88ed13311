"""While the loop of the desk does not turn nobody is offered to anybody: customers hear the truth."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from bridge_kit import Bridge, running, settings
from sqlalchemy.orm import Session

from api import pulse as pulses
from api.pulse import LATE_SECONDS, Pulse, attended, pulse_of
from core import agent as people
from core.agent import NewAgent, hash_password
from core.audit import Auditor
from core.clock import system_clock
from core.roster import Worker

NOBODY, CLOSED = "没有坐席在线", "不是人工服务时间"


def test_a_loop_that_never_began_is_not_late_and_one_that_stopped_is() -> None:
    seconds = 0.0
    pulse = Pulse(lambda: seconds)
    seconds = 1000.0
    assert not pulse.late
    pulse.beat()
    seconds += LATE_SECONDS
    assert not pulse.late
    seconds += 0.1
    assert pulse.late
    pulse.beat()
    assert not pulse.late


def test_nobody_can_take_cases_while_the_loop_stands_still() -> None:
    seconds = 0.0
    pulse = Pulse(lambda: seconds)
    pulse.beat()
    somebody = Worker(1, frozenset({"repair"}), 1, 0, None)
    staff = attended(lambda _session, *, now: [somebody] if now else [], pulse)
    session, now = Session(), system_clock()
    assert staff(session, now=now) == [somebody]
    seconds = LATE_SECONDS + 1
    assert staff(session, now=now) == []


def online(bridge: Bridge) -> None:
    """Let somebody be at the desk who is there but has no room."""
    with bridge.parts.bridge.transaction() as session:
        now = bridge.clock()
        new = NewAgent("chen", "陈", "1", skills=("business",), capacity=1)
        hashed = hash_password("lamps by the river", login="chen")
        agent = people.add_agent(session, new, hashed, auditor=Auditor.of(bridge.parts.settings.keyring()), now=now)
        people.set_status(agent, "online")
        people.touch(session, agent.id, now=now + timedelta(seconds=30))


async def test_who_asks_for_a_person_while_the_loop_hangs_is_told_that_nobody_can_come(
    urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulses, "LATE_SECONDS", 0.5)
    async with running(settings(*urls)) as bridge:
        online(bridge)
        before = await bridge.customer()
        [told] = (await before.say("转人工"))["messages"]
        assert NOBODY not in told["text"]
        assert CLOSED not in told["text"]
        pulse_of(bridge.parts.bus).beat()  # the loop began …
        await asyncio.sleep(0.6)  # … and has hung since
        after = await bridge.customer()
        [told] = (await after.say("转人工"))["messages"]
        assert NOBODY in told["text"] or CLOSED in told["text"]
        assert "最迟" in told["text"]
        standing = (await before.http.get("/v1/queue", headers=before.headers)).json()
        assert (standing["on_duty"], standing["expected_wait_seconds"]) == (False, None)
        assert NOBODY in standing["text"] or CLOSED in standing["text"]
        pulse_of(bridge.parts.bus).beat()  # it turns again
        standing = (await before.http.get("/v1/queue", headers=before.headers)).json()
        assert standing["on_duty"]
