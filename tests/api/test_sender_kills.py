"""The sender as a process over the fake WeChat: killed again and again, each subscriber is told exactly once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.channel.tables import ChannelUser
from core.clock import system_clock
from core.db import Database
from core.migrations import upgrade
from core.proactive import broadcast
from core.proactive.kinds import Notices
from core.proactive.tables import SENT, Send
from ops import keys
from tests.fake_wechat.process import FakeWeChat

ROOT = Path(__file__).parents[2]
SUBSCRIBERS, RATE, KILLS = 3000, 400.0, 3
WITHIN = 90.0


@pytest.fixture
def wechat() -> Iterator[FakeWeChat]:
    """A fake that refuses more than a little above the rate, and pushes nothing."""
    with FakeWeChat("") as one:
        one.settings(template_events=False)
        yield one


class Site:
    """A bridge database with followers, one broadcast, and senders over it."""

    def __init__(self, folder: Path, wechat: FakeWeChat, openids: list[str]) -> None:
        url = f"sqlite:///{folder / 'bridge.db'}"
        self.bridge, self.log = Database(url), folder / "sender.log"
        upgrade("bridge", self.bridge)
        now = system_clock()
        with self.bridge.transaction() as session:
            session.add_all(
                ChannelUser(channel="wechat", user_id=openid, conversation_id=f"c{n}", created_at=now)
                for n, openid in enumerate(openids)
            )
            self.number = broadcast.announce(
                session, Notices.load(ROOT / "data" / "notices.yaml"), kind="outage", key="k", wording="outage_begun",
                values={"area": "江岸区听涛苑"}, audience={"all_followers": True}, now=now,
            ).id  # fmt: skip
        mine = {name: value for name, value in os.environ.items() if not name.startswith("DIANFU_")}
        self.variables = {
            **mine, **keys.fresh(), **wechat.variables, "DIANFU_ENV": "development", "DIANFU_BRIDGE_URL": url,
            "DIANFU_BILLING_URL": "sqlite://", "DIANFU_WORKORDER_URL": "sqlite://", "DIANFU_WECHAT_RATE": str(RATE),
        }  # fmt: skip

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "api.sender"], cwd=ROOT, env=self.variables, stdout=output, stderr=output
            )

    def sent(self) -> int:
        with self.bridge.reading() as session:
            return session.scalar(select(func.count()).select_from(Send).where(Send.state == SENT)) or 0

    def wait(self, count: int) -> None:
        end = time.monotonic() + WITHIN
        while self.sent() < count:
            assert time.monotonic() < end, self.log.read_text()[-3000:]
            time.sleep(0.05)


def test_three_thousand_subscribers_are_told_once_each_at_the_rate_across_three_kills(
    tmp_path: Path, wechat: FakeWeChat
) -> None:
    site = Site(tmp_path, wechat, wechat.users(count=SUBSCRIBERS))
    sender = site.start()
    try:
        for number in range(1, KILLS + 1):
            site.wait(SUBSCRIBERS * number // (KILLS + 1))
            sender.kill()
            sender.wait()
            sender = site.start()
        site.wait(SUBSCRIBERS)
        end = time.monotonic() + 10
        while _state(site) != "done":
            assert time.monotonic() < end
            time.sleep(0.05)
        sender.terminate()
        assert sender.wait(15) == 0
    finally:
        sender.kill()
        sender.wait()
        site.bridge.dispose()
    tally = wechat.tally("template")
    assert (tally["shown"], tally["phones"]) == (SUBSCRIBERS, {"1": SUBSCRIBERS})
    assert tally["most_in_a_second"] <= RATE * 1.05
    assert '"stopped"' in site.log.read_text()
    assert '"taken_up"' in site.log.read_text()  # a kill met sends on their way, which were sent again under their key


def _state(site: Site) -> str:
    with site.bridge.reading() as session:
        return broadcast.find(session, site.number).state
