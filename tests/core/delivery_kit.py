"""A migrated bridge database of each dialect, for the tests of one module, and a transaction for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from core.db import Database
from core.migrations import upgrade

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def bridge(
    request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A migrated bridge database of each dialect."""
    database = Database(new_url(request.param, tmp_path_factory.mktemp("bridge")))
    upgrade("bridge", database)
    yield database
    database.dispose()


@pytest.fixture
def session(bridge: Database) -> Iterator[Session]:
    with bridge.transaction() as session:
        yield session
