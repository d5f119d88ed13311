"""A region of 80 customers over 36 months on SQLite, seeded once a session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from actions_desk import KEY, NOW, ROOT, TODAY, Desk, load_templates

from actions.labels import Labels
from actions.phrases import Phrases
from actions.services import Services
from core.business import BusinessTable
from core.db import Database
from core.facts import Facts
from core.fields import Keyring, new_key
from core.migrations import upgrade
from core.proactive.kinds import Notices
from core.promise import Commitments
from core.seed import seed
from core.tariff import TariffBook

CUSTOMERS, MONTHS = 80, 36


@pytest.fixture(scope="session")
def key_material() -> tuple[str, str]:
    return f"k1:{new_key()}", new_key()


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory, key_material: tuple[str, str]) -> Desk:
    """The desk over the region as it was seeded; tests only read from it."""
    path = tmp_path_factory.mktemp("actions") / "billing.db"
    database, keyring = Database(f"sqlite:///{path}"), Keyring.parse(*key_material)
    book = TariffBook.load(ROOT / "data" / "tariffs")
    upgrade("billing", database)
    seed(
        database, book=book, keyring=keyring, today=TODAY, customers=CUSTOMERS, months=MONTHS,
        directory=ROOT / "data" / "demo",
    )  # fmt: skip
    data = ROOT / "data"
    services = Services(
        billing=database, workorder=empty("workorder", path.parent), bridge=empty("bridge", path.parent),
        keyring=keyring,
        book=book, labels=Labels.load(data / "labels.yaml"), phrases=Phrases.load(data / "phrases"),
        businesses=BusinessTable.load(data / "business"), commitments=Commitments.load(data / "promises.yaml"),
        facts=Facts.load(data / "facts"), notices=Notices.load(data / "notices.yaml"),
        clock=lambda: NOW, identity_key=KEY,
    )  # fmt: skip
    return Desk(path, services, load_templates())


@pytest.fixture
def writing(desk: Desk, tmp_path: Path) -> Desk:
    """A desk over the same region with empty work-order and bridge databases of the test's own."""
    own = replace(desk.services, workorder=empty("workorder", tmp_path), bridge=empty("bridge", tmp_path))
    return replace(desk, services=own)


def empty(name: str, directory: Path) -> Database:
    """Return an empty, migrated database."""
    database = Database(f"sqlite:///{directory / name}.db")
    upgrade(name, database)
    return database
