"""`dianfu bench broadcast`: one event for all subscribers over the fake WeChat, while somebody talks to the bot."""

from __future__ import annotations

import json
import os
import platform
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from sqlalchemy import insert

from core.channel.tables import ChannelUser
from core.clock import system_clock
from core.proactive import broadcast
from core.proactive.tables import DONE, SENT
from ops.bench import BROADCAST_MARKS, REPORT, Bench, NoAnswer, Site, bench_app, put_between_marks
from ops.databases import opened
from ops.fake_wechat import APPID, KINDS
from ops.output import Exit, Progressing, Report, fail
from ops.stack import PROJECT, Stack, StackFailed, running

app = bench_app
WARM_UP, IDLE_TURNS, KILLS = 20, 60, 3
TARGET_RATIO, TARGET_RATE = 1.5, 1.05
PREFIX, OPENID = "oMany", 28  # as the fake names its users
LOOK_EVERY, PAUSE = 2.0, 0.1  # seconds between looks at the progress, and between turns
NICE = 10


class Broken(Exception):
    """The broadcast did not end, or the fake did not start."""


@dataclass(frozen=True)
class Outcome:
    """What came of it: phones by how often they showed the notice, the fullest second, and turns in seconds."""

    subscribers: int
    rate: float
    seconds: float
    phones: dict[str, int]
    most_in_a_second: int
    kills: int
    idle: list[float]
    during: list[float]

    @property
    def ratio(self) -> float:
        """Return the median turn during the broadcast over that of an idle system."""
        return statistics.median(self.during) / statistics.median(self.idle)

    @property
    def good(self) -> bool:
        """Tell whether everybody was told once, at the rate, and nobody who talked felt it."""
        told = self.phones == {"1": self.subscribers}
        return told and self.most_in_a_second <= self.rate * TARGET_RATE and self.ratio <= TARGET_RATIO


