"""What payments show about a payment problem."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from core.account import Account, Customer
from core.bill import Bill
from core.clock import SHANGHAI
from core.db import Database
from core.payment import Payment
from core.payment_check import PaymentCheck, check_payments

FIRST, LAST = date(2026, 5, 1), date(2026, 6, 30)


@pytest.fixture
def session(billing: Database) -> Iterator[Session]:
    with billing.transaction() as session:
        session.add(Customer(id=1, customer_no="C1", kind="person", name_cipher="", phone_cipher="", phone_hash=""))
        session.add(
            Account(
                id=1, account_no="4200000001", customer_id=1, address_cipher="", district="江岸区", area_class="city",
                region="hubei", user_class="residential", plan_code="hubei.residential.tier", profile="",
                opened_on=date(2015, 1, 1),
            )
        )  # fmt: skip
        session.flush()
        yield session


def bill(session: Session, month: date) -> int:
    zero = Decimal(0)
    row = Bill(
        account_id=1, month=month, period_first=month, period_last=month.replace(day=28), kwh=zero, sharp_kwh=zero,
        peak_kwh=zero, flat_kwh=zero, valley_kwh=zero, plan_code="", amount=Decimal(80), issued_on=month, due_on=month,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row.id


def paid(session: Session, when: str, amount: str, *, status: str = "succeeded", bill_id: int | None = None) -> Payment:
    row = Payment(
        reference=f"P{when}{status}"[:24], account_id=1, bill_id=bill_id, status=status, channel="wechat",
        paid_at=datetime.fromisoformat(when).replace(tzinfo=SHANGHAI), amount=Decimal(amount),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def check(session: Session, amount: str | None = None) -> PaymentCheck:
    account = session.get_one(Account, 1)
    wanted = None if amount is None else Decimal(amount)
    return check_payments(session, account=account, first=FIRST, last=LAST, amount=wanted)


def test_the_same_amount_twice_within_three_days_is_doubled(session: Session) -> None:
    first, second = paid(session, "2026-06-01T09:00", "80.00"), paid(session, "2026-06-04T09:00", "80.00")
    assert check(session).doubled == ((first, second),)


def test_a_day_later_than_that_or_another_amount_is_not(session: Session) -> None:
    paid(session, "2026-06-01T09:00", "80.00")
    paid(session, "2026-06-04T09:01", "80.00")
    paid(session, "2026-06-04T09:02", "80.01")
    assert check(session).doubled == ()


def test_two_bills_that_happen_to_cost_the_same_are_not_doubled(session: Session) -> None:
    april, may = bill(session, date(2026, 4, 1)), bill(session, date(2026, 5, 1))
    paid(session, "2026-06-01T09:00", "80.00", bill_id=april)
    paid(session, "2026-06-01T09:02", "80.00", bill_id=may)
    assert check(session).doubled == ()


def test_three_times_the_same_make_one_pair_and_not_two(session: Session) -> None:
    first, second, _third = (paid(session, f"2026-06-01T09:0{minute}", "80.00") for minute in (0, 1, 2))
    assert check(session).doubled == ((first, second),)


def test_a_failed_payment_knows_whether_it_was_made_again(session: Session) -> None:
    left = paid(session, "2026-05-20T10:00", "66.00", status="failed")
    again = paid(session, "2026-06-01T10:00", "80.00", status="failed")
    paid(session, "2026-06-01T10:05", "80.00")
    assert check(session).failed == ((again, True), (left, False))


def test_a_payment_before_the_failed_one_does_not_put_it_right(session: Session) -> None:
    paid(session, "2026-06-01T09:55", "80.00")
    failed = paid(session, "2026-06-01T10:00", "80.00", status="failed")
    assert check(session).failed == ((failed, False),)


def test_only_the_amount_asked_for_is_looked_at(session: Session) -> None:
    paid(session, "2026-06-01T09:00", "80.00")
    other = paid(session, "2026-06-02T09:00", "50.00")
    assert check(session, "50").arrived == (other,)
    assert check(session, "51").empty


def test_days_outside_are_not_looked_at(session: Session) -> None:
    paid(session, "2026-04-30T23:59", "80.00")
    paid(session, "2026-07-01T00:00", "80.00")
    assert check(session).empty


def test_money_that_was_paid_back_is_listed_apart(session: Session) -> None:
    back = paid(session, "2026-06-02T09:00", "80.00", status="refunded")
    found = check(session)
    assert found.refunded == (back,)
    assert found.arrived == ()
