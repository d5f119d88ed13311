"""Customers whose conversations go to a person, on a bridge that has no cases or agents but theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from bridge_kit import Bridge, Customer, SetClock, running, settings
from handoff_kit import DeskRoom, empty
from sqlalchemy import select

from core.clock import system_clock
from core.handoff.tables import Handoff


def at_hour(hour: int) -> SetClock:
    """Return a clock that goes on from this hour of tomorrow, whatever the time is where the tests run."""
    clock, now = SetClock(), system_clock()
    clock.ahead = (now + timedelta(days=1)).replace(hour=hour, minute=0, second=0) - now
    return clock


@pytest.fixture
async def bridge(shared_urls: Any) -> AsyncIterator[Bridge]:
    """A bridge in the morning over the module's databases, without cases or agents; nothing runs by itself."""
    async with running(settings(*shared_urls), clock=at_hour(10)) as one:
        empty(one.parts.bridge)
        yield one


def room_of(bridge: Bridge) -> DeskRoom:
    return DeskRoom(bridge.parts.bridge, bridge.clock())


def case_of(bridge: Bridge, customer: Customer) -> Handoff:
    with bridge.parts.bridge.reading() as session:
        query = select(Handoff).where(Handoff.conversation_id == customer.conversation_id)
        return session.scalars(query.order_by(Handoff.id.desc())).first()  # type: ignore[return-value] - there is one


async def taken(bridge: Bridge, customer: Customer) -> tuple[int, Handoff]:
    """Let an agent have the conversation."""
    agent = room_of(bridge).agent("小王")
    await customer.say("转人工")
    case = case_of(bridge, customer)
    room_of(bridge).claim(case, agent)
    return agent, case


def texts(answer: dict[str, Any]) -> list[str]:
    return [one["text"] for one in answer["messages"]]


def button(answer: dict[str, Any], title: str) -> str:
    return next(one["id"] for row in answer["messages"] for one in row["buttons"] if one["title"] == title)


async def place_of(customer: Customer) -> dict[str, Any]:
    answer = await customer.http.get("/v1/queue", headers=customer.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
