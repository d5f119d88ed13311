"""A whole stack that is joined to the fake WeChat, and what has to hold of a phone and the log behind it."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from desk_pages import shorter_limits

from api.channels.wechat.render import Render
from api.channels.wechat.words import Words
from core.conversation import Message
from ops.stack import PROJECT, Stack
from tests.fake_wechat.process import FakeWeChat, Shown

WORDS = Words.load(PROJECT / "data" / "wechat" / "wording.yaml")
BUSY = WORDS.busy  # said without a log: the message is not taken, and the customer writes it again
RENDER = Render(WORDS, style="links", public_url="http://127.0.0.1")
OUR_WAYS = ("passive", "custom")
_ANCHOR = re.compile(r"<a\s[^>]*>.*?</a>", re.S)
_SPACE = re.compile(r"\s+")
# What stands around buttons: their numbers and the line above them.
_AROUND = re.compile(
    "|".join([r"\d+\.", *map(re.escape, (WORDS.numbers, WORDS.links, WORDS.tap_one, WORDS.say_one, WORDS.choose))])
)


class WeChatStack(Stack):
    """The stack with an official account; the desk is open at any hour."""

    def __init__(self, root: Path, *, customers: int = 40, months: int = 13, **settings: str) -> None:
        super().__init__(root, customers=customers, months=months)
        self.wechat = FakeWeChat(f"{self.url}/wechat")
        self._more = settings

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment of the stack, the account in it."""
        return {**super().variables, **self.wechat.variables, "DIANFU_PUBLIC_URL": self.url, **self._more}

    def rows(self, database: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read one of the databases."""
        path = self.root / "var" / f"{database}.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(query, values).fetchall()

    def kill(self, name: str) -> list[int]:
        """End a process as a failure of the machine would; `dianfu serve` starts it again."""
        killed = self.pids(name)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        return killed


@contextmanager
def running(root: Path, **more: Any) -> Iterator[WeChatStack]:
    """Give a running stack and its WeChat, and end both."""
    made = WeChatStack(root, **more)
    with ExitStack() as ends, made.wechat:
        made.prepare()
        ends.enter_context(shorter_limits(made))
        made.start()
        ends.callback(made.stop)
        made.tool("wechat", "menu")
        yield made


@dataclass(frozen=True, eq=False)
class Logged:
    """One message of the log."""

    conversation_id: str
    seq: int
    author: str
    type: str
    text: str
    buttons: tuple[str, ...]
    external_id: str | None
    in_reply_to: int | None
    turn: str | None
    agent_name: str | None
    understood: bool
    card: dict[str, Any] | None

    @property
    def as_shown(self) -> re.Pattern[str]:
        """What a phone shows of it, without spaces, buttons and links; with several of an agent's their time of day."""
        message = Message(
            seq=self.seq, author=self.author, type=self.type, text=self.text, card=self.card, buttons=[],
            agent_name=self.agent_name,
        )  # fmt: skip
        alone = _SPACE.sub("", _ANCHOR.sub("", RENDER.as_text([message])))
        began, name, text = alone.partition("】") if self.author == "agent" else ("", "", alone)
        return re.compile(re.escape(began + name) + (r"(\d\d:\d\d)?" if name else "") + re.escape(text))


def log_of(stack: WeChatStack, openid: str) -> list[Logged]:
    """Return all that was said with a user of WeChat, in the order of the log."""
    found = stack.rows(
        "bridge",
        "SELECT m.conversation_id, m.seq, m.author, m.type, m.text, m.buttons, m.external_id, m.in_reply_to, m.turn,"
        " m.agent_name, coalesce(m.understood, 'null') != 'null', m.card FROM messages m"
        " JOIN conversations c ON c.id = m.conversation_id"
        " JOIN channel_users u ON u.id = c.channel_user_id WHERE u.user_id = ? ORDER BY c.created_at, m.seq", openid,
    )  # fmt: skip
    return [
        Logged(*row[:5], tuple(button["title"] for button in json.loads(row[5] or "[]")), *row[6:-1],
               json.loads(row[-1] or "null"))
        for row in found
    ]  # fmt: skip


def differences(shown: Sequence[Shown], log: Sequence[Logged], late: Collection[str] = ()) -> list[str]:
    """Return how a phone differs from the log: each message of ours is there once, in order, and nothing else.

    `late`: pushes (`msg:…`) for whose answer Tencent asked again: it may stand below answers to later ones.
    """
    asked_again = {one.seq for one in log if one.external_id in late}
    screen = "".join(_SPACE.sub("", _ANCHOR.sub("", one.text)) for one in shown if one.way in OUR_WAYS)
    ours = [one for one in log if one.author != "customer"]
    wrong, at, left, below = list[str](), 0, list[str](), list[Logged]()
    for one in ours:
        found = None if one.in_reply_to in asked_again else one.as_shown.search(screen, at)
        if found is not None:
            left.append(screen[at : found.start()])
            at = found.end()
        elif one.in_reply_to in asked_again or (one.in_reply_to is None and asked_again):  # a person's words rode along
            below.append(one)
        else:
            wrong.append(f"message {one.seq} is not there, or not in order: {one.text[:60]}")
    around = "\n".join([*left, screen[at:]])
    for one in below:
        around, count = one.as_shown.subn("", around, count=1)
        wrong += [] if count else [f"message {one.seq} is not there: {one.text[:60]}"]
    titles = {title for one in log for title in one.buttons}
    more = _bare(around.replace(_SPACE.sub("", BUSY), ""), titles)
    return [*wrong, *([f"more is there than was said: {more[:200]}"] if more else [])]


def _bare(text: str, titles: set[str]) -> str:
    text = _AROUND.sub("", text)
    for title in sorted(titles, key=len, reverse=True):
        text = text.replace(_SPACE.sub("", title), "")
    return _SPACE.sub("", text)


def unsettled(stack: WeChatStack) -> dict[str, int]:
    """Return what is not at its end: open turns, orders not yet filed, deliveries that are neither sent nor parked."""
    turns = stack.rows("bridge", "SELECT count(*) FROM messages WHERE turn = 'open'")[0][0]
    orders = stack.rows("bridge", "SELECT count(*) FROM outbox WHERE done_at IS NULL AND dead_at IS NULL")[0][0]
    states = dict(stack.rows("bridge", "SELECT state, count(*) FROM deliveries GROUP BY state"))
    moving = sum(states.get(state, 0) for state in ("waiting", "passing", "sending"))
    return {name: count for name, count in (("turns", turns), ("outbox", orders), ("deliveries", moving)) if count}


class Page:
    """The page inside WeChat as a program: a session of the user who is logged in to WeChat."""

    def __init__(self, stack: WeChatStack, openid: str) -> None:
        self.http = httpx.Client(base_url=stack.url, timeout=30, trust_env=False)
        asked = self.http.get("/wechat/h5/enter")
        address = f"{asked.headers['location'].partition('#')[0]}&fake_openid={openid}"
        back = httpx.get(address, trust_env=False).headers["location"]
        assert self.http.get(back.removeprefix(stack.url)).headers["location"] == "/wechat/h5?in=1"
        opened = self.http.post("/wechat/h5/session", headers={"X-Dianfu-Page": "h5"})
        assert opened.status_code == 201, opened.text
        self.conversation_id: str = opened.json()["conversation_id"]
        self.http.headers["Authorization"] = f"Bearer {opened.json()['token']}"

    def code(self) -> str:
        """Return the newest one-time code that the development page shows."""
        shown = self.http.get("/demo/codes").raise_for_status().json()
        assert shown, "no code was sent"
        return str(shown[0]["code"])

    def log(self) -> list[dict[str, Any]]:
        """Return all that the page may show."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["seq"] if found else 0
            answer = self.http.get("/v1/messages", params={"after": after}).raise_for_status().json()
            if not answer["messages"]:
                return found
            found += answer["messages"]

    def close(self) -> None:
        self.http.close()


def told(stack: WeChatStack, openid: str, text: str, *, within: float = 15.0) -> str:
    """Write a text; return all that the account shows in answer to it, however it comes."""
    before = [one.n for one in stack.wechat.screen(openid)][-1:] or [0]
    stack.wechat.say(openid, text)
    end = time.monotonic() + within
    while time.monotonic() < end:
        if shown := stack.wechat.phone(openid, after=before[0]):
            return "\n".join(one.text for one in shown)
        time.sleep(0.1)
    raise AssertionError(f"no answer to {text!r}")


def tapped(stack: WeChatStack, openid: str, title: str) -> str:
    """Tap on what offers this; return the answer."""
    before = stack.wechat.screen(openid)[-1].n
    stack.wechat.tap(openid, title)
    return "\n".join(one.text for one in stack.wechat.phone(openid, after=before))


def conversation_of(stack: WeChatStack, openid: str) -> str:
    [(found,)] = stack.rows("bridge", "SELECT conversation_id FROM channel_users WHERE user_id = ?", openid)
    return str(found)


def bind(stack: WeChatStack, openid: str, account: str) -> str:
    """Bind an account over WeChat: its number and the code; return what was said to the code."""
    told(stack, openid, "我要绑定户号")
    answer = told(stack, openid, account)
    assert "10分钟" in answer, answer
    page = Page(stack, openid)
    code = page.code()
    page.close()
    return told(stack, openid, code)
