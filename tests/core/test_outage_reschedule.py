"""Planned works that move: who asked about them in a conversation hears of the new time, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from proactive_kit import NOW
from sources_kit import DAY, HOUR, World, worlds
from sqlalchemy import select

from core.notice import Notice
from core.outage import PLANNED, Outage, subscribe
from core.outage_control import WrongOutageState, expect, outage_of, reschedule

START = NOW + 9 * DAY


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[World]:
    """A world in each dialect."""
    with worlds(lambda _name: new_url(request.param, tmp_path)) as found:
        yield found


@pytest.fixture
def works(world: World) -> Outage:
    """Works nine days ahead that a conversation wants to hear of."""
    outage = world.outage("T1", kind=PLANNED, state="planned", started_at=START, expected_at=START + 4 * HOUR)
    with world.workorder.transaction() as session:
        subscribe(session, outage_of(session, outage.outage_no), "c1", now=NOW)
    return outage


def noticed(world: World) -> list[tuple[str, str]]:
    with world.workorder.reading() as session:
        return [(one.conversation_id, one.wording) for one in session.scalars(select(Notice).order_by(Notice.id))]


def test_subscribers_hear_of_the_new_time_once(world: World, works: Outage) -> None:
    for _ in range(2):
        world.change(works, reschedule, START + DAY, START + DAY + HOUR)
    assert noticed(world) == [("c1", "outage_moved")]
    with world.workorder.reading() as session:
        found = outage_of(session, works.outage_no)
        assert (found.started_at, found.expected_at) == (START + DAY, START + DAY + HOUR)


def test_a_later_end_is_told_as_a_change_of_the_new_time(world: World, works: Outage) -> None:
    world.change(works, reschedule, START + DAY, START + DAY + HOUR)
    world.change(works, expect, START + DAY + 2 * HOUR)
    assert noticed(world) == [("c1", "outage_moved"), ("c1", "moved_outage_restore")]


@pytest.mark.parametrize(
    ("first", "last"), [(START, START), (START + HOUR, START), (NOW - HOUR, NOW + HOUR)]
)  # fmt: skip
def test_works_end_after_they_begin_and_lie_ahead(world: World, works: Outage, first: datetime, last: datetime) -> None:
    with pytest.raises(ValueError, match="planned works lie ahead"):
        world.change(works, reschedule, first, last)


def test_what_has_begun_or_was_never_planned_is_not_moved(world: World, works: Outage) -> None:
    with pytest.raises(WrongOutageState):
        world.change(works, reschedule, START + DAY, START + 2 * DAY, now=START + timedelta(minutes=1))
    fault = world.outage("T2")
    with pytest.raises(WrongOutageState):
        world.change(fault, reschedule, START, START + HOUR)
