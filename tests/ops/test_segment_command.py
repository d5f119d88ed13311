"""`dianfu segment …`: what staff see of portraits, and the process that keeps them up to date."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

import pytest
from sqlalchemy import text as text_of
from typer.testing import CliRunner

from core.clock import SHANGHAI
from core.db import Database
from core.learning.marks import RUN, mark, put_mark
from core.migrations import upgrade
from core.portrait.tables import Portrait
from core.segment.events import note
from core.segment.lock import alone
from core.segment.runs import publish
from core.segment.tables import RUNNING, SegmentRun
from core.segment.watch import Due
from core.settings import CoreSettings
from ops import keys
from ops.cli import app
from ops.segment_watch import LEARNING, NICE, Job, Runner, run_of, wanted, watch

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


@pytest.mark.usefixtures("bridge")
@pytest.mark.parametrize(
    ("words", "said_of_it"),
    [
        (("--as-of", "2999-01-01"), "2999-01-01 has not come yet"),
        (("--as-of", "0001-01-01"), "0001-01-01 is before 2000-01-01"),
        (("--as-of", "22.11.2026"), "--as-of"),
        (("--seed", "99999999999"), "--seed"),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_a_run_with_wrong_words_says_in_plain_english_what_is_wrong(words: tuple[str, ...], said_of_it: str) -> None:
    code, text = said("run", "--no-progress", *words)
    assert code == 2
    assert said_of_it in text
    assert "Traceback" not in text


def test_a_run_that_failed_has_nothing_to_show_and_says_why(bridge: Database) -> None:
    with bridge.transaction() as session:
        session.add(SegmentRun(
            as_of=date(2026, 11, 22), state="failed", seed=1, started_at=NOW, heartbeat_at=NOW, error="no account"
        ))  # fmt: skip
    for command in ("rules", "drift"):
        code, text = said(command, "--run", "1")
        assert (code, text) == (1, "dianfu: run 1 has nothing to show: it is failed (no account)\n")
    assert said("rules", "--run", "7") == (1, "dianfu: there is no such run\n")


@pytest.mark.usefixtures("run_id")
def test_explain_says_when_the_account_has_another_holder_since(bridge: Database) -> None:
    with bridge.transaction() as session:
        note(session, account_no=NUMBER, customer_no="C1", kind="given_up", cause="given_up:1:C1", at=NOW)
    code, text = said("explain", NUMBER)
    assert code == 0
    assert "since then: the account has another holder" in text
    assert "None" not in text


def test_without_tables_the_commands_say_so_in_one_line(bridge: Database) -> None:
    with bridge.transaction() as session:
        for table in ("portraits", "segment_runs"):
            session.execute(text_of(f"DROP TABLE {table}"))
    for words in (("status",), ("run", "--no-progress")):
        code, text = said(*words)
        assert code == 4
        assert "dianfu migrate" in text
        assert len(text.splitlines()) == 1


@pytest.mark.usefixtures("bridge")
def test_rules_that_cannot_be_read_end_the_watcher_with_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DIANFU_DATA_DIR", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "ops.segment_watch"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "dianfu: segments.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_jobs_are_the_commands_that_people_give() -> None:
    job = run_of(Due(date(2026, 11, 2), 4))
    assert job.command[1:] == ("-m", "ops", "segment", "run", "--as-of", "2026-11-02", "--seed", "4")
    assert LEARNING.command[1:] == ("-m", "ops", "learn", "groups")


def test_the_watcher_does_one_job_at_a_time_in_a_process_of_its_own() -> None:
    lines: list[str] = []
    runner = Runner(lines.append, first_after=0)
    runner.offer([])
    assert lines == []
    one, other = (Job(name, (sys.executable, "-c", "import time; time.sleep(60)")) for name in ("one", "other"))
    runner.offer([one, other])
    runner.offer([one, other])
    assert lines == ["one"]
    runner.end()
    runner.offer([one, other])  # it was ended, which is no success
    assert lines == ["one", "one ended (-15)", "other"]
    runner.end()


def test_a_job_that_cannot_be_started_or_fails_is_said_and_waits_while_others_go_on(tmp_path: Path) -> None:
    lines: list[str] = []
    runner = Runner(lines.append, first_after=0)
    bad = Job("bad", (str(tmp_path / "nothing"),))
    runner.offer([bad])
    assert lines[0] == "bad"
    assert lines[1].startswith("bad could not be started")
    runner.offer([bad])
    assert len(lines) == 2
    runner.offer([bad, Job("good", (sys.executable, "-c", ""))])
    assert lines[2:] == ["good"]
    runner.end()


def test_nothing_is_started_before_the_whole_has_started() -> None:
    lines: list[str] = []
    Runner(lines.append, first_after=60).offer([LEARNING])
    assert lines == []


@pytest.mark.usefixtures("run_id")
def test_learning_is_wanted_beside_the_run_until_it_is_done(bridge: Database) -> None:
    def names(now: datetime) -> list[str]:
        return [job.name for job in wanted(bridge, resume_hours=24, now=now)]

    assert names(NOW) == ["learning"]
    with bridge.transaction() as session:
        put_mark(session, RUN, {"state": "done", "at": NOW.isoformat()}, now=NOW)
    assert names(NOW) == []
    assert names(datetime(2026, 12, 2, 4, tzinfo=SHANGHAI)) == ["segmentation", "learning"]


def test_what_the_watcher_starts_is_really_done_and_what_fails_does_not_end_it(
    bridge: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over empty databases the run fails (nothing to group), learning is done, and the watcher lives on."""
    lines: list[str] = []
    stop = threading.Event()
    runner = Runner(lines.append, first_after=0)
    monkeypatch.setattr("ops.segment_watch.IDLE_SECONDS", 0.2)

    class Short(Runner):
        def offer(self, wanted: Sequence[Job]) -> None:
            runner.offer(wanted)
            if {"segmentation ended (1)", "learning ended (0)"} <= set(lines):
                stop.set()

    late = threading.Timer(300, stop.set)
    late.start()
    watch(CoreSettings(), stop, alive=None, clock=lambda: NOW, runner=Short(lines.append))
    late.cancel()
    runner.end()
    assert lines == ["segmentation as of 2026-11-22", "segmentation ended (1)", "learning", "learning ended (0)"]
    with bridge.reading() as session:
        assert mark(session, RUN)["state"] == "done"


@pytest.mark.usefixtures("run_id")
def test_the_watcher_is_behind_whoever_answers_customers_but_gets_its_share(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    with subprocess.Popen([sys.executable, "-m", "ops.segment_watch", "--alive", str(alive)]) as process:
        until = time.monotonic() + 60
        while not alive.exists() and time.monotonic() < until:
            time.sleep(0.05)
        lower = os.getpriority(os.PRIO_PROCESS, process.pid) - os.getpriority(os.PRIO_PROCESS, 0)
        process.terminate()
        assert process.wait(30) == 0
    assert alive.exists()
    assert lower == min(NICE, 19 - os.getpriority(os.PRIO_PROCESS, 0))
    assert NICE == 10


@pytest.mark.usefixtures("run_id")
def test_the_watcher_shows_that_it_lives_and_ends_when_told(tmp_path: Path) -> None:
    stop, alive = threading.Event(), tmp_path / "alive"

    class Once(Runner):
        def offer(self, wanted: Sequence[Job]) -> None:
            assert [job.name for job in wanted] == ["learning"]  # the run of the day is there
            stop.set()

    watch(CoreSettings(), stop, alive=alive, clock=lambda: NOW, runner=Once(lambda _line: None))
    assert alive.exists()
