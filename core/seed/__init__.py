"""Fills the empty billing database with the demonstration region."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

from sqlalchemy import Connection, select, text

from core.account import Customer
from core.clock import SHANGHAI, add_months, first_of_month
from core.db import Database
from core.fields import Keyring
from core.seed.accounts import customers_of
from core.seed.fill import Writer
from core.seed.readings import Window
from core.seed.region import DEMO_DATA, DemoDataError, load_region
from core.seed.spans import EARLIEST_WINDOW
from core.seed.write import advance_sequences, write_rows
from core.tariff import TariffBook

__all__ = ["AlreadySeeded", "DemoDataError", "Progress", "SeedSummary", "WindowTooEarly", "seed"]

MOST_CUSTOMERS = 9999
# Accounts are worked off in groups, so that no more than a group's rows are in memory at once.
GROUP = 25
TABLES = ("customers", "accounts", "meters", "daily_readings", "bills", "bill_lines", "payments")

# Called with the stage, how many customers are done and how many there are.
Progress = Callable[[str, int, int], None]


class AlreadySeeded(Exception):
    """The billing database has customers; the seed only fills an empty one."""


class WindowTooEarly(ValueError):
    """The months asked for begin before the records of the demonstration region do."""


@dataclass(frozen=True)
class SeedSummary:
    """How many rows were written to each table, and from which month to which day."""

    first_month: date
    last_day: date
    customers: int
    accounts: int
    meters: int
    daily_readings: int
    bills: int
    bill_lines: int
    payments: int


def seed(
    billing: Database,
    *,
    book: TariffBook,
    keyring: Keyring,
    today: date,
    customers: int = 500,
    months: int = 36,
    progress: Progress = lambda _stage, _done, _whole: None,
    directory: Path = DEMO_DATA,
) -> SeedSummary:
    """Write customers, accounts, meters, daily readings, bills, payments and feeds in one transaction.

    `months` bills up to the last month that is over, readings up to yesterday, payments up to 05:30 of
    `today`. The same day gives the same content, but for the random part of ciphertexts; a later day leaves
    months that were over as they are. `directory` holds the description of the region.
    Raises AlreadySeeded, WindowTooEarly, DemoDataError, ValueError for impossible counts.
    """
    if not 1 <= customers <= MOST_CUSTOMERS or months < 1:
        raise ValueError(f"1 to {MOST_CUSTOMERS} customers and at least 1 month, please")
    window = Window(add_months(first_of_month(today), -months), today)
    if window.first < EARLIEST_WINDOW:
        raise WindowTooEarly(f"the records begin in {EARLIEST_WINDOW:%Y-%m}")
    region = load_region(directory)
    people = list(customers_of(region, book, count=customers, first=window.first, today=today))
    with billing.transaction() as session:
        connection = session.connection()
        _refuse_unless_empty(connection)
        writer = Writer(connection, region, book, keyring, window)
        for done in range(0, len(people), GROUP):
            progress("customers", done, len(people))
            writer.write(people[done : done + GROUP])
        write_rows(connection, "feeds", _feeds(today))
        advance_sequences(connection)
        progress("customers", len(people), len(people))
    return SeedSummary(window.first, window.yesterday, **{name: writer.counts[name] for name in TABLES})


def _refuse_unless_empty(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    if connection.scalar(select(Customer.id).limit(1)) is not None:
        raise AlreadySeeded


def _feeds(today: date) -> Iterator[dict[str, object]]:
    bills = first_of_month(today)
    moments = {"readings": (today, time(0, 30)), "bills": (bills, time(6)), "payments": (today, time(5, 30))}
    for name, (day, at) in moments.items():
        yield {"name": name, "as_of": datetime.combine(day, at, SHANGHAI)}
