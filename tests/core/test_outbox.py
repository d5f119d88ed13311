from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core import outbox
from core.db import Database
from core.migrations import upgrade

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty bridge database of each dialect."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


def _due(bridge: Database, now: datetime) -> list[str]:
    with bridge.reading() as session:
        return [item.key for item in outbox.due(session, now=now)]


def _settle(bridge: Database, now: datetime, *, delivered: bool) -> None:
    with bridge.transaction() as session:
        [item] = outbox.due(session, now=now)
        outbox.settle(session, item.id, now=now, delivered=delivered)


def test_asking_twice_is_one_delivery(bridge: Database) -> None:
    with bridge.transaction() as session:
        for key in ("a", "b", "a"):
            outbox.put(session, kind="urgent_order", key=key, payload={"n": 1}, now=NOW)
        outbox.put(session, kind="push", key="a", payload={}, now=NOW)
    assert _due(bridge, NOW) == ["a", "b", "a"]
    assert _due(bridge, NOW - timedelta(seconds=1)) == []


def test_a_failed_delivery_waits_twice_as_long_each_time_and_at_most_five_minutes(bridge: Database) -> None:
    with bridge.transaction() as session:
        outbox.put(session, kind="urgent_order", key="a", payload={}, now=NOW)
    now = NOW
    for seconds in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300):
        _settle(bridge, now, delivered=False)
        assert _due(bridge, now + timedelta(seconds=seconds - 1)) == []
        now += timedelta(seconds=seconds)
        assert _due(bridge, now) == ["a"]
    _settle(bridge, now, delivered=True)
    assert _due(bridge, now + timedelta(days=365)) == []


def test_what_a_failed_transaction_asked_for_is_not_delivered(bridge: Database) -> None:
    def fail() -> None:
        with bridge.transaction() as session:
            outbox.put(session, kind="urgent_order", key="a", payload={}, now=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert _due(bridge, NOW) == []
