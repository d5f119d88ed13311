"""`dianfu bench`: what the bridge adds to Rasa's own time, and what a long conversation costs, measured in one run."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Annotated

import httpx
import typer
from sqlalchemy import select

from core.account import Account
from core.clock import system_clock
from core.identity import Identity, issue_identity
from ops.databases import opened
from ops.output import Exit, Progressing, Report, fail
from ops.stack import PROJECT, Stack, StackFailed, running

QUESTION = "我上个月电费多少"
WARM_UP = 20
EARLY, LATE = range(5, 16), range(290, 301)  # turns of one conversation, the first is 1
CONVERSATIONS = 3
TARGET_ADDED_MS, TARGET_RATIO = 10.0, 1.3
REPORT = PROJECT / "docs" / "benchmarks.md"
README = PROJECT / "README.md"
MARKS = ("<!-- bench -->", "<!-- /bench -->")
BROADCAST_MARKS = ("<!-- broadcast -->", "<!-- /broadcast -->")


class NoAnswer(Exception):
    """A turn that is no turn to measure: it brought no bill."""


@dataclass(frozen=True)
class Figures:
    """Seconds of single turns: through the bridge and straight to Rasa, early and late in a conversation."""

    bridge: list[float]
    rasa: list[float]
    early: list[float]
    late: list[float]

    @property
    def added_ms(self) -> float:
        """Milliseconds that the bridge adds at the median."""
        return (statistics.median(self.bridge) - statistics.median(self.rasa)) * 1000

    @property
    def ratio(self) -> float:
        """How many times the cost of an early turn a late one has, on average."""
        return statistics.fmean(self.late) / statistics.fmean(self.early)


@dataclass(frozen=True)
class Site:
    """What is asked, and as whom: the two addresses, one account, and the secrets that the bridge would use."""

    bridge_url: str
    rasa_url: str
    customer_no: str
    account_no: str
    customer_token: str = field(repr=False)
    rasa_token: str = field(repr=False)
    identity_key: str = field(repr=False)

    @classmethod
    def of(cls, stack: Stack) -> Site:
        """Return a running stack with a customer who has one account."""
        account_no, customer_no = _one_account(stack)
        return cls(
            stack.url, f"http://127.0.0.1:{stack.ports['RASA']}", customer_no, account_no,
            customer_token=stack.tool("token", "--account-no", account_no),
            rasa_token=stack.secrets["DIANFU_RASA_TOKEN"], identity_key=stack.secrets["DIANFU_IDENTITY_KEY"],
        )  # fmt: skip


class Bench:
    """One site under measurement, one question asked again and again."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._bridge = httpx.Client(base_url=site.bridge_url, timeout=30, trust_env=False)
        headers = {"Authorization": f"Bearer {site.rasa_token}"}
        self._rasa = httpx.Client(base_url=site.rasa_url, timeout=30, trust_env=False, headers=headers)

    def measure(self, turns: int, report: Report) -> Figures:
        """Ask both ways in turn, then hold the long conversations side by side.

        Raises:
            NoAnswer: if a question is answered without a bill; httpx.HTTPError if it is not answered.
        """
        through, straight = self.through_bridge(), self._straight_to_rasa()
        bridge, rasa = [], []
        for number in range(WARM_UP + turns):
            pair = through(), straight()
            if number >= WARM_UP:
                bridge.append(pair[0])
                rasa.append(pair[1])
            report("bridge and Rasa", number + 1, WARM_UP + turns)
        early, late = self._long_conversations(report)
        return Figures(bridge, rasa, early, late)

    def _long_conversations(self, report: Report) -> tuple[list[float], list[float]]:
        asks = [self.through_bridge() for _ in range(CONVERSATIONS)]
        early: list[float] = []
        late: list[float] = []
        for turn in range(1, LATE.stop):
            seconds = [ask() for ask in asks]
            early += seconds if turn in EARLY else []
            late += seconds if turn in LATE else []
            report("long conversations", turn, LATE.stop - 1)
        return early, late

    def through_bridge(self) -> Callable[[], float]:
        """Open a conversation; return what asks in it, and gives the seconds."""
        opened_ = self._bridge.post(
            "/v1/sessions", json={"channel": "web"}, headers={"Authorization": f"Bearer {self._site.customer_token}"}
        )
        headers = {"Authorization": f"Bearer {opened_.raise_for_status().json()['token']}"}

        def ask() -> float:
            body = {"client_id": uuid.uuid4().hex, "text": QUESTION}
            return _timed(lambda: self._bridge.post("/v1/messages", json=body, headers=headers))

        return ask

    def _straight_to_rasa(self) -> Callable[[], float]:
        sender = str(uuid.uuid4())
        identity = Identity(sender, self._site.customer_no, (self._site.account_no,), 1, "web")

        def ask() -> float:
            now = system_clock()
            token = issue_identity(self._site.identity_key, identity, now=now)
            body = {
                "sender": f"{sender}.1", "text": QUESTION, "kind": "typed",
                "metadata": {"identity": token, "asked_at": now.isoformat(), "channel": "web"},
            }  # fmt: skip
            return _timed(lambda: self._rasa.post("/webhooks/bridge/turn", json=body))

        return ask


bench_app = typer.Typer(help="Measure, on a stack and data of its own.", invoke_without_command=True)


