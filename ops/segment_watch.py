"""Keeps portraits up to date, and what is learned from questions: `python -m ops.segment_watch [--alive FILE]`.

It reads orders and payments, and starts `dianfu segment run` and `dianfu learn groups` when they are due: in processes
of their own, one at a time and at low priority, so that what clusters need of memory is given back.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from core.clock import Clock, system_clock
from core.db import Database
from core.learning import jobs
from core.segment.method import Segmentation
from core.segment.rules import BadSegmentData
from core.segment.watch import Due, Watch, due
from core.settings import CoreSettings

# Whoever answers a customer comes first: this is a tenth of a share. At 19 it would be a seventieth, and among seven
# busy processes a run would need minutes to be begun at all.
NICE = 10
IDLE_SECONDS, AWAY_SECONDS = 5.0, 20.0
FIRST_RUN_AFTER, AGAIN_AFTER = 20.0, 3600.0  # seconds: the start of the whole comes first; a run that failed waits
END_WITHIN = 5.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """Something to be done in a process of its own."""

    name: str
    command: tuple[str, ...]
    about: str = ""


class Runner:
    """Starts jobs as processes of their own, one at a time."""

    def __init__(self, say: Say, *, first_after: float = FIRST_RUN_AFTER, again_after: float = AGAIN_AFTER) -> None:
        self._say, self._again = say, again_after
        self._running: tuple[Job, subprocess.Popen[bytes]] | None = None
        self._first = time.monotonic() + first_after
        self._not_before: dict[str, float] = {}  # by the job's name

    def offer(self, wanted: Sequence[Job]) -> None:
        """Start the first job that is due, unless one is being done; one that failed waits a while."""
        if self._running is not None:
            job, process = self._running
            code = process.poll()
            if code is None:
                return
            self._running = None
            self._say(f"{job.name} ended ({code})")
            self._not_before[job.name] = time.monotonic() + (self._again if code else 0)
        now = time.monotonic()
        for job in wanted:
            if now >= self._not_before.get(job.name, self._first):
                self._start(job)
                return

    def _start(self, job: Job) -> None:
        self._say(f"{job.name} {job.about}".rstrip())
        try:
            self._running = job, subprocess.Popen(job.command, stdin=subprocess.DEVNULL)
        except OSError as error:  # no memory or no process to be had
            self._say(f"{job.name} could not be started: {error}")
            self._not_before[job.name] = time.monotonic() + self._again

    def end(self) -> None:
        """End the job that is being done; the next one goes on with it."""
        if self._running is None or self._running[1].poll() is not None:
            return
        process = self._running[1]
        process.terminate()
        try:
            process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


LEARNING = Job("learning", (sys.executable, "-m", "ops", "learn", "groups"))


def run_of(wanted: Due) -> Job:
    """Return the job that makes a run."""
    words = ("segment", "run", "--as-of", wanted.as_of.isoformat(), "--seed", str(wanted.seed))
    return Job("segmentation", (sys.executable, "-m", "ops", *words), f"as of {wanted.as_of}")


def wanted(bridge: Database, *, resume_hours: float, now: datetime) -> list[Job]:
    """Return what is due now."""
    with bridge.reading() as session:
        run = due(session, now, resume_hours=resume_hours)
        return [*([run_of(run)] if run is not None else []), *([LEARNING] if jobs.due(session, now) else [])]


def watch(settings: CoreSettings, stop: threading.Event, *, alive: Path | None, clock: Clock, runner: Runner) -> None:
    """Read and start runs until `stop` is set; a database that is away delays and loses nothing."""
    known = Segmentation.load(settings.data_dir / "segments")
    billing, workorder = (Database(url, read_only=True) for url in (settings.billing_url, settings.workorder_url))
    bridge = Database(settings.bridge_url)
    watcher = Watch(billing, workorder, bridge, known.rules)
    pause = 0.0
    while not stop.wait(pause):
        if alive is not None:
            alive.touch()
        try:
            more = watcher.step(clock())
            runner.offer(wanted(bridge, resume_hours=known.method.resume_hours, now=clock()))
            pause = 0.05 if more else IDLE_SECONDS
        except SQLAlchemyError as error:
            print(f"a database is away: {type(error).__name__}", file=sys.stderr, flush=True)
            pause = AWAY_SECONDS
    runner.end()
    for database in (billing, workorder, bridge):
        database.dispose()


def main(arguments: Sequence[str] | None = None) -> None:
    """Watch until SIGINT or SIGTERM."""
    with suppress(OSError):
        os.nice(NICE)
    parser = argparse.ArgumentParser(prog="python -m ops.segment_watch", description="Keeps portraits up to date.")
    parser.add_argument("--alive", type=Path, help="a file that is touched while it works")
    alive = parser.parse_args(arguments).alive
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    settings = CoreSettings()  # pyright: ignore[reportCallIssue]
    try:
        Segmentation.load(settings.data_dir / "segments")
    except BadSegmentData as error:
        sys.exit(f"dianfu: {error}")
    watch(settings, stop, alive=alive, clock=system_clock, runner=Runner(lambda line: print(line, flush=True)))


if __name__ == "__main__":
    main()
