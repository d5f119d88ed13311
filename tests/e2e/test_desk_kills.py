"""The bridge and the agents may die in any state. Both sides see the same, nobody waits untold."""

from __future__ import annotations

import asyncio
import multiprocessing as mp
import os
import signal
import sqlite3
import time
from contextlib import closing

import pytest
from desk_kills_kit import (
    ANGER,
    BACK_WITHIN,
    DANGER,
    PERSON,
    SKILLS,
    assert_same_on_both_sides,
    case_of,
    console_at,
    customer_at,
    empty_desk,
    fall,
    offered,
    site,
)

from ops.child import die_with_parent
from ops.simulation.console import Console
from ops.simulation.customer import Customer
from ops.simulation.site import Site
from ops.simulation.wire import GaveUp, until

pytestmark = pytest.mark.alone

__all__ = ["empty_desk", "site"]  # fixtures


# -- the bridge


@pytest.mark.parametrize("state", ["queued", "offered", "human", "wrap_up"])
async def test_a_bridge_killed_in_any_state_of_a_handoff_goes_on_in_it_with_nothing_lost_or_doubled(
    state: str, site: Site
) -> None:
    async with customer_at(site) as customer, console_at(site) as console:
        if state == "queued":
            await console.good("POST", "/me/status", status="away")
        await customer.say(PERSON)
        await customer.wait_for("queued")
        if state == "queued":
            _, _ = await asyncio.gather(fall(site), customer.say("排队的时候说的"))
            await console.good("POST", "/me/status", status="online")
        handoff = await offered(console, customer)
        if state == "offered":
            _, _ = await asyncio.gather(fall(site), customer.say("有人要接的时候说的"))
        await console.good("POST", f"/cases/{handoff}/accept")
        key = customer.conversation_id
        await console.open(key)
        await customer.wait_for("human")
        if state == "human":
            await asyncio.gather(fall(site), customer.say("说话的时候说的"), console.say(key, "我在看"))
        await console.say(key, "您好")
        await console.good("POST", f"/conversations/{key}/finish")
        if state == "wrap_up":
            _, _ = await asyncio.gather(fall(site), customer.say("还有一件事"))
            await console.say(key, "您说，我听着")  # the customer's words had brought the agent back
        last = customer.seen[-1]["seq"]
        await console.catch_up(key, last)
        await console.end(key)
        await customer.wait_for("bot")
        await assert_same_on_both_sides(site, customer, console)
        case = case_of(site, customer)
        assert (case.end, case.holders_at_once) == ("answered", 1)


async def test_what_an_agent_wrote_just_before_the_bridge_died_reaches_the_customer_once(site: Site) -> None:
    """Killed as soon as the row is in the log: what is pushed after that comes from the log alone."""
    async with customer_at(site) as customer, console_at(site) as console:
        await customer.say(PERSON)
        await console.good("POST", f"/cases/{await offered(console, customer)}/accept")
        key = customer.conversation_id
        await console.open(key)
        for number in range(3):
            words = f"断线前的第{number}句"
            saying = asyncio.create_task(console.say(key, words))
            await asyncio.to_thread(_wait_for_row, site, words)
            await fall(site)
            await saying
            await customer.wait_for_words(words)
            await customer.say(f"看到了，第{number}句")
        await console.catch_up(key, (await customer.history())[-1]["seq"])
        await assert_same_on_both_sides(site, customer, console)
        await console.end(key)


def _wait_for_row(site: Site, words: str) -> None:
    end = time.monotonic() + 10
    with closing(sqlite3.connect(f"file:{site.root}/bridge.db?mode=ro", uri=True)) as log:
        while not log.execute("SELECT 1 FROM messages WHERE text = ?", (words,)).fetchone():
            assert time.monotonic() < end, "never written"


# -- agents


