"""The audit log: nothing can be changed in it, and what somebody with the database changes is found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import audit
from core.audit import AuditBroken, Auditor, BadDetail, Verdict
from core.clock import SHANGHAI
from core.db import Database
from core.migrations import upgrade

if TYPE_CHECKING:
    from tests.conftest import NewUrl

NOW = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=SHANGHAI)
KEY = b"a key of the tests, thirty-two b"


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    """A migrated bridge database."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


@pytest.fixture
def log(bridge: Database) -> Database:
    """A log of six rows."""
    for number in range(1, 7):
        write(bridge, f"c{number}", reason="核对地址", 序号=number, nested={"b": [1, 2.5], "a": None})
    return bridge


def write(database: Database, subject: str, **detail: object) -> None:
    with database.transaction() as session:
        Auditor(KEY, 7).note(session, "reveal", subject, now=NOW, **detail)


def verdict(database: Database, key: bytes = KEY, anchor: tuple[int, str] | None = None) -> Verdict:
    with database.reading() as session:
        return audit.verify(session, key, anchor=anchor)


def run(database: Database, *statements: str) -> None:
    with database.transaction() as session:
        for statement in statements:
            session.execute(text(statement))


def disarm(database: Database) -> None:
    """Do what somebody with all rights in the database can do."""
    if database.engine.dialect.name == "postgresql":
        run(database, *(f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in ("audit_log", "audit_head")))
    else:
        with database.reading() as session:
            names = session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all()
        run(database, *(f"DROP TRIGGER {name}" for name in names))


def test_a_log_as_it_was_written_is_whole(log: Database) -> None:
    found = verdict(log)
    assert (found.ok, found.rows, found.first_bad, found.why) == (True, 6, None, "")
    with log.reading() as session:
        assert audit.entries(session)[-1].hash == found.head


def test_an_empty_log_is_whole(bridge: Database) -> None:
    assert verdict(bridge) == Verdict(True, 0)


def test_a_row_comes_back_as_it_was_written(log: Database) -> None:
    with log.reading() as session:
        row = audit.entries(session, limit=1)[0]
    assert (row.id, row.at, row.agent_id, row.action, row.subject) == (6, NOW, 7, "reveal", "c6")
    assert row.detail == {"reason": "核对地址", "序号": 6, "nested": {"b": [1, 2.5], "a": None}}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET subject = 'c9' WHERE id = 3",
        "DELETE FROM audit_log WHERE id = 6",
        "DELETE FROM audit_log",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET count = 5",
        "UPDATE audit_head SET count = 8",
        "UPDATE audit_head SET hash = 'x'",
    ],
)
def test_the_database_refuses_to_change_the_log(log: Database, statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only|only grows"):
        run(log, statement)
    assert verdict(log).ok


def test_no_row_is_written_over_and_no_table_emptied(log: Database) -> None:
    copy = "INTO audit_log SELECT id, at, agent_id, action, 'c9', detail, previous_hash, hash FROM audit_log WHERE id=3"
    sqlite = [f"INSERT OR REPLACE {copy}", "INSERT OR REPLACE INTO audit_head SELECT 1, 0, '', '' FROM audit_head"]
    postgresql = ["TRUNCATE audit_log", "TRUNCATE audit_head", "TRUNCATE audit_log, audit_head"]
    for statement in sqlite if log.engine.dialect.name == "sqlite" else postgresql:
        with pytest.raises(DBAPIError, match="append-only|only grows"):
            run(log, statement)
    assert verdict(log).ok


COLUMNS = "at, agent_id, action, subject, detail, previous_hash, hash"
TAMPERED = {
    "a changed subject": (["UPDATE audit_log SET subject = 'c9' WHERE id = 3"], 3),
    "a changed doer": (["UPDATE audit_log SET agent_id = 8 WHERE id = 1"], 1),
    "a doer taken away": (["UPDATE audit_log SET agent_id = NULL WHERE id = 6"], 6),
    "a changed detail": (["""UPDATE audit_log SET detail = '{"reason": "x"}' WHERE id = 2"""], 2),
    "a changed time": (["UPDATE audit_log SET at = '2026-11-22 02:00:01+00:00' WHERE id = 4"], 4),
    "a changed action": (["UPDATE audit_log SET action = 'login' WHERE id = 5"], 5),
    "a row taken out": (["DELETE FROM audit_log WHERE id = 3"], 3),
    "the first row taken out": (["DELETE FROM audit_log WHERE id = 1"], 1),
    "the last row taken off": (["DELETE FROM audit_log WHERE id = 6"], 6),
    "the last row taken off and the head set back": (
        [
            "DELETE FROM audit_log WHERE id = 6",
            "UPDATE audit_head SET count = 5, hash = (SELECT hash FROM audit_log WHERE id = 5)",
        ],
        6,
    ),
    "all rows taken out": (["DELETE FROM audit_log"], 1),
    "the head taken away": (["DELETE FROM audit_head"], 1),  # without a head nothing is read
    "two rows exchanged": (
        [
            "UPDATE audit_log SET id = 99 WHERE id = 2",
            "UPDATE audit_log SET id = 2 WHERE id = 4",
            "UPDATE audit_log SET id = 4 WHERE id = 99",
        ],
        2,
    ),
    "a row taken out and the others moved up": (
        [
            "DELETE FROM audit_log WHERE id = 5",
            "UPDATE audit_log SET id = 5 WHERE id = 6",
        ],
        5,
    ),
    "a copy put at the end": (
        [
            f"INSERT INTO audit_log (id, {COLUMNS}) SELECT 7, {COLUMNS} FROM audit_log WHERE id = 6",
        ],
        7,
    ),
    "a row put in before the first": (
        [f"INSERT INTO audit_log (id, {COLUMNS}) SELECT 0, {COLUMNS} FROM audit_log WHERE id = 1"],
        1,
    ),
    "another hash": (["UPDATE audit_log SET hash = previous_hash WHERE id = 3"], 3),
    "another previous hash": (["UPDATE audit_log SET previous_hash = hash WHERE id = 3"], 3),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_done_behind_the_logs_back_is_found(log: Database, name: str) -> None:
    statements, first_bad = TAMPERED[name]
    disarm(log)
    run(log, *statements)
    found = verdict(log)
    assert (found.ok, found.rows, found.first_bad) == (False, first_bad - 1, first_bad)
    assert found.why


def test_a_chain_made_anew_without_the_key_is_found(log: Database) -> None:
    assert verdict(log, key=b"another key of the same length..") == Verdict(
        False, 0, 1, "row 1 was changed, or is not in its place"
    )


def test_a_log_put_back_whole_is_found_by_a_head_that_was_noted(log: Database) -> None:
    noted = (6, verdict(log).head)
    write(log, "c7")
    assert verdict(log, anchor=noted).ok
    assert verdict(log, anchor=(6, "0" * 64)).why == "row 6 is not the one whose hash was noted"
    assert verdict(log, anchor=(9, noted[1])).why == "9 rows were noted, only 7 are left"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_head",
        "UPDATE audit_head SET count = 5, hash = (SELECT hash FROM audit_log WHERE id = 5)",
    ],
)
def test_a_broken_head_is_not_covered_up_by_the_next_entry(log: Database, statement: str) -> None:
    disarm(log)
    run(log, statement)
    with pytest.raises(AuditBroken):
        write(log, "c7")
    assert not verdict(log).ok


