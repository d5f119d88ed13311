"""Databases for tests: SQLite files and a real PostgreSQL, empty or seeded with a small demonstration region.

Rasa's environment, which runs tests/bot, reads this file too and has none of our libraries: all imports of
them stand inside the fixtures.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from dialects import DIALECTS, NewUrl

if TYPE_CHECKING:
    from database_kit import Databases

    from core.db import Database
    from core.fields import Keyring
    from core.seed import SeedSummary
    from core.tariff import TariffBook

ROOT = Path(__file__).parents[1]
SEED_DAY = date(2026, 11, 22)
SEED_CUSTOMERS, SEED_MONTHS = 60, 14

IN_RASAS_ENVIRONMENT = importlib.util.find_spec("alembic") is None


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
        from database_kit import postgresql

        with postgresql(Path(home)) as uri:
            yield uri


@pytest.fixture(scope="session", autouse=True)
def _databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases | None]:
    """Let empty databases become copies of migrated ones; PostgreSQL starts when first asked for."""
    if IN_RASAS_ENVIRONMENT:
        yield None
        return
    from alembic import command
    from database_kit import Databases

    databases = Databases(tmp_path_factory.mktemp("models"), lambda: request.getfixturevalue("_postgresql"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "upgrade", databases.upgrade)
        yield databases
    databases.close()


@pytest.fixture(autouse=True)
def _dropped(request: pytest.FixtureRequest, _databases: Databases | None) -> Iterator[None]:
    """Drop the databases of a test when all else of it is over."""
    yield
    if _databases is not None and "tmp_path" in request.fixturenames:
        _databases.drop(request.node.funcargs["tmp_path"])


@pytest.fixture
def real_migrations(_databases: Databases) -> Iterator[None]:
    """Let every migration of a test run, where they are what it is about."""
    _databases.copying = False
    yield
    _databases.copying = True


@pytest.fixture(scope="session", autouse=True)
def _lighter() -> Iterator[Callable[[], object] | None]:
    """Let what hundreds of tests do beside their matter cost little: passwords, and the reading of data.

    Argon2id takes its time on purpose, and most tests with a password are about something else. Each bridge reads
    some thirty YAML files: libyaml's parser gives the same as PyYAML's own, ten times as fast.
    """
    if IN_RASAS_ENVIRONMENT:
        yield None
        return
    import yaml
    from argon2 import PasswordHasher

    from core.agent import password

    real, hasher = password._hasher, PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(password, "_hasher", lambda: hasher)
        patch.setattr(yaml, "SafeLoader", getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        yield real


@pytest.fixture(scope="module")
def real_password_cost(_lighter: Callable[[], object]) -> Iterator[None]:
    """Hash passwords at the project's own cost in the tests of a module."""
    from core.agent import password

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(password, "_hasher", _lighter)
        yield


@pytest.fixture(scope="session")
def new_url(_databases: Databases) -> NewUrl:
    """Return a function that makes an empty database of a dialect; PostgreSQL starts when first asked for."""
    return _databases.new


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
