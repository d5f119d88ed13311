"""What changes a portrait between two runs, read from orders and payments as they come; and when what is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from segment_kit import DAY, HOUR, NOW, ONE, RULES, TWO, World, world
from sqlalchemy import select

from core.clock import SHANGHAI
from core.learning.jobs import due as learning_due
from core.learning.marks import RUN, put_mark
from core.payment import Payment
from core.segment.events import note
from core.segment.tables import RUNNING, SegmentRun
from core.segment.watch import Due, Watch, due

__all__ = ["world"]  # a fixture


def test_a_complaint_gives_a_tag_and_no_other_order_does_anything(world: World) -> None:
    world.publish()
    world.look()
    world.order("complaint")
    world.order("repair")
    world.look()
    assert world.events() == [("complaint", ONE)]
    assert (world.standing().segment, "complained" in world.standing().tags) == ("basic", True)


def test_every_order_counts_once_although_the_watcher_starts_anew(world: World) -> None:
    world.publish()
    world.look()
    world.order("solar")
    world.look()
    world.watch = Watch(world.sources.billing, world.sources.workorder, world.sources.bridge, RULES)
    world.look()
    with world.sources.bridge.transaction() as session:
        assert not note(
            session, account_no=ONE, customer_no="C1", kind="application", cause=f"order:20260000000000:{ONE}", at=NOW
        )
    assert world.events() == [("application", ONE)]


def test_orders_from_before_the_run_are_in_it_and_those_since_are_found_at_the_first_look(world: World) -> None:
    world.order("solar", at=datetime(2026, 10, 3, 9, tzinfo=SHANGHAI))
    world.order("complaint", at=datetime(2026, 11, 3, 9, tzinfo=SHANGHAI))
    world.publish()
    world.look()
    assert world.events() == [("complaint", ONE)]


def test_an_order_that_is_cancelled_takes_its_effect_back_at_once(world: World) -> None:
    world.publish(a1="basic", a2="high_value")
    world.look()
    world.order("charging_pile")
    world.order("special_elder", account_no=None)
    world.look()
    assert world.standing().segment == "special_service"
    world.cancel()
    world.look()
    assert [one.segment for one in world.standing().accounts] == ["basic", "high_value"]
    assert world.standing().tags == ("on_time",)
    assert world.events() == []


def test_only_the_order_that_was_cancelled_is_taken_back(world: World) -> None:
    world.publish()
    world.look()
    world.order("special_elder", account_no=None)
    world.order("solar", account_no=TWO)
    world.look()
    world.cancel()
    world.order("special_elder", account_no=None)
    world.order("complaint")
    world.look()
    assert world.events() == [("special_need", ONE), ("special_need", TWO), ("complaint", ONE)]


def test_an_order_that_was_cancelled_before_it_was_read_or_while_nobody_watched_has_no_effect(world: World) -> None:
    world.publish()
    world.look()
    world.order("solar")
    world.look()
    world.cancel()
    world.order("three_phase", state="cancelled")
    world.watch = Watch(world.sources.billing, world.sources.workorder, world.sources.bridge, RULES)
    world.look()
    assert (world.events(), world.standing().segment) == ([], "basic")


def test_a_payment_of_whoever_took_an_account_over_says_nothing_of_the_earlier_holder(world: World) -> None:
    world.publish(a1="high_risk")
    world.look()
    world.take_over()
    world.pay("900.00")
    world.look()
    assert world.events() == []


def test_a_payment_that_settles_all_arrears_ends_the_high_risk(world: World) -> None:
    world.publish(a1="high_risk")
    world.bill("300.00", due_on=date(2026, 10, 25))
    world.look()
    world.pay("100.00", at=NOW - HOUR)
    world.look()
    assert (world.events(), world.standing().segment) == ([], "high_risk")
    world.pay("200.00")
    world.look()
    assert world.events() == [("cleared", ONE)]
    assert world.standing().segment == "basic"
    assert "settled" in world.standing().tags


def test_a_payment_that_failed_or_was_known_to_the_run_changes_nothing(world: World) -> None:
    world.publish(a1="high_risk")
    world.bill("300.00", due_on=date(2026, 10, 25))
    world.look()
    world.pay("300.00", status="failed")
    world.pay("300.00", at=datetime(2026, 10, 30, 12, tzinfo=SHANGHAI))
    world.look()
    assert (world.events(), world.standing().segment) == ([], "high_risk")


def test_the_first_look_takes_in_the_payments_since_the_run_and_waits_for_a_run(world: World) -> None:
    world.pay("500.00", at=NOW - HOUR)
    world.pay("600.00", at=datetime(2026, 10, 30, 12, tzinfo=SHANGHAI))  # paid before the other, but booked later
    world.look()
    assert world.events() == []
    world.publish()
    world.pay("700.00", status="failed")
    world.look()
    assert world.events() == [("large_payment", ONE)]
    world.look()
    assert world.events() == [("large_payment", ONE)]


def test_the_first_look_finds_orders_since_the_run_whichever_number_they_have(world: World) -> None:
    world.order("solar", at=NOW - HOUR)
    world.order("complaint", at=datetime(2026, 10, 3, 9, tzinfo=SHANGHAI))  # the demonstration's past comes later
    world.publish()
    world.look()
    assert ("application", ONE) in world.events()
    assert "complained" not in world.standing().tags


def test_three_months_at_once_are_a_large_payment(world: World) -> None:
    world.publish()
    world.look()
    world.pay("299.00")
    world.pay("300.00")
    world.look()
    assert world.events() == [("large_payment", ONE)]
    assert "paid_much" in world.standing().tags


def when_due(world: World, now: datetime) -> Due | None:
    with world.sources.bridge.reading() as session:
        return due(session, now, resume_hours=24)


def test_a_run_is_due_at_first_then_on_the_second_of_each_month_at_three(world: World) -> None:
    assert when_due(world, NOW) == Due(date(2026, 11, 22), 1)
    world.publish(as_of=date(2026, 11, 22))
    assert when_due(world, NOW + DAY) is None
    assert when_due(world, datetime(2026, 12, 2, 2, 59, tzinfo=SHANGHAI)) is None
    assert when_due(world, datetime(2026, 12, 2, 3, 0, tzinfo=SHANGHAI)) == Due(date(2026, 12, 2), 3)
    assert when_due(world, datetime(2026, 12, 9, 1, 0, tzinfo=SHANGHAI)) == Due(date(2026, 12, 9), 3)


def test_learning_is_due_at_first_then_after_half_past_two_each_night(world: World) -> None:
    def learns(now: datetime, **mark: str) -> bool:
        with world.sources.bridge.transaction() as session:
            if mark:
                put_mark(session, RUN, mark, now=now)
            return learning_due(session, now)

    night = datetime(2026, 11, 23, 2, 30, tzinfo=SHANGHAI)
    assert learns(NOW)
    assert not learns(NOW, state="done", at=NOW.isoformat())
    assert not learns(night - timedelta(seconds=1))
    assert learns(night)
    assert not learns(night, state="running", at=night.isoformat())
    assert not learns(night + HOUR - timedelta(seconds=1), state="failed", at=night.isoformat())
    assert learns(night + HOUR)
    assert not learns(night + HOUR, state="done", at=night.astimezone(UTC).isoformat())
    assert learns(night + 3 * DAY)


def test_a_run_that_was_cut_off_is_due_with_its_own_day_and_seed_for_a_day(world: World) -> None:
    world.publish(as_of=date(2026, 11, 22))
    with world.sources.bridge.transaction() as session:
        session.add(SegmentRun(as_of=date(2026, 11, 21), state=RUNNING, seed=8, started_at=NOW, heartbeat_at=NOW))
    assert when_due(world, NOW + HOUR) == Due(date(2026, 11, 21), 8)
    assert when_due(world, NOW + 2 * DAY) is None


def test_a_run_of_a_day_that_has_not_come_waits_when_the_clock_was_set_back(world: World) -> None:
    world.publish(as_of=date(2026, 11, 22))
    with world.sources.bridge.transaction() as session:
        session.add(SegmentRun(as_of=date(2026, 11, 24), state=RUNNING, seed=8, started_at=NOW, heartbeat_at=NOW + DAY))
    assert when_due(world, NOW) is None
    assert when_due(world, NOW + 2 * DAY) == Due(date(2026, 11, 24), 8)


def test_an_order_that_is_committed_after_one_with_a_higher_number_is_not_lost(world: World) -> None:
    world.publish()
    world.look()
    world.order("repair", number=7)
    world.look()
    world.order("special_life_support", number=6)  # its number was given out first
    world.look()
    assert (world.events(), world.standing().segment) == ([("special_need", ONE)], "special_service")
    world.order("solar", number=5)
    world.watch = Watch(world.sources.billing, world.sources.workorder, world.sources.bridge, RULES)
    world.look()
    assert world.events() == [("special_need", ONE), ("application", ONE)]


def test_a_payment_that_is_committed_after_one_with_a_higher_number_is_not_lost(world: World) -> None:
    world.publish()
    world.look()
    world.pay("10.00", number=9)
    world.look()
    world.pay("700.00", number=8)
    world.look()
    assert world.events() == [("large_payment", ONE)]


def test_a_payment_that_was_paid_back_settled_nothing_and_the_next_one_does(world: World) -> None:
    world.publish(a1="high_risk")
    world.bill("500.00", due_on=date(2026, 10, 25))
    world.look()
    world.pay("500.00")
    world.look()
    assert world.events() == [("large_payment", ONE), ("cleared", ONE)]
    with world.sources.billing.transaction() as session:
        session.scalars(select(Payment)).one().status = "refunded"
    world.look()
    assert (world.events(), world.standing().segment) == ([], "high_risk")
    world.pay("500.00")
    world.look()
    assert world.standing().segment == "basic"


def test_arrears_are_settled_once_however_often_a_part_of_them_is_looked_at(world: World) -> None:
    world.publish(a1="high_risk")
    world.bill("300.00", due_on=date(2026, 10, 25))
    world.look()
    world.pay("100.00", at=NOW - HOUR)
    world.look()
    world.pay("200.00")
    world.look()
    world.watch = Watch(world.sources.billing, world.sources.workorder, world.sources.bridge, RULES)
    world.look()
    assert world.events() == [("cleared", ONE)]