def test_an_entry_goes_with_the_transaction_that_it_tells_of(log: Database) -> None:
    with log.transaction() as session:
        Auditor(KEY).note(session, "reveal", "c7", now=NOW)
        session.rollback()
    write(log, "c8")
    assert (verdict(log).ok, verdict(log).rows) == (True, 7)


@pytest.mark.parametrize(
    ("action", "subject", "detail"),
    [("", "", {}), ("a" * 41, "", {}), ("a", "s" * 81, {}), ("a", "", {"x": object()}), ("a", "", {"x": float("nan")})],
)
def test_what_cannot_be_written_as_it_is_is_refused(
    bridge: Database, action: str, subject: str, detail: dict[str, object]
) -> None:
    with pytest.raises(BadDetail), bridge.transaction() as session:
        audit.append(session, action=action, subject=subject, detail=detail, now=NOW, key=KEY)
    assert verdict(bridge) == Verdict(True, 0)


def test_odd_details_verify_as_they_were_read_back(bridge: Database) -> None:
    for odd in ({"a": (1, 2)}, {"é": "\U0001f50c", "z": "\x00"}, {"deep": {"2": 1, "10": 2}}, {"half": "\ud83d"}):
        write(bridge, "odd", **odd)
    assert (verdict(bridge).ok, verdict(bridge).rows) == (True, 4)


def test_entries_are_found_by_time_and_agent(log: Database) -> None:
    with log.transaction() as session:
        Auditor(KEY, 8).note(session, "login", "zhou", now=NOW + timedelta(hours=1))
    with log.reading() as session:
        assert [row.id for row in audit.entries(session, agent_id=8)] == [7]
        assert [row.id for row in audit.entries(session, since=NOW + timedelta(seconds=1))] == [7]
        assert [row.id for row in audit.entries(session, agent_id=7, limit=2)] == [5, 6]


def test_many_who_write_at_once_leave_no_gap(bridge: Database) -> None:
    failures: list[BaseException] = []

    def many() -> None:
        try:
            for number in range(10):
                write(bridge, f"t{number}")
        except BaseException as error:
            failures.append(error)

    at_once(many, 4)
    assert failures == []
    assert (verdict(bridge).ok, verdict(bridge).rows) == (True, 40)


def at_once(work: Callable[[], None], times: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
