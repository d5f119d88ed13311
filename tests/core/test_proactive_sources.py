"""Outages as messages that we send first: who is told of which news, once, and no more when all is read again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from proactive_kit import NOTICES, NOW, bind, follower, web
from sources_kit import HOUR, RULES, World, world
from sqlalchemy import event, select
from sqlalchemy.orm import ORMExecuteState, Session

from core.channel.tables import ChannelUser
from core.clock import SHANGHAI
from core.outage import subscribe
from core.outage_control import change_state, expect, outage_of
from core.proactive.choices import choose
from core.proactive.tables import Broadcast, Send

__all__ = ["world"]


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
