"""Synthetic accounts for `dianfu bench segments`, made inside the server: bills, payments, readings, contacts.

Rows are inserted month by month and day by day, as a company's system gets them, so that what belongs to one account
lies as scattered as it does there. Foreign keys are not checked meanwhile; two indexes that nothing here reads are left
out (a payment by its reference, readings by day), to spare the disk.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.clock import add_months
from core.portrait.build import Sources
from core.portrait.signals import signs
from core.portrait.span import DAYS, HISTORY_MONTHS
from ops.output import Report

AS_OF = date(2026, 11, 20)
LAST = date(2026, 10, 1)
_SEED = 0.42
_HOME = ("hubei.residential.tier", "residential", "person")
_CAR = ("hubei.charging.tou", "residential", "person")
_SHOP = ("hubei.commercial.single.lv.tou", "commercial", "organisation")
_FACTORY = ("hubei.industrial.two.10kv", "industrial", "organisation")
# Kinds of customers: share of 20, plan, class, kind, least and most kWh a month, factors of summer, winter and weekend,
# share in valley and peak hours, growth a year, days paid after the bill, share of bills paid late.
_KINDS = (
    (6, *_HOME, 90, 240, 1.7, 1.2, 1.2, 0, 0, 0.02, 4, 0.01),
    (3, *_HOME, 60, 130, 1.2, 1.3, 1.0, 0, 0, 0.0, 9, 0.02),
    (2, *_HOME, 300, 480, 1.4, 1.1, 1.1, 0, 0, 0.05, 6, 0.02),
    (2, *_HOME, 120, 300, 1.6, 1.2, 1.1, 0, 0, 0.0, 34, 0.75),
    (1, *_HOME, 6, 16, 1.0, 1.0, 1.0, 0, 0, 0.0, 8, 0.05),
    (2, *_CAR, 120, 260, 1.0, 1.1, 1.1, 0.7, 0.1, 0.3, 4, 0.01),
    (2, *_SHOP, 1400, 4200, 1.4, 0.9, 1.2, 0.2, 0.35, 0.03, 5, 0.03),
    (1, *_SHOP, 900, 2600, 1.3, 1.0, 0.4, 0.15, 0.4, 0.2, 5, 0.02),
    (1, *_FACTORY, 40000, 160000, 1.1, 1.0, 0.7, 0.3, 0.35, 0.01, 3, 0.0),
)  # fmt: skip
_SPARED = ("ALTER TABLE payments DROP CONSTRAINT uq_payments_reference", "DROP INDEX ix_daily_readings_day")
_KIND_TABLE = """CREATE UNLOGGED TABLE bench_kinds (slot int PRIMARY KEY, plan text, class text, kind text, low float8,
    high float8, summer float8, winter float8, weekend float8, valley float8, peak float8, growth float8, paid int,
    late float8)"""
_ONES = """CREATE UNLOGGED TABLE bench_ones AS SELECT i AS id, k.*, low + (high - low) * random() AS kwh
    FROM generate_series(1, :count) i JOIN bench_kinds k ON k.slot = i % 20 ORDER BY i"""
_KEY = "ALTER TABLE bench_ones ADD PRIMARY KEY (id)"
_CUSTOMERS = """INSERT INTO customers (id, customer_no, kind, name_cipher, phone_cipher, phone_hash)
    SELECT id, 'C' || lpad(id::text, 9, '0'), kind, '', '', md5(id::text) FROM bench_ones"""
_ACCOUNTS = """INSERT INTO accounts (id, account_no, customer_id, address_cipher, district, area_class, region,
    user_class, plan_code, profile, prepaid, capacity_kva, large_family_kwh, free_kwh, opened_on)
    SELECT id, '42' || lpad(id::text, 8, '0'), id, '', 'D' || id % 13,
    CASE WHEN id % 7 = 0 THEN 'rural' ELSE 'city' END, 'hubei', class, plan, '',
    class = 'residential' AND id % 9 = 0, round((kwh / 60 + 4)::numeric), 0,
    CASE WHEN id % 50 = 1 THEN 10 ELSE 0 END,
    DATE '2012-01-01' + (random() * 4000)::int FROM bench_ones"""
_METERS = """INSERT INTO meters (id, meter_no, account_id, multiplier, phases, installed_on)
    SELECT id, 'M' || id, id, CASE WHEN kwh > 10000 THEN 60 ELSE 1 END, 1, DATE '2012-01-01' FROM bench_ones"""
_BILLS = """INSERT INTO bills (id, account_id, month, period_first, period_last, kwh, sharp_kwh, peak_kwh, flat_kwh,
    valley_kwh, cum_before, demand_kw, plan_code, estimated, amount, issued_on, due_on)
    SELECT :place * CAST(:count AS bigint) + id, id, :month, :month, :next - 1, used, 0, round(used * peak),
    used - round(used * peak) - round(used * valley), round(used * valley),
    CASE WHEN class = 'residential' AND valley = 0 THEN 0 END,
    CASE WHEN class = 'industrial' THEN round(used / 400) END, plan, false, round(used * 0.58 + 0.01 * (id % 90), 2),
    :next, :next + 24
    FROM (SELECT o.*, round((kwh * (1 + growth * :place / 12) * (0.9 + 0.2 * random())
    * CASE :season WHEN 's' THEN summer WHEN 'w' THEN winter ELSE 0.9 END)::numeric) AS used FROM bench_ones o) used"""
_LINES = """INSERT INTO bill_lines (bill_id, seq, code, tier, quantity, unit, unit_price, amount)
    SELECT id, tier, 'energy', tier, CASE tier WHEN 1 THEN least(kwh, 220) ELSE kwh - 220 END, 'kWh', 0.5580, 1
    FROM bills, generate_series(1, 2) tier
    WHERE id > :place * CAST(:count AS bigint) AND id <= (:place + 1) * CAST(:count AS bigint)
    AND cum_before IS NOT NULL
    AND (tier = 1 OR kwh > 220)"""
_PAYMENTS = """INSERT INTO payments (id, reference, account_id, bill_id, paid_at, amount, channel, status)
    SELECT b.id, 'R' || b.id, account_id, CASE WHEN a.prepaid THEN NULL ELSE b.id END,
    b.issued_on + time '10:00' + interval '1 day'
    * CASE WHEN random() < late THEN 28 + random() * 20 ELSE paid + random() * 6 END, amount,
    (ARRAY['wechat', 'alipay', 'app', 'bank', 'hall'])[1 + (account_id + (random() * 1.2)::int) % 5], 'succeeded'
    FROM bills b JOIN bench_ones o ON o.id = b.account_id JOIN accounts a ON a.id = b.account_id
    WHERE b.id > :place * CAST(:count AS bigint) AND b.id <= (:place + 1) * CAST(:count AS bigint)
    AND NOT (late > 0.5 AND :place >= 21 AND account_id % 40 = 0)"""
_READINGS = """INSERT INTO daily_readings (meter_id, day, sharp, peak, flat, valley, quality)
    SELECT id, :day, 0, round((used * peak)::numeric, 2), round((used * (1 - peak - valley))::numeric, 2),
    round((used * valley)::numeric, 2), 'actual'
    FROM (SELECT o.*, kwh / CASE WHEN kwh > 10000 THEN 60 ELSE 1 END / 30
    * (:place + 0.8 * random() + (weekend - 1) * :weekends) AS used FROM bench_ones o) u"""
_TALKS = """INSERT INTO conversations (id, channel, customer_no, accounts, assurance, assured, mode, mode_since,
    priority, dialogue, next_seq, created_at, last_at)
    SELECT 'bench-' || i, 'web', 'C' || lpad(i::text, 9, '0'), '[]', 1, '[]', 'bot', :at, 5, 1, 3, :at, :at
    FROM generate_series(1, :count, 5) i"""
_MESSAGES = """INSERT INTO messages (conversation_id, seq, at, author, type, text, buttons, channel, understood)
    SELECT id, n, :at + n * interval '3 days', 'customer', 'text', '', '[]', 'web',
    json_build_object('intent',
    (ARRAY['query_bill', 'report_outage', 'apply_capacity', 'advise_saving'])[n + (random() * 2)::int])
    FROM conversations, generate_series(1, 2) n"""
_ORDERS = """INSERT INTO work_orders (order_no, cause, category, title, kind, family, priority, state,
    account_no, customer_no, description_cipher, details_cipher, urges, opened_at, updated_at)
    SELECT 'B' || i, 'bench:' || i, :category, '', 'bench', 'bench', 'normal', 'closed', '42' || lpad(i::text, 8, '0'),
    'C' || lpad(i::text, 9, '0'), '', '', 0, :at, :at FROM generate_series(1, :count, 12) i"""


def fill(sources: Sources, count: int, report: Report) -> None:
    """Fill empty, migrated databases of PostgreSQL with so many accounts."""
    what = f"{count:,} accounts"
    places = [*range(HISTORY_MONTHS), *range(DAYS + 1)]
    with sources.billing.transaction() as session:
        _prepare(session, count)
    for done, place in enumerate(places, 1):
        with sources.billing.transaction() as session:
            _quick(session)
            (_month if done <= HISTORY_MONTHS else _day)(session, place, count)
        report(what, done, len(places))
    _contacts(sources, count)
    for database in (sources.billing, sources.bridge, sources.workorder):
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("VACUUM ANALYZE"))


def _prepare(session: Session, count: int) -> None:
    _quick(session)
    session.execute(text("SELECT setseed(:seed)"), {"seed": _SEED})
    for statement in (*_SPARED, _KIND_TABLE):
        session.execute(text(statement))
    slots = [kind[1:] for kind in _KINDS for _ in range(kind[0])]
    names = [f"value{place}" for place in range(len(slots[0]) + 1)]
    insert = text(f"INSERT INTO bench_kinds VALUES ({', '.join(f':{name}' for name in names)})")
    session.execute(insert, [dict(zip(names, (slot, *kind), strict=True)) for slot, kind in enumerate(slots)])
    session.execute(text(_ONES), {"count": count})
    for statement in (_KEY, _CUSTOMERS, _ACCOUNTS, _METERS, "ANALYZE"):
        session.execute(text(statement))


def _month(session: Session, place: int, count: int) -> None:
    month = add_months(LAST, place + 1 - HISTORY_MONTHS)
    season = "s" if month.month in (6, 7, 8) else "w" if month.month in (12, 1, 2) else "m"
    values = {"place": place, "count": count, "month": month, "next": add_months(month, 1), "season": season}
    for statement in (_BILLS, _LINES, _PAYMENTS):
        session.execute(text(_typed(statement)), values)


def _day(session: Session, place: int, _count: int) -> None:
    day = AS_OF + timedelta(days=place - DAYS - 1)
    weekends = sum((day - timedelta(days=back)).weekday() >= 5 for back in range(place))
    session.execute(text(_typed(_READINGS)), {"place": place, "day": day, "weekends": weekends})


def _contacts(sources: Sources, count: int) -> None:
    at = f"{AS_OF - timedelta(days=90)} 02:00+00"
    for database, statements in ((sources.bridge, (_TALKS, _MESSAGES)), (sources.workorder, (_ORDERS,))):
        with database.transaction() as session:
            _quick(session)
            for statement in statements:
                values = {"count": count, "at": at, "category": signs().signals.complaints[0]}
                known = {name: value for name, value in values.items() if f":{name}" in statement}
                session.execute(text(_typed(statement)), known)


def _typed(statement: str) -> str:
    """Say of what type the values are, where the server could not tell."""
    types = {"month": "date", "next": "date", "day": "date", "at": "timestamptz", "place": "int", "season": "text"}
    names = "|".join(types)
    return re.sub(rf"(?<!:):({names})\b", lambda found: f"CAST(:{found[1]} AS {types[found[1]]})", statement)


def _quick(session: Session) -> None:
    session.execute(text("SET LOCAL statement_timeout = 0"))
    session.execute(text("SET LOCAL session_replication_role = replica"))
