"""What is told is reckoned a second way, by the tariff engine's bills alone; special prices and thin data included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.account import Account
from core.bill import bills_between
from core.clock import add_months
from core.energy_data import energy_facts
from core.payment import balance_of
from core.recommend import engines
from core.recommend.engines import ENGINES, Case, offer_of
from core.recommend.rules import recommend_rules
from core.saving import advise
from core.saving_use import year_use
from core.tariff import Registers, TariffBook, charge, price_of, year_bounds
from core.tier_year import tier_year

if TYPE_CHECKING:
    from tests.conftest import Seeded

RULES, FACTS = recommend_rules(), energy_facts()
CUSTOMERS = 30
ROUNDED = Decimal("0.02")  # a step of the bill is rounded by itself


@pytest.fixture
def session(seeded: Seeded) -> Iterator[Session]:
    with seeded.database.reading() as one, one.no_autoflush:
        yield one


def homes(session: Session) -> list[Account]:
    query = select(Account).where(Account.closed_on.is_(None), Account.user_class == "residential")
    return list(session.scalars(query.order_by(Account.id).limit(CUSTOMERS)))


def case_of(session: Session, account: Account, book: TariffBook, today: date) -> Case:
    return Case(session, account, book, FACTS, RULES, today)


def saved(case: Case, kwh: Decimal) -> Decimal:
    """Return what the engine's bill of the year is less with so many kWh less."""
    plan = case.book.plan(case.account.plan_code, case.today)
    use = year_use(case.session, account=case.account, today=case.today)
    if not plan.tiered:
        return (kwh * plan.tiers[0].price).quantize(Decimal("0.01"))
    bounds = year_bounds(plan, months_in_service=12, large_family_kwh=case.account.large_family_kwh)
    whole, less = (
        charge(plan, Registers(flat=one), cum_before=Decimal(0), bounds=bounds) for one in (use.total, use.total - kwh)
    )
    return whole.total - less.total


def test_what_a_measure_saves_is_the_difference_of_two_bills(
    session: Session, book: TariffBook, seeded: Seeded
) -> None:
    told = 0
    for place, account in enumerate(homes(session)):
        if place % 3 == 0:
            account.large_family_kwh = Decimal(100)  # a month: six people
        case = case_of(session, account, book, seeded.today)
        offer = offer_of("saving_measure", case)
        if offer is None or offer.measure is None:
            continue
        low, high = (saved(case, kwh) for kwh in (offer.measure.kwh_low, offer.measure.kwh_high))
        assert abs(low - offer.yuan) <= ROUNDED, account.id
        assert abs(high - Decimal(offer.basis["high"])) <= ROUNDED, account.id
        told += 1
        session.expire(account)
    assert told > CUSTOMERS / 2


def test_what_is_free_each_month_is_not_told_as_saved(session: Session, book: TariffBook, seeded: Seeded) -> None:
    """Of 五保 and 低保 the first kWh of each month are free: nobody saves yuan by not using them."""
    account = next(
        one for one in homes(session)
        if offer_of("saving_measure", case_of(session, one, book, seeded.today)) is not None
    )  # fmt: skip
    use = year_use(session, account=account, today=seeded.today)
    least = min(month.usage.total for month in use.months)
    account.free_kwh = Decimal(10)
    assert least > 30
    assert offer_of("saving_measure", case_of(session, account, book, seeded.today)) is not None
    account.free_kwh = least
    assert offer_of("saving_measure", case_of(session, account, book, seeded.today)) is None
    session.expire(account)


def test_from_a_few_months_no_saving_of_a_year_is_told(
    session: Session, book: TariffBook, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = next(
        one for one in homes(session)
        if offer_of("saving_measure", case_of(session, one, book, seeded.today)) is not None
    )  # fmt: skip
    whole = advise(session, account=account, book=book, facts=FACTS.home, today=seeded.today)
    use = replace(whole.use, months=whole.use.months[-9:])
    monkeypatch.setattr(engines, "_advice", lambda _: replace(whole, use=use))
    assert offer_of("saving_measure", case_of(session, account, book, seeded.today)) is None
    monkeypatch.setattr(engines, "_advice", lambda _: whole)
    assert offer_of("saving_measure", case_of(session, account, book, seeded.today)) is not None


def test_charging_at_night_is_the_difference_of_each_months_prices(
    session: Session, book: TariffBook, seeded: Seeded
) -> None:
    """The prices change within the year; each month is reckoned at its own."""
    told = 0
    for account in session.scalars(select(Account).where(Account.user_class == "charging")):
        case = case_of(session, account, book, seeded.today)
        offer = ENGINES["charging_time"](case)
        if offer is None:
            continue
        gain = Decimal(0)
        for month in year_use(session, account=account, today=seeded.today).months:
            plan, used = book.plan(account.plan_code, month.month), month.usage.registers
            for name in ("sharp", "peak"):
                if used.of(name):
                    gain += used.of(name) * (price_of(plan, name) - price_of(plan, "valley"))
        assert abs(gain - offer.yuan) <= ROUNDED
        told += 1
    assert told


def test_power_factor_is_the_difference_of_each_months_line(session: Session, book: TariffBook, seeded: Seeded) -> None:
    told = 0
    for account in session.scalars(select(Account).where(Account.user_class == "industrial")):
        offer = ENGINES["power_factor"](case_of(session, account, book, seeded.today))
        if offer is None:
            continue
        first, last = add_months(seeded.today, -12), add_months(seeded.today, -1)
        bills = bills_between(session, account=account, first=first, last=last)
        paid = sum((line.amount for bill in bills for line in bill.lines if line.code == "power_factor"), Decimal(0))
        assert Decimal(offer.basis["paid"]) == paid
        assert offer.yuan == paid - Decimal(offer.basis["at_target"])
        assert date.fromisoformat(offer.basis["last"]) == last.replace(day=1)  # not the month in progress
        told += 1
    assert told


def test_what_may_be_paid_in_parts_is_what_bills_less_payments_leave(
    session: Session, book: TariffBook, seeded: Seeded
) -> None:
    told = 0
    for account in session.scalars(select(Account).where(Account.closed_on.is_(None))):
        offer = ENGINES["instalments"](case_of(session, account, book, seeded.today))
        if offer is None:
            continue
        personal = account.customer.kind == "person"
        balance = balance_of(session, account=account, today=seeded.today, residential=personal)
        assert offer.yuan == balance.owed > 0
        assert offer.basis["bills"] == str(len(balance.unpaid))
        told += 1
    assert told


def test_a_step_that_old_readings_placed_in_the_past_is_not_told(
    session: Session, book: TariffBook, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The meter has not been read for weeks: what was reckoned then is no news now."""
    found = ((one, tier_year(session, account=one, book=book, today=seeded.today)) for one in homes(session))
    account, year = next((one, year) for one, year in found if year is not None and year.left is not None)
    case = case_of(session, account, book, seeded.today)

    def told(next_on: date) -> bool:
        stands = replace(year, next_on=next_on, daily_kwh=Decimal(40), kwh=year.bounds[year.tier - 1] - 1)
        monkeypatch.setattr(engines, "tier_year", lambda *_, **__: stands)
        return offer_of("tier_warning", case) is not None

    assert told(seeded.today + timedelta(days=3))
    assert told(seeded.today)
    assert not told(seeded.today - timedelta(days=1))
