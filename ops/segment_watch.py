"""Keeps portraits up to date: `python -m ops.segment_watch [--alive FILE]`, at the lowest priority.

It reads orders and payments, and starts `dianfu segment run` when one is due: in a process of its own, so that what the
clusters need of memory is given back.
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
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from core.clock import Clock, system_clock
from core.db import Database
from core.segment.method import Segmentation
from core.segment.watch import Due, Watch, due
from core.settings import CoreSettings

NICE = 19  # whoever answers a customer comes first
IDLE_SECONDS, AWAY_SECONDS = 5.0, 20.0
FIRST_RUN_AFTER, AGAIN_AFTER = 20.0, 3600.0  # seconds: the start of the whole comes first; a run that failed waits
Say = Callable[[str], None]


class Runner:
    """Starts runs as processes of their own, one at a time."""

    def __init__(self, say: Say, *, first_after: float = FIRST_RUN_AFTER, again_after: float = AGAIN_AFTER) -> None:
        self._say, self._again = say, again_after
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before = time.monotonic() + first_after

    def offer(self, wanted: Due | None) -> None:
        """Start the run that is due, unless one is being made or the last one failed a short while ago."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            self._process = None
            self._say(f"the segmentation ended ({code})")
            self._not_before = time.monotonic() + (self._again if code else 0)
        if wanted is not None and time.monotonic() >= self._not_before:
            self._say(f"segmentation as of {wanted.as_of}")
            self._process = subprocess.Popen(command(wanted))

    def end(self) -> None:
        """End the run that is being made; the next one goes on with it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)


def command(wanted: Due) -> tuple[str, ...]:
    """Return the command that makes a run."""
    return (
        sys.executable, "-m", "ops", "segment", "run", "--as-of", wanted.as_of.isoformat(), "--seed", str(wanted.seed)
    )  # fmt: skip


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
            with bridge.reading() as session:
                runner.offer(due(session, clock(), resume_hours=known.method.resume_hours))
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
    watch(settings, stop, alive=alive, clock=system_clock, runner=Runner(lambda line: print(line, flush=True)))


if __name__ == "__main__":
    main()