def _victim(url: str, login: str, does: str) -> None:
    """An agent in a process of its own, who gets as far as `does` and then sits there until he is killed."""
    die_with_parent(signal.SIGKILL)

    async def work() -> None:
        offers: asyncio.Queue[dict[str, int | str]] = asyncio.Queue()
        console = Console(url, login, offered=offers.put_nowait)
        await console.sign_in()
        await console.come()
        case = await offers.get()
        key = str(case["conversation_id"])
        if does != "offered":
            await console.good("POST", f"/cases/{case['handoff_id']}/accept")
            await console.open(key)
            await console.say(key, "您好，我看一下")
        if does == "wrap_up":
            await console.good("POST", f"/conversations/{key}/finish")
        await asyncio.sleep(600)

    asyncio.run(work())


async def test_agents_killed_in_any_state_leave_their_customers_at_the_head_of_the_queue(site: Site) -> None:
    context = mp.get_context("spawn")
    plan = {"repair": "wrap_up", "business": "human", "complaint": "offered"}
    victims = [
        context.Process(target=_victim, args=(site.url, f"victim{number}", plan[skill]), daemon=True)
        for number, skill in enumerate(SKILLS)
    ]  # fmt: skip
    for victim in victims:
        victim.start()
    try:
        await until(lambda: _present(site) == 3, within=40, what="three victims")
        async with (
            customer_at(site) as written, customer_at(site) as talking, customer_at(site) as offer,
            customer_at(site) as behind,
        ):  # fmt: skip
            await written.say(DANGER)
            await talking.say(PERSON)
            await offer.say(ANGER)
            for one in (written, talking):
                try:
                    await one.wait_for_words("我看一下")
                except GaveUp as error:
                    ends = [victim.exitcode for victim in victims]  # None: it is still there
                    raise AssertionError(f"no greeting; victims {ends}, {case_of(site, one)}") from error
            await until(lambda: case_of(site, written).at("wrap_up") is not None, within=10, what="wrap-up")
            await until(lambda: case_of(site, offer).at("offered") is not None, within=10, what="an offer")
            await behind.say(PERSON)
            for victim in victims:
                os.kill(victim.pid or 0, signal.SIGKILL)
            await talking.wait_for("queued", within=BACK_WITHIN)
            await talking.wait_for_words("网络断了")
            assert (await talking.queue())["place"] == 1
            assert (await behind.queue())["place"] == 2
            await until(lambda: case_of(site, offer).at("offer_expired") is not None, within=BACK_WITHIN, what="lapse")
            await written.wait_for("bot", within=BACK_WITHIN)  # nothing was left to say: its deadline ends it
            await _rescue(site, offer, talking, behind)
            assert [case_of(site, one).holders_at_once for one in (written, talking, offer, behind)] == [1] * 4
    finally:
        for victim in victims:
            victim.kill()
            victim.join()


async def _rescue(site: Site, offer: Customer, talking: Customer, behind: Customer) -> None:
    """One who has room for one comes: the conversation that was given back is the first of its skill."""
    async with console_at(site, "late") as console:
        order: list[str] = []
        for _ in range(3):
            case = await _next_offer(console)
            order.append(case["conversation_id"])
            await console.good("POST", f"/cases/{case['handoff_id']}/accept")
            await console.open(order[-1])
            await console.say(order[-1], "我接着给您办")
            await console.end(order[-1], then="close")
        assert order[0] == talking.conversation_id
        assert set(order) == {one.conversation_id for one in (offer, talking, behind)}
        for one in (offer, talking, behind):
            await one.wait_for("closed")
            await one.catch_up()
            assert one.faults == []


async def _next_offer(console: Console) -> dict[str, str]:
    end = time.monotonic() + BACK_WITHIN
    while time.monotonic() < end:
        if offers := (await console.inbox())["offers"]:
            found: dict[str, str] = offers[0]
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("nothing was offered")


def _present(site: Site) -> int:
    with closing(sqlite3.connect(f"file:{site.root}/bridge.db?mode=ro", uri=True)) as database:
        query = "SELECT count(*) FROM agents WHERE status = 'online' AND login LIKE 'victim%' AND last_seen_at NOT NULL"
        [(count,)] = database.execute(query)
        return int(count)
