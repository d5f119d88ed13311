"""Bills of the demonstration region: what the tariff engine makes of the readings, and how they are paid."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from core.account import (
    Account,
    Customer,
    Meter,
)
from core.bill import Bill
from core.clock import SHANGHAI, add_months, first_of_month, months_between
from core.payment import Payment, balance_of
from core.tariff import Demand, Registers, Service, charge, service_bounds, settle_on_closing
from core.usage import DailyReading

if TYPE_CHECKING:
    from core.tariff import TariffBook
    from tests.conftest import Seeded


@pytest.fixture
def session(seeded: Seeded) -> Any:
    with seeded.database.reading() as session:
        yield session


def test_every_bill_adds_up_and_is_what_the_engine_makes_of_the_readings(session: Session, book: TariffBook) -> None:
    used = _kwh_by_month(session)
    bills = session.scalars(
        select(Bill).options(selectinload(Bill.lines), selectinload(Bill.account)).order_by(Bill.account_id, Bill.month)
    ).all()
    assert len(bills) > 900
    for bill in bills:
        assert bill.amount == sum(line.amount for line in bill.lines)
        usage = Registers(*used[bill.account_id, bill.month])
        assert (bill.sharp_kwh, bill.peak_kwh, bill.flat_kwh, bill.valley_kwh) == (
            usage.sharp, usage.peak, usage.flat, usage.valley,
        )  # fmt: skip
        assert bill.kwh == usage.total == usage.total.to_integral_value()
        again = _charge(book, bill, usage)
        assert bill.amount == again.total
        assert [(line.code, line.quantity, line.unit_price, line.amount) for line in bill.lines] == [
            (line.code, line.quantity, line.unit_price, line.amount) for line in again.lines
        ]


def _kwh_by_month(session: Session) -> dict[tuple[int, date], list[Decimal]]:
    """Return kWh by account, month and register: differences of readings, added up by month."""
    query = select(DailyReading, Meter.account_id, Meter.multiplier).join(Meter, Meter.id == DailyReading.meter_id)
    used: dict[tuple[int, date], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 4)
    previous: DailyReading | None = None
    for reading, account_id, multiplier in session.execute(query.order_by(DailyReading.meter_id, DailyReading.day)):
        if previous is not None and previous.meter_id == reading.meter_id:
            assert reading.day - previous.day == timedelta(days=1)
            for place, register in enumerate(("sharp", "peak", "flat", "valley")):
                step = getattr(reading, register) - getattr(previous, register)
                assert step >= 0
                used[account_id, first_of_month(reading.day)][place] += step * multiplier
        previous = reading
    return used


def _charge(book: TariffBook, bill: Bill, usage: Registers) -> Any:
    account, plan = bill.account, book.plan(bill.plan_code, bill.month)
    demand = None
    if plan.basic:
        assert account.capacity_kva is not None
        method = "capacity" if bill.demand_kw is None else "actual"
        demand = Demand(account.capacity_kva, method, actual_kw=bill.demand_kw)
    closed = account.closed_on if account.closed_on == bill.period_last else None
    service = Service(account.opened_on, closed, large_family_kwh=account.large_family_kwh)
    return charge(
        plan,
        usage,
        cum_before=bill.cum_before or Decimal(0),
        bounds=service_bounds(book, bill.plan_code, bill.month.year, service) if plan.tiered else None,
        free_kwh=account.free_kwh,
        demand=demand,
        kvarh=bill.kvarh,
    )


def test_the_years_cumulative_use_runs_on_and_starts_anew_in_january(
    session: Session,
) -> None:
    previous: Bill | None = None
    checked = 0
    for bill in session.scalars(select(Bill).where(Bill.cum_before.is_not(None)).order_by(Bill.account_id, Bill.month)):
        if bill.month.month == 1:
            assert bill.cum_before == 0
        elif previous is not None and previous.account_id == bill.account_id:
            assert previous.cum_before is not None
            assert bill.cum_before == previous.cum_before + previous.kwh
            checked += 1
        previous = bill
    assert checked > 300


def test_use_before_the_window_counts_for_the_tiers_of_its_first_year(session: Session) -> None:
    first = session.scalar(select(func.min(Bill.month)))
    query = select(Bill.cum_before).join(Account).where(Bill.month == first, Account.opened_on < date(2020, 1, 1))
    begun = session.scalars(query.where(Account.profile == "children")).all()
    assert len(begun) >= 5
    assert min(begun) > 800


def test_a_closed_account_has_nothing_to_settle(session: Session, book: TariffBook) -> None:
    """The bills before the last one used a whole year's bounds; those of the months served give the same."""
    closed = session.scalars(select(Account).where(Account.closed_on.is_not(None), Account.profile == "tenant")).all()
    assert closed
    for account in closed:
        assert account.closed_on is not None
        bills = session.scalars(
            select(Bill)
            .where(Bill.account_id == account.id, Bill.month >= account.closed_on.replace(month=1, day=1))
            .order_by(Bill.month)
        ).all()
        assert bills[-1].period_last == account.closed_on
        assert bills[0].cum_before is not None
        settlement = settle_on_closing(
            book.plan(account.plan_code, account.closed_on),
            [Registers(flat=bill.kwh) for bill in bills],
            billed=sum((bill.amount for bill in bills), Decimal(0)),
            months_in_service=len(bills),
        )
        assert settlement.difference == 0


