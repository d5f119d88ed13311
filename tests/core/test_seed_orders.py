"""The orders of the demonstration region: every state, whole histories, real promises, and the same again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from core.business import BusinessTable
from core.db import Database
from core.demo import demo_customers
from core.migrations import upgrade
from core.notice import Notice
from core.promise import ARRIVAL, Commitments, Promise
from core.seed.orders import OrderSummary, seed_orders
from core.seed.region import DemoDataError
from core.work_order import OPEN, STATES, OrderEvent, WorkOrder, orders_of, reveal

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import NewUrl, Seeded

DATA = Path(__file__).parents[2] / "data"
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture
def orders(new_url: NewUrl, seeded: Seeded, tmp_path: Path) -> Database:
    """An empty work-order database of the dialect of the region."""
    database = Database(new_url(seeded.database.engine.dialect.name, tmp_path))
    upgrade("workorder", database)
    return database


def _seed(orders: Database, seeded: Seeded, keyring: Keyring, directory: Path = DATA / "demo") -> OrderSummary:
    return seed_orders(
        orders, seeded.database, keyring=keyring, businesses=BusinessTable.load(DATA / "business"),
        commitments=Commitments.load(DATA / "promises.yaml"), now=NOW, directory=directory,
    )  # fmt: skip


def test_there_are_orders_in_every_state_with_their_history(orders: Database, seeded: Seeded, keyring: Keyring) -> None:
    made = _seed(orders, seeded, keyring)
    assert set(made.states) == set(STATES)
    assert made.orders > 30
    with orders.reading() as session:
        for order in session.scalars(select(WorkOrder)):
            times = [event.at for event in order.events]
            assert times == sorted(times)
            assert times[-1] < NOW
            assert order.events[0].kind == "filed"
            assert order.state == "accepted" or order.events[-1].values["to"] == order.state
            assert "{" not in order.category
        assert session.scalar(select(func.count()).select_from(Notice)) == 0


def test_crews_come_within_the_promised_time(orders: Database, seeded: Seeded, keyring: Keyring) -> None:
    _seed(orders, seeded, keyring)
    arrivals = select(Promise).where(Promise.kind == ARRIVAL, Promise.kept_at.is_not(None))
    with orders.reading() as session:
        waits = [
            (one.kept_at - one.told_at, one.due_at - one.told_at) for one in session.scalars(arrivals) if one.kept_at
        ]
    assert len(waits) > 3
    assert all(timedelta(minutes=2) < took <= promised for took, promised in waits)


def test_seeding_again_gives_the_same_orders_and_touches_no_other(
    orders: Database, seeded: Seeded, keyring: Keyring
) -> None:
    def rows() -> list[tuple[object, ...]]:
        columns = (WorkOrder.cause, WorkOrder.kind, WorkOrder.account_no, WorkOrder.state, WorkOrder.opened_at)
        with orders.reading() as session:
            counts = [session.scalar(select(func.count()).select_from(table)) for table in (OrderEvent, Promise)]
            return [*map(tuple, session.execute(select(*columns).order_by(WorkOrder.cause))), tuple(counts)]

    _seed(orders, seeded, keyring)
    first = rows()
    _seed(orders, seeded, keyring)
    assert rows() == first


def test_the_orders_belong_to_customers_of_the_region_and_name_their_addresses(
    orders: Database, seeded: Seeded, keyring: Keyring
) -> None:
    _seed(orders, seeded, keyring)
    with orders.reading() as session:
        for order in session.scalars(select(WorkOrder)):
            text = reveal(order, keyring=keyring)
            assert text.address
            assert text.contact
            assert order.district is not None
            assert order.district in text.address


def test_a_demonstration_customer_finds_two_open_orders(orders: Database, seeded: Seeded, keyring: Keyring) -> None:
    _seed(orders, seeded, keyring)
    with seeded.database.reading() as session:
        known = {one.id: one for one in demo_customers(session, directory=DATA / "demo")}
    with orders.reading() as session:
        three, tier = (
            orders_of(
                session, conversation_id="new", customer_no=known[name].customer_no, accounts=known[name].account_nos
            )
            for name in ("three_homes", "arrears")
        )
        repair = session.scalars(select(Promise).where(Promise.subject_id == three[0].id)).one()
    assert [order.state in OPEN for order in three] == [True, True]
    assert tier == []
    assert (three[0].kind, repair.kind) == ("repair", "arrival")
    assert repair.due_at - three[0].opened_at in {timedelta(minutes=minutes) for minutes in (45, 90, 120)}


@pytest.mark.parametrize(("old", "new"), [("kind: praise", "kind: poem"), ("state: taken", "state: lost")])
def test_a_wrong_file_of_orders_is_refused(
    orders: Database, seeded: Seeded, keyring: Keyring, tmp_path: Path, old: str, new: str
) -> None:
    text = (DATA / "demo" / "orders.yaml").read_text("utf-8")
    (tmp_path / "orders.yaml").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(DemoDataError):
        _seed(orders, seeded, keyring, tmp_path)
