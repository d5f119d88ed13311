"""`dianfu bench broadcast`: one event for all subscribers over the fake WeChat, while somebody talks to the bot."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import httpx
import typer

from ops.bench import BROADCAST_MARKS, REPORT, Bench, NoAnswer, Site, bench_app, put_between_marks
from ops.bench_crowd import Broken, Crowd, fake_wechat
from ops.output import Exit, Progressing, Report, fail
from ops.stack import Stack, StackFailed, running

app = bench_app
WARM_UP, KILLS = 20, 3
TARGET_RATIO, TARGET_RATE = 1.5, 1.05
BUSY_SECONDS, LEAST_BUSY, IDLE_SECONDS, SETTLE_SECONDS = 30.0, 5.0, 6.0, 1.5
LOOK_EVERY, PAUSE = 2.0, 0.1  # seconds between looks at the progress, and between turns
PATIENCE, LOST_TURNS = 300.0, 5  # seconds beside five times what the rate allows for; turns that may go wrong


@dataclass(frozen=True)
class Outcome:
    """What came of it: phones by how often they showed the notice, the fullest second, and turns in seconds."""

    subscribers: int
    rate: float
    seconds: float  # from the first to the last
    held: float  # seconds of these in which the broadcast was held
    phones: dict[str, int]
    most_in_a_second: int
    kills: int
    idle: list[float]
    during: list[float]

    @property
    def busy(self) -> float:
        """Return how many seconds it was being sent, restarts after the kills included."""
        return self.seconds - self.held

    @property
    def ratio(self) -> float:
        """Return the median turn during the broadcast over that of an idle system."""
        return statistics.median(self.during) / statistics.median(self.idle)

    @property
    def wrong(self) -> list[str]:
        """Return what is not as it should be: everybody told once, at the rate, and nobody who talked felt it."""
        found = []
        if self.phones != {"1": self.subscribers}:
            found.append(f"not each of {self.subscribers:,} was told exactly once: {self.phones}")
        if self.most_in_a_second > self.rate * TARGET_RATE:
            found.append(f"{self.most_in_a_second} messages in one second, allowed are {self.rate:g} x {TARGET_RATE}")
        if self.ratio > TARGET_RATIO:
            found.append(f"turns take {self.ratio:.2f} times as long during the broadcast, allowed are {TARGET_RATIO}")
        return found


class Talk:
    """A conversation that goes on all the time, in turns of an idle and of a busy system."""

    def __init__(self, ask: Callable[[], float]) -> None:
        self._ask, self._lost = ask, 0
        self.idle: list[float] = []
        self.during: list[float] = []

    def turn(self, kept: list[float]) -> None:
        """Ask once; raises NoAnswer or httpx.HTTPError if that has gone wrong too often."""
        try:
            kept.append(self._ask())
        except (NoAnswer, httpx.HTTPError):
            self._lost += 1
            if self._lost > LOST_TURNS:
                raise
        time.sleep(PAUSE)

    def rest(self, seconds: float) -> None:
        """Talk to an idle system for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn(self.idle)


class Run:
    """One broadcast with its kills, held again and again so that busy and idle turns meet the same machine."""

    def __init__(self, crowd: Crowd, talk: Talk, rate: float, report: Report) -> None:
        self._crowd, self._talk, self._report = crowd, talk, report
        self._number, self._began = crowd.announce(), time.monotonic()
        self.kills, self.held = 0, 0.0
        self._least = crowd.count / rate
        self._patience = PATIENCE + 5 * self._least

    def all(self) -> None:
        """Talk until everybody is told.

        Raises:
            Broken: if that takes far too long.
        """
        busy = max(LEAST_BUSY, min(BUSY_SECONDS, self._least / 6))
        while not self._busy(busy) and self._crowd.hold(self._number):
            held = time.monotonic()
            time.sleep(SETTLE_SECONDS)  # a stop is obeyed within a second
            self._talk.rest(IDLE_SECONDS)
            self._crowd.go_on(self._number)
            self.held += time.monotonic() - held
            time.sleep(SETTLE_SECONDS)

    def _busy(self, seconds: float) -> bool:
        """Talk while it is being sent; true if it is over."""
        end = time.monotonic() + seconds
        looked = time.monotonic()
        while time.monotonic() < end:
            self._talk.turn(self._talk.during)
            if time.monotonic() - looked >= LOOK_EVERY:
                looked = time.monotonic()
                if self._look():
                    return True
        return False

    def _look(self) -> bool:
        sent, over = self._crowd.progress(self._number)
        self._report("broadcast", sent, self._crowd.count)
        if not over and self.kills < KILLS and sent >= self._crowd.count * (self.kills + 1) / (KILLS + 1):
            self._crowd.kill_sender()
            self.kills += 1
        if (passed := time.monotonic() - self._began) > self._patience:
            raise Broken(f"{sent} of {self._crowd.count} were sent in {passed:.0f} s")
        return over


