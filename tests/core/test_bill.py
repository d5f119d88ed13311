"""Bills: the months asked for, oldest first, with lines that add up."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, select

from core.account import Account, Customer
from core.bill import NoBill, bills_between, latest_month
from core.db import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from tests.conftest import Seeded


@pytest.fixture
def session(seeded: Seeded) -> Iterator[Session]:
    with seeded.database.reading() as session:
        yield session


@pytest.fixture
def account(session: Session) -> Account:
    return session.scalars(select(Account).where(Account.profile == "two_shifts").limit(1)).one()


def test_bills_come_oldest_first_for_the_months_asked_for(session: Session, account: Account) -> None:
    bills = bills_between(session, account=account, first=date(2025, 11, 1), last=date(2026, 2, 1))
    assert [bill.month for bill in bills] == [
        date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1),
    ]  # fmt: skip
    assert {bill.account_id for bill in bills} == {account.id}


def test_any_day_of_a_month_asks_for_that_month(session: Session, account: Account) -> None:
    bills = bills_between(session, account=account, first=date(2026, 1, 15), last=date(2026, 1, 20))
    assert [bill.month for bill in bills] == [date(2026, 1, 1)]


def test_lines_are_in_printed_order_and_add_up(session: Session, account: Account) -> None:
    (bill,) = bills_between(session, account=account, first=date(2026, 8, 1), last=date(2026, 8, 1))
    assert [line.seq for line in bill.lines] == list(range(1, len(bill.lines) + 1))
    assert [line.code for line in bill.lines][-2:] == ["basic", "power_factor"]
    assert [line.period for line in bill.lines if line.period] == ["sharp", "peak", "flat", "valley"]
    assert sum(line.amount for line in bill.lines) == bill.amount


def test_a_year_of_bills_takes_two_queries(seeded: Seeded, session: Session, account: Account) -> None:
    statements: list[object] = []

    def note(*call: object) -> None:
        statements.append(call[2])

    event.listen(seeded.database.engine, "before_cursor_execute", note)
    try:
        bills = bills_between(session, account=account, first=date(2025, 11, 1), last=date(2026, 10, 1))
        assert sum(len(bill.lines) for bill in bills) > 60
    finally:
        event.remove(seeded.database.engine, "before_cursor_execute", note)
    assert len(statements) == 2


def test_months_without_a_bill_are_an_error_with_a_code(session: Session, account: Account) -> None:
    for first, last in ((date(2026, 11, 1), date(2026, 12, 1)), (date(2020, 1, 1), date(2020, 12, 1))):
        with pytest.raises(NoBill) as caught:
            bills_between(session, account=account, first=first, last=last)
        assert caught.value.code == "no_bill"


def test_the_latest_month_is_the_last_one_billed(session: Session, account: Account) -> None:
    assert latest_month(session, account=account) == date(2026, 10, 1)


def test_an_account_without_bills_has_no_latest_month(billing: Database) -> None:
    with billing.transaction() as session:
        session.add(Customer(id=1, customer_no="C1", kind="person", name_cipher="", phone_cipher="", phone_hash=""))
        account = Account(
            id=1, account_no="4200000001", customer_id=1, address_cipher="", district="", area_class="city",
            region="hubei", user_class="residential", plan_code="x", profile="", opened_on=date(2020, 1, 1),
        )  # fmt: skip
        session.add(account)
        session.flush()
        with pytest.raises(NoBill):
            latest_month(session, account=account)
