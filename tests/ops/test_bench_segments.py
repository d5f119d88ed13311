"""The benchmark of portraits: its synthetic accounts can be reckoned over, and it says what is too slow."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.portrait.build import Sources, build
from core.portrait.frame import load
from core.portrait.tables import FEATURES
from core.segment.tables import RUNNING, SegmentRun
from ops import bench_segments
from ops.bench_memory import mib_of
from ops.bench_segments import Meter, Outcome, Stage, measure, not_linear, section, table
from ops.cli import app

COUNT = 1000
# What synthetic accounts have no source for: no network, no panels, no violations anywhere.
UNTOLD = {"outage_sensitivity", "violations"}


def silent(_what: str, _done: int, _total: int) -> None:
    pass


def test_synthetic_accounts_have_all_that_a_portrait_is_made_from(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, int] = {}
    thin = []

    def reckon(sources: Sources, as_of: date, now: datetime, meter: Meter) -> None:
        with sources.bridge.transaction() as session:
            run = SegmentRun(as_of=as_of, state=RUNNING, seed=1, started_at=now, heartbeat_at=now)
            session.add(run)
            session.flush()
            number = run.id
        assert build(sources, number, as_of=as_of, step=400, progress=meter.progress, clock=lambda: now) == COUNT
        frame = load(sources.bridge, number, FEATURES, extra=("thin",))
        told.update({name: int((frame.column(name) == frame.column(name)).sum()) for name in FEATURES})
        thin.extend(frame.extra["thin"])

    monkeypatch.setattr(bench_segments, "_reckon", reckon)
    outcome = measure(request.getfixturevalue("_postgresql"), os.getpid(), COUNT, silent)
    assert {name for name, count in told.items() if not count} == UNTOLD
    assert told["kwh_growth"] == told["load_factor"] == told["on_time_rate"] == COUNT
    assert thin == [None] * COUNT
    assert [stage.name for stage in outcome.stages] == ["features"]
    assert outcome.seconds > 0
    assert outcome.gib > 0


def test_the_table_has_a_column_for_each_run_and_a_row_for_each_stage() -> None:
    few = Outcome(10_000, [Stage("features", 3.0, 300), Stage("clusters", 1.0, 200)], 0.2)
    many = Outcome(100_000, [Stage("features", 30.04, 400), Stage("clusters", 12.0, 500)], 1.7)
    lines = table([few, many]).splitlines()
    assert lines[0] == "| Accounts | 10,000 | 100,000 | target |"
    assert "| features | 3.0 s, 300 MiB | 30.0 s, 400 MiB |  |" in lines
    assert "| All | 4.0 s | 42.0 s | ≤ 600 s for a million |" in lines
    assert "| Each account | 400 µs | 420 µs | about the same |" in lines
    assert "| Most memory | 300 MiB | 500 MiB | ≤ 4096 MiB |" in lines
    assert "--accounts 10000 100000`" in section([few, many], "x")


def test_a_million_that_take_too_long_or_need_too_much_are_named_and_so_is_cost_that_grows() -> None:
    assert Outcome(1_000_000, [Stage("features", 599, 4000)]).wrong == []
    slow = Outcome(1_000_000, [Stage("features", 500, 100), Stage("clusters", 101, 5000)])
    assert slow.wrong == [
        "1,000,000 accounts took 601 s, allowed are 600 s", "1,000,000 accounts needed 5000 MiB, allowed are 4096 MiB",
    ]  # fmt: skip
    assert Outcome(10_000, [Stage("features", 900, 5000)]).wrong == []
    few, same, more = (
        Outcome(count, [Stage("x", seconds)]) for count, seconds in ((1000, 1), (10_000, 12), (10_000, 16))
    )
    assert not_linear([few, same]) == []
    assert not_linear([few, more]) == ["10,000 accounts cost 1.60 times as much each as 1,000"]


def test_the_numbers_of_accounts_may_follow_one_option(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def measured(_uri: str, _server: int, count: int, _report: object) -> Outcome:
        asked.append(count)
        return Outcome(count, [Stage("features", count / 1000, 1)])

    class Server:
        def __enter__(self) -> tuple[str, int]:
            return "uri", 1

        def __exit__(self, *_: object) -> None:
            pass

    page = tmp_path / "page.md"
    page.write_text("<!-- segments -->\n<!-- /segments -->\n")
    monkeypatch.setattr(bench_segments, "measure", measured)
    monkeypatch.setattr(bench_segments, "_server", lambda _folder: Server())
    monkeypatch.setattr(bench_segments, "REPORT", page)
    done = CliRunner().invoke(app, ["bench", "segments", "--accounts", "1000", "2000"])
    assert (done.exit_code, asked) == (0, [1000, 2000]), done.output
    assert "## Portraits and segments" in page.read_text()


def test_the_memory_of_a_process_includes_what_it_started() -> None:
    alone = mib_of(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "b = b'x' * 60_000_000; print(1, flush=True); input()"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:  # fmt: skip
        assert child.stdout is not None
        child.stdout.readline()
        both, again = mib_of(os.getpid()), mib_of(os.getpid(), child.pid)
        child.communicate(b"\n")
    assert both - alone > 50
    assert abs(both - again) < 20
    assert mib_of(child.pid) == 0
