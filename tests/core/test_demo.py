"""Demonstration customers: each is somebody whose data tells the story."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.account import (
    Account,
)
from core.bill import Bill, BillLine
from core.db import Database
from core.demo import demo_customers
from core.payment import balance_of

if TYPE_CHECKING:
    from tests.conftest import Fill, Seeded

DEMO = Path(__file__).parents[2] / "data" / "demo"


@pytest.fixture
def session(seeded: Seeded) -> Any:
    with seeded.database.reading() as session:
        yield session


def test_ten_demonstration_customers_fit_their_stories(seeded: Seeded, session: Session) -> None:
    found = {customer.id: customer for customer in demo_customers(session, directory=DEMO)}
    assert set(found) >= {
        "charging",
        "three_homes",
        "arrears",
        "prepaid",
        "shop",
        "factory",
        "farm",
        "newcomer",
    }
    assert len({customer.customer_no for customer in found.values()}) == len(found)
    accounts = {
        key: session.scalars(select(Account).where(Account.account_no.in_(customer.account_nos))).all()
        for key, customer in found.items()
    }
    assert {account.profile for account in accounts["charging"]} == {"children", "charging"}
    assert len(found["three_homes"].account_nos) == 3
    debts = balance_of(session, account=accounts["arrears"][0], today=seeded.today, residential=True)
    assert any(bill.overdue_days for bill in debts.unpaid)
    assert balance_of(session, account=accounts["prepaid"][0], today=seeded.today, residential=True).balance >= 0
    newest = session.scalar(select(func.max(Account.opened_on)).where(Account.profile == "tenant"))
    assert accounts["newcomer"][0].opened_on == newest


def test_the_customer_of_the_tier_story_passes_into_tier_two_in_august(fill: Fill) -> None:
    with fill(date(2026, 11, 22), customers=150, months=10).reading() as session:
        found = {customer.id: customer for customer in demo_customers(session, directory=DEMO)}
        assert len(found) == 10
        query = (
            select(func.min(Bill.month))
            .join(Account)
            .join(BillLine)
            .where(Account.account_no == found["tier"].account_nos[0], BillLine.tier == 2)
        )
        assert session.scalar(query) == date(2026, 8, 1)


def test_a_database_without_data_has_no_demonstration_customers(billing: Database) -> None:
    with billing.reading() as session:
        assert demo_customers(session, directory=DEMO) == []
