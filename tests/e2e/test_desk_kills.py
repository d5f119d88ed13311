"""The bridge, the agents, Rasa, the database: any of them may be gone. Both sides see the same, nobody waits untold."""

from __future__ import annotations

import asyncio
import multiprocessing as mp
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing

import pytest

from ops.child import die_with_parent
from ops.simulation.console import Console
from ops.simulation.customer import Customer
from ops.simulation.history import Case, cases_of, messages_of
from ops.simulation.site import Site, running
from ops.simulation.staff import Staff
from ops.simulation.wire import until

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
def _desk_is_empty(site: Site) -> Iterator[None]:
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
            await written.wait_for_words("我看一下")
            await talking.wait_for_words("我看一下")
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


# -- Rasa, the agents' absence, the database


async def test_without_rasa_a_person_can_be_had_and_the_failure_is_said(site: Site) -> None:
    async with customer_at(site) as asks, customer_at(site) as fails:
        [answer] = await asks.say(PERSON)
        assert NOBODY in answer["text"] or CLOSED in answer["text"]
        assert asks.mode == "queued" or await asks.wait_for("queued")
        [sorry] = await fails.say("我上个月电费多少")
        assert "95598" in sorry["text"]
        assert [one["title"] for one in sorry["buttons"]] == ["再试一次", "转人工"]
        told = await fails.say("我上个月电费多少啊")
        assert "智能客服这会儿出了故障" in told[-1]["text"]
        assert await fails.wait_for("queued")
        for one in (asks, fails):
            await one.press("不等了，继续问电小服")
            await one.wait_for("bot")
        assert case_of(site, fails).end == "left"


async def test_with_no_agent_on_duty_the_truth_is_told_and_what_is_left_is_answered(site: Site) -> None:
    async with customer_at(site) as leaves, customer_at(site) as waits:
        [told] = await leaves.say(PERSON)
        await waits.say(PERSON)
        assert NOBODY in told["text"] or CLOSED in told["text"]
        assert "最迟" in told["text"]
        standing = await leaves.queue()
        assert (standing["on_duty"], standing["expected_wait_seconds"]) == (False, None)
        await leaves.press("给坐席留言")
        [taken] = await leaves.say("请坐席帮我查一下户名改好了没有")
        assert "最迟" in taken["text"]
        await waits.wait_for_words("已经作为留言转给坐席", within=40)  # without a word of his
        assert waits.mode == "bot"
        async with console_at(site) as console:
            left = {case["conversation_id"]: case for case in (await console.inbox())["messages"]}
            for one in (leaves, waits):
                case = left[one.conversation_id]
                assert case["due_at"]
                await console.good("POST", f"/cases/{case['handoff_id']}/claim")
                await console.open(one.conversation_id)
                await console.say(one.conversation_id, "您的留言看到了，已经改好")
                await one.wait_for_words("已经改好")
                await console.end(one.conversation_id)
                await one.wait_for("bot")
                assert case_of(site, one).holders_at_once == 1


async def test_the_desk_goes_on_after_the_database_was_away(site: Site) -> None:
    """Another process holds the database for longer than anybody waits for it."""
    async with customer_at(site) as customer, console_at(site) as console:
        await console.good("POST", "/me/status", status="away")
        await customer.say(PERSON)
        offset = site.log.stat().st_size
        holder = sqlite3.connect(site.root / "bridge.db", isolation_level=None)
        with closing(holder):
            await console.good("POST", "/me/status", status="online")
            holder.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(12)
            holder.execute("ROLLBACK")
        assert "database_unavailable" in site.log.read_text()[offset:]
        await console.good("POST", f"/cases/{await offered(console, customer)}/accept")
        await customer.wait_for("human")
        await console.open(customer.conversation_id)
        await console.say(customer.conversation_id, "让您久等了")
        await customer.wait_for_words("让您久等了")
        await console.end(customer.conversation_id)
