"""The step year: checked against the bills, the readings and the tariff's own arithmetic."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.account import Account
from core.bill import Bill
from core.tariff import TariffBook, split_by_tier, tier_position
from core.tier_year import service_of, tier_year
from core.usage import usage_between

if TYPE_CHECKING:
    from tests.conftest import Fill, Seeded


def households(session: Session) -> list[Account]:
    query = select(Account).where(Account.plan_code == "hubei.residential.tier", Account.closed_on.is_(None))
    return list(session.scalars(query.order_by(Account.id)))


def test_kwh_so_far_are_the_bills_of_the_year_and_the_readings_after_them(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        for account in households(session):
            standing = tier_year(session, account=account, book=book, today=seeded.today)
            assert standing is not None
            first = max(date(2026, 1, 1), account.opened_on)
            used = usage_between(session, account=account, first=first, last=seeded.today - timedelta(days=1))
            bills = session.scalars(
                select(Bill).where(Bill.account_id == account.id, Bill.month >= date(2026, 1, 1))
            ).all()
            assert standing.billed_kwh == sum((bill.kwh for bill in bills), Decimal(0))
            assert standing.kwh == used.total
            assert standing.as_of == date(2026, 11, 21)


def test_step_price_and_kwh_left_are_those_of_the_tariff(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        seen = set()
        for account in households(session):
            standing = tier_year(session, account=account, book=book, today=seeded.today)
            assert standing is not None
            position = tier_position(standing.plan, standing.kwh, standing.bounds)
            assert (standing.tier, standing.price, standing.left) == (
                position.tier, position.price, position.remaining,
            )  # fmt: skip
            prices = {1: Decimal("0.608"), 2: Decimal("0.858"), 3: None}
            assert standing.next_price == prices[standing.tier]
            seen.add(standing.tier)
        assert {1, 2} <= seen


def test_the_next_step_begins_on_the_first_day_whose_use_passes_the_bound(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        foreseen = 0
        for account in households(session):
            for today in (date(2026, 5, 1), date(2026, 8, 1), seeded.today):
                standing = tier_year(session, account=account, book=book, today=today)
                if standing is None or standing.next_on is None:
                    continue
                assert standing.left is not None
                assert standing.daily_kwh is not None
                days = (standing.next_on - standing.as_of).days
                assert standing.daily_kwh * (days - 1) <= standing.left < standing.daily_kwh * days
                assert standing.next_on.year == today.year
                assert standing.days_left(today) == max(0, (standing.next_on - today).days)
                foreseen += 1
        assert foreseen > 0


def test_a_step_that_is_not_reached_this_year_has_no_day(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        for account in households(session):
            standing = tier_year(session, account=account, book=book, today=seeded.today)
            assert standing is not None
            if standing.left is None or standing.daily_kwh is None:
                assert standing.next_on is None
                continue
            to_come = standing.daily_kwh * (date(2026, 12, 31) - standing.as_of).days
            assert (standing.next_on is not None) == (to_come > standing.left)


def test_daily_use_is_that_of_the_last_thirty_days(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        account = random.Random(4).choice(households(session))
        standing = tier_year(session, account=account, book=book, today=seeded.today)
        used = usage_between(session, account=account, first=date(2026, 10, 23), last=date(2026, 11, 21))
        assert standing is not None
        assert standing.daily_kwh == used.total / 30


def test_a_large_family_has_a_hundred_kwh_more_a_month_on_its_bounds(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        account = next(one for one in households(session) if one.large_family_kwh == 100)
        standing = tier_year(session, account=account, book=book, today=seeded.today)
        assert standing is not None
        assert standing.bounds == (Decimal(3360), Decimal(6000))


def test_in_the_first_year_the_bounds_are_those_of_the_months_served(fill: Fill, book: TariffBook) -> None:
    database = fill(date(2026, 11, 22), customers=30)
    with database.reading() as session:
        account = households(session)[0]
        account.opened_on = date(2026, 7, 9)
        with session.no_autoflush:
            standing = tier_year(session, account=account, book=book, today=date(2026, 11, 22))
        assert standing is not None
        assert standing.bounds == (Decimal(1080), Decimal(2400))
        session.expunge_all()


def test_the_tiers_of_a_bill_and_the_standing_after_it_agree(seeded: Seeded, book: TariffBook) -> None:
    """The year before the last readings: what the bill charged in its last step is where the account stood then."""
    with seeded.database.reading() as session:
        for account in households(session):
            bill = session.scalars(
                select(Bill).where(Bill.account_id == account.id).order_by(Bill.month.desc()).limit(1)
            ).one()
            standing = tier_year(session, account=account, book=book, today=seeded.today)
            assert standing is not None
            assert bill.cum_before is not None
            kwh = split_by_tier(standing.bounds, bill.cum_before, bill.kwh)
            printed = {line.tier: line.quantity for line in bill.lines if line.code == "tier"}
            assert {number: one for number, one in enumerate(kwh, 1) if one} == printed


@pytest.mark.parametrize("code", ["hubei.shared_meter", "hubei.charging.tou", "hubei.commercial.single.lv.tou"])
def test_plans_without_steps_have_no_step_year(seeded: Seeded, book: TariffBook, code: str) -> None:
    with seeded.database.reading() as session:
        account = session.scalars(select(Account).where(Account.plan_code == code).order_by(Account.id)).first()
        assert account is not None
        assert tier_year(session, account=account, book=book, today=seeded.today) is None


def test_a_closed_account_has_no_step_year(fill: Fill, book: TariffBook) -> None:
    database = fill(date(2026, 11, 22), customers=80, months=14)
    with database.reading() as session:
        query = select(Account).where(Account.plan_code == "hubei.residential.tier", Account.closed_on.is_not(None))
        account = session.scalars(query).first()
        assert account is not None
        assert tier_year(session, account=account, book=book, today=date(2026, 11, 22)) is None


def test_on_new_years_day_the_count_begins_again(fill: Fill, book: TariffBook) -> None:
    database = fill(date(2027, 1, 1))
    with database.reading() as session:
        for account in households(session):
            standing = tier_year(session, account=account, book=book, today=date(2027, 1, 1))
            assert standing is not None
            assert (standing.kwh, standing.tier) == (Decimal(0), 1)


def test_the_day_of_opening_counts_in_its_own_year_only(seeded: Seeded) -> None:
    with seeded.database.reading() as session:
        account = households(session)[0]
        assert service_of(account, date(account.opened_on.year, 5, 1)).opened == account.opened_on
        assert service_of(account, date(account.opened_on.year + 1, 5, 1)).opened is None
        assert service_of(account, date(2026, 5, 1), large_family=False).large_family_kwh == 0
