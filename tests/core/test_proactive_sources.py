"""Outages as messages that we send first: who is told of which news, once, and no more when all is read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from proactive_kit import NOTICES, NOW, bind, follower, web
from sources_kit import DAY, HOUR, RULES, World, worlds
from sqlalchemy import event, select
from sqlalchemy.orm import ORMExecuteState, Session

from core.channel.tables import ChannelUser
from core.clock import SHANGHAI
from core.outage import PLANNED, TEMPORARY, subscribe
from core.outage_control import change_state, expect, outage_of, reschedule
from core.proactive.choices import choose
from core.proactive.tables import Broadcast, Send


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[World]:
    """A world in each dialect."""
    with worlds(lambda _name: new_url(request.param, tmp_path)) as found:
        yield found


def test_who_lives_below_the_node_hears_of_an_outage_once(world: World) -> None:
    mine, theirs = world.account("C1"), world.account("C2", at="T2")
    linked, bound = world.follower("a", "C1"), world.follower("b", accounts=(theirs,))
    world.account("C3")  # who has never had to do with us
    world.follower("c")  # lives nobody knows where
    world.outage("F1")
    world.look("outages")
    assert world.told() == {"outage_begun": {linked: "wechat", bound: "wechat"}}
    world.start()
    world.look("outages")
    assert len(world.sends()) == 2
    assert mine != theirs


def test_another_transformer_s_people_hear_nothing(world: World) -> None:
    world.account("C1", at="T2")
    world.follower("a", "C1")
    world.outage("T1")
    world.look("outages")
    assert world.told() == {}


def test_a_customer_with_two_accounts_there_hears_of_it_once(world: World) -> None:
    first, second = world.account("C1"), world.account("C1", at="T2")
    linked = world.follower("a", "C1", accounts=(first, second))
    world.outage("F1")
    world.look("outages")
    assert [recipient for recipient, _ in world.sends()] == [linked]


def test_a_customer_of_the_app_is_told_by_short_message(world: World) -> None:
    world.account("C1")
    with world.bridge.transaction() as session:
        web(session, "C1")
    world.outage("T1")
    world.look("outages")
    assert world.told() == {"outage_begun": {"customer:C1": "sms"}}


def test_who_declined_is_not_told(world: World) -> None:
    world.account("C1")
    world.follower("a", "C1")
    with world.bridge.transaction() as session:
        choose(session, "customer:C1", "outage", wanted=False, channel="wechat", now=NOW)
    world.outage("T1")
    world.look("outages")
    assert world.sends() == []


def test_who_hears_it_in_the_conversation_does_not_hear_it_twice(world: World) -> None:
    mine = world.account("C1")
    linked = world.follower("a", "C1", accounts=(mine,))
    other = world.account("C2")
    asked = world.follower("b", accounts=(other,))
    outage = world.outage("T1")
    with world.bridge.reading() as session:
        conversation = session.scalars(select(ChannelUser).where(ChannelUser.user_id == "o-b")).one().conversation_id
    with world.workorder.transaction() as session:
        subscribe(session, outage_of(session, outage.outage_no), conversation, now=NOW)
    world.look("outages")
    assert world.told() == {"outage_begun": {linked: "wechat"}}
    assert asked not in world.told()["outage_begun"]


def test_who_asked_on_a_page_gets_a_message_too_and_the_log_has_it_once(world: World) -> None:
    world.account("C1")
    with world.bridge.transaction() as session:
        conversation = web(session, "C1").id
    outage = world.outage("T1")
    with world.workorder.transaction() as session:
        subscribe(session, outage_of(session, outage.outage_no), conversation, now=NOW)
    world.look("outages")
    assert world.told() == {"outage_begun": {"customer:C1": "sms"}}
    with world.bridge.reading() as session:
        assert session.scalars(select(Send)).one().told_at == NOW


def test_a_new_time_and_the_end_are_news_and_the_same_again_is_none(world: World) -> None:
    world.account("C1")
    linked = world.follower("a", "C1")
    outage = world.outage("T1")
    world.look("outages")
    world.change(outage, expect, NOW + 3 * HOUR)
    world.look("outages")
    world.look("outages")
    world.change(outage, expect, NOW + 4 * HOUR, now=NOW + HOUR)
    world.look("outages", NOW + HOUR)
    world.change(
        outage, lambda session, one, *, now: change_state(session, one, "restored", now=now), now=NOW + 2 * HOUR
    )
    world.look("outages", NOW + 2 * HOUR)
    world.look("outages", NOW + 2 * HOUR)
    wordings = [one.wording for one in world.broadcasts()]
    assert wordings == ["outage_begun", "outage_expected", "outage_expected", "outage_restored"]
    assert [recipient for recipient, _ in world.sends()] == [linked] * 4


def test_what_newer_news_has_overtaken_is_not_sent_any_more(world: World) -> None:
    world.account("C1")
    world.follower("a", "C1")
    outage = world.outage("T1")
    world.look("outages")
    world.change(outage, expect, NOW + 3 * HOUR)
    world.look("outages", NOW + timedelta(minutes=1))
    begun, expected = world.broadcasts()
    assert begun.expires_at == NOW + timedelta(minutes=1)
    assert expected.expires_at == NOW + timedelta(minutes=1) + 6 * HOUR


def test_suspicion_is_no_news_and_neither_is_what_is_old(world: World) -> None:
    world.account("C1")
    world.follower("a", "C1")
    world.outage("T1", state="suspected")
    world.outage("T2", started_at=NOW - 7 * HOUR)
    world.look("outages")
    assert world.broadcasts() == []


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


def test_what_was_told_of_all_outages_is_read_in_one_query(world: World) -> None:
    world.account("C1")
    world.follower("a", "C1")
    for _ in range(12):
        world.outage("T1")
    world.look("outages")
    asked: list[str] = []

    def note(state: ORMExecuteState) -> None:
        if "broadcasts.key" in str(state.statement):
            asked.append(str(state.statement))

    event.listen(Session, "do_orm_execute", note)
    try:
        assert world.look("outages") == 1
    finally:
        event.remove(Session, "do_orm_execute", note)
    assert len(asked) == 2  # one for what is unfinished
    assert len(world.broadcasts()) == 12


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


def test_a_time_of_return_that_is_put_off_and_back_is_told_each_time(world: World) -> None:
    world.account("C1")
    world.follower("a", "C1")
    outage = world.outage("T1")
    for hours in (3, 4, 3):
        world.change(outage, expect, NOW + hours * HOUR)
        world.look("outages")
    said = [one.values["expected_at"] for one in world.broadcasts()]
    assert [datetime.fromisoformat(one) for one in said] == [NOW + hours * HOUR for hours in (3, 4, 3)]


@pytest.mark.parametrize("ended", [datetime(2026, 11, 22, 23, 30), datetime(2026, 11, 23, 1, 30)])
def test_the_end_of_an_outage_by_night_is_still_told_in_the_morning(world: World, ended: datetime) -> None:
    world.account("C1")
    world.follower("a", "C1")
    at = ended.replace(tzinfo=SHANGHAI)
    outage = world.outage("T1", started_at=at - HOUR, now=at - HOUR)
    world.look("outages", at - HOUR)
    world.change(outage, lambda session, one, *, now: change_state(session, one, "restored", now=now), now=at)
    world.look("outages", at)
    restored = world.broadcasts()[-1]
    morning = datetime(2026, 11, 23, 8, 0, tzinfo=SHANGHAI)
    assert restored.wording == "outage_restored"
    assert not NOTICES.may_go(restored.wording, now=at)
    assert NOTICES.may_go(restored.wording, now=morning)
    assert restored.expires_at is not None
    assert restored.expires_at >= morning + HOUR


def test_planned_works_that_go_as_announced_are_no_further_news(world: World) -> None:
    world.account("C1")
    world.follower("a", "C1")
    start = NOW + 5 * HOUR
    world.outage("T1", kind=TEMPORARY, state="planned", started_at=start, expected_at=start + 2 * HOUR)
    world.look("outages")
    world.look("outages", start + HOUR)
    assert len(world.broadcasts()) == 1


def test_a_big_outage_is_fanned_out_in_steps_and_goes_on_after_a_crash(world: World) -> None:
    world.rules = RULES.model_copy(update={"step": 4})
    expected = set()
    for number in range(10):
        account = world.account(f"C{number}", at=f"T{number % 2 + 1}")
        expected.add(world.follower(f"f{number}", accounts=(account,)))
    world.start()
    world.outage("S1")
    for _ in range(3):  # the announcement, and two steps
        assert world.steps["outages"](NOW)
    assert len(world.sends()) == 8
    world.start()  # killed, and started anew
    world.look("outages")
    assert {recipient for recipient, _ in world.sends()} == expected
    assert len(world.sends()) == 10
    assert world.broadcasts()[0].fanned_out


def test_a_stopped_broadcast_is_left_alone(world: World) -> None:
    world.account("C1")
    world.follower("a", "C1")
    world.outage("T1")
    assert world.steps["outages"](NOW)
    with world.bridge.transaction() as session:
        session.scalars(select(Broadcast)).one().state = "stopped"
    world.look("outages")
    assert world.sends() == []


def test_a_tenant_who_moved_out_hears_nothing_of_the_home(world: World) -> None:
    account = world.account("C2")
    with world.bridge.transaction() as session:
        user = follower(session, "a")
        bind(session, account, channel_user=user.user_id, owner_no="C1")
    world.outage("T1")
    world.look("outages")
    assert world.sends() == []
