from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.db import Database
from core.migrations import upgrade
from core.work_order import WorkOrder, open_urgent

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def orders(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty work-order database of each dialect."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("workorder", database)
    yield database
    database.dispose()


def _open(orders: Database, cause: str, now: datetime = NOW) -> str:
    with orders.transaction() as session:
        return open_urgent(
            session, cause=cause, category="故障报修→紧急→断线落地", kind="wire", account_no=None,
            description="电线掉了", now=now,
        ).order_no  # fmt: skip


def test_the_same_cause_is_the_same_order(orders: Database) -> None:
    assert _open(orders, "a") == _open(orders, "a", NOW + timedelta(days=3)) == "20261122000001"


def test_numbers_count_up_within_the_day_of_shanghai(orders: Database) -> None:
    evening, night = datetime(2026, 11, 22, 15, 59, tzinfo=UTC), datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
    numbers = [_open(orders, cause, now) for cause, now in (("a", evening), ("b", evening), ("c", night))]
    assert numbers == ["20261122000001", "20261122000002", "20261123000001"]


def test_an_urgent_order_is_accepted_and_urgent(orders: Database) -> None:
    _open(orders, "a")
    with orders.reading() as session:
        order = session.scalars(select(WorkOrder)).one()
    assert (order.priority, order.state, order.kind, order.opened_at) == ("urgent", "accepted", "wire", NOW)


def test_many_at_once_are_all_opened_with_numbers_of_their_own(orders: Database) -> None:
    def insist(cause: str) -> str:
        while True:
            try:
                return _open(orders, cause)
            except IntegrityError:  # two took the same number: whoever lost asks again, as the outbox does
                continue

    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(insist, [str(number % 12) for number in range(24)]))
    assert len(set(numbers)) == 12
    assert sorted(set(numbers)) == [f"202611220000{number:02d}" for number in range(1, 13)]
