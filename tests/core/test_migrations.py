"""Migrations: they make exactly the tables that the code describes, and can be taken back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, Table, inspect, text
from sqlalchemy.exc import IntegrityError

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


AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
TALK = {
    "id": "c1", "mode": "bot", "assurance": 0, "accounts": [], "dialogue": 1, "priority": 0, "next_seq": 2,
    "created_at": AT, "last_at": AT, "mode_since": AT, "channel": "web", "sender_number": 1, "failures": 0,
}  # fmt: skip
SAID = {
    "conversation_id": "c1", "seq": 1, "at": AT, "author": "customer", "type": "text", "text": "停电了",
    "channel": "web", "buttons": [],
}  # fmt: skip


def test_a_database_with_conversations_is_upgraded_with_them(database: Database) -> None:
    command.upgrade(config("bridge", database), "0001")
    for table, values in (("conversations", TALK), ("messages", SAID)):
        _insert(database, table, values)
    upgrade("bridge", database)
    with database.engine.connect() as connection:
        assert connection.scalar(text("SELECT text FROM messages WHERE conversation_id = 'c1'")) == "停电了"
        assert connection.scalar(text("SELECT mode FROM conversations WHERE id = 'c1'")) == "bot"
    with pytest.raises(IntegrityError), database.transaction() as session:  # rows are held to others again
        session.execute(
            Table("messages", MetaData(), autoload_with=database.engine).insert(), {**SAID, "conversation_id": "?"}
        )


def _insert(database: Database, name: str, values: dict[str, object]) -> None:
    table = Table(name, MetaData(), autoload_with=database.engine)
    known = {column.name for column in table.columns}
    missing = {column.name for column in table.columns if not column.nullable and column.server_default is None}
    assert missing <= set(values), f"{name} of the first revision also needs {sorted(missing - set(values))}"
    with database.transaction() as session:
        session.execute(table.insert(), {key: value for key, value in values.items() if key in known})


def test_the_three_databases_share_no_table() -> None:
    owners = [table for metadata in METADATA.values() for table in metadata.tables]
    assert len(owners) == len(set(owners))
