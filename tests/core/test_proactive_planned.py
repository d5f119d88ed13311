"""Planned works: told ahead, excused when known late, moved, cancelled; by night only if the morning is too late."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from proactive_kit import NOTICES, NOW
from sources_kit import DAY, HOUR, World, world

from core.clock import SHANGHAI
from core.outage import PLANNED, TEMPORARY
from core.outage_control import change_state, reschedule

__all__ = ["world"]


@pytest.mark.parametrize(
    ("ahead", "kind", "wording"),
    [
        (9 * DAY, PLANNED, "planned_outage"), (3 * DAY, TEMPORARY, "planned_outage_short"),
        (5 * HOUR, TEMPORARY, "planned_outage_short"), (5 * HOUR, PLANNED, "planned_outage_late"),
    ],
)  # fmt: skip
def test_planned_works_are_told_ahead_and_excused_when_known_late(
    world: World, ahead: timedelta, kind: str, wording: str
) -> None:
    world.account("C1")
    linked = world.follower("a", "C1")
    start = NOW + ahead
    world.outage("F1", kind=kind, state="planned", started_at=start, expected_at=start + 4 * HOUR, cause="cable")
    world.look("outages")
    assert world.told() == {wording: {linked: "wechat"}}
    [broadcast] = world.broadcasts()
    assert broadcast.expires_at == start
    assert broadcast.values["cause"] == "电缆故障"


@pytest.mark.parametrize(
    ("at", "starts", "wording"),
    [
        (23, 30.5, "planned_outage_soon"), (27, 33, "planned_outage_late"), (27, 32.5, "planned_outage_soon"),
        (27, 38, "planned_outage_late"), (21, 30.5, "planned_outage_soon"), (12, 20, "planned_outage_late"),
    ],
)  # fmt: skip
def test_nobody_is_woken_for_works_of_which_the_morning_is_early_enough(
    world: World, at: int, starts: float, wording: str
) -> None:
    world.account("C1")
    world.follower("a", "C1")
    midnight = datetime(2026, 11, 24, tzinfo=SHANGHAI)
    now, begins = midnight + at * HOUR, midnight + starts * HOUR
    world.outage("T1", kind=PLANNED, state="planned", started_at=begins, expected_at=begins + HOUR, now=now)
    world.look("outages", now)
    assert [one.wording for one in world.broadcasts()] == [wording]
    assert NOTICES.may_go(wording, now=midnight) == (wording == "planned_outage_soon")


def test_works_that_move_to_the_early_morning_are_told_by_night(world: World) -> None:
    world.account("C1")
    linked = world.follower("a", "C1")
    night = datetime(2026, 11, 24, 23, 0, tzinfo=SHANGHAI)
    outage = world.outage("T1", kind=PLANNED, state="planned", started_at=NOW + 9 * DAY, expected_at=NOW + 10 * DAY)
    world.look("outages")
    begins = datetime(2026, 11, 25, 6, 30, tzinfo=SHANGHAI)
    world.change(outage, reschedule, begins, begins + HOUR, now=night)
    world.look("outages", night)
    assert world.told()["planned_outage_moved_soon"] == {linked: "wechat"}
    assert NOTICES.may_go("planned_outage_moved_soon", now=night)
    assert not NOTICES.may_go("planned_outage_moved", now=night)


def test_planned_works_far_ahead_are_told_two_weeks_before(world: World) -> None:
    world.account("C1")
    world.follower("a", "C1")
    start = NOW + 20 * DAY
    world.outage("T1", kind=PLANNED, state="planned", started_at=start, expected_at=start + HOUR)
    world.look("outages")
    assert world.broadcasts() == []
    world.look("outages", NOW + 6 * DAY)
    assert [one.wording for one in world.broadcasts()] == ["planned_outage"]


def test_planned_works_that_move_or_are_cancelled_are_told(world: World) -> None:
    world.account("C1")
    linked = world.follower("a", "C1")
    start = NOW + 9 * DAY
    outage = world.outage("T1", kind=PLANNED, state="planned", started_at=start, expected_at=start + 4 * HOUR)
    world.look("outages")
    world.change(outage, reschedule, start + DAY, start + DAY + HOUR)
    world.look("outages")
    world.change(outage, lambda session, one, *, now: change_state(session, one, "cancelled", now=now))
    world.look("outages")
    world.look("outages")
    assert [one.wording for one in world.broadcasts()] == [
        "planned_outage", "planned_outage_moved", "planned_outage_cancelled"
    ]  # fmt: skip
    assert [recipient for recipient, _ in world.sends()] == [linked] * 3
    assert datetime.fromisoformat(world.broadcasts()[1].values["started_at"]) == start + DAY


def test_planned_works_that_move_there_and_back_are_told_of_both(world: World) -> None:
    world.account("C1")
    world.follower("a", "C1")
    start = NOW + 9 * DAY
    outage = world.outage("T1", kind=PLANNED, state="planned", started_at=start, expected_at=start + HOUR)
    world.look("outages")
    for begins in (start + DAY, start, start + DAY):
        world.change(outage, reschedule, begins, begins + HOUR)
        world.look("outages")
        world.look("outages")
        assert datetime.fromisoformat(world.broadcasts()[-1].values["started_at"]) == begins
    assert [one.wording for one in world.broadcasts()] == ["planned_outage", *["planned_outage_moved"] * 3]
    world.look("outages", start + DAY + HOUR / 2)  # it goes as it was announced last
    assert len(world.broadcasts()) == 4


def test_planned_works_that_go_as_announced_are_no_further_news(world: World) -> None:
    world.account("C1")
    world.follower("a", "C1")
    start = NOW + 5 * HOUR
    world.outage("T1", kind=TEMPORARY, state="planned", started_at=start, expected_at=start + 2 * HOUR)
    world.look("outages")
    world.look("outages", start + HOUR)
    assert len(world.broadcasts()) == 1
