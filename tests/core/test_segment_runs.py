"""The life of a run: published whole, gone on with after a kill, one at a time, old portraits taken away (judge 6)."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from portrait_kit import AS_OF, Hand, empty_sources, portraits
from sqlalchemy import func, select, text

from core.clock import SHANGHAI
from core.db import Database
from core.portrait.build import Sources
from core.portrait.tables import Portrait, PortraitEvent
from core.segment import runs
from core.segment.lock import AlreadyRunning, alone, is_running
from core.segment.method import Segmentation
from core.segment.run import BadDay, LockLost, TooFewAccounts, segment
from core.segment.tables import FAILED, PUBLISHED, RETIRED, RUNNING, SegmentRun
from tests.dialects import DIALECTS, NewUrl

if TYPE_CHECKING:
    from tests.conftest import Seeded

ROOT = Path(__file__).parents[2]
FULL = Segmentation.load(ROOT / "data" / "segments")
# How well is the matter of the tests of the region: here it only has to be quick.
METHOD = FULL.method.model_copy(
    update={
        "choose": FULL.method.choose.model_copy(update={"most": 3, "starts": 2, "resamples": 2}),
        "tree": FULL.method.tree.model_copy(update={"depths": (4,), "folds": 2}),
    }
)
KNOWN = FULL.model_copy(update={"method": METHOD})
NOW = datetime(2026, 11, 22, 3, tzinfo=SHANGHAI)
DAY = timedelta(days=1)
# A run in a process of its own, which kills itself as hard as can be when it comes to a stage.
KILLED = """
import os, signal, sys
from datetime import date, datetime
from unittest import mock
from core.clock import SHANGHAI
from core.db import Database
from core.portrait import build as building
from core.portrait.build import Sources
from core.segment import layers, run
from core.segment.method import Segmentation

billing, workorder, bridge, when, known = sys.argv[1:]
kill = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
settings = Segmentation.model_validate_json(known)
where = {"clusters": (run, "fit_layers"), "names": (run, "_summed_up")}
progress = kill if when == "features" else (lambda *_: None)
patched = mock.patch.object(*where[when], kill) if when in where else mock.patch.dict(os.environ)
with patched, mock.patch.object(run, "build", lambda *a, **m: building.build(*a, step=20, **m)):
    run.segment(
        Sources(Database(billing), Database(workorder), Database(bridge)), as_of=date(2026, 11, 22), seed=1,
        settings=settings, progress=progress, clock=lambda: datetime(2026, 11, 22, 3, tzinfo=SHANGHAI),
    )
