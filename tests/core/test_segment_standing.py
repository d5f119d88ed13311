"""Where a customer stands: the published run and what happened since, read from orders and payments as they come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from portrait_kit import empty_sources
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.account import Account, Customer
from core.bill import Bill
from core.clock import SHANGHAI
from core.payment import Payment
from core.portrait.build import Sources
from core.portrait.tables import Portrait, PortraitEvent
from core.segment.events import note
from core.segment.rules import load_rules
from core.segment.runs import publish
from core.segment.standing import Standing, standing_of, strongest
from core.segment.tables import RUNNING, SegmentRun
from core.segment.watch import Due, Watch, due
from core.work_order import WorkOrder
from tests.dialects import DIALECTS, NewUrl

RULES = load_rules(Path(__file__).parents[2] / "data" / "segments")
AS_OF = date(2026, 11, 1)
NOW = datetime(2026, 11, 22, 10, tzinfo=SHANGHAI)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ONE, TWO = "4200000001", "4200000002"


class World:
    """A customer with two accounts in a published run, and what he does since."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.watch = Watch(sources.billing, sources.workorder, sources.bridge, RULES)
        with sources.billing.transaction() as session:
            owner = Customer(customer_no="C1", kind="person", name_cipher="", phone_cipher="", phone_hash="")
            session.add(owner)
            session.flush()
            for number in (ONE, TWO):
                session.add(
                    Account(
                        account_no=number, customer_id=owner.id, address_cipher="", district="江岸区",
                        area_class="city", region="hubei", user_class="residential", plan_code="x", profile="",
                        opened_on=date(2020, 1, 1),
                    )
                )  # fmt: skip

    def publish(self, as_of: date = AS_OF, **segments: str) -> int:
        """Publish a run in which the accounts have these segments (a1, a2)."""
        with self.sources.billing.reading() as session:
            ids = dict(session.execute(select(Account.account_no, Account.id)).all())
        with self.sources.bridge.transaction() as session:
            run = SegmentRun(as_of=as_of, state=RUNNING, seed=3, started_at=NOW, heartbeat_at=NOW)
            session.add(run)
            session.flush()
            for number, key in ((ONE, segments.get("a1", "basic")), (TWO, segments.get("a2", "basic"))):
                session.add(portrait(run.id, ids[number], number, key))
            run_id = run.id
        publish(self.sources.bridge, run_id, now=NOW)
        return run_id

    def order(self, kind: str, *, account_no: str | None = ONE, at: datetime = NOW) -> None:
        with self.sources.workorder.transaction() as session:
            count = session.scalar(select(func.count()).select_from(WorkOrder)) or 0
            session.add(
                WorkOrder(
                    order_no=f"2026{count:010d}", cause=f"c{count}", category="x", title="x", kind=kind, family=kind,
                    priority="normal", state="accepted", account_no=account_no, customer_no="C1",
                    description_cipher="", details_cipher="", opened_at=at, updated_at=at,
                )
            )  # fmt: skip

    def bill(self, amount: str, *, due_on: date, month: date = date(2026, 9, 1)) -> None:
        with self.sources.billing.transaction() as session:
            zero = Decimal(0)
            session.add(
                Bill(
                    account_id=account(session).id, month=month, period_first=month,
                    period_last=month + timedelta(days=29), kwh=Decimal(100), sharp_kwh=zero, peak_kwh=zero,
                    flat_kwh=Decimal(100), valley_kwh=zero, plan_code="x", amount=Decimal(amount),
                    issued_on=month + timedelta(days=31), due_on=due_on,
                )
            )  # fmt: skip

    def pay(self, amount: str, *, at: datetime = NOW, status: str = "succeeded") -> None:
        with self.sources.billing.transaction() as session:
            count = session.scalar(select(func.count()).select_from(Payment)) or 0
            session.add(
                Payment(
                    reference=f"P{count}", account_id=account(session).id, bill_id=None, paid_at=at,
                    amount=Decimal(amount), channel="wechat", status=status,
                )
            )  # fmt: skip

    def look(self, now: datetime = NOW) -> None:
        for _ in range(50):
            if not self.watch.step(now):
                return
        raise AssertionError("it never ends")

    def standing(self, **whose: Any) -> Standing:
        with self.sources.bridge.reading() as session:
            return standing_of(session, **({"customer_no": "C1"} | whose))

    def events(self) -> list[tuple[str, str]]:
        with self.sources.bridge.reading() as session:
            rows = session.scalars(select(PortraitEvent).order_by(PortraitEvent.id))
            return [(row.kind, row.account_no) for row in rows]


def account(session: Session) -> Account:
    return session.scalars(select(Account).where(Account.account_no == ONE)).one()


def portrait(run_id: int, account_id: int, number: str, segment: str) -> Portrait:
    late = {"late_count": 5.0, "overdue_yuan": 300.0, "overdue_days": 60.0} if segment == "high_risk" else {}
    return Portrait(
        run_id=run_id, account_id=account_id, account_no=number, customer_no="C1", customer_kind="person",
        district="江岸区", area_class="city", user_class="residential", history_months=24, segment=segment,
        tags=["on_time"], cluster=0, fee_year=1200.0, kwh_year=2000.0, **late,
    )  # fmt: skip


@pytest.fixture(params=DIALECTS)
def world(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[World]:
    with empty_sources(new_url, request.param, tmp_path) as sources:
        yield World(sources)


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


def test_three_months_at_once_are_a_large_payment(world: World) -> None:
    world.publish()
    world.look()
    world.pay("299.00")
    world.pay("300.00")
    world.look()
    assert world.events() == [("large_payment", ONE)]
    assert "paid_much" in world.standing().tags


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


def test_a_run_that_was_cut_off_is_due_with_its_own_day_and_seed_for_a_day(world: World) -> None:
    world.publish(as_of=date(2026, 11, 22))
    with world.sources.bridge.transaction() as session:
        session.add(SegmentRun(as_of=date(2026, 11, 21), state=RUNNING, seed=8, started_at=NOW, heartbeat_at=NOW))
    assert when_due(world, NOW + HOUR) == Due(date(2026, 11, 21), 8)
    assert when_due(world, NOW + 2 * DAY) is None
