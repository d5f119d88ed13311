"""A region of 80 customers over 36 months on SQLite, seeded once a session."""

from __future__ import annotations

import pytest
from actions_desk import KEY, NOW, ROOT, TODAY, Desk, load_templates

from actions.labels import Labels
from actions.services import Services
from core.db import Database
from core.fields import Keyring, new_key
from core.migrations import upgrade
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
    labels = Labels.load(ROOT / "data" / "labels.yaml")
    return Desk(path, Services(database, keyring, book, labels, lambda: NOW, KEY), load_templates())
