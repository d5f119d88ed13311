"""A site whose parts can be killed, its customers and consoles, and what must hold of both sides afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing

import pytest

from ops.simulation.console import Console
from ops.simulation.customer import Customer
from ops.simulation.history import Case, cases_of, messages_of
from ops.simulation.site import Site, running
from ops.simulation.staff import Staff

SKILLS = ("repair", "business", "complaint")
STAFF = [
    Staff("all", SKILLS, capacity=5), Staff("late", SKILLS),
    *(Staff(f"victim{number}", (skill,)) for number, skill in enumerate(SKILLS)),
]  # fmt: skip
# A console shows a sign of life every 8 s at most: nobody can be missed sooner.
LIMITS = {"vanish_seconds": 12, "offer_seconds": 60, "wrap_up_minutes": 0.2, "nobody_minutes": 0.25}
BACK_WITHIN = 45.0
PERSON, DANGER, ANGER = "转人工", "路边的高压线断了，垂在地上，好多人围着看", "我要起诉你们供电公司"
NOBODY, CLOSED = "没有坐席在线", "不是人工服务时间"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("site"), STAFF, limits=LIMITS) as made:
        yield made


@pytest.fixture(autouse=True)
def empty_desk(site: Site) -> Iterator[None]:
    """Killed agents would be there for some time, and offered to."""
    yield
    with closing(sqlite3.connect(site.root / "bridge.db", timeout=10)) as database, database:
        database.execute("UPDATE agents SET status = 'offline'")


@asynccontextmanager
async def customer_at(site: Site) -> AsyncIterator[Customer]:
    customer = Customer(site.url)
    await customer.open()
    try:
        yield customer
    finally:
        await customer.close()


@asynccontextmanager
async def console_at(site: Site, login: str = "all") -> AsyncIterator[Console]:
    """A console of somebody who is online, and who is offline when the test is over."""
    console = Console(site.url, login)
    await console.sign_in()
    await console.come()
    try:
        yield console
    finally:
        await console.good("POST", "/me/status", status="offline")
        await console.close()


def case_of(site: Site, customer: Customer) -> Case:
    database = site.database("bridge")
    with closing(database.engine.raw_connection()):
        found = [case for case in cases_of(database) if case.conversation_id == customer.conversation_id]
    database.dispose()
    return found[-1]


async def assert_same_on_both_sides(site: Site, customer: Customer, console: Console) -> None:
    """What both were shown is the log as it stands, and what they said stands there once, in order."""
    database = site.database("bridge")
    log = messages_of(database)[customer.conversation_id]
    database.dispose()
    await customer.catch_up()
    assert customer.faults == []
    assert console.faults == []
    assert [seq for seq, _, _ in log] == list(range(1, len(log) + 1))
    assert [(row["seq"], row["author"], row["text"]) for row in customer.seen] == log
    shown = [(row["seq"], row["author"], row["text"]) for row in console.shown[customer.conversation_id]]
    assert shown == log[: len(shown)]
    assert [text for _, author, text in log if author == "customer"] == customer.said
    assert [text for _, author, text in log if author == "agent"] == console.said[customer.conversation_id]


async def offered(console: Console, customer: Customer) -> int:
    """Wait until the case is offered to this agent and return its number."""
    until_at = time.monotonic() + BACK_WITHIN
    while time.monotonic() < until_at:
        for case in (await console.inbox())["offers"]:
            if case["conversation_id"] == customer.conversation_id:
                return int(case["handoff_id"])
        await asyncio.sleep(0.2)
    raise AssertionError("nothing was offered")


async def fall(site: Site) -> None:
    """Let the bridge die and come back."""
    site.kill()
    await asyncio.sleep(0.3)
    site.launch()
    await asyncio.to_thread(site.wait)