@bench_app.callback()
def bench(
    context: typer.Context,
    turns: Annotated[int, typer.Option(min=10, help="Questions asked each way.")] = 200,
    write: Annotated[bool, typer.Option(help="Write docs/benchmarks.md and the table in README.md.")] = True,
) -> None:
    """Measure the bridge beside Rasa alone, and a long conversation, on a stack of its own."""
    if context.invoked_subcommand is not None:
        return
    try:
        with (
            tempfile.TemporaryDirectory(prefix="dianfu-bench-") as folder,
            running(Path(folder).resolve(), customers=80, months=36, told=typer.echo) as stack,
            Progressing() as report,
        ):
            figures = Bench(Site.of(stack)).measure(turns, report)
    except (StackFailed, NoAnswer, httpx.HTTPError) as error:
        fail(f"the benchmark could not be run: {error}", Exit.FAILED)
    shown = table(figures)
    if write:
        REPORT.write_text(page(figures, shown, turns) + kept(REPORT), encoding="utf-8")
        put_between_marks(README, shown)
    typer.echo(shown)


def table(figures: Figures) -> str:
    """Return the results as a Markdown table."""
    rows = [
        ("Bill question straight to Rasa, median (p95)", _both(figures.rasa), ""),
        ("The same through the bridge, median (p95)", _both(figures.bridge), ""),
        (
            "The bridge adds, at the median",
            f"{figures.added_ms:.1f} ms (x {statistics.median(figures.bridge) / statistics.median(figures.rasa):.2f})",
            f"≤ {TARGET_ADDED_MS:g} ms",
        ),
        ("Turns 5–15 of a conversation, mean", _ms(statistics.fmean(figures.early)), ""),
        ("Turns 290–300 of the same, mean", _ms(statistics.fmean(figures.late)), ""),
        ("Turn 300 against turn 10", f"x {figures.ratio:.2f}", f"≤ {TARGET_RATIO:g}"),
    ]
    lines = ["| | measured | target |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def page(figures: Figures, shown: str, turns: int) -> str:
    """Return the page that says what was measured, how and where."""
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    return (
        "# Benchmarks\n\n"
        f"Written by `make bench` on {date.today():%Y-%m-%d}: dianfu {metadata.version('dianfu')}, {machine}, SQLite, "
        "everything on loopback.\n\n"
        f"{shown}\n\n"
        "## How it is measured\n\n"
        f"One run of `dianfu bench` starts a stack of its own (80 customers, 36 months). After {WARM_UP} rounds of "
        f"warming up, “{QUESTION}” is asked {turns} times through `POST /v1/messages` and {turns} times at Rasa's "
        "`bridge` channel with the identity that the bridge would sign, one after the other, so that both meet "
        "the same load. Each way has one conversation, so both pay when the channel cuts a long session.\n\n"
        f"The second part holds {CONVERSATIONS} conversations of {LATE.stop - 1} turns side by side through the bridge "
        f"and compares the means of turns {EARLY.start}–{EARLY.stop - 1} and {LATE.start}–{LATE.stop - 1} "
        f"({len(figures.early)} turns each). Stock Rasa needs about five times as long for turn 300 as for turn 10, "
        "because it reads and featurises every event of the session; `bot/channel.py` says what is done about it.\n\n"
        "A plain turn costs the bridge two transactions, with 13 statements for a customer whose account is known and "
        "10 for an anonymous one. `tests/api/test_turn_cost.py` holds it to that: counting does not depend on how busy "
        "the machine is, as milliseconds do.\n"
    )


def kept(path: Path) -> str:
    """Return what other benchmarks have written into the report, each between its marks, to the end of the page."""
    whole = path.read_text(encoding="utf-8") if path.exists() else ""
    _, opening, rest = whole.partition(BROADCAST_MARKS[0])
    if BROADCAST_MARKS[1] in rest:
        return f"\n{opening}{rest}"
    return "\n{}\n{}\n".format(*BROADCAST_MARKS)


def put_between_marks(path: Path, text: str, marks: tuple[str, str] = MARKS) -> None:
    """Replace what stands between the marks of a Markdown file; nothing happens without them."""
    whole = path.read_text(encoding="utf-8") if path.exists() else ""
    before, opening, rest = whole.partition(marks[0])
    _, closing, after = rest.partition(marks[1])
    if opening and closing:
        path.write_text(f"{before}{opening}\n{text}\n{closing}{after}", encoding="utf-8")


def _timed(call: Callable[[], httpx.Response]) -> float:
    began = time.perf_counter()
    answer = call()
    seconds = time.perf_counter() - began
    if "bill_card" not in answer.raise_for_status().text:
        raise NoAnswer("a question was answered without a bill")
    return seconds


def _one_account(stack: Stack) -> tuple[str, str]:
    """Return an account of a customer who has no other, and the customer's number."""
    with opened(f"sqlite:///{stack.root}/var/billing.db", read_only=True) as billing, billing.reading() as session:
        for account in session.scalars(select(Account).where(Account.profile == "children").order_by(Account.id)):
            if len(account.customer.accounts) == 1:
                return account.account_no, account.customer.customer_no
    raise StackFailed("the demonstration data has no customer with one account")


def _both(seconds: list[float]) -> str:
    return f"{_ms(statistics.median(seconds))} ({_ms(statistics.quantiles(seconds, n=20)[-1])})"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
