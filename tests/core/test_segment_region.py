"""What the segments find in the whole demonstration region, against what is known of it (judge 1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score
from sqlalchemy import select

from core.account import Account
from core.audit import Auditor
from core.business import BusinessTable
from core.clock import SHANGHAI, add_months, first_of_month
from core.db import Database
from core.migrations import upgrade
from core.portrait.build import Sources
from core.portrait.catalogue import Catalogue
from core.portrait.frame import Frame, load
from core.portrait.tables import FEATURES, Portrait
from core.promise import Commitments
from core.seed import seed
from core.seed.accounts import customers_of
from core.seed.agents import demo_agents
from core.seed.history import seed_history
from core.seed.network import seed_network
from core.seed.orders import seed_orders
from core.seed.region import load_region
from core.segment import runs
from core.segment.classify import classify
from core.segment.clean import usable_of
from core.segment.layers import fit_layers
from core.segment.method import Segmentation
from core.segment.run import segment
from core.segment.scale import picked
from core.segment.tables import SegmentRun
from core.segment.tree import grow

if TYPE_CHECKING:
    from core.fields import Keyring
    from core.tariff import TariffBook

ROOT = Path(__file__).parents[2]
DATA, DEMO = ROOT / "data" / "segments", ROOT / "data" / "demo"
NOW = datetime(2026, 11, 22, 9, tzinfo=SHANGHAI)
CUSTOMERS, MONTHS = 500, 36
NAMED = pytest.mark.parametrize(
    ("name", "precision", "recall"), [("high_risk", 0.95, 0.9), ("special_service", 0.9, 1.0)]
)
# The best that can be had: night chargers' and panels' homes have one register, and look like other homes (see
# data/demo/archetypes.yaml; with all else right the index is 0.833).
LEAST_INDEX, LEAST_AGREEMENT, LEAST_REPEATED = 0.8, 0.9, 0.95


@dataclass(frozen=True)
class Region:
    """One published run over the region, its portraits, and what is known of each account, in the same order."""

    sources: Sources
    run: SegmentRun
    known: Segmentation
    frame: Frame
    profiles: list[str]
    habits: dict[int, str]  # account id -> how it pays; of prepaid ones with the word before
    free: set[int]  # accounts with free kWh for low income

    @property
    def bridge(self) -> Database:
        return self.sources.bridge

    @property
    def good(self) -> NDArray[np.bool_]:
        return np.array([one is not None for one in self.frame.extra["cluster"]], dtype=bool)


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory, book: TariffBook, keyring: Keyring) -> Iterator[Region]:
    folder = tmp_path_factory.mktemp("region")
    made = {name: Database(f"sqlite:///{folder / name}.db") for name in ("billing", "workorder", "bridge")}
    for name, database in made.items():
        upgrade(name, database)
    seed(
        made["billing"], book=book, keyring=keyring, today=NOW.date(), customers=CUSTOMERS, months=MONTHS,
        directory=DEMO,
    )  # fmt: skip
    seed_orders(
        made["workorder"], made["billing"], keyring=keyring, businesses=BusinessTable.load(ROOT / "data" / "business"),
        commitments=Commitments.load(ROOT / "data" / "promises.yaml"), now=NOW, directory=DEMO,
    )  # fmt: skip
    sources, known = Sources(**made), Segmentation.load(DATA)
    run, frame = segmented(sources, known)
    with made["billing"].reading() as session:
        rows = {row.id: row for row in session.scalars(select(Account))}
    first = add_months(first_of_month(NOW.date()), -MONTHS)
    people = customers_of(load_region(DEMO), book, count=CUSTOMERS, first=first, today=NOW.date())
    habits = {
        account.id: f"prepaid {account.habit}" if account.prepaid else account.habit
        for person in people for account in person.accounts
    }  # fmt: skip
    yield Region(
        sources, run, known, frame, [rows[number].profile for number in frame.account_ids.tolist()], habits,
        {row.id for row in rows.values() if row.free_kwh > 0},
    )  # fmt: skip
    for database in made.values():
        database.dispose()


@pytest.fixture(scope="module")
def told(region: Region, keyring: Keyring) -> Region:
    """The same region once more, after sixty days of contacts, complaints, orders and outages were told of it."""
    sources = region.sources
    seed_network(sources.workorder, sources.billing, keyring=keyring, now=NOW, directory=DEMO)
    with sources.bridge.transaction() as session:
        demo_agents(session, NOW, auditor=Auditor.of(keyring), directory=ROOT / "data" / "desk")
    seed_history(
        sources.billing, sources.workorder, sources.bridge, keyring=keyring, today=NOW.date(), data_dir=ROOT / "data"
    )
    run, frame = segmented(sources, region.known)
    assert frame.account_ids.tolist() == region.frame.account_ids.tolist()
    return replace(region, run=run, frame=frame)


def segmented(sources: Sources, known: Segmentation) -> tuple[SegmentRun, Frame]:
    """Make and publish a run; return it and its portraits."""
    labels = {one.key: (one.name, one.unit) for one in Catalogue.load().features}
    run_id = segment(sources, as_of=NOW.date(), seed=1, settings=known, labels=labels, clock=lambda: NOW)
    with sources.bridge.reading() as session:
        run = runs.find(session, run_id)
    return run, load(sources.bridge, run_id, FEATURES, extra=("thin", "user_class", "cluster", "segment", "tags"))


def archetypes(profiles: list[str]) -> list[str]:
    tree = yaml.safe_load((DEMO / "archetypes.yaml").read_text(encoding="utf-8"))
    by_profile = {profile: one["key"] for one in tree["archetypes"] for profile in one["profiles"]}
    return [by_profile[profile] for profile in profiles]


def parts(region: Region) -> tuple[NDArray[np.float32], NDArray[np.object_]]:
    names = region.known.method.names
    assert (usable_of(region.frame, names) == region.good).all()
    values = picked(region.frame.values, region.frame.names, names)[region.good]
    return values, np.array(region.frame.extra["user_class"], dtype=object)[region.good]


def test_every_profile_of_the_region_has_one_archetype() -> None:
    tree = yaml.safe_load((DEMO / "archetypes.yaml").read_text(encoding="utf-8"))
    named = [profile for one in tree["archetypes"] for profile in one["profiles"]]
    assert sorted(named) == sorted(load_region(DEMO).profiles)


def test_no_code_of_the_segments_or_portraits_reads_the_known_truth() -> None:
    for folder in ("portrait", "segment"):
        for file in (ROOT / "core" / folder).glob("*.py"):
            assert "Account.profile" not in file.read_text(encoding="utf-8"), file
            assert "archetypes" not in file.read_text(encoding="utf-8"), file


def test_the_clusters_recover_the_archetypes_of_the_region(region: Region) -> None:
    recovers(region)


def recovers(region: Region) -> None:
    truth = np.array(archetypes(region.profiles))
    clusters = np.array([-1 if one is None else one for one in region.frame.extra["cluster"]])
    assert adjusted_rand_score(truth[region.good], clusters[region.good]) >= LEAST_INDEX
    assert adjusted_rand_score(truth, clusters) >= LEAST_INDEX  # with the thin ones as a group of their own


def test_ten_runs_with_different_seeds_agree(region: Region) -> None:
    values, classes = parts(region)
    truth = np.array(archetypes(region.profiles))[region.good]
    found = []
    for number in range(1, 11):
        layers, _ = fit_layers(values, classes, region.known.method, seed=number)
        found.append(layers.assign(values, classes))
    assert found[0].tolist() == [one for one in region.frame.extra["cluster"] if one is not None]
    assert min(adjusted_rand_score(one, other) for one, other in combinations(found, 2)) >= LEAST_AGREEMENT
    assert min(adjusted_rand_score(truth, one) for one in found) >= LEAST_INDEX


def test_the_tree_repeats_the_clusters_on_accounts_that_it_has_not_seen(region: Region) -> None:
    values, classes = parts(region)
    labels = np.array([one for one in region.frame.extra["cluster"] if one is not None])
    half = np.random.default_rng(3).random(len(labels)) < 0.5
    rules, names = region.known.method.tree, region.known.method.names
    tree = grow(values[half], names, classes[half], labels[half], rules, seed=3).tree
    right = [
        classify(tree, _values(names, row) | {"user_class": name}).cluster == label
        for row, name, label in zip(values[~half], classes[~half], labels[~half], strict=True)
    ]
    assert np.mean(right) >= LEAST_REPEATED
    assert region.run.quality["tree"]["agreement"] >= LEAST_REPEATED


def test_the_rules_are_sentences_that_name_features_and_clusters(region: Region) -> None:
    assert region.run.rules
    for line in region.run.rules:
        assert line.startswith("若用电类别是")
        assert any(name in line for name in region.run.model["names"])
        assert not any(key in line for key in FEATURES)


@NAMED
def test_the_named_segments_find_who_belongs_to_them(
    region: Region, name: str, precision: float, recall: float
) -> None:
    """Debtors, the late and those who pay every second month are at high risk; free kWh are special service.

    Measured: high risk 1.000 and 0.929 (missed: accounts too new for three late bills, and prepaid ones that topped
    up in time by chance); special service 0.909 (one old person registered by an order) and 1.000.
    """
    finds(region, name, precision, recall)


def finds(region: Region, name: str, precision: float, recall: float) -> None:
    ids = region.frame.account_ids.tolist()
    late = {"debtor", "late", "gaps", "prepaid behind", "prepaid forgetful"}
    risky = {one for one in ids if region.habits[one] in late}
    truth = (risky - region.free) if name == "high_risk" else set(region.free) & set(ids)
    found = {one for one, key in zip(ids, region.frame.extra["segment"], strict=True) if key == name}
    hit = len(found & truth)
    assert hit / len(found) >= precision
    assert hit / len(truth) >= recall


def test_contacts_orders_and_complaints_do_not_lead_the_clusters_astray(region: Region, told: Region) -> None:
    contacts = told.frame.column("contacts_year")
    assert (contacts > 0).sum() > 100 > (region.frame.column("contacts_year") > 0).sum()
    assert (told.frame.column("complaints_year") > 0).sum() > (region.frame.column("complaints_year") > 0).sum()
    recovers(told)
    assert adjusted_rand_score(*([-1 if one is None else one for one in it.frame.extra["cluster"]]
                                 for it in (region, told))) == 1.0  # they stand on use alone  # fmt: skip


@NAMED
def test_the_named_segments_find_the_same_people_when_much_is_known_of_them(
    told: Region, name: str, precision: float, recall: float
) -> None:
    finds(told, name, precision, recall)


def test_high_value_is_large_and_pays_in_time_and_growth_has_a_reason(region: Region) -> None:
    cut = region.run.model["thresholds"]["fee_year:top:0.2"]
    with region.bridge.reading() as session:
        rows = session.scalars(select(Portrait).where(Portrait.run_id == region.run.id)).all()
    high = [row for row in rows if row.segment == "high_value"]
    assert high
    assert all(row.fee_year is not None and row.fee_year >= cut for row in high)
    assert all(row.on_time_rate is None or row.on_time_rate >= 0.95 for row in high)
    growth = [row for row in rows if row.segment == "growth"]
    assert growth
    assert all(row.has_ev or row.has_pv or (row.kwh_growth or 0) >= 0.2 for row in growth)
    charging = [row for row in rows if row.user_class == "charging" and row.thin is None]
    assert all(row.segment in ("growth", "high_risk", "high_value", "special_service") for row in charging)


def test_new_customers_are_said_to_be_new_and_have_no_cluster(region: Region) -> None:
    with region.bridge.reading() as session:
        rows = session.scalars(select(Portrait).where(Portrait.run_id == region.run.id)).all()
    new = [row for row in rows if row.history_months < 3]
    assert new
    assert all(row.thin == "new" and row.cluster is None and "new" in row.tags and row.segment for row in new)
    assert all(row.cluster is not None for row in rows if row.thin is None)


def test_the_summary_counts_every_account_once(region: Region) -> None:
    found = region.run.summary["segments"]
    assert sum(one["accounts"] for one in found.values()) == len(region.frame) == region.run.accounts
    fees = float(np.nansum(region.frame.column("fee_year").astype(float)))
    assert sum(one["fee_year"] for one in found.values()) == pytest.approx(fees, rel=1e-6)
    assert sum(one["size"] for one in region.run.clusters) == int(region.good.sum())


def _values(names: tuple[str, ...], row: NDArray[np.float32]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else float(value) for name, value in zip(names, row, strict=True)}
