"""The sender over a client that answers as the test says: what each answer means, holds, stops, quiet hours."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
import structlog
from sender_kit import NOTICES, ROOT, WITHIN, Account, bridge, rows, start, state, work
from sqlalchemy import select

from api.channels.wechat.errors import WeChatRefused, WeChatUnreachable
from api.channels.wechat.templates import Templates
from api.sender import lane as lanes
from api.sender.lane import Lane
from api.sender.loop import Sender
from api.sender.ways import TemplateWay
from core.channel.tables import ChannelUser
from core.clock import system_clock
from core.db import Database
from core.proactive import broadcast, sends

__all__ = ["bridge"]


async def test_everybody_is_told_once_with_a_key_of_their_own_and_it_is_written_down(bridge: Database) -> None:
    number, account = start(bridge), Account()
    await work(bridge, account, lambda: state(bridge, number) == "done")
    assert account.shown == {f"o{n}": 1 for n in range(5)}
    assert sorted(account.keys) == sorted(f"{number}:{one.id}" for one in rows(bridge).values())
    assert {(one.state, one.remote_id) for one in rows(bridge).values()} == {("sent", f"m-{k}") for k in account.keys}
    assert account.data["template"] == "T-outage"
    assert account.data["url"] == "https://dian.test/wechat/h5"
    assert account.data["data"]["thing1"] == {"value": "江岸区听涛苑"}


async def test_refusals_are_taken_for_what_they_mean(bridge: Database) -> None:
    codes = {"o0": 43004, "o1": 43101, "o2": 40003, "o3": 99999}
    number = start(bridge)
    account = Account(lambda openid: WeChatRefused(codes[openid]) if openid in codes else None)
    await work(bridge, account, lambda: state(bridge, number) == "done")
    assert {name: (one.state, one.error) for name, one in rows(bridge).items()} == {
        "o0": ("skipped", "wechat 43004"), "o1": ("skipped", "wechat 43101"), "o2": ("skipped", "wechat 40003"),
        "o3": ("dead", "wechat 99999"), "o4": ("sent", None),
    }  # fmt: skip
    with bridge.reading() as session:
        followed = {one.user_id for one in session.scalars(select(ChannelUser)) if one.followed}
    assert followed == {"o1", "o3", "o4"}
    assert set(account.called.values()) == {1}


@pytest.mark.parametrize("code", [47003, 40037])
async def test_a_template_that_is_wrong_stops_the_broadcast_and_nothing_is_lost(bridge: Database, code: int) -> None:
    number, wrong = start(bridge), True
    account = Account(lambda _openid: WeChatRefused(code) if wrong else None)
    await work(bridge, account, lambda: state(bridge, number) == "stopped")
    with bridge.transaction() as session:
        row = broadcast.resume(session, number, now=system_clock())
        assert row.state == "running"
    assert {one.state for one in rows(bridge).values()} == {"waiting"}
    wrong = False
    await work(bridge, account, lambda: state(bridge, number) == "done")
    assert account.shown == {f"o{n}": 1 for n in range(5)}


async def test_an_interface_that_is_away_holds_all_and_costs_no_attempt(
    bridge: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(lanes.FIRST_HOLD, "away", 0.1)
    monkeypatch.setitem(lanes.LONGEST_HOLD, "away", 0.2)
    number, account = start(bridge), Account(lambda _openid: WeChatUnreachable(False, "ConnectError"))
    await work(bridge, account, lambda: sum(account.called.values()) >= 15)
    assert {(one.state, one.attempts) for one in rows(bridge).values()} == {("waiting", 0)}
    account.answer = lambda _openid: None
    await work(bridge, account, lambda: state(bridge, number) == "done")
    assert account.shown == {f"o{n}": 1 for n in range(5)}


@pytest.mark.parametrize("written", [True, False])
async def test_only_what_may_have_been_written_is_noted_as_perhaps_arrived(
    bridge: Database, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    monkeypatch.setattr(lanes, "FIRST_HOLD", {"away": 60.0, "rate": 60.0, "config": 60.0})
    account = Account(lambda _openid: WeChatUnreachable(written, "ReadTimeout"))
    start(bridge)
    await work(bridge, account, lambda: any(one.error for one in rows(bridge).values()))
    tried = [one for one in rows(bridge).values() if one.error]
    assert {(one.state, one.sent_at is not None) for one in tried} == {("waiting", written)}


async def test_words_that_are_gone_are_complained_of_once_a_minute_and_the_others_are_sent(
    bridge: Database,
) -> None:
    gone, good = start(bridge, "gone"), start(bridge, "good")
    with bridge.transaction() as session:
        broadcast.find(session, gone).wording = "of_last_year"
    with structlog.testing.capture_logs() as logs:
        await work(bridge, Account(), lambda: state(bridge, good) == "done")
    assert state(bridge, gone) == "running"
    complaints = [one for one in logs if one["event"] == "wording_gone"]
    assert [one["wordings"] for one in complaints] == [["of_last_year"]]


async def test_too_many_calls_halve_the_rate_and_all_arrive(bridge: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lanes.FIRST_HOLD, "rate", 0.1)
    number, refused = start(bridge), Counter[str]()

    def answer(openid: str) -> Exception | None:
        refused[openid] += 1
        return WeChatRefused(45009) if refused[openid] == 1 else None

    account = Account(answer)
    await work(bridge, account, lambda: state(bridge, number) == "done")
    assert account.shown == {f"o{n}": 1 for n in range(5)}
    assert {one.attempts for one in rows(bridge).values()} == {1}


async def test_a_busy_interface_is_asked_again_and_given_up_after_eight_times(
    bridge: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sends, "backoff", lambda _attempts: timedelta(0))
    number, account = start(bridge), Account(lambda openid: WeChatRefused(-1) if openid == "o0" else None)
    await work(bridge, account, lambda: state(bridge, number) == "done")
    assert account.called["o0"] == 8
    assert rows(bridge)["o0"].state == "dead"
    assert account.shown == {f"o{n}": 1 for n in range(1, 5)}


async def test_a_stop_is_obeyed_within_a_second(bridge: Database) -> None:
    with bridge.transaction() as session:
        session.add_all(
            ChannelUser(channel="wechat", user_id=f"p{n}", conversation_id=f"d{n}", created_at=system_clock())
            for n in range(300)
        )
    number, account = start(bridge), Account()
    await work(bridge, account, lambda: sum(account.called.values()) >= 20, rate=40)
    seen = 0

    async def stop_it() -> None:
        nonlocal seen
        while sum(account.called.values()) < 60:
            await asyncio.sleep(0.02)
        with bridge.transaction() as session:
            broadcast.stop(session, number, by="zhang", now=system_clock())
        await asyncio.sleep(1)
        seen = sum(account.called.values())
        await asyncio.sleep(0.7)

    stopping = asyncio.create_task(stop_it())
    await work(bridge, account, stopping.done, rate=40)
    assert seen == sum(account.called.values()) < 120
    assert Counter(one.state for one in rows(bridge).values()) == {"sent": seen, "waiting": 305 - seen}


async def test_a_kind_without_a_template_waits_in_the_conversation(bridge: Database) -> None:
    number = start(bridge)
    nothing = Templates.load(ROOT / "data" / "wechat" / "templates.yaml", {})
    made = {"wechat": Lane("wechat", TemplateWay(Account(), nothing, ""), 500)}  # type: ignore[arg-type]
    stop = asyncio.Event()
    task = asyncio.create_task(Sender(bridge, NOTICES, made, system_clock).run(stop))
    async with asyncio.timeout(WITHIN):
        while state(bridge, number) != "done":
            await asyncio.sleep(0.05)
    stop.set()
    await task
    assert {(one.state, one.channel) for one in rows(bridge).values()} == {("sent", "chat")}