"""


@pytest.fixture
def sources(seeded: Seeded, new_url: NewUrl, tmp_path: Path) -> Iterator[Sources]:
    dialect = seeded.database.engine.dialect.name
    with empty_sources(new_url, dialect, tmp_path, seeded.database) as made:
        yield made


@contextmanager
def bridge_of(new_url: NewUrl, dialect: str, folder: Path) -> Iterator[Sources]:
    with empty_sources(new_url, dialect, folder) as made:
        yield made


def make(sources: Sources, *, seed: int = 1, now: datetime = NOW, known: Segmentation = KNOWN) -> int:
    return segment(sources, as_of=AS_OF, seed=seed, settings=known, clock=lambda: now)


def happened(bridge: Database, cause: str, at: datetime) -> None:
    with bridge.transaction() as session:
        session.add(PortraitEvent(account_no="4200000001", customer_no="C1", at=at, kind="complaint", cause=cause))


def states(bridge: Database) -> list[str]:
    with bridge.reading() as session:
        return list(session.scalars(select(SegmentRun.state).order_by(SegmentRun.id)))


def counts(bridge: Database) -> dict[int, int]:
    with bridge.reading() as session:
        rows = session.execute(select(Portrait.run_id, func.count()).group_by(Portrait.run_id)).all()
    return {row[0]: row[1] for row in rows}


def used(bridge: Database) -> int | None:
    with bridge.reading() as session:
        found = runs.published(session)
    return found.id if found is not None else None


def killed(sources: Sources, when: str) -> int:
    urls = [
        one.url.render_as_string(hide_password=False) for one in (sources.billing, sources.workorder, sources.bridge)
    ]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *urls, when, KNOWN.model_dump_json(by_alias=True)],
        cwd=ROOT,
        check=False,
        timeout=120,
    )
    return done.returncode


@pytest.mark.parametrize("when", ["features", "clusters", "names"])
def test_a_run_that_is_killed_leaves_the_old_segments_in_use_and_the_next_one_ends_it(
    sources: Sources, when: str
) -> None:
    first = make(sources, seed=2)
    with sources.bridge.reading() as session:
        before = dict(session.execute(select(Portrait.account_no, Portrait.segment)).all())
    assert killed(sources, when) == -signal.SIGKILL
    assert used(sources.bridge) == first
    assert states(sources.bridge) == [PUBLISHED, RUNNING]
    with sources.bridge.reading() as session:
        run = runs.unfinished(session)
        assert run is not None
        assert (run.stage, run.cursor > 0) == (when, True)
        old = select(Portrait.account_no, Portrait.segment).where(Portrait.run_id == first)
        assert dict(session.execute(old).all()) == before
    second = make(sources)
    assert second == run.id  # it was gone on with
    assert used(sources.bridge) == second
    assert states(sources.bridge) == [RETIRED, PUBLISHED]
    assert counts(sources.bridge)[second] == counts(sources.bridge)[first]
    with sources.bridge.reading() as session:
        half = select(func.count()).where(Portrait.run_id == second, Portrait.segment.is_(None))
        assert session.scalar(half) == 0


def test_a_cut_off_run_of_other_settings_or_of_yesterday_fails_and_its_portraits_go(sources: Sources) -> None:
    assert killed(sources, "clusters") == -signal.SIGKILL
    other = make(sources, seed=7)
    assert states(sources.bridge) == [FAILED, PUBLISHED]
    assert set(counts(sources.bridge)) == {other}
    assert killed(sources, "clusters") == -signal.SIGKILL
    later = make(sources, now=NOW + 2 * DAY)
    assert states(sources.bridge) == [FAILED, RETIRED, FAILED, PUBLISHED]
    assert set(counts(sources.bridge)) == {other, later}


def test_two_runs_at_once_the_second_says_so_and_changes_nothing(sources: Sources) -> None:
    with alone(sources.bridge):
        again = Database(sources.bridge.url.render_as_string(hide_password=False))
        assert is_running(again)
        with pytest.raises(AlreadyRunning):
            make(Sources(sources.billing, sources.workorder, again))
        again.dispose()
    assert states(sources.bridge) == []
    assert not is_running(sources.bridge)


def test_the_same_seed_gives_the_same_segments_and_drift_says_that_nothing_moved(sources: Sources) -> None:
    first, second = make(sources), make(sources, now=NOW + DAY)
    with sources.bridge.reading() as session:
        found = [
            dict(session.execute(select(Portrait.account_no, Portrait.segment).where(Portrait.run_id == one)).all())
            for one in (first, second)
        ]
        run = runs.find(session, second)
    assert found[0] == found[1]
    assert set(run.drift["psi"].values()) == {0.0}
    assert run.drift["against"] == first
    rows = run.summary["moves"]["rows"]
    assert all(one["before"] == one["after"] for one in rows)
    assert sum(one["accounts"] for one in rows) == len(found[0])


def test_only_the_last_three_runs_keep_their_portraits_and_all_keep_their_record(sources: Sources) -> None:
    made = [make(sources, seed=seed) for seed in range(1, 6)]
    assert set(counts(sources.bridge)) == set(made[-3:])
    assert states(sources.bridge) == [RETIRED] * 4 + [PUBLISHED]
    with sources.bridge.reading() as session:
        assert all(runs.find(session, one).summary["segments"] for one in made)


def test_many_accounts_are_clustered_in_chunks_to_the_same_effect(sources: Sources) -> None:
    first = make(sources)
    method = KNOWN.method.model_copy(update={"minibatch_over": 10, "chunk": 16})
    second = make(sources, known=KNOWN.model_copy(update={"method": method}))
    with sources.bridge.reading() as session:
        rows = session.execute(select(Portrait.run_id, Portrait.account_no, Portrait.cluster)).all()
    by_run = {one: {row[1]: row[2] for row in rows if row[0] == one} for one in (first, second)}
    same = sum(by_run[second][number] == cluster for number, cluster in by_run[first].items())
    assert same / len(by_run[first]) >= 0.95


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_accounts_a_run_fails_and_says_why(new_url: NewUrl, tmp_path: Path, dialect: str) -> None:
    with bridge_of(new_url, dialect, tmp_path) as sources:
        with pytest.raises(TooFewAccounts):
            make(sources)
        assert states(sources.bridge) == [FAILED]
        with sources.bridge.reading() as session:
            assert runs.find(session, 1).error == "no account has enough history"
            with pytest.raises(runs.RunNotFound):
                runs.find(session, 99)


@pytest.mark.parametrize("day", [AS_OF + DAY, date(1, 1, 1)])
def test_a_day_that_has_not_come_or_never_had_data_is_refused_and_nothing_is_begun(sources: Sources, day: date) -> None:
    with pytest.raises(BadDay, match=str(day)):
        segment(sources, as_of=day, seed=1, settings=KNOWN, clock=lambda: NOW)
    assert states(sources.bridge) == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("count", [1, 30])
def test_one_account_and_accounts_that_are_all_alike_are_one_group_and_nobody_is_among_the_highest(
    new_url: NewUrl, tmp_path: Path, dialect: str, count: int
) -> None:
    with bridge_of(new_url, dialect, tmp_path) as sources:
        hand = Hand(sources)
        for _ in range(count):
            account = hand.account(prepaid=True)
            hand.bills(account, [100] * 12)
            hand.pay(account, date(2025, 11, 2), "1000.00")
        made = make(sources, known=FULL)
        rows = portraits(sources.bridge, made).values()
        with sources.bridge.reading() as session:
            run = runs.find(session, made)
        assert {(row.cluster, row.thin) for row in rows} == {(0, None)}
        assert {row.segment for row in rows} == {"high_value" if count == 1 else "basic"}
        assert run.quality["clusters"] == 1
        assert run.clusters[0]["means"]["valley_share"] is None  # a column of nothing but unknowns


def test_postgresql_knows_of_the_new_rows_before_anybody_asks_for_them(new_url: NewUrl, tmp_path: Path) -> None:
    with bridge_of(new_url, "postgresql", tmp_path) as sources:
        hand = Hand(sources)
        for _ in range(8):
            hand.bills(hand.account(), [100] * 12)
        make(sources)
        with sources.bridge.reading() as session:
            known = session.scalars(text("SELECT attname FROM pg_stats WHERE tablename = 'portraits'")).all()
            rows = session.scalar(text("SELECT reltuples FROM pg_class WHERE relname = 'portraits'"))
        assert {"run_id", "segment", "cluster"} <= set(known)
        assert rows == 8


def test_a_run_whose_lock_the_server_dropped_publishes_nothing_and_the_next_one_goes_on_with_it(
    new_url: NewUrl, tmp_path: Path
) -> None:
    """A restart of the server: other connections are made anew, but somebody else may have the lock by now."""
    with bridge_of(new_url, "postgresql", tmp_path) as sources:
        hand = Hand(sources)
        hand.bills(hand.account(), [100] * 12)

        def drop(what: str, _done: int, _total: int) -> None:
            if what == "tree":
                with sources.bridge.transaction() as session:
                    session.execute(text(
                        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                        "(SELECT oid FROM pg_database WHERE datname = current_database())"
                    ))  # fmt: skip

        with pytest.raises(LockLost):
            segment(sources, as_of=AS_OF, seed=1, settings=KNOWN, progress=drop, clock=lambda: NOW)
        assert states(sources.bridge) == [RUNNING]
        assert make(sources) == 1
        assert states(sources.bridge) == [PUBLISHED]


def test_events_older_than_all_runs_that_keep_their_portraits_go(sources: Sources) -> None:
    make(sources)
    happened(sources.bridge, "order:1:4200000001", NOW - 2 * DAY)
    happened(sources.bridge, "order:2:4200000001", NOW)
    make(sources, seed=2)
    with sources.bridge.reading() as session:
        assert session.scalars(select(PortraitEvent.cause)).all() == ["order:2:4200000001"]
