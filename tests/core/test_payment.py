"""Payments and what is owed: the sum of the bills less what went through, and which bills are open."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.account import Account, Customer, Meter
from core.bill import Bill
from core.clock import SHANGHAI, add_months
from core.db import Database
from core.payment import Balance, NoPayment, Payment, UnpaidBill, _open_amounts, balance_of, payments_between
from core.usage import DailyReading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Seeded

TODAY = date(2026, 6, 10)


@pytest.fixture
def session(billing: Database) -> Iterator[Session]:
    with billing.transaction() as session:
        yield session


@pytest.fixture
def account(session: Session) -> Account:
    session.add(Customer(id=1, customer_no="C1", kind="person", name_cipher="", phone_cipher="", phone_hash=""))
    account = Account(
        id=1, account_no="4200000001", customer_id=1, address_cipher="", district="江岸区", area_class="city",
        region="hubei", user_class="residential", plan_code="hubei.residential.tier", profile="flat",
        opened_on=date(2015, 1, 1),
    )  # fmt: skip
    session.add(account)
    session.flush()
    return account


def bill(session: Session, account: Account, month: date, amount: str) -> Bill:
    """Add a bill due on the 25th of the next month."""
    issued = add_months(month, 1)
    nothing = Decimal(0)
    row = Bill(
        account_id=account.id, month=month, period_first=month,
        period_last=date.fromordinal(issued.toordinal() - 1),
        kwh=nothing, sharp_kwh=nothing, peak_kwh=nothing, flat_kwh=nothing, valley_kwh=nothing,
        plan_code=account.plan_code, amount=Decimal(amount), issued_on=issued, due_on=issued.replace(day=25),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def pay(
    session: Session,
    account: Account,
    amount: str,
    *,
    settles: Bill | None = None,
    status: str = "succeeded",
    at: datetime | None = None,
) -> Payment:
    """Add a payment."""
    number = session.scalar(select(func.count()).select_from(Payment))
    row = Payment(
        reference=f"P{number}", account_id=account.id, bill_id=settles.id if settles else None,
        paid_at=at or datetime(2026, 6, 1, 12, tzinfo=SHANGHAI), amount=Decimal(amount),
        channel="app", status=status,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def balance(session: Session, account: Account, *, residential: bool = True) -> Balance:
    return balance_of(session, account=account, today=TODAY, residential=residential)


def test_a_new_account_owes_nothing(session: Session, account: Account) -> None:
    found = balance(session, account)
    assert found == Balance(Decimal("0.00"), (), prepaid=False, unbilled_kwh=None)
    assert (found.owed, found.late_fee) == (0, 0)


def test_a_bill_past_its_due_date_is_overdue_with_a_late_fee(session: Session, account: Account) -> None:
    bill(session, account, date(2026, 4, 1), "200.00")
    found = balance(session, account)
    assert found.unpaid == (
        UnpaidBill(date(2026, 4, 1), Decimal("200.00"), Decimal("200.00"), date(2026, 5, 25), 16, Decimal("3.20")),
    )
    assert (found.balance, found.owed, found.late_fee) == (
        Decimal("-200.00"),
        Decimal("200.00"),
        Decimal("3.20"),
    )


def test_organisations_pay_twice_the_late_fee(session: Session, account: Account) -> None:
    bill(session, account, date(2026, 4, 1), "200.00")
    assert balance(session, account, residential=False).late_fee == Decimal("6.40")


def test_a_bill_before_its_due_date_is_open_but_not_overdue(session: Session, account: Account) -> None:
    bill(session, account, date(2026, 5, 1), "80.00")
    (open_bill,) = balance(session, account).unpaid
    assert (open_bill.overdue_days, open_bill.late_fee) == (0, 0)


def test_a_paid_bill_is_not_open(session: Session, account: Account) -> None:
    paid = bill(session, account, date(2026, 4, 1), "200.00")
    bill(session, account, date(2026, 5, 1), "80.00")
    pay(session, account, "200.00", settles=paid)
    found = balance(session, account)
    assert [open_bill.month for open_bill in found.unpaid] == [date(2026, 5, 1)]
    assert found.owed == 80


def test_failed_and_refunded_payments_settle_nothing(session: Session, account: Account) -> None:
    due = bill(session, account, date(2026, 5, 1), "80.00")
    pay(session, account, "80.00", settles=due, status="failed")
    pay(session, account, "80.00", settles=due, status="refunded")
    assert balance(session, account).owed == 80


def test_a_part_payment_leaves_the_rest_open(session: Session, account: Account) -> None:
    due = bill(session, account, date(2026, 4, 1), "200.00")
    pay(session, account, "150.00", settles=due)
    (open_bill,) = balance(session, account).unpaid
    assert (open_bill.amount, open_bill.unpaid, open_bill.late_fee) == (200, 50, Decimal("0.80"))


def test_money_paid_twice_goes_to_the_oldest_open_bill(session: Session, account: Account) -> None:
    bill(session, account, date(2026, 3, 1), "50.00")
    twice = bill(session, account, date(2026, 4, 1), "70.00")
    for _ in range(2):
        pay(session, account, "70.00", settles=twice)
    found = balance(session, account)
    assert (found.balance, found.unpaid) == (20, ())


def test_top_ups_of_a_prepaid_account_settle_the_oldest_bills(session: Session, account: Account) -> None:
    account.prepaid = True
    for month, amount in ((3, "50.00"), (4, "70.00"), (5, "30.00")):
        bill(session, account, date(2026, month, 1), amount)
    pay(session, account, "100.00")
    found = balance(session, account)
    assert [(open_bill.month.month, open_bill.unpaid) for open_bill in found.unpaid] == [(4, 20), (5, 30)]
    assert (found.balance, found.prepaid) == (-50, True)


def test_a_prepaid_account_knows_its_use_since_the_last_bill(session: Session, account: Account) -> None:
    account.prepaid = True
    bill(session, account, date(2026, 5, 1), "30.00")
    pay(session, account, "100.00")
    meter = Meter(meter_no="M1", account_id=account.id, installed_on=date(2026, 1, 1))
    session.add(meter)
    session.flush()
    for day, value in ((date(2026, 5, 31), "100"), (date(2026, 6, 1), "103.5"), (date(2026, 6, 9), "131")):
        zero = Decimal(0)
        session.add(DailyReading(meter_id=meter.id, day=day, sharp=zero, peak=zero, flat=Decimal(value), valley=zero))
    session.flush()
    found = balance(session, account)
    assert (found.balance, found.unbilled_kwh) == (70, 31)


def test_without_readings_the_unbilled_use_is_unknown(session: Session, account: Account) -> None:
    account.prepaid = True
    assert balance(session, account).unbilled_kwh is None


def test_payments_are_listed_by_day_in_shanghai_whatever_came_of_them(session: Session, account: Account) -> None:
    def at(day: int, hour: int, minute: int) -> datetime:
        return datetime.combine(date(2026, 6, day), time(hour, minute), SHANGHAI)

    moments = [at(2, 0, 0), at(1, 23, 59), at(3, 23, 59), at(4, 0, 0)]
    early, before, late, after = (pay(session, account, "1.00", at=moment) for moment in moments)
    late.status = "failed"
    found = payments_between(session, account=account, first=date(2026, 6, 2), last=date(2026, 6, 3))
    assert [payment.reference for payment in found] == [early.reference, late.reference]
    whole = payments_between(session, account=account, first=date(2026, 6, 1), last=date(2026, 6, 4))
    assert [payment.reference for payment in whole] == [row.reference for row in (before, early, late, after)]


def test_days_without_a_payment_are_an_error_with_a_code(session: Session, account: Account) -> None:
    pay(session, account, "1.00")
    with pytest.raises(NoPayment) as caught:
        payments_between(session, account=account, first=date(2026, 6, 2), last=date(2026, 6, 30))
    assert caught.value.code == "no_payment"


def test_payment_days_in_the_wrong_order_are_refused(session: Session, account: Account) -> None:
    with pytest.raises(ValueError, match="before the first"):
        payments_between(session, account=account, first=date(2026, 6, 2), last=date(2026, 6, 1))


amounts = st.decimals(min_value=0, max_value=500, places=2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bills=st.lists(amounts, max_size=6),
    paid=st.dictionaries(st.one_of(st.none(), st.integers(0, 5)), amounts, max_size=7),
)
def test_the_open_bills_add_up_to_what_is_owed(bills: list[Decimal], paid: dict[int | None, Decimal]) -> None:
    rows = [Bill(id=number, amount=amount) for number, amount in enumerate(bills)]
    open_amounts = _open_amounts(rows, paid)
    assert all(0 <= left <= amount for left, amount in zip(open_amounts, bills, strict=True))
    assert sum(open_amounts) == max(Decimal(0), sum(bills, Decimal(0)) - sum(paid.values(), Decimal(0)))


def test_open_bills_add_up_in_the_demonstration_region(seeded: Seeded) -> None:
    with seeded.database.reading() as session:
        for account in session.scalars(select(Account)):
            found = balance_of(session, account=account, today=seeded.today, residential=True)
            assert sum((open_bill.unpaid for open_bill in found.unpaid), Decimal(0)) == found.owed
