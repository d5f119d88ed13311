"""Two thousand messages of sixty WeChat users while the bridge and Rasa are killed: each done once, answered once.

Most are answered by the bridge itself, each with a code of its own; the rest by Rasa, by the queue and by a person.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, product
from typing import Any

import httpx
import pytest
from conftest import within
from test_kills import RECOVERED, ready
from wechat_kit import BUSY, Logged, WeChatStack, differences, log_of, unsettled

from core.seed.agents import DEMO_PASSWORD
from ops.simulation.console import Console
from ops.simulation.wire import GaveUp
from tests.fake_wechat.process import FakeWeChat, Shown

SEED = 20260
AT_ONCE = 24  # messages on their way: the storm is as fast as the machine
KILLS = ((250, "api"), (550, "rasa"), (900, "api"), (1300, "api"), (1600, "rasa"))  # when so many are under way or over
APOLOGIES = 10  # people who ask while Rasa is away, once; then all wait (who is failed twice is given to a person)
PLAN = {"seed": SEED, "delay": (0.0, 0.4), "duplicate": 0.06, "swap": 0.08, "hang_up": 0.04, "hang_up_within": 1.0}
# How many users there are of each kind, and what each of them sends.
TALKERS, VISITORS, WAITERS = 20, 30, 10
ASKED, CODES, WAITED = 20, 34, 38
PERSON, DANGER = "转人工，第{}号", "路边的高压线断了垂在地上，第{}处"
QUESTIONS = (
    "你好", "谢谢你啊", "你是谁", "阶梯电价怎么算", "峰谷电价几点到几点", "怎么交电费", "你能干什么",
    "电价是多少钱一度", "营业厅几点上班", "智能电表怎么看度数", "欠费会停电吗", "怎么改名过户",
)  # fmt: skip
CODE = re.compile(r"\d{4} \d{4}")


@dataclass
class Person:
    """Somebody with a phone, and what they write."""

    openid: str
    lines: list[str]


def codes() -> Iterator[str]:
    """Different ways to ask for a code of the hall."""
    words, places = ("请", "麻烦", "帮我", "给我", "我要", "来", "出", "发"), ("营业厅", "柜台", "柜面", "大厅", "网点")
    for length in count(1):
        for place, *before in product(places, *[words] * length):
            yield "".join([*before, place, "码"])


def people(draw: random.Random) -> list[Person]:
    """Make up everybody and what they will say."""
    code, number = codes(), count(1)
    made = []
    for place in range(TALKERS + VISITORS + WAITERS):
        if place < TALKERS:
            said = [f"{draw.choice(QUESTIONS)}（第{next(number)}问）" for _ in range(ASKED)]
            said += [next(code) for _ in range(30 - ASKED)]
            draw.shuffle(said)
        elif place < TALKERS + VISITORS:
            said = [next(code) for _ in range(CODES)]
        else:
            first = (DANGER if place % 2 else PERSON).format(place)
            said = [first, *(f"我说的第{next(number)}句" for _ in range(WAITED - 1))]
        made.append(Person(f"oStorm{place:022d}", said))
    return made


class Agent(Console):
    """An agent who says to each message that he has read it."""

    async def sign_in(self) -> None:
        body = {"login": self.login, "password": DEMO_PASSWORD}
        answer = (await self._wire.call("POST", "/v1/desk/login", json=body)).raise_for_status().json()
        self.agent_id, self._csrf = answer["agent"]["id"], answer["csrf_token"]

    async def work(self) -> None:
        """Take what is offered and answer, until cancelled."""
        mine: set[str] = set()
        answered: set[tuple[str, int]] = set()
        while True:
            for case in (await self.inbox())["offers"]:
                if (await self.post(f"/cases/{case['handoff_id']}/accept")).is_success:
                    mine.add(case["conversation_id"])
            for conversation_id in sorted(mine):
                try:
                    await self._answer(conversation_id, answered)
                except GaveUp:
                    mine.discard(conversation_id)
            await asyncio.sleep(1.0)

    async def _answer(self, conversation_id: str, answered: set[tuple[str, int]]) -> None:
        detail = (await self.good("GET", f"/conversations/{conversation_id}")).json()
        for message in detail["messages"]:
            key = (conversation_id, message["seq"])
            if message["author"] == "customer" and key not in answered:
                client_id = uuid.uuid5(uuid.NAMESPACE_OID, f"{key}").hex
                body = {"client_id": client_id, "text": f"看到了：{message['text']}"}
                await self.good("POST", f"/conversations/{conversation_id}/messages", **body)
                answered.add(key)


class Storm:
    """Sends everything, in a random order of people, and kills."""

    def __init__(self, stack: WeChatStack, everybody: list[Person], draw: random.Random) -> None:
        self.stack, self.everybody, self.draw = stack, everybody, draw
        self.killed: Counter[str] = Counter()
        self._begun, self._places = 0, asyncio.Semaphore(AT_ONCE)
        self._rasa, self._vain = asyncio.Event(), set[str]()
        self.http = httpx.AsyncClient(base_url=stack.wechat.url, timeout=120, trust_env=False)

    async def run(self) -> None:
        agents = [Agent(self.stack.url, login, patience=60.0) for login in ("hemin", "zhoujian")]
        for one in agents:
            await one.sign_in()
            await one.come()
        self._rasa.set()
        working = [asyncio.create_task(one.work()) for one in agents]
        writing = [asyncio.create_task(self._write(one)) for one in self.everybody]
        await asyncio.gather(*writing, self._kill())
        await self._post("idle", timeout=60)
        for task in working:
            assert not task.done(), task
            task.cancel()
        for one in agents:
            await one.close()
        await self.http.aclose()

    async def _write(self, one: Person) -> None:
        """Write line after line; several may be on their way at once."""
        under_way = set()
        for text in one.lines:
            if text.endswith("问）"):
                await self._ask(one)
            await self._places.acquire()
            under_way.add(asyncio.create_task(self._send(one.openid, text)))
            await asyncio.sleep(self.draw.expovariate(4.0))
        await asyncio.gather(*under_way)

    async def _send(self, openid: str, text: str) -> None:
        self._begun += 1
        try:
            await self._post("act", do="say", openid=openid, text=text)
        finally:
            self._places.release()

    async def _ask(self, one: Person) -> None:
        """Ask Rasa; while it is away only a few do."""
        if not self._rasa.is_set() and one.openid not in self._vain and len(self._vain) < APOLOGIES:
            self._vain.add(one.openid)
            return
        await self._rasa.wait()

    async def _kill(self) -> None:
        for count_, name in KILLS:
            while self._begun < count_:
                await asyncio.sleep(0.05)
            if name == "rasa":
                self._rasa.clear()
                self._vain.clear()
                self._back = asyncio.create_task(self._wait_for_rasa())
            self.killed[name] += bool(await asyncio.to_thread(self.stack.kill, name))
        await self._back

    async def _wait_for_rasa(self) -> None:
        await asyncio.sleep(1.0)
        while not await asyncio.to_thread(ready, self.stack):
            await asyncio.sleep(0.5)
        self._rasa.set()

    async def _post(self, path: str, **body: Any) -> None:
        (await self.http.post(f"/_fake/{path}", json=body)).raise_for_status()


@dataclass(frozen=True)
class After:
    """How it stands when all is over."""

    people: list[Person]
    logs: dict[str, list[Logged]]
    phones: dict[str, list[Shown]]
    asked_again: set[str]
    killed: Counter[str]
    said_again: int
    seconds: float


@pytest.fixture(scope="module")
def after(wechat_stack: WeChatStack) -> After:
    stack = wechat_stack
    assert within(RECOVERED, lambda: ready(stack)), stack.last_words()
    began, draw, wechat = time.monotonic(), random.Random(SEED), stack.wechat
    everybody = people(draw)
    wechat.users(*(one.openid for one in everybody))
    manners = [(mode, form) for mode in ("plain", "compatible", "safe") for form in ("xml", "json")]
    wechat.settings(apart={one.openid: manners[place % 6] for place, one in enumerate(everybody)})
    wechat.plan(**PLAN)
    storm = Storm(stack, everybody, draw)
    asyncio.run(storm.run())
    wechat.plan()
    assert within(RECOVERED, lambda: ready(stack)), stack.last_words()
    said_again = say_again_what_was_lost(stack, everybody)
    assert within(60, lambda: not unsettled(stack)), (unsettled(stack), stack.last_words())
    fetch_what_is_parked(stack)
    logs = {one.openid: log_of(stack, one.openid) for one in everybody}
    phones = {one.openid: wechat.phone(one.openid) for one in everybody}
    if os.environ.get("I_DUMP"):
        import pickle

        pickle.dump((logs, phones, wechat.pushes(), wechat.refused(), wechat.counters()), open("/tmp/i/dump.pkl", "wb"))
    return After(everybody, logs, phones, tried_again(wechat), storm.killed, said_again, time.monotonic() - began)


def tried_again(wechat: FakeWeChat) -> set[str]:
    """Return the pushes that were not answered at the first try."""
    tries = ((one.fields["MsgId"], [each for each in one.tries if not each["duplicate"]]) for one in wechat.pushes())
    return {f"msg:{number}" for number, made in tries if len(made) > 1}


def say_again_what_was_lost(stack: WeChatStack, everybody: list[Person]) -> int:
    """Do what a person does who is shown that the service is out of order: write it again. Return how often."""
    kept = {text for (text,) in stack.rows("bridge", "SELECT text FROM messages WHERE author = 'customer'")}
    lost = [(one, text) for one in everybody for text in one.lines if text not in kept]
    for one, text in lost:
        shown = stack.wechat.phone(one.openid)
        assert any(thing.way == "notice" or thing.text == BUSY for thing in shown), text
        stack.wechat.say(one.openid, text)
    return len(lost)


def fetch_what_is_parked(stack: WeChatStack) -> None:
    """Let everybody for whom something is kept write once more: it comes along."""
    parked = stack.rows(
        "bridge", "SELECT DISTINCT u.user_id FROM deliveries d JOIN channel_users u ON u.id = d.channel_user_id"
        " WHERE d.state = 'parked'",
    )  # fmt: skip
    for (openid,) in parked:
        stack.wechat.say(openid, "柜台码")
    assert within(60, lambda: not unsettled(stack)), (unsettled(stack), stack.last_words())
    assert not stack.rows("bridge", "SELECT id FROM deliveries WHERE state = 'parked'")


def test_every_message_is_in_the_log_once_and_its_turn_is_done_once(after: After) -> None:
    sent = sorted(text for one in after.people for text in one.lines)
    assert len(sent) == len(set(sent)) == 2000
    said = [row for log in after.logs.values() for row in log if row.author == "customer" and row.text != "柜台码"]
    assert sorted(row.text for row in said) == sent
    assert {row.turn for row in said} == {"done"}
    for log in after.logs.values():
        assert [row.seq for row in log] == list(range(1, len(log) + 1))
    assert after.killed == {"api": 3, "rasa": 2}
    assert after.said_again <= 5 * AT_ONCE  # what was under way when the bridge died, if it was away too long


def test_every_phone_shows_what_the_log_says_once_and_in_order(after: After) -> None:
    found = {openid: differences(after.phones[openid], log, after.asked_again) for openid, log in after.logs.items()}
    assert {openid: wrong for openid, wrong in found.items() if wrong} == {}


def test_every_message_has_its_answer(after: After) -> None:
    """The bridge and Rasa owe one; who talks to a person has said so before."""
    understood, owed = 0, []
    for log in after.logs.values():
        replies = Counter(row.in_reply_to for row in log if row.author != "customer" and row.in_reply_to is not None)
        person = next((row.seq for row in log if row.author == "agent"), len(log) + 1)
        for row in log:
            if row.author == "customer" and row.text.endswith("码"):
                assert replies[row.seq] == 1, row
            elif row.author == "customer" and not replies[row.seq] and row.seq < person - 1:
                owed.append(row)
            understood += row.text.endswith("问）") and row.understood
    assert owed == []
    assert understood >= 300


def test_each_code_is_another_and_stands_on_one_phone_once(after: After) -> None:
    issued = Counter(
        code for log in after.logs.values() for row in log if row.author == "system" for code in CODE.findall(row.text)
    )
    shown = Counter(
        code for phone in after.phones.values() for one in phone if one.way != "own" for code in CODE.findall(one.text)
    )
    assert set(issued.values()) == {1}
    assert shown == issued


def test_each_danger_has_one_order(wechat_stack: WeChatStack, after: After) -> None:
    told = [row for log in after.logs.values() for row in log if row.author == "customer" and "高压线断了" in row.text]
    filed = Counter(cause for (cause,) in wechat_stack.rows("workorder", "SELECT cause FROM work_orders"))
    mine = {cause: many for cause, many in filed.items() if any(cause.startswith(row.conversation_id) for row in told)}
    assert mine == {f"{row.conversation_id}:{row.seq}": 1 for row in told}
    assert len(told) == WAITERS // 2


def test_wechat_refused_nothing_that_the_bridge_holds_for_sent(wechat_stack: WeChatStack, after: After) -> None:
    refused = [one for one in wechat_stack.wechat.refused("custom/send") if one["openid"] in after.logs]
    assert refused == []
    query = (
        "SELECT d.state, d.way, d.error, count(*) FROM deliveries d JOIN channel_users u ON u.id = d.channel_user_id"
        " WHERE u.user_id LIKE 'oStorm%' GROUP BY d.state, d.way, d.error"
    )
    ways = wechat_stack.rows("bridge", query)
    print(f"storm: {after.seconds:.0f} s, said again {after.said_again}, {ways}, {wechat_stack.wechat.counters()}")
    assert {state for state, *_ in ways} == {"sent"}
    assert {way for _, way, *_ in ways} <= {"passive", "service"}
