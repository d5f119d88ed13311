"""A storm of messages from sixty WeChat users, the deaths in it, and how it stood when it was over."""

from __future__ import annotations

import asyncio
import random
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, product
from typing import Any

import httpx
from conftest import within
from test_kills import ready
from wechat_kit import BUSY, Logged, WeChatStack, unsettled

from core.seed.agents import DEMO_PASSWORD
from ops.simulation.console import Console
from ops.simulation.wire import GaveUp
from tests.fake_wechat.process import FakeWeChat, Shown

SEED = 20260
AT_ONCE = 24  # messages on their way: the storm is as fast as the machine
KILLS = ((250, "api"), (550, "rasa"), (900, "api"), (1300, "api"), (1600, "rasa"))  # when so many are under way or over
APOLOGIES = 4  # people who ask while Rasa is away, once; then all wait (who is failed twice is given to a person)
PLAN = {"seed": SEED, "delay": (0.0, 0.4), "duplicate": 0.06, "swap": 0.08, "hang_up": 0.04, "hang_up_within": 1.0}
# How many users there are of each kind, and what each of them sends.
TALKERS, VISITORS, WAITERS = 20, 30, 10
ASKED, CODES, WAITED = 20, 34, 38
PERSON, DANGER = "转人工，第{}号", "路边的高压线断了垂在地上，第{}处"
QUESTIONS = (
    "你好", "谢谢你啊", "你是谁", "阶梯电价怎么算", "峰谷电价几点到几点", "怎么交电费", "你能干什么",
    "电价是多少钱一度", "营业厅几点上班", "智能电表怎么看度数", "欠费会停电吗", "怎么改名过户",
)  # fmt: skip
RATHER_ASK, CODE_AGAIN = "不等了", "柜台码"  # said besides the two thousand
QUEUED = "人工队列"
SERVED = "为您服务。前面的对话"  # what the log says when a person takes over
# Answers that went into a connection which was cut that very moment, just before the bridge died and could hear no
# retry: nobody can know. The phone says then that the service is out of order, and the page has the answer.
UNHEARD = 4
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
        """Write line after line; but for questions several may be on their way at once."""
        under_way = set()
        for text in one.lines:
            if text.endswith("问）"):
                await self._ask(one)
            await self._places.acquire()
            under_way.add(sending := asyncio.create_task(self._send(one.openid, text)))
            if text.endswith("问）"):
                await sending  # who asks waits for the answer, or for Tencent's patience to end
            await asyncio.sleep(self.draw.expovariate(4.0))
        await asyncio.gather(*under_way)

    async def _send(self, openid: str, text: str) -> None:
        self._begun += 1
        try:
            await self._post("act", do="say", openid=openid, text=text)
        finally:
            self._places.release()

    async def _ask(self, one: Person) -> None:
        """Ask Rasa; while it is away only a few do. Who was given to the queue by then would rather ask the bot."""
        if await asyncio.to_thread(self._mode, one.openid) == "queued":
            await self._post("act", do="say", openid=one.openid, text=RATHER_ASK)
        if not self._rasa.is_set() and one.openid not in self._vain and len(self._vain) < APOLOGIES:
            self._vain.add(one.openid)
            return
        await self._rasa.wait()

    def _mode(self, openid: str) -> str:
        query = (
            "SELECT c.mode FROM conversations c JOIN channel_users u ON u.conversation_id = c.id WHERE u.user_id = ?"
        )
        return next((mode for (mode,) in self.stack.rows("bridge", query, openid)), "")

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
        before = self._starts()
        while self._starts() == before or not await asyncio.to_thread(ready, self.stack):
            await asyncio.sleep(0.5)
        self._rasa.set()

    def _starts(self) -> int:
        return self.stack.log.read_text(errors="replace").count("rasa is ready")

    async def _post(self, path: str, **body: Any) -> None:
        (await self.http.post(f"/_fake/{path}", json=body)).raise_for_status()


@dataclass(frozen=True)
class After:
    """How it stands when all is over."""

    people: list[Person]
    logs: dict[str, list[Logged]]
    phones: dict[str, list[Shown]]
    tries: dict[str, list[str]]  # of each push
    noticed: set[str]  # pushes after which the phone said that the service was out of order
    killed: Counter[str]
    said_again: int
    seconds: float


def tries_of(wechat: FakeWeChat) -> tuple[dict[str, list[str]], set[str]]:
    """Return how the tries of each push went, and after which the phone said that the service was out of order."""
    pushes = {f"msg:{one.fields['MsgId']}": one for one in wechat.pushes() if "MsgId" in one.fields}
    tries = {name: [each["result"] for each in one.tries if not each["duplicate"]] for name, one in pushes.items()}
    return tries, {name for name, one in pushes.items() if one.outcome == "notice"}


def tried(after: After, openid: str) -> list[str]:
    """Return how the tries of a user's messages went that were not taken at the first: to be read after a failure."""
    tries = ((row.seq, row.external_id or "", after.tries.get(row.external_id or "")) for row in after.logs[openid])
    return [
        f"message {seq} was tried: {results}{', then noticed' * (push in after.noticed)}"
        for seq, push, results in tries
        if results not in (None, ["reply"], ["success"])
    ]


def unheard_of(after: After, openid: str) -> list[Logged]:
    """Return the answers that a phone does not have because its connection and the bridge went together."""
    log, shown = after.logs[openid], "".join(one.text for one in after.phones[openid]).split()
    cut = {
        row.seq for row in log
        if row.external_id in after.noticed and {"cut", "reset"} & set(after.tries[row.external_id])
    }  # fmt: skip
    return [row for row in log if row.in_reply_to in cut and not row.as_shown.search("".join(shown))]


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
        stack.wechat.say(openid, CODE_AGAIN)
    assert within(60, lambda: not unsettled(stack)), (unsettled(stack), stack.last_words())
    assert not stack.rows("bridge", "SELECT id FROM deliveries WHERE state = 'parked'")
