"""The effect of recommendations: told against held out, with an interval, and too few is said to be too few."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from dialects import DIALECTS, NewUrl
from scipy import stats
from sqlalchemy.orm import Session

from core.account import Account, Customer
from core.bill import Bill
from core.clock import SHANGHAI, add_months
from core.db import Database
from core.migrations import upgrade
from core.payment import Payment
from core.recommend.effect import Difference, effect, t_quantile, welch
from core.recommend.rules import recommend_rules
from core.recommend.tables import Recommendation

RULES = recommend_rules()
MONTH = date(2026, 6, 1)
UNTIL = date(2026, 10, 15)  # July, August and September are whole
NOW = datetime(2026, 6, 10, 10, tzinfo=SHANGHAI)


@pytest.fixture(params=DIALECTS)
def databases(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    found = []
    for name in ("bridge", "billing"):
        database = Database(new_url(request.param, tmp_path))
        upgrade(name, database)
        found.append(database)
    yield found[0], found[1]
    for database in found:
        database.dispose()


def bill(session: Session, account: Account, month: date, kwh: int, *, valley: int, paid_late: bool) -> None:
    row = Bill(
        account_id=account.id, month=month, period_first=month, period_last=add_months(month, 1) - timedelta(days=1),
        kwh=Decimal(kwh), sharp_kwh=Decimal(0), peak_kwh=Decimal(kwh - valley), flat_kwh=Decimal(0),
        valley_kwh=Decimal(valley), cum_before=None, demand_kw=None, kvarh=None, plan_code="x", estimated=False,
        amount=Decimal("50.00"), issued_on=add_months(month, 1), due_on=add_months(month, 1) + timedelta(days=14),
    )  # fmt: skip
    session.add(row)
    session.flush()
    paid_on = row.due_on + timedelta(days=3 if paid_late else 0)
    at = datetime.combine(paid_on, time(20), SHANGHAI)
    session.add(
        Payment(
            reference=f"{account.id}-{month:%Y%m}", account_id=account.id, bill_id=row.id, paid_at=at,
            amount=row.amount, channel="app", status="succeeded",
        )
    )  # fmt: skip


def person(session: Session, number: int) -> Account:
    owner = Customer(
        customer_no=f"C{number}", kind="person", name_cipher="", phone_cipher="", phone_hash=str(number),
        certificate_cipher=None, certificate_hash=None,
    )  # fmt: skip
    account = Account(
        account_no=f"{4_200_000_000_000 + number}", address_cipher="", district="", area_class="city", region="hubei",
        user_class="charging", plan_code="x", profile="", prepaid=False, capacity_kva=None,
        large_family_kwh=Decimal(0), free_kwh=Decimal(0), opened_on=date(2020, 1, 1), held_since=None, closed_on=None,
        customer=owner,
    )  # fmt: skip
    session.add(account)
    session.flush()
    return account


def told(session: Session, account: Account, state: str) -> None:
    session.add(
        Recommendation(
            customer_no=account.customer.customer_no, account_no=account.account_no, month=MONTH, kind="charging_time",
            yuan=Decimal(90), basis={}, state=state, segment=None, conversation_id="c", shown_at=NOW, decided_at=None,
        )
    )  # fmt: skip


def fill(databases: tuple[Database, Database], people: int) -> None:
    """Fill both groups: who is told moves a tenth of the charging to the valley and pays in time; the others go on."""
    chance = Random(7)
    bridge, billing = databases
    with billing.transaction() as session, bridge.transaction() as log:
        for number in range(people * 2):
            account, treated = person(session, number), number % 2 == 0
            for place in (-3, -2, -1, 1, 2, 3):
                moved = 10 if treated and place > 0 else 0
                bill(
                    session, account, add_months(MONTH, place), 100, valley=40 + moved + chance.randint(-2, 2),
                    paid_late=place < 0 or not treated,
                )  # fmt: skip
            told(log, account, "accepted" if treated else "held_out")


def measured(databases: tuple[Database, Database], until: date = UNTIL) -> dict[str, Difference]:
    bridge, billing = databases
    with bridge.reading() as session, billing.reading() as bills:
        return {one.metric: one for one in effect(session, bills, RULES, until=until)}


def test_what_was_moved_shows_against_the_held_out(databases: tuple[Database, Database]) -> None:
    fill(databases, 32)
    found = measured(databases)
    share, late, kwh = found["valley_share"], found["late"], found["kwh"]
    assert (share.treated_n, share.held_n, share.kind) == (32, 32, "charging_time")
    assert share.difference is not None
    assert share.low is not None
    assert share.high is not None
    assert abs(share.difference - 0.1) < 0.01
    assert 0.08 < share.low < 0.1 < share.high < 0.12  # the truth lies within
    assert (late.difference, late.low, late.high) == (-1.0, -1.0, -1.0)
    assert (kwh.difference, kwh.tells) == (0.0, True)


def test_too_few_customers_are_said_to_be_too_few(databases: tuple[Database, Database]) -> None:
    fill(databases, 5)
    share = measured(databases)["valley_share"]
    assert (share.treated_n, share.held_n, share.tells) == (5, 5, False)
    assert (share.difference, share.low, share.high) == (None, None, None)


def test_only_full_months_count_as_many_before_as_after(databases: tuple[Database, Database]) -> None:
    fill(databases, 2)
    assert measured(databases, date(2026, 7, 20))["kwh"].treated_n == 0  # no month is over yet
    assert measured(databases, date(2026, 8, 1))["kwh"].treated_n == 2


def test_nothing_recommended_is_nothing_to_tell(databases: tuple[Database, Database]) -> None:
    assert measured(databases) == {}


def test_the_interval_is_that_of_welch() -> None:
    chance = Random(3)
    one, other = [chance.gauss(1, 2) for _ in range(40)], [chance.gauss(0, 5) for _ in range(33)]
    difference, low, high = welch(one, other, confidence=0.95)
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert difference == pytest.approx(sum(one) / 40 - sum(other) / 33)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-3)
    assert t_quantile(0.975, 12) == pytest.approx(stats.t.ppf(0.975, 12), abs=1e-3)
