"""The sender over the fake WeChat with a kind that goes by subscription messages, also killed in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sender_kit import Account, bridge, start, state
from sqlalchemy import select
from test_sender_kills import ROOT, Site

from api.channels.wechat.errors import WeChatRefused, WeChatUnreachable
from api.channels.wechat.templates import Templates
from api.sender import lane as lanes
from api.sender.lane import Lane
from api.sender.loop import Sender
from api.sender.ways import TemplateWay
from core.channel import subscriptions
from core.channel.tables import ChannelUser
from core.clock import system_clock
from core.db import Database
from core.proactive import broadcast
from core.proactive.kinds import Notices
from core.proactive.tables import Send
from tests.fake_wechat.process import FakeWeChat

__all__ = ["bridge"]
NOTICES = Notices.load(ROOT / "data" / "notices.yaml")
TEMPLATES = Templates.load(ROOT / "data" / "wechat" / "templates.yaml", {"outage": "subscribe:T-outage"})
SUBSCRIBERS = 400


class Phones(Account):
    """WeChat's place for subscription messages: shows whatever is asked for, as often as it is asked for."""

    async def subscription(self, openid: str, template_id: str, data: object, *, page: str | None) -> str:
        await asyncio.sleep(0)
        self.called[openid] += 1
        self.data = {"template": template_id, "data": data, "url": page}
        if (error := self.answer(openid)) is not None:
            raise error
        self.shown[openid] += 1
        return f"m-{openid}"


def agree(bridge: Database, *names: str, times: int = 1) -> None:
    with bridge.transaction() as session:
        for one in session.scalars(select(ChannelUser).where(ChannelUser.user_id.in_(names))):
            for _ in range(times):
                subscriptions.agreed(session, one.id, "T-outage", now=system_clock())


def ledger(bridge: Database) -> dict[str, int]:
    with bridge.reading() as session:
        return {
            one.user_id: subscriptions.left(session, one.id, "T-outage") for one in session.scalars(select(ChannelUser))
        }


def sends(bridge: Database) -> dict[str, tuple[str, str, str | None]]:
    with bridge.reading() as session:
        users = {one.id: one.user_id for one in session.scalars(select(ChannelUser))}
        return {
            users[one.channel_user_id or 0]: (one.state, one.channel, one.error)
            for one in session.scalars(select(Send))
        }


async def work(bridge: Database, account: Account, until: Callable[[], bool]) -> None:
    lane = Lane("wechat", TemplateWay(account, TEMPLATES, "https://dian.test"), 500)  # type: ignore[arg-type]  # a stand-in
    stop = asyncio.Event()
    sender = Sender(bridge, NOTICES, {"wechat": lane}, system_clock, singles=TEMPLATES.singles)
    task = asyncio.create_task(sender.run(stop))
    try:
        async with asyncio.timeout(15):
            while not until():
                assert not task.done(), task.exception()
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await task


async def test_who_has_agreed_gets_one_and_the_others_find_it_in_the_conversation(bridge: Database) -> None:
    agree(bridge, "o1", "o3", times=2)
    number, account = start(bridge), Phones()
    await work(bridge, account, lambda: state(bridge, number) == "done")
    assert account.shown == {"o1": 1, "o3": 1}
    assert account.data["template"] == "T-outage"
    assert account.data["url"] == "https://dian.test/wechat/h5"
    assert ledger(bridge) == {"o0": 0, "o1": 1, "o2": 0, "o3": 1, "o4": 0}
    assert {name: one[:2] for name, one in sends(bridge).items()} == {
        "o0": ("sent", "chat"), "o1": ("sent", "subscribe"), "o2": ("sent", "chat"), "o3": ("sent", "subscribe"),
        "o4": ("sent", "chat"),
    }  # fmt: skip


async def test_who_has_refused_meanwhile_finds_it_in_the_conversation_and_is_not_asked_again(bridge: Database) -> None:
    agree(bridge, "o1", times=3)
    number = start(bridge)
    account = Phones(lambda _openid: WeChatRefused(43101, "user refuse to accept the msg"))
    await work(bridge, account, lambda: state(bridge, number) == "done")
    assert (account.called, ledger(bridge)["o1"]) == ({"o1": 1}, 0)
    assert sends(bridge)["o1"][:2] == ("sent", "chat")


async def test_an_unknown_outcome_counts_as_sent_for_there_is_no_key(bridge: Database) -> None:
    agree(bridge, "o1", times=2)
    number = start(bridge)
    account = Phones(lambda _openid: WeChatUnreachable(True, "ReadTimeout"))
    await work(bridge, account, lambda: state(bridge, number) == "done")
    assert (account.called, ledger(bridge)["o1"]) == ({"o1": 1}, 1)
    assert sends(bridge)["o1"] == ("sent", "subscribe", "unknown")


async def test_what_surely_was_not_sent_is_sent_later_for_the_same_agreement(
    bridge: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(lanes.FIRST_HOLD, "away", 0.1)
    agree(bridge, "o1")
    number, failures = start(bridge), [WeChatUnreachable(False, "ConnectError")] * 2
    account = Phones(lambda _openid: failures.pop() if failures else None)
    await work(bridge, account, lambda: state(bridge, number) == "done")
    assert (account.called, account.shown, ledger(bridge)["o1"]) == ({"o1": 3}, {"o1": 1}, 0)


@pytest.fixture
def wechat() -> Iterator[FakeWeChat]:
    with FakeWeChat("") as one:
        yield one


def test_a_killed_sender_shows_nobody_two_and_uses_no_agreement_twice(tmp_path: Path, wechat: FakeWeChat) -> None:
    site = Site(tmp_path, wechat, wechat.users(count=SUBSCRIBERS))
    with site.bridge.transaction() as session:
        for one in session.scalars(select(ChannelUser)).all():
            wechat.subscribe(one.user_id, "FAKE-outage", 1)
            subscriptions.agreed(session, one.id, "FAKE-outage", now=system_clock())
    site.variables |= {"DIANFU_WECHAT_TEMPLATES": '{"outage": "subscribe:FAKE-outage"}', "DIANFU_WECHAT_RATE": "100"}
    sender = site.start()
    try:
        for number in (1, 2):
            site.wait(SUBSCRIBERS * number // 3)
            sender.kill()
            sender.wait()
            sender = site.start()
        end = time.monotonic() + 60
        while _state(site) != "done":
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        sender.kill()
        sender.wait()
    found, tally = sends(site.bridge), wechat.tally("subscription")
    site.bridge.dispose()
    assert tally["more_than_once"] == []
    assert wechat.refused("bizsend") == []  # nothing was asked for that nobody had agreed to
    assert {one[:2] for one in found.values()} == {("sent", "subscribe")}
    unknown = sum(one[2] == "unknown" for one in found.values())
    assert SUBSCRIBERS - unknown <= tally["shown"] <= SUBSCRIBERS
    assert 0 < unknown < 200


def _state(site: Site) -> str:
    with site.bridge.reading() as session:
        return broadcast.find(session, site.number).state
