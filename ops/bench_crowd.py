"""Who is told in `dianfu bench broadcast`: the fake WeChat as a process, the subscribers in it and in our database."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from sqlalchemy import insert

from core.channel.tables import ChannelUser
from core.clock import system_clock
from core.proactive import broadcast
from core.proactive.tables import DONE, SENT
from ops.databases import opened
from ops.fake_wechat import APPID, KINDS
from ops.stack import PROJECT, Stack

PREFIX, OPENID = "oMany", 28  # as the fake names its users
NICE = 10


class Broken(Exception):
    """The broadcast did not end, or the fake did not start."""


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

    def hold(self, number: int) -> bool:
        """Stop the broadcast as an operator does; false if it is over."""
        try:
            with opened(self.url) as database, database.transaction() as session:
                broadcast.stop(session, number, by="bench", now=system_clock())
        except broadcast.WrongState:
            return False
        return True

    def go_on(self, number: int) -> None:
        """Let it go on where it was."""
        with opened(self.url) as database, database.transaction() as session:
            broadcast.resume(session, number, now=system_clock())

    def kill_sender(self) -> None:
        """End the sender as a power cut would; `serve` starts it again."""
        for pid in self._stack.pids("sender"):
            os.kill(pid, signal.SIGKILL)

    def tally(self) -> dict[str, Any]:
        """Return what the phones showed."""
        found: dict[str, Any] = self._control.get("tally", params={"way": "template"}).raise_for_status().json()
        return found