def measure(stack: Stack, control: httpx.Client, count: int, rate: float, report: Report) -> Outcome:
    """Talk to an idle system, then during the broadcast with its kills and in its breaks, then to an idle one again.

    Raises:
        Broken: if the broadcast takes far longer than it should.
    """
    crowd, talk = Crowd(stack, control, count), Talk(Bench(Site.of(stack)).through_bridge())
    crowd.gather()
    for _ in range(WARM_UP):
        talk.turn([])
    talk.rest(IDLE_SECONDS)
    run = Run(crowd, talk, rate, report)
    run.all()
    talk.rest(IDLE_SECONDS)
    tally = crowd.tally()
    return Outcome(
        count, rate, tally["seconds"], run.held, tally["phones"], tally["most_in_a_second"], run.kills,
        talk.idle, talk.during,
    )  # fmt: skip


@app.command("broadcast")
def broadcast(
    subscribers: Annotated[int, typer.Option(min=100, max=1_000_000, help="How many are told.")] = 100_000,
    rate: Annotated[float, typer.Option(min=1, max=5000, help="Messages a second.")] = 300,
    write: Annotated[bool, typer.Option(help="Write the result into docs/benchmarks.md.")] = True,
) -> None:
    """Tell all subscribers of an outage over the fake WeChat, with kills, while somebody talks to the bot."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix="dianfu-bench-") as folder,
            fake_wechat() as (control, variables),
            running(
                Path(folder).resolve(), customers=80, months=36, told=typer.echo,
                more={**variables, "DIANFU_WECHAT_RATE": str(rate)},
            ) as stack,
            Progressing() as report,
        ):  # fmt: skip
            typer.echo(f"{subscribers:,} at {rate:g}/s: about {_minutes(subscribers, rate):.0f} minutes")
            outcome = measure(stack, control, subscribers, rate, report)
    except (Broken, StackFailed, NoAnswer, httpx.HTTPError) as error:
        fail(f"the benchmark could not be run: {error}", Exit.FAILED)
    shown = table(outcome)
    if write:
        put_between_marks(REPORT, section(outcome, shown), BROADCAST_MARKS)
    typer.echo(shown)
    if outcome.wrong:
        fail("; ".join(outcome.wrong))


def table(outcome: Outcome) -> str:
    """Return the results as a Markdown table."""
    told = ", ".join(f"{count:,} {times}x" for times, count in outcome.phones.items())
    idle, during = (statistics.median(seconds) * 1000 for seconds in (outcome.idle, outcome.during))
    rows = [
        (f"Subscribers told, of {outcome.subscribers:,}, over {outcome.kills} kills", told, "all 1x"),
        (
            f"Most messages in any second, at {outcome.rate:g}/s",
            f"{outcome.most_in_a_second} (x {outcome.most_in_a_second / outcome.rate:.3f})", f"≤ x {TARGET_RATE:g}",
        ),
        (
            "All of it took, without the breaks",
            f"{outcome.busy:.0f} s ({outcome.subscribers / outcome.busy:.0f}/s)", "",
        ),
        ("Bill question on an idle system, median", f"{idle:.1f} ms", ""),
        (
            "The same during the broadcast", f"{during:.1f} ms (x {outcome.ratio:.2f})", f"≤ x {TARGET_RATIO:g}",
        ),
    ]  # fmt: skip
    lines = ["| | measured | target |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def section(outcome: Outcome, shown: str) -> str:
    """Return the part of the report that says what was measured, how and where."""
    return (
        "## One event for all subscribers\n\n"
        f"Written by `dianfu bench broadcast --subscribers {outcome.subscribers} --rate {outcome.rate:g}` on "
        f"{date.today():%Y-%m-%d}: {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, "
        "SQLite, the fake WeChat of `tests/` on the same machine with lower priority.\n\n"
        f"{shown}\n\n"
        f"One conversation asks a bill question again and again, {len(outcome.idle)} times on an idle system "
        f"and {len(outcome.during)} times while the sender works and is killed with -9 {outcome.kills} times. The "
        f"broadcast is held every {BUSY_SECONDS:g} s (sooner when there are few subscribers) for the next idle turns, "
        "as an operator would, so that both kinds meet the same machine. The fullest second is counted where messages "
        "arrive. Any of the three out of bounds ends the command with 1 and a line that says which."
    )


def _minutes(subscribers: int, rate: float) -> float:
    """Return how long it takes with the breaks and the start, roughly."""
    busy = subscribers / rate
    breaks = busy / max(LEAST_BUSY, min(BUSY_SECONDS, busy / 6))
    return (busy + breaks * (IDLE_SECONDS + 2 * SETTLE_SECONDS) + 90) / 60
