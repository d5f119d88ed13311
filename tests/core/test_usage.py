"""Energy used: differences of frozen readings, by register, across meters, with what is missing said."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from core.account import Account, Customer, Meter
from core.bill import Bill
from core.db import BillingBase, Database
from core.tariff import Registers
from core.usage import (
    DailyReading,
    NoReading,
    Usage,
    meter_view,
    monthly_usage,
    reading_on,
    usage_between,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Seeded

MAY = date(2026, 5, 1)


def may(day: int) -> date:
    return MAY.replace(day=day)


def add_account(session: Session, *, account_id: int = 1) -> Account:
    """Add an account of a customer of its own, without a meter."""
    session.add(
        Customer(
            id=account_id,
            customer_no=f"C{account_id}",
            kind="person",
            name_cipher="",
            phone_cipher="",
            phone_hash="",
        )  # fmt: skip
    )
    account = Account(
        id=account_id, account_no=f"420000000{account_id}", customer_id=account_id, address_cipher="",
        district="江岸区", area_class="city", region="hubei", user_class="residential",
        plan_code="hubei.residential.tier", profile="flat", opened_on=date(2015, 1, 1),
    )  # fmt: skip
    session.add(account)
    session.flush()
    return account


def add_meter(
    session: Session,
    account: Account,
    readings: dict[date, tuple[str, str, str, str]],
    *,
    multiplier: int = 1,
    estimated: tuple[date, ...] = (),
    removed_on: date | None = None,
) -> Meter:
    """Add a meter with its readings (sharp, peak, flat, valley)."""
    meter = Meter(
        meter_no=f"M{account.id}-{min(readings)}", account_id=account.id, multiplier=multiplier,
        installed_on=min(readings), removed_on=removed_on,
    )  # fmt: skip
    session.add(meter)
    session.flush()
    for day, values in readings.items():
        sharp, peak, flat, valley = map(Decimal, values)
        quality = "estimated" if day in estimated else "actual"
        session.add(
            DailyReading(meter_id=meter.id, day=day, sharp=sharp, peak=peak, flat=flat, valley=valley, quality=quality)
        )
    session.flush()
    return meter


def flat(*values: str, start: int = 1) -> dict[date, tuple[str, str, str, str]]:
    """Return readings of consecutive days of May of a meter with one register."""
    return {may(day): ("0", "0", value, "0") for day, value in enumerate(values, start)}


@pytest.fixture
def session(billing: Database) -> Iterator[Session]:
    with billing.transaction() as session:
        yield session


def test_use_is_the_last_reading_less_the_one_before_the_first_day(session: Session) -> None:
    account = add_account(session)
    add_meter(session, account, flat("10.00", "12.50", "20.25", "30.75"))
    assert usage_between(session, account=account, first=may(2), last=may(3)) == Usage(
        first=may(2),
        last=may(3),
        registers=Registers(flat=Decimal("10.25")),
        days_covered=2,
        estimated_days=0,
    )


def test_each_register_counts_times_the_multiplier(session: Session) -> None:
    account = add_account(session)
    readings = {may(1): ("1.00", "2.00", "3.00", "4.00"), may(2): ("1.25", "2.50", "3.75", "5.00")}
    add_meter(session, account, readings, multiplier=40)
    usage = usage_between(session, account=account, first=may(2), last=may(2))
    assert usage.registers == Registers(Decimal(10), Decimal(20), Decimal(30), Decimal(40))
    assert usage.total == 100


def test_use_goes_on_over_an_exchange_of_the_meter(session: Session) -> None:
    account = add_account(session)
    add_meter(session, account, flat("990.00", "995.00", "999.00"), removed_on=may(3))
    add_meter(session, account, flat("0.00", "3.00", "7.50", start=3), multiplier=2)
    usage = usage_between(session, account=account, first=may(2), last=may(5))
    assert usage.total == Decimal("24.00")
    assert usage.days_covered == 4
    assert usage_between(session, account=account, first=may(4), last=may(4)).total == 6


def test_other_accounts_are_left_out(session: Session) -> None:
    account, other = add_account(session), add_account(session, account_id=2)
    add_meter(session, account, flat("1", "2"))
    add_meter(session, other, flat("1", "200"))
    assert usage_between(session, account=account, first=may(2), last=may(2)).total == 1


def test_days_without_readings_are_not_covered(session: Session) -> None:
    account = add_account(session)
    add_meter(session, account, flat("0.00", "3.00", "4.00", start=10))
    usage = usage_between(session, account=account, first=may(1), last=may(31))
    assert (usage.total, usage.days_covered) == (4, 2)


def test_a_lost_reading_in_between_loses_no_energy(session: Session) -> None:
    account = add_account(session)
    readings = flat("0.00", "3.00", "4.00", "9.00")
    del readings[may(2)]
    add_meter(session, account, readings)
    usage = usage_between(session, account=account, first=may(2), last=may(4))
    assert (usage.total, usage.days_covered) == (9, 3)


def test_estimated_days_are_counted_from_the_first_day_on(session: Session) -> None:
    account = add_account(session)
    add_meter(session, account, flat("1", "2", "3", "4"), estimated=(may(1), may(3)))
    assert usage_between(session, account=account, first=may(2), last=may(4)).estimated_days == 1


@pytest.mark.parametrize(("first", "last"), [(may(5), may(20)), (date(2026, 4, 1), may(1))])
def test_no_readings_are_an_error_with_a_code(session: Session, first: date, last: date) -> None:
    account = add_account(session)
    add_meter(session, account, flat("1", "2", "3", "4"))
    with pytest.raises(NoReading) as caught:
        usage_between(session, account=account, first=first, last=last)
    assert caught.value.code == "no_reading"


def test_days_in_the_wrong_order_are_refused(session: Session) -> None:
    account = add_account(session)
    for question in (usage_between, monthly_usage):
        with pytest.raises(ValueError, match="before the first"):
            question(session, account=account, first=may(2), last=may(1))


def test_months_come_with_their_use_and_the_current_one_is_partial(session: Session) -> None:
    account = add_account(session)
    days = {
        date(2026, 3, 31): "100",
        date(2026, 4, 30): "160.5",
        date(2026, 5, 31): "200",
        date(2026, 6, 9): "221",
    }
    add_meter(session, account, {day: ("0", "0", value, "0") for day, value in days.items()})
    months = monthly_usage(session, account=account, first=date(2026, 1, 1), last=date(2026, 6, 9))
    assert [(month.month, month.usage.total, month.partial) for month in months] == [
        (date(2026, 4, 1), Decimal("60.5"), False),
        (date(2026, 5, 1), Decimal("39.5"), False),
        (date(2026, 6, 1), Decimal("21"), True),
    ]
    assert months[-1].usage.days_covered == 9


def test_the_last_month_of_a_closed_account_is_whole(session: Session) -> None:
    account = add_account(session)
    add_meter(session, account, flat("0", "5", "9"))
    account.closed_on = may(3)
    (month,) = monthly_usage(session, account=account, first=MAY, last=may(31))
    assert (month.usage.total, month.partial) == (9, False)


def test_no_month_with_readings_is_an_error(session: Session) -> None:
    account = add_account(session)
    with pytest.raises(NoReading):
        monthly_usage(session, account=account, first=MAY, last=may(31))


def test_the_meter_shows_its_latest_reading(session: Session) -> None:
    account = add_account(session)
    meter = add_meter(session, account, flat("5.00", "6.25"), multiplier=30, estimated=(may(2),))
    view = meter_view(session, account=account)
    assert (view.meter_no, view.day, view.multiplier, view.estimated) == (meter.meter_no, may(2), 30, True)
    assert view.readings == Registers(flat=Decimal("6.25"))


def test_on_the_day_of_an_exchange_the_new_meter_is_read(session: Session) -> None:
    account = add_account(session)
    add_meter(session, account, flat("990.00", "999.00"), removed_on=may(2))
    add_meter(session, account, flat("0.00", "3.00", start=2))
    assert reading_on(session, account=account, day=may(1)).readings.total == 990
    assert reading_on(session, account=account, day=may(2)).readings.total == 0
    assert reading_on(session, account=account, day=may(3)).readings.total == 3


def test_a_day_without_a_reading_is_an_error(session: Session) -> None:
    account = add_account(session)
    with pytest.raises(NoReading):
        meter_view(session, account=account)
    add_meter(session, account, flat("5.00"))
    with pytest.raises(NoReading):
        reading_on(session, account=account, day=may(2))


def test_the_use_of_a_month_is_what_was_billed(seeded: Seeded) -> None:
    with seeded.database.reading() as session:
        checked = 0
        for account in session.scalars(select(Account)):
            months = monthly_usage(session, account=account, first=seeded.summary.first_month, last=seeded.today)
            billed = session.execute(
                select(Bill.month, Bill.kwh).where(Bill.account_id == account.id).order_by(Bill.month)
            ).all()
            assert [(month.month, month.usage.total) for month in months if not month.partial] == billed
            checked += len(billed)
        assert checked == seeded.summary.bills


def test_every_question_takes_one_query(seeded: Seeded) -> None:
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    first, last = date(2025, 11, 1), date(2026, 10, 31)
    with seeded.database.reading() as session:
        account = session.scalars(select(Account).where(Account.profile == "two_shifts")).first()
        assert account is not None
        event.listen(seeded.database.engine, "before_cursor_execute", count)
        try:
            usage_between(session, account=account, first=first, last=last)
            monthly_usage(session, account=account, first=first, last=last)
            reading_on(session, account=account, day=last)
            meter_view(session, account=account)
        finally:
            event.remove(seeded.database.engine, "before_cursor_execute", count)
    assert len(statements) == 4


@given(cut=st.integers(min_value=1, max_value=300))
def test_a_span_is_the_sum_of_its_parts(seeded: Seeded, cut: int) -> None:
    first, last = date(2025, 10, 10), date(2026, 9, 9)
    middle = date.fromordinal(first.toordinal() + cut)
    with seeded.database.reading() as session:
        account = session.scalars(
            select(Account).join(Meter).where(Account.closed_on.is_(None)).group_by(Account.id).having(func.count() > 1)
        ).first()
        assert account is not None
        whole, early, late = (
            usage_between(session, account=account, first=begin, last=end)
            for begin, end in (
                (first, last),
                (first, middle),
                (date.fromordinal(middle.toordinal() + 1), last),
            )
        )
    assert whole.total == early.total + late.total
    assert whole.days_covered == early.days_covered + late.days_covered


def test_readings_belong_to_the_billing_database() -> None:
    assert DailyReading.metadata is BillingBase.metadata
