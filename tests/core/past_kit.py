"""A small region with the demonstration's past in its databases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from core.audit import Auditor
from core.business import BusinessTable
from core.clock import SHANGHAI
from core.db import Database
from core.handoff.tables import HandoffEvent
from core.migrations import upgrade
from core.promise import Commitments
from core.seed.agents import demo_agents
from core.seed.history import HistorySummary, seed_history
from core.seed.history_data import Material
from core.seed.network import seed_network
from core.seed.orders import seed_orders

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import NewUrl, Seeded

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data"
HOURS = DATA / "desk" / "hours.yaml"
TODAY = date(2026, 11, 22)  # a Sunday
MIDNIGHT = datetime(2026, 11, 22, tzinfo=SHANGHAI)
NOW = MIDNIGHT + timedelta(minutes=5)
MATERIAL = Material.load(DATA)
YESTERDAY = TODAY - timedelta(days=1)


@dataclass
class Region:
    """The databases with the past in them."""

    billing: Database
    workorder: Database
    bridge: Database
    keyring: Keyring
    summary: HistorySummary


def databases(seeded: Seeded, new_url: NewUrl, folder: Path, keyring: Keyring) -> tuple[Database, Database]:
    """Return a work-order database with network and orders, and a bridge with agents and no conversation."""
    dialect = seeded.database.engine.dialect.name
    workorder, bridge = (Database(new_url(dialect, folder)) for _ in range(2))
    upgrade("workorder", workorder)
    upgrade("bridge", bridge)
    common = {"keyring": keyring, "now": MIDNIGHT + timedelta(hours=12), "directory": DATA / "demo"}
    businesses, commitments = BusinessTable.load(DATA / "business"), Commitments.load(DATA / "promises.yaml")
    seed_orders(workorder, seeded.database, businesses=businesses, commitments=commitments, **common)
    seed_network(workorder, seeded.database, **common)
    with bridge.transaction() as session:
        demo_agents(session, MIDNIGHT, auditor=Auditor.of(keyring), directory=DATA / "desk")
    return workorder, bridge


def told(seeded: Seeded, new_url: NewUrl, folder: Path, keyring: Keyring) -> Region:
    workorder, bridge = databases(seeded, new_url, folder, keyring)
    made = seed_history(seeded.database, workorder, bridge, keyring=keyring, today=TODAY, data_dir=DATA)
    return Region(seeded.database, workorder, bridge, keyring, made)


@contextmanager
def past(seeded: Seeded, new_url: NewUrl, folder: Path, keyring: Keyring) -> Iterator[Region]:
    """The past of a small region; what only reads it may share it."""
    made = told(seeded, new_url, folder, keyring)
    yield made
    made.workorder.dispose()
    made.bridge.dispose()


def rows(database: Database, table: Any, *order: Any) -> list[Any]:
    with database.reading() as session:
        return list(session.scalars(select(table).order_by(*order)))


def events_of(region: Region) -> dict[int, list[HandoffEvent]]:
    found: dict[int, list[HandoffEvent]] = defaultdict(list)
    for event in rows(region.bridge, HandoffEvent, HandoffEvent.id):
        found[event.handoff_id].append(event)
    return found
