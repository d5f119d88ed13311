"""Rows into tables, in chunks; the hundreds of thousands of readings in the driver's own way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, func, insert, select, text

from core.db import BillingBase
from core.seed.accounts import AccountSpec, CustomerSpec
from core.seed.billing import BillDraft
from core.seed.readings import ReadingRow

CHUNK = 20_000
_COLUMNS = "meter_id, day, sharp, peak, flat, valley, quality"
_SQLITE_INSERT = f"INSERT INTO daily_readings ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
_COPY = f"COPY daily_readings ({_COLUMNS}) FROM STDIN"
Row = TypeVar("Row")


def table(name: str) -> Table:
    """Return a table of the billing database."""
    return BillingBase.metadata.tables[name]


def write_rows(connection: Connection, name: str, rows: Iterable[dict[str, Any]]) -> int:
    """Insert rows into a table; return how many there were."""
    count = 0
    for chunk in _chunks(rows):
        connection.execute(insert(table(name)), chunk)
        count += len(chunk)
    return count


def write_readings(connection: Connection, rows: Iterable[ReadingRow]) -> int:
    """Insert readings; return how many there were."""
    count = 0
    for chunk in _chunks(rows):
        if connection.dialect.name == "postgresql":
            _copy(connection, chunk)
        else:
            connection.exec_driver_sql(_SQLITE_INSERT, [_sqlite_values(row) for row in chunk])
        count += len(chunk)
    return count


def customer_row(spec: CustomerSpec, encrypted: dict[str, str]) -> dict[str, Any]:
    """Return a row of `customers`; `encrypted` holds its ciphers and hashes by column."""
    kind = "person" if spec.person else "organisation"
    return {"id": spec.id, "customer_no": spec.customer_no, "kind": kind, **encrypted}


def account_row(spec: AccountSpec, address_cipher: str, *, closed_on: date | None) -> dict[str, Any]:
    """Return a row of `accounts`."""
    return {
        "id": spec.id,
        "account_no": spec.account_no,
        "customer_id": spec.customer_id,
        "address_cipher": address_cipher,
        "district": spec.district.name,
        "area_class": spec.district.area,
        "region": spec.kind.plan.partition(".")[0],
        "user_class": spec.user_class,
        "plan_code": spec.kind.plan,
        "profile": spec.kind.profile,
        "prepaid": spec.prepaid,
        "capacity_kva": spec.capacity_kva,
        "large_family_kwh": spec.kind.large_family_kwh,
        "free_kwh": spec.kind.free_kwh,
        "opened_on": spec.opened_on,
        "closed_on": closed_on,
    }


def bill_row(bill: BillDraft) -> dict[str, Any]:
    """Return a row of `bills`."""
    return {
        "id": bill.id,
        "account_id": bill.account.id,
        "month": bill.month,
        "period_first": bill.first,
        "period_last": bill.last,
        "kwh": bill.usage.total,
        "sharp_kwh": bill.usage.sharp,
        "peak_kwh": bill.usage.peak,
        "flat_kwh": bill.usage.flat,
        "valley_kwh": bill.usage.valley,
        "cum_before": bill.cum_before,
        "demand_kw": bill.demand_kw,
        "kvarh": bill.kvarh,
        "plan_code": bill.account.kind.plan,
        "estimated": bill.estimated,
        "amount": bill.charge.total,
        "issued_on": bill.issued_on,
        "due_on": bill.due_on,
    }


def line_rows(bill: BillDraft) -> Iterator[dict[str, Any]]:
    """Yield the rows of `bill_lines` of a bill, numbered from 1."""
    for seq, line in enumerate(bill.charge.lines, 1):
        yield {
            "bill_id": bill.id,
            "seq": seq,
            "code": line.code,
            "tier": line.tier,
            "period": line.period,
            "quantity": line.quantity,
            "unit": line.unit,
            "unit_price": line.unit_price,
            "amount": line.amount,
        }


def advance_sequences(connection: Connection) -> None:
    """Let PostgreSQL give ids above those that were written here."""
    if connection.dialect.name != "postgresql":
        return
    for name in ("customers", "accounts", "meters", "bills", "payments"):
        highest = connection.scalar(select(func.max(table(name).c.id)))
        if highest is not None:
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :highest)"),
                {"name": name, "highest": highest},
            )


def _copy(connection: Connection, rows: Sequence[ReadingRow]) -> None:
    driver: Any = connection.connection.dbapi_connection
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row((row.meter_id, row.day, *map(_decimal, row.counts), row.quality))


def _sqlite_values(row: ReadingRow) -> tuple[Any, ...]:
    sharp, peak, flat, valley = row.counts
    day = row.day.isoformat()
    return row.meter_id, day, sharp / 100, peak / 100, flat / 100, valley / 100, row.quality


def _decimal(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02}"


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        yield chunk
