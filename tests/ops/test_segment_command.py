"""`dianfu segment …`: what staff see of portraits, and the process that keeps them up to date."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.clock import SHANGHAI
from core.db import Database
from core.migrations import upgrade
from core.portrait.tables import Portrait
from core.segment.lock import alone
from core.segment.runs import publish
from core.segment.tables import RUNNING, SegmentRun
from core.segment.watch import Due
from core.settings import CoreSettings
from ops import keys
from ops.cli import app
from ops.segment_watch import Runner, command, watch

NOW = datetime(2026, 11, 22, 10, tzinfo=SHANGHAI)
NUMBER = "4200000001"
TREE = {
    "classes": {"residential": {"cluster": 0, "accounts": 1, "share": 1.0, "purity": 1.0}}, "else": "residential",
}  # fmt: skip


@pytest.fixture
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    for name, value in keys.fresh().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DIANFU_ENV", "production")
    made = {}
    for name in ("billing", "workorder", "bridge"):
        url = f"sqlite:///{tmp_path / name}.db"
        monkeypatch.setenv(f"DIANFU_{name.upper()}_URL", url)
        made[name] = Database(url)
        upgrade(name, made[name])
    yield made["bridge"]
    for database in made.values():
        database.dispose()


@pytest.fixture
def run_id(bridge: Database) -> int:
    """A published run of one account at high risk."""
    with bridge.transaction() as session:
        run = SegmentRun(
            as_of=date(2026, 11, 22), state=RUNNING, seed=1, started_at=NOW, heartbeat_at=NOW, accounts=1,
            model={"tree": TREE, "names": ["居民"], "thresholds": {"fee_year:top:0.2": 9000.0}},
            clusters=[{"number": 0, "name": "居民", "size": 1, "segment": "high_risk", "majority": 1.0}],
            rules=["若用电类别是居民，归第1群“居民”（占100.0%，纯度100.0%）"],
            summary={"segments": {"high_risk": {"accounts": 1, "share": 1.0}}},
        )  # fmt: skip
        session.add(run)
        session.flush()
        session.add(
            Portrait(
                run_id=run.id, account_id=1, account_no=NUMBER, customer_no="C1", customer_kind="person", district="x",
                area_class="city", user_class="residential", history_months=24, segment="high_risk", cluster=0,
                tags=["often_late"], late_count=4.0, fee_year=1200.0,
            )
        )  # fmt: skip
        made = run.id
    publish(bridge, made, now=NOW)
    return made


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["segment", *words])
    return done.exit_code, done.output


@pytest.mark.usefixtures("run_id")
def test_explain_shows_features_beside_rules_and_masks_the_number() -> None:
    code, text = said("explain", NUMBER)
    assert code == 0, text
    assert NUMBER not in text
    assert "420***0001" in text
    assert "[x] 高风险客户: 近12个月逾期缴费3次以上" in text
    assert "年逾期次数 = 4" in text
    assert "[ ] 高价值稳定客户" in text
    assert "(>= 9,000.00)" in text
    assert "若用电类别是居民，归第1群“居民”" in text
    assert "tags: 常晚缴" in text


@pytest.mark.usefixtures("run_id")
def test_an_account_that_no_run_has_is_said_without_its_number() -> None:
    code, text = said("explain", "4299999999")
    assert code == 1
    assert "4299999999" not in text


@pytest.mark.usefixtures("run_id")
def test_status_rules_and_drift_print_the_published_run() -> None:
    assert "高风险客户  1 (100.0%)" in said("status")[1]
    assert "no run is being made" in said("status")[1]
    assert "若用电类别是居民" in said("rules")[1]
    assert "there was no run before this one" in said("drift")[1]


@pytest.mark.usefixtures("bridge")
def test_without_a_run_the_commands_say_what_makes_one() -> None:
    code, text = said("rules")
    assert code == 1
    assert "dianfu segment run" in text


def test_a_second_run_at_once_says_so_and_exits(bridge: Database) -> None:
    with alone(bridge):
        code, text = said("run", "--no-progress")
    assert code == 1
    assert "another segmentation is being made" in text


@pytest.mark.usefixtures("bridge")
def test_a_run_over_nothing_fails_with_its_reason() -> None:
    code, text = said("run", "--no-progress", "--as-of", "2026-11-22")
    assert code == 1
    assert "no account has enough history" in text


def test_the_watcher_starts_one_run_at_a_time_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(Due(date(2026, 11, 2), 4))[1:] == (
        "-m", "ops", "segment", "run", "--as-of", "2026-11-02", "--seed", "4"
    )  # fmt: skip
    monkeypatch.setattr("ops.segment_watch.command", lambda _due: (sys.executable, "-c", "input()"))
    lines: list[str] = []
    runner = Runner(lines.append, first_after=0)
    runner.offer(None)
    assert lines == []
    runner.offer(Due(date(2026, 11, 2), 4))
    runner.offer(Due(date(2026, 11, 2), 4))
    assert [line for line in lines if line.startswith("segmentation")] == ["segmentation as of 2026-11-02"]
    runner.end()


@pytest.mark.usefixtures("run_id")
def test_the_watcher_shows_that_it_lives_and_ends_when_told(tmp_path: Path) -> None:
    stop, alive = threading.Event(), tmp_path / "alive"

    class Once(Runner):
        def offer(self, wanted: Due | None) -> None:
            assert wanted is None  # the run of the day is there
            stop.set()

    watch(CoreSettings(), stop, alive=alive, clock=lambda: NOW, runner=Once(lambda _line: None))
    assert alive.exists()
