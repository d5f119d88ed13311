"""The ledger: what was told once is one promise, and whoever was told an old time is told the new one once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from core import promise
from core.db import Database
from core.migrations import upgrade
from core.notice import Notice
from core.promise import ANSWER, ARRIVAL, CONTACT, RESTORE, Commitments, Promise, Subject, UnknownPromiseKind

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OUTAGE = Subject("outage", 7)
FILE = Path(__file__).parents[2] / "data" / "promises.yaml"


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty work-order database of each dialect."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("workorder", database)
    yield database
    database.dispose()


def _tell(ledger: Database, due_at: datetime, *conversations: str | None) -> None:
    for conversation in conversations:
        with ledger.transaction() as session:
            promise.tell(session, OUTAGE, RESTORE, due_at, conversation_id=conversation, now=NOW)


def _move(ledger: Database, due_at: datetime, reason: str = "") -> int:
    with ledger.transaction() as session:
        return promise.move(
            session, OUTAGE, RESTORE, due_at, now=NOW, reason=reason, values={"area": "万松里"}
        )  # fmt: skip


def _notices(ledger: Database) -> list[tuple[str, str]]:
    with ledger.reading() as session:
        return [(one.conversation_id, one.values["due_at"]) for one in session.scalars(select(Notice))]


def test_telling_the_same_time_again_is_the_same_promise(ledger: Database) -> None:
    _tell(ledger, NOW + HOUR, "a", "a", "b", None)
    with ledger.reading() as session:
        assert session.scalar(select(func.count()).select_from(Promise)) == 3


def test_everybody_who_was_told_hears_the_new_time_once(ledger: Database) -> None:
    _tell(ledger, NOW + HOUR, "a", "b")
    assert [_move(ledger, NOW + 2 * HOUR, "线路受损较重") for _ in range(3)] == [2, 0, 0]
    with ledger.reading() as session:
        rows = session.scalars(select(Notice).order_by(Notice.conversation_id)).all()
    assert [one.conversation_id for one in rows] == ["a", "b"]
    assert {one.wording for one in rows} == {"moved_outage_restore"}
    assert rows[0].values == {"area": "万松里", "due_at": (NOW + 2 * HOUR).isoformat(), "reason": "线路受损较重"}


def test_moves_at_the_same_moment_tell_once(ledger: Database) -> None:
    _tell(ledger, NOW + HOUR, "a", "b", "c")
    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(lambda _: _move(ledger, NOW + 2 * HOUR), range(6))) == 3
    assert len(_notices(ledger)) == 3


def test_moved_there_and_back_is_told_twice(ledger: Database) -> None:
    _tell(ledger, NOW + HOUR, "a")
    for hours in (2, 1, 1):
        _move(ledger, NOW + hours * HOUR)
    assert _notices(ledger) == [("a", (NOW + hours * HOUR).isoformat()) for hours in (2, 1)]


def test_who_was_told_the_new_time_already_hears_nothing(ledger: Database) -> None:
    _tell(ledger, NOW + HOUR, "a")
    _tell(ledger, NOW + 2 * HOUR, "b")
    assert _move(ledger, NOW + 2 * HOUR) == 1
    assert [who for who, _ in _notices(ledger)] == ["a"]


def test_being_told_another_time_takes_the_place_of_the_old_one(ledger: Database) -> None:
    _tell(ledger, NOW + HOUR, "a")
    _tell(ledger, NOW + 2 * HOUR, "a")
    assert _move(ledger, NOW + 3 * HOUR) == 1
    with ledger.reading() as session:
        old, told, new = session.scalars(select(Promise).order_by(Promise.id)).all()
    assert (old.moved_to, told.moved_to, new.moved_to) == (told.id, new.id, None)


def test_a_time_that_nobody_was_told_is_moved_in_silence(ledger: Database) -> None:
    with ledger.transaction() as session:
        promise.record(session, OUTAGE, RESTORE, NOW + HOUR, now=NOW)
    assert _move(ledger, NOW + 2 * HOUR) == 0
    with ledger.reading() as session:
        due = promise.due_of(session, OUTAGE, RESTORE)
    assert due is not None
    assert (due.due_at, due.conversation_id) == (NOW + 2 * HOUR, None)


def test_a_move_of_nothing_sets_the_time(ledger: Database) -> None:
    assert _move(ledger, NOW + HOUR) == 0
    with ledger.reading() as session:
        assert [one.due_at for one in promise.standing(session, OUTAGE)] == [NOW + HOUR]


def test_times_given_beside_each_other_all_stand(ledger: Database) -> None:
    case = Subject("case", 3)
    with ledger.transaction() as session:
        for hours in (1, 2):
            promise.give(session, case, CONTACT, NOW + hours * HOUR, conversation_id="a", now=NOW)
        assert [one.due_at for one in promise.told(session, case, CONTACT, "a")] == [NOW + HOUR, NOW + 2 * HOUR]
        assert promise.told(session, case, ANSWER, "a") == promise.told(session, case, CONTACT, "b") == []
        assert [one.moved_to for one in promise.told(session, case, CONTACT, "a")] == [None, None]
    with pytest.raises(UnknownPromiseKind), ledger.transaction() as session:
        promise.give(session, case, "soon", NOW, conversation_id="a", now=NOW)


def _late(ledger: Database, now: datetime) -> list[tuple[Subject, str, datetime, str, int]]:
    with ledger.reading() as session:
        return [(one.subject, one.kind, one.due_at, one.conversation_id, len(one.ids))
                for one in promise.late(session, now)]  # fmt: skip


def test_late_is_what_somebody_was_told_and_is_neither_kept_nor_moved(ledger: Database) -> None:
    _tell(ledger, NOW + HOUR, "a", "b", None)
    case, order, hidden = Subject("case", 3), Subject("order", 4), Subject("order", 5)
    with ledger.transaction() as session:
        promise.tell(session, case, ANSWER, NOW + HOUR / 2, conversation_id="c", now=NOW)
        promise.tell(session, order, ARRIVAL, NOW + HOUR, conversation_id="d", now=NOW)
        promise.tell(session, order, RESTORE, NOW + 3 * HOUR, conversation_id="d", now=NOW)
        promise.record(session, hidden, ARRIVAL, NOW + HOUR, now=NOW)
    assert _late(ledger, NOW + HOUR / 2) == []
    assert _late(ledger, NOW + 2 * HOUR) == [
        (case, ANSWER, NOW + HOUR / 2, "c", 1), (OUTAGE, RESTORE, NOW + HOUR, "a", 2),
        (order, ARRIVAL, NOW + HOUR, "d", 1),
    ]  # fmt: skip
    _move(ledger, NOW + 3 * HOUR)
    with ledger.transaction() as session:
        promise.keep(session, order, ARRIVAL, now=NOW + 2 * HOUR)
    assert [found[0] for found in _late(ledger, NOW + 2 * HOUR)] == [case]
    with ledger.transaction() as session:
        promise.keep(session, case, now=NOW + 2 * HOUR)
    assert _late(ledger, NOW + 2 * HOUR) == []


def test_what_is_kept_stands_no_more_and_is_not_moved(ledger: Database) -> None:
    _tell(ledger, NOW + HOUR, "a")
    with ledger.transaction() as session:
        promise.tell(session, OUTAGE, ARRIVAL, NOW, conversation_id="a", now=NOW)
        promise.keep(session, OUTAGE, RESTORE, now=NOW)
        assert promise.due_of(session, OUTAGE, RESTORE) is None
        assert [one.kind for one in promise.standing(session, OUTAGE)] == [ARRIVAL]
        promise.keep(session, OUTAGE, now=NOW)
        assert promise.standing(session, OUTAGE) == []
    assert _move(ledger, NOW + 2 * HOUR) == 0


def test_another_subject_is_another_promise(ledger: Database) -> None:
    _tell(ledger, NOW + HOUR, "a")
    with ledger.reading() as session:
        assert promise.standing(session, Subject("order", OUTAGE.id)) == []


def test_a_kind_that_nobody_knows_is_refused(ledger: Database) -> None:
    with pytest.raises(UnknownPromiseKind), ledger.transaction() as session:
        promise.record(session, OUTAGE, "miracle", NOW, now=NOW)


def test_the_averages_go_by_area_class() -> None:
    read = Commitments.load(FILE)
    minutes = [(read.arrival(area, NOW) or NOW) - NOW for area in ("city", "rural", "remote", None)]
    assert minutes == [timedelta(minutes=number) for number in (45, 90, 120, 0)]
    hours = [(read.restore(area, NOW) or NOW) - NOW for area in ("city", "rural", "remote", "moon")]
    assert hours == [timedelta(hours=number) for number in (3, 4, 4, 0)]
    assert read.date == "2023-12"


def test_a_broken_file_of_averages_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "promises.yaml"
    broken.write_text(FILE.read_text("utf-8").replace("city: 45", "city: 0"), "utf-8")
    with pytest.raises(ValidationError):
        Commitments.load(broken)
