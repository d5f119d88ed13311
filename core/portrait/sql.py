"""What SQLite and PostgreSQL say differently, for queries that reckon in the server over many accounts at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    Date,
    Double,
    FromClause,
    Integer,
    String,
    bindparam,
    case,
    cast,
    column,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from core.db import Database

# A step of accounts may take longer than an answer to a customer, and sorts in memory what it sorts.
_LONG = (
    "SET LOCAL statement_timeout = '20min'", "SET LOCAL work_mem = '192MB'", "SET LOCAL jit = off",
    "SET LOCAL random_page_cost = 1.1",
)  # fmt: skip
# Rows of a large table are looked up by their key for each row of a step. Left to itself the server may well read the
# whole table once for every step, which costs the more the more accounts there are.
_BY_KEY = ("SET LOCAL enable_hashjoin = off", "SET LOCAL enable_mergejoin = off")
_AS_IT_LIKES = ("SET LOCAL enable_hashjoin = on", "SET LOCAL enable_mergejoin = on")


class ShanghaiDay(FunctionElement[Any]):
    """The day in Shanghai of an instant."""

    type = Date()
    inherit_cache = True


class DaysBetween(FunctionElement[int]):
    """How many days the first day is after the second."""

    type = Integer()
    inherit_cache = True


@compiles(ShanghaiDay, "postgresql")
def _day_postgresql(element: ShanghaiDay, compiler: Any, **more: Any) -> str:
    return f"CAST(timezone('Asia/Shanghai', {compiler.process(element.clauses, **more)}) AS DATE)"


@compiles(ShanghaiDay, "sqlite")
def _day_sqlite(element: ShanghaiDay, compiler: Any, **more: Any) -> str:
    return f"date({compiler.process(element.clauses, **more)}, '+8 hours')"  # no summer time since 1991


@compiles(DaysBetween, "postgresql")
def _days_postgresql(element: DaysBetween, compiler: Any, **more: Any) -> str:
    later, earlier = (compiler.process(one, **more) for one in element.clauses)
    return f"(CAST({later} AS DATE) - CAST({earlier} AS DATE))"


@compiles(DaysBetween, "sqlite")
def _days_sqlite(element: DaysBetween, compiler: Any, **more: Any) -> str:
    later, earlier = (compiler.process(one, **more) for one in element.clauses)
    return f"CAST(julianday({later}) - julianday({earlier}) AS INTEGER)"


@contextmanager
def long_reading(database: Database) -> Iterator[Session]:
    """Give a session for queries over many rows."""
    with database.reading() as session:
        patient(session)
        yield session


def patient(session: Session) -> None:
    """Let the statements of this transaction take longer than an answer to a customer may."""
    _say(session, _LONG)


@contextmanager
def by_key(session: Session) -> Iterator[None]:
    """Let the queries within look up the rows of later tables by their keys, one by one."""
    _say(session, _BY_KEY)
    yield
    _say(session, _AS_IT_LIKES)


def gauge(database: Database, table: str) -> None:
    """Let PostgreSQL measure a table in which much was written, in a transaction of its own.

    By itself it does so a minute or more later, and until then plans for a run that it has never heard of expect a
    handful of rows and find a million. SQLite's plans do not depend on how many rows there are.
    """
    if database.engine.dialect.name == "postgresql":
        with database.transaction() as session:
            patient(session)
            session.execute(text(f"ANALYZE {table}"))


def real(value: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ColumnElement[float]:
    """Return an exact number as a float of eight bytes."""
    return cast(value, Double)


def ratio(part: ColumnElement[Any], whole: ColumnElement[Any]) -> ColumnElement[float]:
    """Return a share as a float, None where the whole is nothing or less."""
    return case((whole > 0, real(part) / real(whole)))


def whole(value: ColumnElement[Any]) -> ColumnElement[int]:
    """Return a whole number as such: sums of them are exact numbers with places on PostgreSQL, and slow."""
    return cast(value, BigInteger)


def keys_of(session: Session, values: Sequence[str]) -> FromClause:
    """Return the keys as rows of one column `key`, so that a query of another database can be joined with them."""
    if session.get_bind().dialect.name == "postgresql":
        given = bindparam(None, list(values), type_=ARRAY(String))
        return select(func.unnest(given).label("key")).subquery("keys")
    given = bindparam(None, json.dumps(list(values)), type_=String)
    return (
        select(column("value").label("key")).select_from(func.json_each(given).table_valued("value")).subquery("keys")
    )


def _say(session: Session, statements: Sequence[str]) -> None:
    if session.get_bind().dialect.name == "postgresql":
        for statement in statements:
            session.execute(text(statement))
