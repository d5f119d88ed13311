"""The processes of a drill: some are customers, some are agents. Each talks to the bridge over the network alone."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import Any

from ops.child import die_with_parent
from ops.simulation.console import Console
from ops.simulation.customer import Customer
from ops.simulation.plan import Shift, Visit
from ops.simulation.wire import Frame, GaveUp, until

SPACING = 6.0  # seconds between two things that an agent says
LONGEST = 3.0  # times the mean, or the last talk alone would hold up the drill
BYE = "您反映的情况都处理好了，再见。"
DECLINES, IGNORES = 0.03, 0.02
LEAVES, LEAVES_MESSAGE = "不等了，继续问电小服", "给坐席留言"
LEFT_MESSAGE = "message_wanted"  # type of the bridge's answer to who leaves a message
Line = tuple[int, str, str]  # sequence number, author, text


@dataclass
class CustomerReport:
    """What a customer saw and did."""

    number: int
    conversation_id: str = ""
    end: str = ""  # answered, left, message
    seen: list[Line] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    cuts: int = 0
    queued_at: float | None = None  # time.time() when the bridge had answered the wish for a person


@dataclass
class AgentReport:
    """What an agent saw and did, by conversation."""

    login: str
    shown: dict[str, list[Line]] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    let_go: int = 0  # offers declined or not looked at
    cuts: int = 0


@dataclass(frozen=True)
class Links:
    """What joins a process of the drill to the one that started it; `began`: when customers begin to come."""

    url: str
    reports: Queue[Any]
    began: Any  # multiprocessing.Value of a double: time.time() of the start, 0 until all are there
    stop: Event
    patience: float


def customers(links: Links, visits: Sequence[tuple[Visit, str | None]]) -> None:
    """Be some customers (each with a token, or none); for a process of its own."""
    _run(links, [_customer(links, visit, token) for visit, token in visits])


def agents(links: Links, shifts: Sequence[Shift]) -> None:
    """Be some agents until told to stop; for a process of its own."""
    _run(links, [_Agent(links, shift).work() for shift in shifts])


def _run(links: Links, people: Sequence[Coroutine[Any, Any, CustomerReport | AgentReport]]) -> None:
    die_with_parent(signal.SIGKILL)

    async def all_of_them() -> None:
        for one in asyncio.as_completed([asyncio.ensure_future(person) for person in people]):
            links.reports.put(await one)

    asyncio.run(all_of_them())


# -- customers


async def _customer(links: Links, visit: Visit, token: str | None) -> CustomerReport:
    report = CustomerReport(visit.number)
    while not links.began.value:
        await asyncio.sleep(0.05)
    await asyncio.sleep(max(0.0, links.began.value + visit.at - time.time()))
    customer = Customer(links.url, token=token, patience=links.patience)
    try:
        await customer.open()
        report.conversation_id = customer.conversation_id
        await customer.say(visit.opening)
        report.queued_at = time.time()
        if visit.unsteady:
            await customer.say_again()
        await customer.wait_for("queued", "human")
        report.end = await _visit(customer, visit, links.patience)
        await customer.catch_up()
    except Exception as error:
        report.faults.append(f"customer {visit.number}: {type(error).__name__}: {error}")
    report.seen = [_line(row) for row in customer.seen]
    report.said, report.cuts = customer.said, customer.cuts
    report.faults += [f"customer {visit.number}: {fault}" for fault in customer.faults]
    await customer.close()
    return report


async def _visit(customer: Customer, visit: Visit, patience: float) -> str:
    """Wait for the person and talk to him, or give up."""
    try:
        await customer.wait_for("human", within=visit.patience or patience)
    except GaveUp:
        if visit.patience is None:
            raise
        if await customer.press(LEAVES_MESSAGE if visit.leaves_message else LEAVES):
            return "message" if visit.leaves_message else "left"
        # no answer to that: an agent was quicker, and has read it
    await _talk(customer, visit)
    return "answered"


async def _talk(customer: Customer, visit: Visit) -> None:
    """Answer each line of the agent but the last, until the person is gone."""
    answered = 0
    while customer.mode in ("human", "queued"):
        lines = customer.words("agent")
        if len(lines) > answered and lines[answered] != BYE and customer.mode == "human":
            answered += 1
            await customer.say(_answer(answered), twice=visit.unsteady)
            if visit.unsteady:
                customer.cut()
        await asyncio.sleep(0.1)


def _answer(number: int) -> str:
    return f"我这边的情况，第{number}点是这样"


# -- agents


class _Agent:
    """One agent: takes nearly every offer, and has a case for an exponential time."""

    def __init__(self, links: Links, shift: Shift) -> None:
        self._links, self._shift, self._chance = links, shift, random.Random(shift.seed)
        self._console = Console(links.url, shift.login, offered=self._offered, patience=links.patience)
        self._report = AgentReport(shift.login)
        self._offers: asyncio.Queue[Frame] = asyncio.Queue()

    async def work(self) -> AgentReport:
        """Work until told to stop and return what happened."""
        console, report = self._console, self._report
        try:
            await console.sign_in()
            await console.come()
            self._links.reports.put(self._shift.login)  # he is there
            while not self._links.stop.is_set():
                with suppress(TimeoutError):
                    await self._take(await asyncio.wait_for(self._offers.get(), 0.5))
        except Exception as error:
            report.faults.append(f"{self._shift.login}: {type(error).__name__}: {error}")
        report.shown = {key: [_line(row) for row in rows] for key, rows in console.shown.items()}
        report.said, report.cuts = console.said, console.cuts
        report.faults += console.faults
        await console.close()
        return report

    def _offered(self, case: Frame) -> None:
        self._offers.put_nowait(case)

    async def _take(self, case: Frame) -> None:
        console, path, whim = self._console, f"/cases/{case['handoff_id']}", self._chance.random()
        if whim < DECLINES + IGNORES:
            self._report.let_go += 1
            if whim < DECLINES:
                await console.post(f"{path}/decline")
            return
        answer = await console.post(f"{path}/accept")
        if answer.status_code == 200:
            await self._serve(case["conversation_id"])
        elif answer.status_code not in (403, 409):  # the customer has left, or the offer was over
            self._report.faults.append(f"{self._shift.login}: {answer.status_code} {answer.text}")

    async def _serve(self, conversation_id: str) -> None:
        console, mean = self._console, self._shift.mean_seconds
        end = time.monotonic() + min(self._chance.expovariate(1 / mean), LONGEST * mean)
        detail = await console.open(conversation_id)
        # He may have left a message while it was offered: then it is answered, and nobody is there who would reply.
        there = all(row["type"] != LEFT_MESSAGE for row in detail["messages"])
        number, unsteady = 0, self._chance.random() < 0.2
        while number == 0 or time.monotonic() + SPACING < end:
            number += 1
            await console.say(conversation_id, f"您好，我看一下第{number}个问题", twice=unsteady)
            if unsteady:
                console.cut()
            if there:
                await self._hears(conversation_id, number)
            await asyncio.sleep(max(0.0, min(SPACING, end - time.monotonic())))
        last = await console.say(conversation_id, BYE)
        await console.catch_up(conversation_id, last["seq"])
        await console.end(conversation_id, then=self._chance.choice(("bot", "close")))

    async def _hears(self, conversation_id: str, number: int) -> None:
        """Wait for the customer's answer to a line: nobody talks to himself."""

        def heard() -> bool:
            rows = self._console.shown[conversation_id]
            return any(row["author"] == "customer" and row["text"] == _answer(number) for row in rows)

        await until(heard, within=self._links.patience, what=f"{self._shift.login}: an answer to line {number}")


def _line(row: dict[str, Any]) -> Line:
    return row["seq"], row["author"], row["text"]
