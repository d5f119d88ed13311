"""A sender over a client that answers as the test says, and a bridge database with five followers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from api.channels.wechat.templates import Templates
from api.sender.lane import Lane
from api.sender.loop import Sender
from api.sender.ways import TemplateWay
from core.channel.tables import ChannelUser
from core.clock import system_clock
from core.db import Database
from core.migrations import upgrade
from core.proactive import broadcast
from core.proactive.broadcast import announce
from core.proactive.kinds import Notices
from core.proactive.tables import Send

ROOT = Path(__file__).parents[2]


NOTICES = Notices.load(ROOT / "data" / "notices.yaml")


TEMPLATES = Templates.load(ROOT / "data" / "wechat" / "templates.yaml", {"outage": "T-outage"})


WITHIN = 15.0


class Account:
    """WeChat's place: answers by openid, keeps what was shown."""

    def __init__(self, answer: Callable[[str], Exception | None] = lambda _openid: None) -> None:
        self.answer, self.called, self.shown = answer, Counter[str](), Counter[str]()
        self.keys: dict[str, str] = {}
        self.data: dict[str, Any] = {}

    async def template(self, openid: str, template_id: str, data: Any, *, url: str | None, key: str) -> str:
        await asyncio.sleep(0)
        self.called[openid] += 1
        self.data = {"template": template_id, "data": data, "url": url}
        if (error := self.answer(openid)) is not None:
            raise error
        if key not in self.keys:
            self.keys[key] = openid
            self.shown[openid] += 1
        return f"m-{key}"


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[Database]:
    """A migrated bridge database of each dialect with five followers."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    with database.transaction() as session:
        session.add_all(
            ChannelUser(channel="wechat", user_id=f"o{n}", conversation_id=f"c{n}", created_at=system_clock())
            for n in range(5)
        )
    yield database
    database.dispose()


def start(bridge: Database, key: str = "k", **more: Any) -> int:
    given: dict[str, Any] = {"audience": {"all_followers": True}, "values": {"area": "江岸区听涛苑"}} | more
    with bridge.transaction() as session:
        row = announce(
            session, NOTICES, kind="outage", key=key, wording="outage_begun", now=system_clock(), **given
        )  # fmt: skip
        return row.id


def rows(bridge: Database) -> dict[str, Send]:
    with bridge.reading() as session:
        users = {one.id: one.user_id for one in session.scalars(select(ChannelUser))}
        return {users.get(one.channel_user_id or 0, one.recipient): one for one in session.scalars(select(Send))}


def state(bridge: Database, number: int) -> str:
    with bridge.reading() as session:
        return broadcast.find(session, number).state


async def work(
    bridge: Database, account: Any, until: Callable[[], bool], *, rate: float = 500, sms: Any = None
) -> None:
    """Let a sender run until something holds."""
    made = {"wechat": Lane("wechat", TemplateWay(account, TEMPLATES, "https://dian.test"), rate)}
    if sms is not None:
        made["sms"] = Lane("sms", sms, rate)
    stop = asyncio.Event()
    task = asyncio.create_task(Sender(bridge, NOTICES, made, system_clock).run(stop))
    try:
        async with asyncio.timeout(WITHIN):
            while not until():
                assert not task.done(), task.exception()
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await task
