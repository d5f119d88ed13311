"""The same answers on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from actions_desk import Desk, period
from sqlalchemy import text

from core.fields import Keyring

MONTH = {"first": "2026-10-01", "before": "2026-09-30", "last": "2026-10-31"}


@pytest.fixture
def both(desk: Desk, seeded: Any, keyring: Keyring) -> Desk:
    """The desk over the database of each dialect in turn."""
    services = replace(desk.services, billing=seeded.database, keyring=keyring)
    return replace(desk, services=services, path=Path("unused"))


def value(desk: Desk, query: str, **values: str) -> Any:
    with desk.services.billing.reading() as session:
        return session.execute(text(query), values).scalar_one()


def test_bill_use_balance_and_payments_equal_the_database(both: Desk) -> None:
    account = value(both, "select min(account_no) from accounts where closed_on is null and profile = 'children'")
    bill = both.ask("action_query_bill", account, entities=[period("2026-10")])
    amount = value(
        both, "select b.amount from bills b join accounts a on a.id = b.account_id"
        " where account_no = :account and month = :first", account=account, first=MONTH["first"],
    )  # fmt: skip
    assert Decimal(bill.card["amount"]) == Decimal(str(amount))
    used = value(
        both, "select max(flat) - min(flat) from daily_readings r join meters m on m.id = r.meter_id"
        " join accounts a on a.id = m.account_id where account_no = :account and day between :before and :last",
        account=account, before=MONTH["before"], last=MONTH["last"],
    )  # fmt: skip
    usage = both.ask("action_query_usage", account, entities=[period("2026-10")])
    assert Decimal(usage.card["total"]) == round(Decimal(str(used)), 2)
    paid, billed = (
        round(Decimal(str(value(both, query, account=account))), 2)
        for query in (
            "select sum(p.amount) from payments p join accounts a on a.id = p.account_id"
            " where account_no = :account and status = 'succeeded'",
            "select sum(b.amount) from bills b join accounts a on a.id = b.account_id where account_no = :account",
        )
    )
    assert Decimal(both.ask("action_query_balance", account).card["balance"]) == paid - billed
    payments = both.ask("action_query_payment", account, entities=[period("2020-01/2026-11", "range")])
    assert Decimal(payments.card["total"]) == paid
