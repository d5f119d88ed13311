from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core import notice
from core.db import Database
from core.migrations import upgrade

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def notices(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty work-order database of each dialect."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("workorder", database)
    yield database
    database.dispose()


def _put(notices: Database, key: str) -> bool:
    with notices.transaction() as session:
        return notice.put(
            session, key=key, conversation_id="c1", wording="order_done", values={"order_no": "1"}, now=NOW
        )  # fmt: skip


def _due(notices: Database, limit: int = 50) -> list[str]:
    with notices.reading() as session:
        return [one.key for one in notice.due(session, limit=limit)]


def test_asking_twice_is_one_notice(notices: Database) -> None:
    assert [_put(notices, key) for key in ("a", "b", "a")] == [True, True, False]
    assert _due(notices) == ["a", "b"]
    assert _due(notices, limit=1) == ["a"]


def test_asking_at_the_same_moment_is_one_notice(notices: Database) -> None:
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda _: _put(notices, "a"), range(6))).count(True) == 1
    assert _due(notices) == ["a"]


def test_a_notice_that_was_there_spoils_nothing_of_the_transaction(notices: Database) -> None:
    with notices.transaction() as session:
        for key in ("a", "a", "b"):
            notice.put(session, key=key, conversation_id="c", wording="w", values={}, now=NOW)
    assert _due(notices) == ["a", "b"]


def test_what_is_delivered_is_not_due(notices: Database) -> None:
    _put(notices, "a")
    with notices.transaction() as session:
        [one] = notice.due(session)
        notice.mark_delivered(session, one.id, now=NOW)
    assert _due(notices) == []
    assert not _put(notices, "a")
