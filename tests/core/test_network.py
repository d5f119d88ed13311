"""The network of the demonstration region and the outages in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from core.account import Account, address_context
from core.clock import SHANGHAI
from core.db import Database
from core.demo import demo_customers
from core.fields import Keyring
from core.migrations import upgrade
from core.network import NetworkNode, SupplyPoint, node_of, with_feeds
from core.outage import Outage, outage_at, planned_for, subscribers
from core.place import Place, locate
from core.seed.network import NetworkSummary, seed_network
from core.seed.outages import OUT_NOW, OUT_SOON, SUSPECTED, UNDISTURBED
from tests.conftest import DIALECTS, ROOT, Fill, NewUrl

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=SHANGHAI)
DIRECTORY = ROOT / "data" / "demo"


@pytest.fixture(params=DIALECTS)
def workorder(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    database = Database(new_url(request.param, tmp_path))
    upgrade("workorder", database)
    yield database
    database.dispose()


@pytest.fixture
def region(fill: Fill) -> Database:
    """Enough customers that those of the demonstration are among them."""
    return fill(NOW.date(), customers=150, months=5)


def seeded(workorder: Database, region: Database, keyring: Keyring, now: datetime = NOW) -> NetworkSummary:
    return seed_network(workorder, region, keyring=keyring, now=now, directory=DIRECTORY)


def test_every_open_account_is_supplied_where_it_lies(workorder: Database, region: Database, keyring: Keyring) -> None:
    summary = seeded(workorder, region, keyring)
    with region.reading() as billing, workorder.reading() as session:
        accounts = billing.scalars(select(Account).where(Account.closed_on.is_(None))).all()
        assert summary.supply_points == len(accounts)
        for account in accounts:
            address = keyring.decrypt(account.address_cipher, address_context(account.account_no))
            by_number, by_words = locate(session, account_no=account.account_no), locate(session, address_text=address)
            assert isinstance(by_number, Place)
            assert isinstance(by_words, Place)
            assert by_number.codes == by_words.codes
            assert by_number.district == account.district
            assert by_number.area_class == account.area_class


def test_the_network_holds_nothing_personal(workorder: Database, region: Database, keyring: Keyring) -> None:
    seeded(workorder, region, keyring)
    with workorder.reading() as session:
        for point in session.scalars(select(SupplyPoint)):
            assert "室" not in f"{point.building}{point.unit}"
        assert {
            one.parent_code is None for one in session.scalars(select(NetworkNode)) if one.kind != "substation"
        } == {False}


def test_the_same_moment_gives_the_same_content_and_a_second_seed_doubles_nothing(
    workorder: Database, region: Database, keyring: Keyring
) -> None:
    def rows() -> list[tuple[object, ...]]:
        with workorder.reading() as session:
            query = select(Outage.outage_no, Outage.kind, Outage.state, Outage.area, Outage.started_at)
            return [tuple(row) for row in session.execute(query.order_by(Outage.outage_no))]

    first = seeded(workorder, region, keyring)
    before = rows()
    assert seeded(workorder, region, keyring) == first
    assert rows() == before


def test_demo_customers_live_in_outages_now_soon_and_suspected(
    workorder: Database, region: Database, keyring: Keyring
) -> None:
    summary = seeded(workorder, region, keyring)
    assert (summary.out_now, summary.out_soon, summary.suspected) == (OUT_NOW, OUT_SOON, SUSPECTED)
    with region.reading() as session:
        numbers = {one.id: one.account_nos for one in demo_customers(session, directory=DIRECTORY)}
    with workorder.reading() as session:
        places = {name: [locate(session, account_no=one) for one in numbers[name]] for name in numbers}
        now = {
            name: [outage_at(session, one, NOW) for one in places[name] if isinstance(one, Place)] for name in places
        }
        active = next(one for one in now[OUT_NOW] if one)
        assert (active.state, len(subscribers(session, active))) == ("active", 5)
        assert next(one for one in now[SUSPECTED] if one).state == "suspected"
        soon = [planned_for(session, one, NOW) for one in places[OUT_SOON] if isinstance(one, Place)]
        assert any(soon)
        for name in UNDISTURBED:
            assert set(now[name]) == {None}


def test_planned_works_were_announced_a_week_before(workorder: Database, region: Database, keyring: Keyring) -> None:
    seeded(workorder, region, keyring)
    with workorder.reading() as session:
        planned = session.scalars(select(Outage).where(Outage.kind == "planned", Outage.state == "planned")).all()
        assert len(planned) >= 3
        for one in planned:
            assert one.expected_said_at is not None
            assert one.started_at - one.expected_said_at >= timedelta(days=7)


def test_a_transformer_is_fed_by_its_feeder_and_the_substation(
    workorder: Database, region: Database, keyring: Keyring
) -> None:
    seeded(workorder, region, keyring)
    with workorder.reading() as session:
        place = locate(session, address_text="江岸区听涛苑3栋")
        assert isinstance(place, Place)
        kinds = sorted(node_of(session, code).kind for code in with_feeds(session, place.codes))
    assert kinds == ["feeder", "substation", "transformer"]
