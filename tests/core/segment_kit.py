"""A customer with two accounts in a published run, and what he does since."""

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
from core.segment.rules import load_rules
from core.segment.runs import publish
from core.segment.standing import Standing, standing_of
from core.segment.tables import RUNNING, SegmentRun
from core.segment.watch import Watch
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

    def publish(self, as_of: date = AS_OF, *, one: str = "C1", **segments: str) -> int:
        """Publish a run in which the accounts have these segments (a1, a2); the first is the customer's `one`."""
        with self.sources.billing.reading() as session:
            ids = dict(session.execute(select(Account.account_no, Account.id)).all())
        with self.sources.bridge.transaction() as session:
            run = SegmentRun(as_of=as_of, state=RUNNING, seed=3, started_at=NOW, heartbeat_at=NOW)
            session.add(run)
            session.flush()
            for number, key in ((ONE, segments.get("a1", "basic")), (TWO, segments.get("a2", "basic"))):
                session.add(portrait(run.id, ids[number], number, key, one if number == ONE else "C1"))
            run_id = run.id
        publish(self.sources.bridge, run_id, now=NOW)
        return run_id

    def order(
        self, kind: str, *, account_no: str | None = ONE, at: datetime = NOW, customer_no: str = "C1",
        state: str = "accepted", number: int | None = None,
    ) -> None:  # fmt: skip
        with self.sources.workorder.transaction() as session:
            count = session.scalar(select(func.count()).select_from(WorkOrder)) or 0
            session.add(
                WorkOrder(
                    id=number, order_no=f"2026{count:010d}", cause=f"c{count}", category="x", title="x", kind=kind,
                    family=kind, priority="normal", state=state, account_no=account_no, customer_no=customer_no,
                    description_cipher="", details_cipher="", opened_at=at, updated_at=at,
                )
            )  # fmt: skip

    def cancel(self) -> None:
        """Cancel all orders that there are."""
        with self.sources.workorder.transaction() as session:
            for order in session.scalars(select(WorkOrder)):
                order.state = "cancelled"

    def take_over(self) -> None:
        """Let another customer have the first account."""
        with self.sources.billing.transaction() as session:
            other = Customer(customer_no="C2", kind="person", name_cipher="", phone_cipher="", phone_hash="")
            session.add(other)
            session.flush()
            taken = account(session)
            taken.customer_id, taken.held_since = other.id, NOW.date()

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

    def pay(self, amount: str, *, at: datetime = NOW, status: str = "succeeded", number: int | None = None) -> None:
        with self.sources.billing.transaction() as session:
            count = session.scalar(select(func.count()).select_from(Payment)) or 0
            session.add(
                Payment(
                    id=number, reference=f"P{count}", account_id=account(session).id, bill_id=None, paid_at=at,
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


def portrait(run_id: int, account_id: int, number: str, segment: str, customer_no: str) -> Portrait:
    late = {"late_count": 5.0, "overdue_yuan": 300.0, "overdue_days": 60.0} if segment == "high_risk" else {}
    return Portrait(
        run_id=run_id, account_id=account_id, account_no=number, customer_no=customer_no, customer_kind="person",
        district="江岸区", area_class="city", user_class="residential", history_months=24, segment=segment,
        tags=["on_time"], cluster=0, fee_year=1200.0, kwh_year=2000.0, **late,
    )  # fmt: skip


@pytest.fixture(params=DIALECTS)
def world(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[World]:
    with empty_sources(new_url, request.param, tmp_path) as sources:
        yield World(sources)
