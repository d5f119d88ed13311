"""An account that was taken over: what was before belongs to the earlier customer, and nobody else is shown it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.account import Account, Customer
from core.bill import Bill, NoBill, bills_between, latest_month
from core.clock import add_months, first_of_month
from core.payment import NoPayment, Payment, balance_of, payments_between
from core.tier_year import counts_earlier
from core.usage import NoReading, monthly_usage, reading_on, usage_between
from tests.conftest import SEED_DAY, Seeded

MOVED = first_of_month(add_months(SEED_DAY, -2))  # the present customer came on the first of a month
LONG_AGO = add_months(SEED_DAY, -13)


@pytest.fixture
def session(seeded: Seeded) -> Iterator[Session]:
    with seeded.database.reading() as session:
        yield session


@pytest.fixture
def account(session: Session) -> Account:
    """An account with many bills, as if its customer had come on MOVED; nothing is written."""
    found = session.scalars(
        select(Account).join(Customer).join(Bill, Bill.account_id == Account.id)
        .join(Payment, Payment.bill_id == Bill.id)
        .where(Bill.month < MOVED, Account.prepaid.is_(False)).order_by(Account.id).limit(1)
    ).one()  # fmt: skip
    session.expunge(found)
    found.held_since = MOVED
    return found


def test_bills_of_before_are_not_shown(session: Session, account: Account) -> None:
    shown = bills_between(session, account=account, first=LONG_AGO, last=SEED_DAY)
    assert shown[0].period_first >= MOVED
    account.held_since = None
    assert bills_between(session, account=account, first=LONG_AGO, last=SEED_DAY)[0].period_first < MOVED
    account.held_since = SEED_DAY
    with pytest.raises(NoBill):
        latest_month(session, account=account)


def test_payments_of_before_and_for_earlier_bills_are_not_shown(session: Session, account: Account) -> None:
    account.held_since = None
    everything = payments_between(session, account=account, first=LONG_AGO, last=SEED_DAY)
    account.held_since = MOVED
    earlier = set(session.scalars(select(Bill.id).where(Bill.account_id == account.id, Bill.period_first < MOVED)))
    try:
        shown = payments_between(session, account=account, first=LONG_AGO, last=SEED_DAY)
    except NoPayment:
        shown = []
    assert [one for one in shown if one.bill_id in earlier or one.paid_at.date() < MOVED - timedelta(days=1)] == []
    assert len(shown) < len(everything)


def test_the_balance_knows_of_the_own_bills_alone(session: Session, account: Account) -> None:
    balance = balance_of(session, account=account, today=SEED_DAY, residential=True)
    own = bills_between(session, account=account, first=LONG_AGO, last=SEED_DAY)
    assert {bill.month for bill in balance.unpaid} <= {bill.month for bill in own}
    assert -balance.balance <= sum(bill.amount for bill in own)


def test_readings_of_before_are_not_shown(session: Session, account: Account) -> None:
    assert monthly_usage(session, account=account, first=LONG_AGO, last=SEED_DAY)[0].month == MOVED
    first = usage_between(session, account=account, first=MOVED - timedelta(days=40), last=MOVED + timedelta(days=2))
    assert first.days_covered == 3
    with pytest.raises(NoReading):
        reading_on(session, account=account, day=MOVED - timedelta(days=2))
    with pytest.raises(NoReading):
        usage_between(session, account=account, first=MOVED - timedelta(days=40), last=MOVED - timedelta(days=1))


def test_who_has_held_the_account_all_along_sees_everything(seeded: Seeded, session: Session, account: Account) -> None:
    account.held_since = None
    assert len(bills_between(session, account=account, first=date(2025, 1, 1), last=seeded.today)) > 3


def test_a_step_year_that_counts_another_customers_use_is_known_to(session: Session, account: Account) -> None:
    account.held_since = None
    assert not counts_earlier(session, account=account, today=SEED_DAY)
    account.held_since = MOVED
    own = session.scalars(
        select(Bill).where(Bill.account_id == account.id, Bill.period_first >= MOVED).order_by(Bill.month)
    ).first()
    assert counts_earlier(session, account=account, today=SEED_DAY) is (own is None or bool(own.cum_before))
    account.held_since = SEED_DAY
    assert counts_earlier(session, account=account, today=SEED_DAY)  # nothing is billed yet, so nobody knows
    account.held_since = date(SEED_DAY.year, 1, 1)
    assert not counts_earlier(session, account=account, today=SEED_DAY)
