"""Portraits of all accounts for one run, in steps of accounts: the servers reckon, the bridge keeps a row of each.

Each step is one transaction of the bridge that also moves the run's cursor, so that a run that was cut off goes on
where it stopped. No transaction is open on the bridge while the other databases reckon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.orm import Session

from core.account import Account
from core.clock import Clock, system_clock
from core.db import Database
from core.portrait.accounts import One, Portion, Step, Values, count_open, is_open, step_of
from core.portrait.billing import LEAST, bill_features
from core.portrait.credit import credit_features
from core.portrait.daily import daily_features
from core.portrait.orders import order_features, outages_by_transformer
from core.portrait.signals import Signs, signs
from core.portrait.span import Span, span_of
from core.portrait.sql import long_reading, patient
from core.portrait.tables import FEATURES, Portrait
from core.portrait.talks import talk_features
from core.segment.tables import SegmentRun

STEP = 10_000
NEW, VACANT, GAPS = "new", "vacant", "gaps"  # why an account is thin
VACANT_KWH, MOST_GAPS = 1.0, 3  # kWh a month below which nobody lives there; months of the year that may lack a bill
WORKERS = 3  # parts at which the servers work at the same time
Progress = Callable[[str, int, int], None]
Result = TypeVar("Result")
_BASE = (
    "run_id", "account_id", "account_no", "customer_no", "customer_kind", "district", "area_class", "user_class",
    "pay_channel", "history_months", "thin", "tags",
)  # fmt: skip
_COLUMNS = (*_BASE, *FEATURES)


@dataclass(frozen=True)
class Sources:
    """The three databases that a portrait is made from; it is kept in the bridge."""

    billing: Database
    workorder: Database
    bridge: Database


def build(
    sources: Sources, run_id: int, *, as_of: date, after: int = 0, step: int = STEP,
    progress: Progress = lambda _what, _done, _total: None, clock: Clock = system_clock, known: Signs | None = None,
) -> int:  # fmt: skip
    """Write a portrait of every account open at `as_of` with an id above `after`; return how many were written.

    What an earlier try of the run wrote above `after` is written anew. `known`: the signs to go by, else the project's.

    Raises:
        core.portrait.signals.SignalsError: if the files of signs are missing or wrong.
    """
    maker = _Maker(sources, as_of, known or signs())
    done = _begin(sources.bridge, run_id, after)
    total = done + maker.left(after)
    written = 0
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        begun = maker.begin(after, step, pool)
        while begun:
            part = begun
            begun = maker.begin(
                part.step.last, step, pool
            )  # the servers reckon on while the rows of this one are written
            rows = maker.rows(part, run_id)
            with sources.bridge.transaction() as session:
                _write(session, rows)
                written += len(rows)
                _move(session, run_id, part.step.last, done + written, clock)
            progress("features", done + written, total)
    return written


@dataclass(frozen=True)
class _Begun:
    """A step at whose parts the servers work."""

    step: Step
    parts: tuple[Future[Portion], ...]
    drivers: Future[set[int]]


class _Maker:
    """What is the same for all steps: the span of time, the signs, and where supply was interrupted."""

    def __init__(self, sources: Sources, as_of: date, known: Signs) -> None:
        self._sources, self._signs = sources, known
        with long_reading(sources.billing) as session:
            self._span = span_of(session, as_of)
        with long_reading(sources.workorder) as session:
            self._outages = outages_by_transformer(session, self._span)

    def left(self, after: int) -> int:
        with long_reading(self._sources.billing) as session:
            return count_open(session, self._span.as_of, after)

    def begin(self, after: int, size: int, pool: ThreadPoolExecutor) -> _Begun | None:
        """Let the servers begin with the next accounts, at several parts at a time; None when all are done."""
        span, known = self._span, self._signs
        with long_reading(self._sources.billing) as session:
            step = step_of(session, span.as_of, after, size)
        if step is None:
            return None

        def of(database: Database, reckon: Callable[[Session, Step], Result]) -> Future[Result]:
            return pool.submit(_reckoned, database, reckon, step)

        billing, outages = self._sources.billing, self._outages
        parts = (
            of(billing, lambda session, step: daily_features(session, step, span)),
            of(billing, lambda session, step: credit_features(session, step, span)),
            of(billing, lambda session, step: bill_features(session, step, span)),
            of(self._sources.workorder,
               lambda session, step: order_features(session, step.accounts, span, known, outages)),
            of(self._sources.bridge, lambda session, step: talk_features(session, step.accounts, span, known)),
        )  # fmt: skip
        return _Begun(step, parts, of(billing, self._drivers))

    def rows(self, begun: _Begun, run_id: int) -> list[dict[str, Any]]:
        """Return the rows of a step, once the servers are ready."""
        portions, drivers = [part.result() for part in begun.parts], begun.drivers.result()
        return [
            _row(
                one,
                run_id,
                [portion.get(one.id, {}) for portion in portions],
                self._span,
                ev=one.customer_id in drivers,
            )
            for one in begun.step.accounts
        ]

    def _drivers(self, session: Session, step: Step) -> set[int]:
        """Return which customers of the step have an account at which a car is charged."""
        mine = select(Account.customer_id).where(step.is_mine)
        plans = or_(*(Account.plan_code.contains(part, autoescape=True) for part in self._signs.signals.ev_plans))
        query = select(Account.customer_id).where(plans, is_open(self._span.as_of), Account.customer_id.in_(mine))
        return set(session.scalars(query))


def _reckoned(database: Database, reckon: Callable[[Session, Step], Result], step: Step) -> Result:
    with long_reading(database) as session:
        return reckon(session, step)


def thin_reason(values: Values, one: One, span: Span) -> str | None:
    """Return why there is too little to place an account by its use: new, vacant, or gaps in its bills; else None."""
    months = values.get("history_months", 0)
    if months < LEAST:
        return NEW
    if values["months_year"] and values["kwh_known"] < VACANT_KWH * values["months_year"]:
        return VACANT
    if span.months_since(one.held_from) - values["months_year"] > MOST_GAPS:
        return GAPS
    return None


def _row(one: One, run_id: int, portions: Iterable[Values], span: Span, *, ev: bool) -> dict[str, Any]:
    values: Values = {}
    for portion in portions:
        values.update(portion)
    found = {
        "run_id": run_id, "account_id": one.id, "account_no": one.account_no, "customer_no": one.customer_no,
        "customer_kind": one.customer_kind, "district": one.district, "area_class": one.area_class,
        "user_class": one.user_class, "pay_channel": values.get("pay_channel"),
        "history_months": values.get("history_months", 0), "thin": thin_reason(values, one, span), "tags": [],
        **{name: values.get(name) for name in FEATURES},
    }  # fmt: skip
    found["capacity_kva"], found["prepaid"] = one.capacity_kva, float(one.prepaid)
    found["large_family"], found["low_income"] = float(one.large_family), float(one.low_income)
    found["has_ev"] = max(found["has_ev"] or 0.0, float(ev))
    return found


def _begin(bridge: Database, run_id: int, after: int) -> int:
    """Take away what stands above `after`; return how many portraits of the run stay."""
    with bridge.transaction() as session:
        patient(session)
        session.execute(delete(Portrait).where(Portrait.run_id == run_id, Portrait.account_id > after))
        count = select(func.count()).select_from(Portrait).where(Portrait.run_id == run_id)
        return session.scalar(count) or 0


def _write(session: Session, rows: list[dict[str, Any]]) -> None:
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        connection.execute(insert(Portrait), rows)
        return
    driver: Any = connection.connection.dbapi_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY portraits ({', '.join(_COLUMNS)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([*(row[name] for name in _BASE[:-1]), "[]", *(row[name] for name in FEATURES)])


def _move(session: Session, run_id: int, cursor: int, accounts: int, clock: Clock) -> None:
    run = session.get_one(SegmentRun, run_id)
    run.cursor, run.accounts, run.heartbeat_at = cursor, accounts, clock()