def test_bills_are_issued_on_the_first_and_due_by_kind_of_customer(session: Session) -> None:
    query = select(Bill, Customer.kind).join(Account, Account.id == Bill.account_id).join(Customer)
    for bill, kind in session.execute(query):
        assert bill.issued_on == add_months(bill.month, 1)
        assert bill.due_on == bill.issued_on.replace(day=25 if kind == "person" else 20)
        assert bill.month <= bill.period_first <= bill.period_last < bill.issued_on


def test_every_month_of_supply_has_a_bill_and_every_day_a_reading(seeded: Seeded, session: Session) -> None:
    first, today = seeded.summary.first_month, seeded.today
    bills = Counter(session.scalars(select(Bill.account_id)))
    days: dict[int, set[date]] = defaultdict(set)
    for account_id, day in session.execute(select(Meter.account_id, DailyReading.day).join(DailyReading)):
        days[account_id].add(day)
    for account in session.scalars(select(Account)):
        begin = max(account.opened_on, first - timedelta(days=1))
        end = account.closed_on or today - timedelta(days=1)
        assert days[account.id] == {begin + timedelta(days=step) for step in range((end - begin).days + 1)}
        months = months_between(max(begin, first), min(end, add_months(first_of_month(today), -1)))
        assert bills[account.id] == len(months)


def test_payments_happen_by_day_and_by_habit(seeded: Seeded, session: Session) -> None:
    statuses: Counter[str] = Counter()
    channels: Counter[str] = Counter()
    for payment in session.scalars(select(Payment)):
        local = payment.paid_at.astimezone(SHANGHAI)
        assert 8 <= local.hour < 22
        assert local.date() < seeded.today
        assert payment.amount > 0
        statuses[payment.status] += 1
        channels[payment.channel] += 1
    assert set(statuses) == {"succeeded", "failed", "refunded"}
    assert statuses["succeeded"] > 0.9 * statuses.total()
    assert set(channels) == {"wechat", "alipay", "app", "bank", "hall"}


def test_no_bill_is_paid_twice_or_before_it_was_issued(session: Session) -> None:
    paid: dict[int, Decimal] = defaultdict(Decimal)
    query = select(Payment, Bill).join(Bill, Bill.id == Payment.bill_id).where(Payment.status == "succeeded")
    for payment, bill in session.execute(query):
        paid[bill.id] += payment.amount
        assert payment.account_id == bill.account_id
        assert paid[bill.id] <= bill.amount
        assert payment.paid_at.astimezone(SHANGHAI).date() >= bill.issued_on


def test_some_customers_are_in_arrears_by_a_few_bills(seeded: Seeded, session: Session) -> None:
    owing = set()
    for account in session.scalars(select(Account).where(Account.prepaid.is_(False))):
        balance = balance_of(session, account=account, today=seeded.today, residential=True)
        assert len(balance.unpaid) <= 3
        if any(bill.overdue_days for bill in balance.unpaid):
            owing.add(account.customer_id)
    assert 0.04 <= len(owing) / seeded.summary.customers <= 0.2


def test_prepaid_accounts_pay_without_naming_a_bill_and_mostly_ahead(seeded: Seeded, session: Session) -> None:
    prepaid = session.scalars(select(Account).where(Account.prepaid)).all()
    named = select(func.count()).where(Payment.account_id.in_([account.id for account in prepaid]))
    assert session.scalar(named.where(Payment.bill_id.is_not(None))) == 0
    balances = [
        balance_of(session, account=account, today=seeded.today, residential=True).balance for account in prepaid
    ]
    assert len(balances) >= 5
    assert sum(balance > 0 for balance in balances) > len(balances) / 2
    assert all(-1000 < balance < 2000 for balance in balances)
