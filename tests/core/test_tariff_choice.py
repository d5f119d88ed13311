"""Comparing tariffs: the figures are those of the engine on the customer's own readings, and nothing is invented."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.account import Account
from core.bill import Bill, BillLine, bills_between
from core.tariff import Demand, Registers, TariffBook, break_even_valley_share, charge
from core.tariff_choice import TariffChoice, tariff_choice, under_plan
from core.tariff_hours import break_even_share, minutes_of, shift_to_pay
from core.tariff_months import add_registers
from core.usage import NoReading, monthly_usage

if TYPE_CHECKING:
    from tests.conftest import Fill, Seeded

ZERO = Decimal(0)
FIRST, LAST = date(2025, 11, 1), date(2026, 10, 1)


def of_profile(session: Session, profile: str) -> list[Account]:
    query = select(Account).where(Account.profile == profile, Account.closed_on.is_(None)).order_by(Account.id)
    return list(session.scalars(query))


def basic_of(bill: Bill) -> BillLine:
    return next(line for line in bill.lines if line.code == "basic")


def choice_of(session: Session, seeded: Seeded, book: TariffBook, profile: str) -> tuple[Account, TariffChoice]:
    account = of_profile(session, profile)[0]
    return account, tariff_choice(session, account=account, book=book, today=seeded.today)


def on_the_readings(session: Session, account: Account, book: TariffBook, code: str) -> Decimal:
    """Charge every month of the readings under a plan without steps, with nothing but the engine."""
    months = monthly_usage(session, account=account, first=FIRST, last=LAST)
    return sum((charge(book.plan(code, one.month), one.usage.registers).total for one in months), ZERO)


def test_the_present_tariff_gives_what_was_billed(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        count = 0
        for account in session.scalars(select(Account).where(Account.closed_on.is_(None))):
            choice = tariff_choice(session, account=account, book=book, today=seeded.today)
            first, last = choice.months[0].month, choice.months[-1].month
            bills = bills_between(session, account=account, first=first, last=last)
            assert choice.current.total == sum((bill.amount for bill in bills), ZERO)
            count += 1
        assert count > 50


def test_charging_by_hours_against_one_price_is_the_engine_on_the_readings(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        for account in of_profile(session, "charging"):
            choice = tariff_choice(session, account=account, book=book, today=seeded.today)
            (other,) = choice.others
            assert other.plan.code == "hubei.shared_meter"
            assert other.total == on_the_readings(session, account, book, "hubei.shared_meter")
            assert choice.current.total == on_the_readings(session, account, book, "hubei.charging.tou")
            assert choice.current.total is not None
            assert other.saving == choice.current.total - other.total
            assert other.certainty == "open"


def test_a_shop_with_hours_against_one_price_is_the_engine_on_the_readings(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        account, choice = choice_of(session, seeded, book, "food")
        (other,) = choice.others
        assert other.total == on_the_readings(session, account, book, "hubei.commercial.single.lv.flat")
        # Whether a shop may choose was not found for this region.
        assert other.certainty == "unsure"


def test_what_must_be_moved_makes_the_two_come_out_even(seeded: Seeded, book: TariffBook) -> None:
    """Moving that part of the sharp and peak kWh of every month leaves a difference of rounding only."""
    with seeded.database.reading() as session:
        account, choice = choice_of(session, seeded, book, "food")
        (other,) = choice.others
        assert other.shift is not None
        assert other.shift.possible
        total = moved = ZERO
        for one in monthly_usage(session, account=account, first=FIRST, last=LAST):
            usage = one.usage.registers
            sharp, peak = usage.sharp * other.shift.share, usage.peak * other.shift.share
            shifted = Registers(usage.sharp - sharp, usage.peak - peak, usage.flat, usage.valley + sharp + peak)
            total += charge(book.plan(account.plan_code, one.month), shifted).total
            moved += sharp + peak
        assert other.total is not None
        assert abs(total - other.total) < Decimal("0.5")
        assert abs(moved - other.shift.kwh) < Decimal("0.001")


def test_more_than_there_is_cannot_be_moved(book: TariffBook) -> None:
    plan = book.plan("hubei.charging.tou", LAST)
    shift = shift_to_pay([(plan, Registers(peak=Decimal(10)))], Decimal(5))
    assert shift is not None
    assert (shift.kwh, shift.share, shift.possible) == (Decimal(20), Decimal(2), False)
    assert shift_to_pay([(plan, Registers(valley=Decimal(10)))], Decimal(5)) is None


def test_a_meter_without_registers_is_not_guessed_at(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        _account, choice = choice_of(session, seeded, book, "retail")
        (other,) = choice.others
        assert other.plan.code == "hubei.commercial.single.lv.tou"
        assert (other.total, other.saving) == (None, None)
        assert other.break_even is not None
        # Sharp 2 h, peak 6 h; the floating part is 0.398113 of 0.735886: factors 1.49, 1.8 or 2.0, 0.48 or 0.45.
        high = (2 * (8 * Decimal("1.8") + 4 * 2) / 12 + 6 * Decimal("1.49")) / 8
        valley = (8 * Decimal("0.48") + 4 * Decimal("0.45")) / 12
        assert abs(other.break_even - (high - 1) / (high - valley)) < Decimal("0.00001")


def test_the_share_to_pay_counts_both_kinds_of_dear_hours(book: TariffBook) -> None:
    """Charging: 4 h at 0.68 and 2 h at 0.78 are 0.7133 on average; (0.7133 - 0.58) / (0.7133 - 0.43) = 47.06 %."""
    plans = book.plan("hubei.charging.tou", LAST), book.plan("hubei.shared_meter", LAST)
    share = break_even_share([plans], [LAST])
    assert share is not None
    assert round(share, 4) == Decimal("0.4706")


def test_where_there_is_one_dear_price_the_share_is_that_of_the_tariff_engine(book: TariffBook) -> None:
    tou, plain = book.plan("zhejiang.residential.tou_tier", LAST), book.plan("zhejiang.residential.tier", LAST)
    assert break_even_share([(tou, plain)], [LAST]) == break_even_valley_share(tou, plain)


def test_the_hours_of_a_day_are_all_counted(book: TariffBook) -> None:
    for plan in book.plans(on=LAST):
        assert sum(minutes_of(plan, LAST).values()) == 24 * 60


@pytest.mark.parametrize("profile", ["flat", "children", "elderly", "empty", "low_income", "pv", "school", "dormitory"])
def test_where_nothing_else_is_open_nothing_is_compared(seeded: Seeded, book: TariffBook, profile: str) -> None:
    with seeded.database.reading() as session:
        _account, choice = choice_of(session, seeded, book, profile)
        assert choice.others == ()


def test_a_large_family_is_shown_the_shared_price_as_unsure(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        account, choice = choice_of(session, seeded, book, "large")
        (other,) = choice.others
        assert (other.plan.code, other.certainty) == ("hubei.shared_meter", "unsure")
        assert other.total == on_the_readings(session, account, book, "hubei.shared_meter")


def test_demand_against_capacity_uses_the_demand_of_the_bills(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        compared = 0
        for account in (*of_profile(session, "one_shift"), *of_profile(session, "three_shifts")):
            choice = tariff_choice(session, account=account, book=book, today=seeded.today)
            (other,) = choice.others
            if choice.current.method != "actual":
                continue
            total = ZERO
            assert account.capacity_kva is not None
            for bill in bills_between(session, account=account, first=FIRST, last=LAST):
                usage = Registers(bill.sharp_kwh, bill.peak_kwh, bill.flat_kwh, bill.valley_kwh)
                plan = book.plan(account.plan_code, bill.month)
                total += charge(plan, usage, demand=Demand(account.capacity_kva), kvarh=bill.kvarh).total
            assert (other.method, other.total) == ("capacity", total)
            compared += 1
        assert compared > 0


def test_without_a_measured_demand_the_kw_to_stay_below_are_told(seeded: Seeded, book: TariffBook) -> None:
    """26.3 / 42 = 0.626 kW per kVA (domain facts 1.6); a well used transformer gets the demand at 0.9: 0.696."""
    with seeded.database.reading() as session:
        account = of_profile(session, "one_shift")[0]
        with session.no_autoflush:
            query = select(Bill).where(Bill.account_id == account.id, Bill.month >= FIRST)
            for bill in session.scalars(query).all():
                bill.demand_kw = None
                basic_of(bill).unit = "kVA"
            choice = tariff_choice(session, account=account, book=book, today=seeded.today)
        (other,) = choice.others
        assert (choice.current.method, other.method, other.total) == ("capacity", "actual", None)
        assert other.break_even is not None
        assert account.capacity_kva is not None
        assert round(other.break_even / account.capacity_kva, 3) == Decimal("0.626")
        session.expunge_all()


def test_a_demand_that_was_measured_need_not_be_what_was_billed(seeded: Seeded, book: TariffBook) -> None:
    """A company that measures it for all of its customers shows who pays by capacity what the other way would cost."""
    with seeded.database.reading() as session, session.no_autoflush:
        account = of_profile(session, "one_shift")[0]
        by_demand = tariff_choice(session, account=account, book=book, today=seeded.today)
        assert by_demand.current.method == "actual"
        (by_capacity,) = by_demand.others
        for bill in bills_between(session, account=account, first=FIRST, last=LAST):
            line = basic_of(bill)
            line.unit, line.quantity = "kVA", account.capacity_kva or ZERO
        choice = tariff_choice(session, account=account, book=book, today=seeded.today)
        (other,) = choice.others
        assert (choice.current.method, choice.current.total) == ("capacity", by_capacity.total)
        assert (other.method, other.total) == ("actual", by_demand.current.total)
        session.expunge_all()


def test_what_is_paid_by_a_contract_is_called_so_and_counted_with_what_exceeded_it(
    seeded: Seeded, book: TariffBook
) -> None:
    with seeded.database.reading() as session, session.no_autoflush:
        account = of_profile(session, "one_shift")[0]
        bills = bills_between(session, account=account, first=FIRST, last=LAST)
        assert account.capacity_kva is not None
        highest = max(bill.demand_kw or ZERO for bill in bills)
        agreed = max(highest / 2, account.capacity_kva * Decimal("0.4"))  # no lower one is agreed on
        assert agreed * Decimal("1.05") < highest
        total = ZERO
        for bill in bills:
            basic_of(bill).quantity = agreed
            demand = Demand(account.capacity_kva, "contract", actual_kw=bill.demand_kw, contract_kw=agreed)
            usage = Registers(bill.sharp_kwh, bill.peak_kwh, bill.flat_kwh, bill.valley_kwh)
            total += charge(book.plan(account.plan_code, bill.month), usage, demand=demand, kvarh=bill.kvarh).total
        choice = tariff_choice(session, account=account, book=book, today=seeded.today)
        assert (choice.current.method, choice.current.total) == ("contract", total)
        assert {one.method for one in choice.others} == {"capacity", "actual"}
        session.expunge_all()


def test_between_100_and_315_kva_single_and_two_part_are_both_open(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        account = of_profile(session, "one_shift")[0]
        with session.no_autoflush:
            account.capacity_kva = Decimal(250)
            choice = tariff_choice(session, account=account, book=book, today=seeded.today)
        single = next(one for one in choice.others if one.plan.code == "hubei.commercial.single.10kv.tou")
        total = ZERO
        for month in choice.months:
            plan = book.plan(single.plan.code, month.month)
            total += charge(plan, month.usage, kvarh=month.kvarh).total
        assert single.total == total
        session.expunge_all()


def test_a_household_where_hours_are_offered_is_told_the_share(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        account = of_profile(session, "children")[0]
        with session.no_autoflush:
            account.region, account.plan_code = "zhejiang", "zhejiang.residential.tier"
            choice = tariff_choice(session, account=account, book=book, today=seeded.today)
        (other,) = choice.others
        assert (other.plan.code, other.certainty, other.total) == ("zhejiang.residential.tou_tier", "open", None)
        assert other.break_even is not None
        assert round(other.break_even, 3) == Decimal("0.107")
        session.expunge_all()


def test_registers_of_other_hours_are_no_ground_for_a_figure(seeded: Seeded, book: TariffBook) -> None:
    """A meter that counts sharp and flat hours tells nothing about a plan of peak and valley alone."""
    with seeded.database.reading() as session:
        account = of_profile(session, "charging")[0]
        with session.no_autoflush:
            account.region, account.plan_code = "zhejiang", "zhejiang.residential.tier"
            choice = tariff_choice(session, account=account, book=book, today=seeded.today)
        assert choice.others[0].total is None
        session.expunge_all()


def test_twelve_whole_months_are_looked_at(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        _account, choice = choice_of(session, seeded, book, "food")
        assert [choice.months[0].month, choice.months[-1].month, len(choice.months)] == [FIRST, LAST, 12]
        assert choice.usage == add_registers([month.usage for month in choice.months])


def test_a_new_account_is_compared_on_the_months_that_it_has(fill: Fill, book: TariffBook) -> None:
    database = fill(date(2026, 11, 22), customers=30)
    with database.reading() as session:
        account = of_profile(session, "flat")[0]
        with session.no_autoflush:
            account.opened_on = date(2026, 9, 9)
            choice = tariff_choice(session, account=account, book=book, today=date(2026, 11, 22))
            assert [month.month.month for month in choice.months] == [9, 10]
            account.opened_on = date(2026, 11, 3)
            with pytest.raises(NoReading):
                tariff_choice(session, account=account, book=book, today=date(2026, 11, 22))
        session.expunge_all()


def test_a_price_that_is_not_open_can_still_be_counted(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        account, choice = choice_of(session, seeded, book, "children")
        total = under_plan(book, account, choice.months, "hubei.shared_meter")
        assert total == on_the_readings(session, account, book, "hubei.shared_meter")
