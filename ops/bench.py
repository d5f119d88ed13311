"""`dianfu bench`: the bridge beside Rasa alone, and a long conversation beside a short one, in one run."""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import httpx
import typer
from sqlalchemy.exc import SQLAlchemyError

from actions.settings import ActionsSettings
from api.settings import ApiSettings
from core.clock import system_clock
from core.identity import Identity, issue_customer, issue_identity
from ops import databases, probes
from ops.environment import RasaSettings, Settings
from ops.output import Exit, fail, show
from ops.procs import SELF, NotReady, Supervisor
from ops.serve import processes
from ops.tool import settings_of

QUESTION = "我上个月电费多少"
RUN_IN = 5  # turns that are not counted: connections are opened and caches filled
AROUND = 5  # a length is the median of so many turns before and after it
SHORT, LONG = 10, 300
TURN_SECONDS = 30.0
HEAD = "# Bench\n\nWritten by `make bench`; times depend on the machine, ratios hardly.\n\n"

Turn = Callable[[], Awaitable[None]]


class NoAnswer(Exception):
    """A turn of the measurement brought no answer: its time would mean nothing."""


@dataclass(frozen=True)
class Result:
    """Median milliseconds of a turn."""

    direct: float
    bridge: float
    short: float
    long: float

    def table(self) -> str:
        """Return the figures as a Markdown table."""
        return "\n".join(
            [
                "| a turn (median) | ms | ratio |",
                "|---|---|---|",
                f"| bill question, Rasa directly | {self.direct:.1f} | 1 |",
                f"| bill question, through the bridge | {self.bridge:.1f} "
                f"| {self.bridge / self.direct:.2f} (adds {self.bridge - self.direct:.1f} ms) |",
                f"| through the bridge, turn {SHORT} of a conversation | {self.short:.1f} | 1 |",
                f"| through the bridge, turn {LONG} | {self.long:.1f} | {self.long / self.short:.2f} |",
            ]
        )


def bench(
    pairs: Annotated[int, typer.Option(min=10, help="How many turns each way.")] = 60,
    out: Annotated[Path, typer.Option(help="Where the table goes.")] = Path("docs/bench.md"),
) -> None:
    """Measure the bridge beside Rasa alone, and turn 300 beside turn 10; starts the processes if none run."""
    settings = Settings(
        settings_of(ApiSettings), settings_of(ActionsSettings), settings_of(RasaSettings)
    )  # fmt: skip
    try:
        databases.migrate(settings.api)
        holder = databases.any_holder(settings.api)
    except SQLAlchemyError as error:
        fail(f"the databases cannot be used: {error}", Exit.NOT_PREPARED)
    if holder is None:
        fail("there are no customers: run `dianfu seed`", Exit.NOT_PREPARED)
    try:
        result = asyncio.run(_run(settings, holder, pairs))
    except (NoAnswer, NotReady, httpx.HTTPError) as error:
        fail(f"not measured: {error or type(error).__name__}")
    out.write_text(
        f"# Bench\n\nWritten by `make bench`; times depend on the machine, ratios hardly.\n\n{result.table()}\n"
    )
    typer.echo(result.table())


async def _run(settings: Settings, holder: databases.Holder, pairs: int) -> Result:
    base = f"http://{settings.api.api_host}:{settings.api.api_port}"
    if await probes.answers(base + "/healthz")():
        return await measure(settings, base, holder, pairs)
    stop, results = asyncio.Event(), []

    async def once_started() -> None:
        try:
            results.append(await measure(settings, base, holder, pairs))
        finally:
            stop.set()

    measuring: list[asyncio.Task[None]] = []
    supervisor = Supervisor(processes(settings, Path.cwd()), show)
    await supervisor.run(stop, lambda: measuring.append(asyncio.create_task(once_started())))
    await measuring[0]
    return results[0]


async def measure(settings: Settings, base: str, holder: databases.Holder, pairs: int) -> Result:
    """Return the medians; both ways are asked in turn, so that a busy moment of the machine hits both alike."""
    async with httpx.AsyncClient(trust_env=False, timeout=TURN_SECONDS) as client:
        bridge = await bridge_turns(client, settings, base, holder)
        direct = rasa_turns(client, settings, holder)
        times: dict[str, list[float]] = {"direct": [], "bridge": []}
        for number in range(RUN_IN + pairs):
            for name, turn in (("direct", direct), ("bridge", bridge)):
                seconds = await _timed(turn)
                if number >= RUN_IN:
                    times[name].append(seconds)
        show(SELF, f"{pairs} turns each way are done; now a conversation of {LONG + AROUND}")
        long = await bridge_turns(client, settings, base, holder)
        turns = [await _timed(long) for _ in range(LONG + AROUND)]
    return Result(
        direct=_median(times["direct"]), bridge=_median(times["bridge"]),
        short=_median(turns[SHORT - AROUND : SHORT + AROUND]), long=_median(turns[LONG - AROUND : LONG + AROUND]),
    )  # fmt: skip


async def bridge_turns(client: httpx.AsyncClient, settings: Settings, base: str, holder: databases.Holder) -> Turn:
    """Open a conversation as the company's app does; return what asks the question in it once."""
    customer = issue_customer(
        settings.api.customer_token_key.get_secret_value(), customer_no=holder.customer_no,
        accounts=(holder.account_no,), assurance=1, now=system_clock(), lifetime=timedelta(hours=1),
    )  # fmt: skip
    opened = await client.post(
        f"{base}/v1/sessions", json={"channel": "web"}, headers={"Authorization": f"Bearer {customer}"}
    )
    opened.raise_for_status()
    headers = {"Authorization": f"Bearer {opened.json()['token']}"}

    async def turn() -> None:
        body = {"client_id": uuid.uuid4().hex, "text": QUESTION}
        answer = await client.post(f"{base}/v1/messages", json=body, headers=headers)
        answer.raise_for_status()
        if not any(message["type"] == "bill_card" for message in answer.json()["messages"]):
            raise NoAnswer(f"the bridge answered without a bill: {answer.text[:300]}")

    return turn


def rasa_turns(client: httpx.AsyncClient, settings: Settings, holder: databases.Holder) -> Turn:
    """Return what puts the same question to Rasa once, in a conversation of its own."""
    sender = uuid.uuid4().hex
    identity = Identity(sender, holder.customer_no, (holder.account_no,), 1, "web")
    headers = {"Authorization": f"Bearer {settings.rasa.rasa_token.get_secret_value()}"}

    async def turn() -> None:
        now = system_clock()
        proof = issue_identity(settings.api.identity_key.get_secret_value(), identity, now=now)
        metadata = {"identity": proof, "asked_at": now.isoformat(), "channel": "web"}
        body = {"sender": sender, "text": QUESTION, "kind": "typed", "metadata": metadata}
        answer = await client.post(f"{settings.api.rasa_url}/webhooks/bridge/turn", json=body, headers=headers)
        answer.raise_for_status()
        if "bill_card" not in answer.text:
            raise NoAnswer(f"Rasa answered without a bill: {answer.text[:300]}")

    return turn


async def _timed(turn: Turn) -> float:
    began = time.perf_counter()
    await turn()
    return time.perf_counter() - began


def _median(seconds: Sequence[float]) -> float:
    return statistics.median(seconds) * 1000
