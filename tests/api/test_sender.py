"""The sender over a client that answers as the test says: what each answer means, holds, stops, quiet hours."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import select

from api.channels.wechat.errors import WeChatRefused, WeChatUnreachable
from api.channels.wechat.templates import Templates
from api.sender import lane as lanes
from api.sender.lane import Lane
from api.sender.loop import Sender
from api.sender.pace import Pacer
from api.sender.settings import SenderSettings
from api.sender.ways import SmsWay, TemplateWay
from core.account import Customer, phone_context
from core.channel.tables import ChannelUser
from core.clock import system_clock
from core.db import Database
from core.fields import Keyring, new_key
from core.migrations import upgrade
from core.proactive import broadcast, sends
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


# -- short messages


async def test_a_short_message_goes_to_the_telephone_that_billing_knows_under_a_key(
    bridge: Database, tmp_path: Path
) -> None:
    keyring = Keyring.parse(f"test:{new_key()}", new_key())
    billing = Database(f"sqlite:///{tmp_path / 'billing.db'}")
    upgrade("billing", billing)
    with billing.transaction() as session:
        cipher = keyring.encrypt("13800002842", phone_context("100000001001"))
        session.add(
            Customer(customer_no="100000001001", kind="person", name_cipher="x", phone_cipher=cipher, phone_hash="h")
        )
    got: list[tuple[Any, str]] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        got.append((json.loads(request.content), request.headers["Idempotency-Key"]))
        return httpx.Response(503 if len(got) == 1 else 200)

    settings = SenderSettings.model_construct(sms_url="https://sms.test/send", sms_token=SecretStr(""))
    way = SmsWay(settings, billing, keyring, NOTICES, system_clock)
    way._http = httpx.AsyncClient(transport=httpx.MockTransport(gateway))
    number = start(bridge, audience={"customers": ["100000001001", "100000001002"]})
    await work(bridge, Account(), lambda: state(bridge, number) == "done", sms=way)
    await way.close()
    billing.dispose()
    found = rows(bridge)
    assert found["customer:100000001002"].error == "no telephone"
    sent = found["customer:100000001001"]
    assert (sent.state, sent.attempts) == ("sent", 2)
    body = {
        "phone": "13800002842", "template": "outage_begun", "values": {"area": "江岸区听涛苑"},
        "text": "江岸区听涛苑发生停电，正在组织抢修，有进展会再通知您。",
    }  # fmt: skip
    assert got == [(body, f"notice:{number}:{sent.id}")] * 2


# -- the pace


async def test_the_pace_is_held_in_every_second_however_long_answers_take() -> None:
    loop = asyncio.get_running_loop()
    pacer, starts, ends = Pacer(200), [], []

    async def one(seconds: float) -> None:
        starts.append(loop.time())
        await asyncio.sleep(seconds)
        ends.append(loop.time())
        pacer.done()

    tasks = []
    for number in range(500):
        await pacer.slot()
        tasks.append(asyncio.create_task(one(0.3 if 150 < number < 250 else 0.001)))
    await asyncio.gather(*tasks)
    # Whenever between its start and its end each of them arrives: no second has more than the bound.
    assert most_in_a_second(starts) <= 210
    assert most_in_a_second(ends) <= 210
    assert 500 / (max(ends) - min(starts)) > 140


def most_in_a_second(times: list[float]) -> int:
    ordered, first, most = sorted(times), 0, 0
    for last, at in enumerate(ordered):
        while ordered[first] <= at - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_the_rate_is_halved_and_comes_back_slowly() -> None:
    now = 100.0
    pacer = Pacer(64, now=lambda: now)
    for _ in range(10):
        pacer.slow_down()
    assert pacer.rate == 1
    rates = []
    for _ in range(30):
        now += 10
        pacer._wait()
        rates.append(pacer.rate)
    assert rates[0] == pytest.approx(4.2)
    assert rates[-1] == 64
    assert rates == sorted(rates)
