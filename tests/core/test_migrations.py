"""Migrations: they make exactly the tables that the code describes, and can be taken back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from core.db import Database
from core.migrations import METADATA, config, is_current, upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import NewUrl


pytestmark = pytest.mark.usefixtures("real_migrations")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    """An empty database without tables."""
    database = Database(new_url(request.param, tmp_path))
    yield database
    database.dispose()


@pytest.fixture(params=sorted(METADATA))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names()) - {"alembic_version"}


def test_an_upgrade_makes_the_tables_of_the_code(database: Database, name: str) -> None:
    upgrade(name, database)
    assert tables(database) == set(METADATA[name].tables)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA[name]) == []


def test_an_empty_database_is_not_current_and_an_upgraded_one_is(database: Database, name: str) -> None:
    assert not is_current(name, database)
    upgrade(name, database)
    assert is_current(name, database)


def test_a_second_upgrade_changes_nothing(database: Database, name: str) -> None:
    upgrade(name, database)
    before = tables(database)
    upgrade(name, database)
    assert tables(database) == before


def test_every_migration_can_be_taken_back(database: Database, name: str) -> None:
    upgrade(name, database)
    command.downgrade(config(name, database), "base")
    assert tables(database) == set()
    upgrade(name, database)
    assert is_current(name, database)


def test_the_three_databases_share_no_table() -> None:
    owners = [table for metadata in METADATA.values() for table in metadata.tables]
    assert len(owners) == len(set(owners))
