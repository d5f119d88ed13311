"""Seeding: the same region for everybody and every day, all of it or nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from core.account import (
    Account,
    Customer,
)
from core.bill import Bill
from core.clock import SHANGHAI, add_months, months_between
from core.db import BillingBase, Database
from core.migrations import upgrade
from core.seed import AlreadySeeded, WindowTooEarly, seed

if TYPE_CHECKING:
    from core.fields import Keyring
    from core.tariff import TariffBook
    from tests.conftest import Fill, NewUrl, Seeded

DEMO = Path(__file__).parents[2] / "data" / "demo"
CIPHERS = {"name_cipher", "phone_cipher", "certificate_cipher", "address_cipher"}


@pytest.fixture
def session(seeded: Seeded) -> Any:
    with seeded.database.reading() as session:
        yield session


def content(database: Database, *, before: date | None = None) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows without the random ciphertexts; of months before a day only, if asked."""
    limits = {"daily_readings": "day", "bills": "issued_on"}
    rows = {}
    with database.reading() as session:
        for table in BillingBase.metadata.sorted_tables:
            columns = [column for column in table.columns if column.name not in CIPHERS]
            query = select(*columns).order_by(*table.primary_key.columns)
            if before and table.name in limits:
                query = query.where(table.c[limits[table.name]] < before)
            rows[table.name] = [tuple(row) for row in session.execute(query)]
    return rows


def test_the_same_day_gives_the_same_region(fill: Fill) -> None:
    assert content(fill(date(2026, 11, 22))) == content(fill(date(2026, 11, 22)))


def test_readings_and_bills_of_the_past_stay_when_today_moves_on(fill: Fill) -> None:
    earlier, later = date(2026, 5, 13), date(2026, 6, 9)
    old, new = fill(earlier, customers=60, months=5), fill(later, customers=60, months=6)
    past = content(old, before=earlier), content(new, before=earlier)
    assert past[0]["bills"] == past[1]["bills"]
    assert len(past[0]["bills"]) > 250
    assert past[0]["daily_readings"] == past[1]["daily_readings"]


def test_payments_and_bill_lines_of_the_past_stay_when_today_moves_on(fill: Fill) -> None:
    old, new = content(fill(date(2026, 5, 13))), content(fill(date(2026, 6, 9), months=6))
    assert set(old["payments"]) <= set(new["payments"])
    assert set(old["bill_lines"]) <= set(new["bill_lines"])
    later = [row for row in new["payments"] if row not in set(old["payments"])]
    assert min(row[4] for row in later).astimezone(SHANGHAI).date() >= date(2026, 5, 13)


def test_a_longer_window_shows_the_same_readings_and_bills(fill: Fill) -> None:
    short, long = content(fill(date(2026, 3, 8), months=4)), content(fill(date(2026, 3, 8), months=9))
    assert set(short["bills"]) <= set(long["bills"])
    assert set(short["daily_readings"]) <= set(long["daily_readings"])


def test_the_region_is_the_same_on_both_kinds_of_database(
    seeded: Seeded, book: TariffBook, keyring: Keyring, new_url: NewUrl, tmp_path: Path
) -> None:
    other = Database(new_url("sqlite", tmp_path))
    upgrade("billing", other)
    customers, months = (
        seeded.summary.customers,
        len(months_between(seeded.summary.first_month, add_months(seeded.today, -1))),
    )
    seed(
        other,
        book=book,
        keyring=keyring,
        today=seeded.today,
        customers=customers,
        months=months,
        directory=DEMO,
    )
    assert content(other) == content(seeded.database)
    other.dispose()


def test_a_second_seed_is_refused_and_changes_nothing(billing: Database, book: TariffBook, keyring: Keyring) -> None:
    kwargs: dict[str, Any] = {"book": book, "keyring": keyring, "today": date(2026, 4, 2), "directory": DEMO}
    seed(billing, customers=3, months=2, **kwargs)
    before = content(billing)
    with pytest.raises(AlreadySeeded):
        seed(billing, customers=5, months=3, **kwargs)
    assert content(billing) == before


def test_an_interrupted_seed_leaves_nothing_behind(billing: Database, book: TariffBook, keyring: Keyring) -> None:
    def interrupt(_stage: str, done: int, _whole: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed(
            billing, book=book, keyring=keyring, today=date(2026, 4, 2), customers=60, months=2,
            progress=interrupt, directory=DEMO,
        )  # fmt: skip
    assert {name: len(rows) for name, rows in content(billing).items() if rows} == {}


def test_progress_counts_up_to_all_customers(billing: Database, book: TariffBook, keyring: Keyring) -> None:
    calls: list[tuple[str, int, int]] = []
    seed(
        billing, book=book, keyring=keyring, today=date(2026, 4, 2), customers=30, months=1,
        progress=lambda *call: calls.append(call), directory=DEMO,
    )  # fmt: skip
    assert calls == [("customers", 0, 30), ("customers", 25, 30), ("customers", 30, 30)]


def test_months_before_the_records_are_refused(billing: Database, book: TariffBook, keyring: Keyring) -> None:
    with pytest.raises(WindowTooEarly):
        seed(billing, book=book, keyring=keyring, today=date(2022, 1, 1), months=36, directory=DEMO)


def test_impossible_counts_are_refused(billing: Database, book: TariffBook, keyring: Keyring) -> None:
    for wrong in ({"customers": 0}, {"months": 0}, {"customers": 10_000}):
        with pytest.raises(ValueError, match="customers"):
            seed(billing, book=book, keyring=keyring, today=date(2026, 4, 2), directory=DEMO, **wrong)


def test_months_without_a_known_price_have_readings_but_no_bills(fill: Fill) -> None:
    with fill(date(2023, 8, 5), customers=60, months=4).reading() as session:
        query = select(func.min(Bill.month)).join(Account)
        assert session.scalar(query.where(Account.user_class == "industrial")) == date(2023, 6, 1)
        assert session.scalar(query.where(Account.user_class == "residential")) == date(2023, 4, 1)


def test_new_rows_get_ids_of_their_own_after_seeding(billing: Database, book: TariffBook, keyring: Keyring) -> None:
    seed(billing, book=book, keyring=keyring, today=date(2026, 4, 2), customers=3, months=1, directory=DEMO)
    with billing.transaction() as session:
        row = {"customer_no": "X", "kind": "person", "name_cipher": "", "phone_cipher": "", "phone_hash": ""}
        session.execute(insert(Customer).values(row))
        assert session.scalar(select(Customer.id).where(Customer.customer_no == "X")) == 4


def test_the_summary_counts_what_is_there(seeded: Seeded, session: Session) -> None:
    counted = {
        table.name: session.scalar(select(func.count()).select_from(table))
        for table in BillingBase.metadata.sorted_tables
        if table.name != "feeds"
    }
    assert {name: getattr(seeded.summary, name) for name in counted} == counted
    assert seeded.summary.first_month == date(2025, 9, 1)
    assert seeded.summary.last_day == date(2026, 11, 21)
    assert seeded.summary.customers == 60