@contextmanager
def fake_wechat() -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """Start the fake with lower priority; give its control API and the settings that lead to it."""
    account = {
        "DIANFU_WECHAT_APPID": APPID, "DIANFU_WECHAT_SECRET": secrets.token_hex(16),
        "DIANFU_WECHAT_TOKEN": secrets.token_hex(12), "DIANFU_WECHAT_AES_KEY": "A" * 43,
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fake_wechat", "--port", "0", "--leash"], cwd=PROJECT,
        env={**os.environ, **account}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        if len(words) != 3:
            raise Broken("the fake WeChat did not start; it comes with the source, and not with an install")
        os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        base = f"http://127.0.0.1:{int(words[1])}"
        with httpx.Client(base_url=f"{base}/_fake/", timeout=120, trust_env=False) as control:
            control.post("settings", json={"template_events": False}).raise_for_status()
            yield control, account | {
                "DIANFU_WECHAT_URL": base, "DIANFU_WECHAT_OAUTH_URL": base, "DIANFU_PUBLIC_URL": "http://127.0.0.1",
                "DIANFU_WECHAT_TEMPLATES": json.dumps({kind: f"FAKE-{kind}" for kind in KINDS}),
            }  # fmt: skip
    finally:
        process.kill()
        process.wait()


class Crowd:
    """The subscribers of a stack, in its database and in the fake, and the one broadcast to them."""

    def __init__(self, stack: Stack, control: httpx.Client, count: int) -> None:
        self._stack, self._control, self.count = stack, control, count
        self.url = f"sqlite:///{stack.root}/var/bridge.db"

    def gather(self) -> None:
        """Let all of them follow the account."""
        asked = {"count": self.count, "prefix": PREFIX, "list": False}
        self._control.post("users", json=asked).raise_for_status()
        now = system_clock()
        with opened(self.url) as database, database.transaction() as session:
            rows = [
                {
                    "channel": "wechat", "user_id": f"{PREFIX}{number:0{OPENID - len(PREFIX)}d}", "followed": True,
                    "conversation_id": f"bench-{number}", "created_at": now,
                }
                for number in range(self.count)
            ]  # fmt: skip
            for start in range(0, len(rows), 5000):
                session.execute(insert(ChannelUser), rows[start : start + 5000])

    def announce(self) -> int:
        """Start the broadcast as an operator does; return its number."""
        file = self._stack.root / "var" / "outage.json"
        order = {
            "kind": "outage", "key": "bench", "wording": "outage_begun", "values": {"area": "江岸区听涛苑"},
            "audience": {"all_followers": True},
        }  # fmt: skip
        file.write_text(json.dumps(order), encoding="utf-8")
        return int(self._stack.tool("broadcast", "start", str(file)).split()[0])

    def progress(self, number: int) -> tuple[int, bool]:
        """Return how many were sent, and whether it is over."""
        with opened(self.url) as database, database.reading() as session:
            counted = broadcast.counts(session, [number])[number]
            return counted.get(SENT, 0), broadcast.find(session, number).state == DONE

    def kill_sender(self) -> None:
        """End the sender as a power cut would; `serve` starts it again."""
        for pid in self._stack.pids("sender"):
            os.kill(pid, signal.SIGKILL)

    def tally(self) -> dict[str, Any]:
        """Return what the phones showed."""
        found: dict[str, Any] = self._control.get("tally", params={"way": "template"}).raise_for_status().json()
        return found


def measure(stack: Stack, control: httpx.Client, count: int, rate: float, report: Report) -> Outcome:
    """Talk to an idle system, then during the broadcast with its kills, then to an idle one again.

    Raises:
        Broken: if the broadcast takes more than three times as long as it should.
    """
    crowd, ask = Crowd(stack, control, count), Bench(Site.of(stack)).through_bridge()
    crowd.gather()
    _turns(ask, WARM_UP)
    idle = _turns(ask, IDLE_TURNS // 2)
    number, began = crowd.announce(), time.monotonic()
    during: list[float] = []
    kills, looked = 0, began
    while True:
        during += _turns(ask, 1)
        if time.monotonic() - looked < LOOK_EVERY:
            continue
        looked = time.monotonic()
        sent, over = crowd.progress(number)
        report("broadcast", sent, count)
        if over:
            break
        if kills < KILLS and sent >= count * (kills + 1) / (KILLS + 1):
            crowd.kill_sender()
            kills += 1
        if looked - began > 60 + 3 * count / rate:
            raise Broken(f"{sent} of {count} were sent in {looked - began:.0f} s")
    idle += _turns(ask, IDLE_TURNS // 2)
    tally = crowd.tally()
    return Outcome(
        count, rate, tally["seconds"], tally["phones"], tally["most_in_a_second"], kills, idle, during
    )  # fmt: skip


@app.command("broadcast")
def run(
    subscribers: Annotated[int, typer.Option(min=100, max=1_000_000, help="How many are told.")] = 100_000,
    rate: Annotated[float, typer.Option(min=1, max=5000, help="Messages a second.")] = 250,
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
            outcome = measure(stack, control, subscribers, rate, report)
    except (Broken, StackFailed, NoAnswer, httpx.HTTPError) as error:
        fail(f"the benchmark could not be run: {error}", Exit.FAILED)
    shown = table(outcome)
    if write:
        put_between_marks(REPORT, section(outcome, shown), BROADCAST_MARKS)
    typer.echo(shown)
    if not outcome.good:
        fail("not as it should be")


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
        ("All of it took", f"{outcome.seconds:.0f} s", ""),
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
        f"Written by `dianfu bench broadcast` on {date.today():%Y-%m-%d}: {os.cpu_count()} cores "
        f"({platform.machine()}), Python {platform.python_version()}, SQLite, the fake WeChat of `tests/` on the same "
        "machine with lower priority.\n\n"
        f"{shown}\n\n"
        f"One conversation asks a bill question again and again, {len(outcome.idle)} times on an idle system (half "
        f"before, half after) and {len(outcome.during)} times while the sender works and is killed with -9 "
        f"{outcome.kills} times. The fullest second is counted where the messages arrive."
    )


def _turns(ask: Callable[[], float], count: int) -> list[float]:
    found = []
    for _ in range(count):
        found.append(ask())
        time.sleep(PAUSE)
    return found
