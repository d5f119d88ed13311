"""Where a customer stands: the published run and what happened since."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from segment_kit import AS_OF, DAY, NOW, ONE, TWO, World, account, world

from core.segment.events import note
from core.segment.standing import Standing, strongest
from core.segment.tables import RUNNING, SegmentRun

__all__ = ["world"]  # a fixture


def test_the_customer_belongs_to_the_strongest_segment_of_the_accounts(world: World) -> None:
    run_id = world.publish(a1="basic", a2="high_value")
    found = world.standing()
    assert (found.segment, found.run_id, found.thin) == ("high_value", run_id, False)
    assert [one.segment for one in found.accounts] == ["basic", "high_value"]
    assert world.standing(customer_no=None, account_nos=(ONE,)).segment == "basic"
    assert strongest(["basic", None, "special_service", "high_risk"]) == "special_service"
    assert strongest([None]) is None


def test_of_somebody_unknown_nothing_is_said(world: World) -> None:
    assert world.standing() == Standing(None, (), thin=True, run_id=None, accounts=())
    world.publish()
    assert world.standing(customer_no="C9").segment is None
    assert world.standing(customer_no=None).accounts == ()


def test_readers_see_the_old_run_until_the_new_one_is_whole(world: World) -> None:
    first = world.publish(a1="growth")
    with world.sources.bridge.transaction() as session:
        session.add(SegmentRun(as_of=AS_OF, state=RUNNING, seed=1, started_at=NOW, heartbeat_at=NOW))
    assert (world.standing().run_id, world.standing().segment) == (first, "growth")


def test_a_registered_need_counts_at_once_and_for_all_accounts_if_none_is_named(world: World) -> None:
    world.publish(a1="high_risk", a2="high_value")
    world.look()
    world.order("special_life_support", account_no=None)
    world.look()
    found = world.standing()
    assert found.segment == "special_service"
    assert {one.segment for one in found.accounts} == {"special_service"}
    assert "needs_care" in found.tags


@pytest.mark.parametrize(("before", "after"), [("basic", "growth"), ("high_value", "high_value")])
def test_an_application_lifts_whoever_has_no_stronger_segment(world: World, before: str, after: str) -> None:
    world.publish(a1=before)
    world.look()
    world.order("charging_pile")
    world.look()
    assert world.standing(customer_no=None, account_nos=(ONE,)).segment == after
    assert "applied" in world.standing().tags


def test_what_was_known_of_an_account_is_not_told_of_whoever_took_it_over(world: World) -> None:
    world.publish(a1="high_risk", a2="growth")
    world.look()
    world.order("complaint")
    world.look()
    world.take_over()
    found = world.standing(customer_no="C2", account_nos=(ONE,))
    assert (found.segment, found.tags, found.thin) == (None, (), True)
    assert [(one.account_no, one.thin) for one in found.accounts] == [(ONE, "new")]
    world.order("solar", customer_no="C2")
    world.look()
    found = world.standing(customer_no="C2", account_nos=(ONE,))
    assert (found.segment, found.tags, found.thin) == ("growth", ("applied",), True)


def test_the_next_run_takes_over_what_the_events_said(world: World) -> None:
    world.publish()
    world.look()
    world.order("charging_pile")
    world.look()
    assert world.standing().segment == "growth"
    world.publish(as_of=date(2026, 11, 23), a1="basic")
    assert world.standing().segment == "basic"


def test_a_new_account_is_said_to_be_new_and_may_still_have_an_event(world: World) -> None:
    world.publish()
    with world.sources.bridge.transaction() as session:
        assert note(session, account_no="4200000009", customer_no="C2", kind="special_need", cause="x", at=NOW)
    found = world.standing(customer_no="C2")
    assert (found.segment, found.thin) == ("special_service", True)
    assert found.accounts[0].thin == "new"


def test_somebody_without_a_number_is_not_given_the_portrait_of_an_earlier_holder(world: World) -> None:
    world.publish(a1="high_risk", a2="growth")
    own = world.standing(customer_no=None, account_nos=(ONE,), holders={ONE: "C1"})
    assert (own.segment, own.thin) == ("high_risk", False)
    world.look()
    world.order("complaint")
    world.look()
    new = world.standing(customer_no=None, account_nos=(ONE,), holders={ONE: "C2"})
    assert (new.segment, new.tags, new.thin) == (None, (), True)
    assert [one.known for one in new.accounts] == [False]


def test_a_segment_of_a_newer_version_claims_nothing(world: World) -> None:
    world.publish(a1="platinum", a2="growth")
    assert world.standing().segment == "growth"
    assert world.standing(customer_no=None, account_nos=(ONE,)).segment is None


def test_who_gives_an_account_up_stands_no_longer_by_it(world: World) -> None:
    world.publish(a1="high_value", a2="basic")
    world.look()
    world.order("complaint")
    world.look()
    assert (world.standing().segment, "complained" in world.standing().tags) == ("high_value", True)
    world.take_over()
    world.look(NOW + DAY)
    found = world.standing(account_nos=(ONE,))
    assert (found.segment, found.tags, [one.account_no for one in found.accounts]) == ("basic", ("on_time",), [TWO])
    assert world.standing(customer_no=None, account_nos=(ONE,), holders={ONE: "C1"}).accounts == ()
    # Asked for by its number alone it is a new one, of whoever has it now.
    now = world.standing(customer_no=None, account_nos=(ONE,))
    assert [(one.account_no, one.segment, one.known) for one in now.accounts] == [(ONE, None, False)]


def test_what_the_new_holder_does_is_told_of_the_account_and_nothing_of_the_earlier_one(world: World) -> None:
    world.publish(a1="high_risk")
    world.look()
    world.order("complaint")
    world.take_over()
    world.order("solar", customer_no="C2")
    world.look(NOW + DAY)
    for whose in ({"customer_no": "C2"}, {"customer_no": None}):
        found = world.standing(account_nos=(ONE,), **whose)
        assert (found.segment, found.tags) == ("growth", ("applied",))


def test_an_account_that_was_closed_says_nothing_of_its_customer_from_the_next_day_on(world: World) -> None:
    world.publish(a1="high_risk", a2="basic")
    with world.sources.billing.transaction() as session:
        account(session).closed_on = NOW.date()
    world.look()
    assert world.standing().segment == "high_risk"
    world.look(NOW + DAY)
    assert world.standing().segment == "basic"


def test_a_change_of_hands_that_was_a_mistake_gives_the_standing_back(world: World) -> None:
    world.publish(a1="growth")
    world.take_over()
    world.look()
    assert world.standing().segment == "basic"
    with world.sources.billing.transaction() as session:
        taken = account(session)
        taken.customer_id, taken.held_since = taken.customer_id - 1, None
    world.look(NOW + timedelta(minutes=14))
    assert world.standing().segment == "basic"  # it is looked at every quarter of an hour
    world.look(NOW + timedelta(minutes=15))
    assert (world.standing().segment, world.events()) == ("growth", [])


def test_the_next_run_knows_the_new_holder_and_the_earlier_one_stays_without_the_account(world: World) -> None:
    world.publish(a1="high_risk")
    world.take_over()
    world.look()
    run_id = world.publish(as_of=NOW.date(), a1="high_value", a2="growth", one="C2")
    world.look(NOW + timedelta(minutes=1))
    assert (world.standing().run_id, world.standing().segment) == (run_id, "growth")
    assert world.standing(customer_no="C2").segment == "high_value"
