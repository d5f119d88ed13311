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


def test_the_twelfth_failure_or_a_hopeless_one_is_the_last_and_is_kept_with_its_error(bridge: Database) -> None:
    with bridge.transaction() as session:
        for key in ("tries", "hopeless"):
            outbox.put(session, kind="sms", key=key, payload={}, now=NOW)
        first, second = outbox.due(session, now=NOW)
        outbox.settle(session, second.id, now=NOW, delivered=False, error="UnknownKind", hopeless=True)
        for _ in range(11):
            outbox.settle(session, first.id, now=NOW, delivered=False, error="SmsFailed")
        assert outbox.standing(session) == outbox.Standing(dead=1, overdue=0)
        outbox.settle(session, first.id, now=NOW, delivered=False, error="SmsFailed")
        assert outbox.standing(session) == outbox.Standing(dead=2, overdue=0)
        assert [item.error for item in outbox.undone(session, dead=True)] == ["SmsFailed", "UnknownKind"]
    assert _due(bridge, NOW + timedelta(days=1)) == []


def test_an_urgent_order_never_dies_and_is_overdue_instead(bridge: Database) -> None:
    with bridge.transaction() as session:
        outbox.put(session, kind="urgent_order", key="a", payload={}, now=NOW)
        for _ in range(40):
            [item] = outbox.undone(session)
            outbox.settle(session, item.id, now=NOW, delivered=False, error="OperationalError", hopeless=True)
        assert outbox.standing(session) == outbox.Standing(dead=0, overdue=1)
    assert _due(bridge, NOW + timedelta(minutes=5)) == ["a"]


def test_what_was_given_up_starts_anew_or_is_dropped_for_good(bridge: Database) -> None:
    with bridge.transaction() as session:
        outbox.put(session, kind="sms", key="a", payload={}, now=NOW)
        [item] = outbox.undone(session)
        outbox.settle(session, item.id, now=NOW, delivered=False, error="x", hopeless=True)
        outbox.retry(session, item.id, now=NOW)
        assert (item.attempts, item.dead_at) == (0, None)
        outbox.drop(session, item.id, why="wrong number", now=NOW)
        assert item.error == "dropped: wrong number"
        for step in (
            lambda: outbox.retry(session, item.id, now=NOW),
            lambda: outbox.drop(session, item.id, why="y", now=NOW),
            lambda: outbox.find(session, 99),
        ):
            with pytest.raises(outbox.ItemNotFound):
                step()
    assert _due(bridge, NOW) == []


def test_what_a_failed_transaction_asked_for_is_not_delivered(bridge: Database) -> None:
    def fail() -> None:
        with bridge.transaction() as session:
            outbox.put(session, kind="urgent_order", key="a", payload={}, now=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert _due(bridge, NOW) == []
