"""Notices reach the log of their conversation exactly once, whatever happens between the two databases."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bridge_kit import ROOT, Bridge, Customer
from pydantic import ValidationError
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from api.deliveries import deliver_notices
from api.wording import UnknownNotice, Wording
from core import notice
from core.conversation import find_conversation
from core.notice import Notice
from core.promise import KINDS
from core.work_order import STATES, Filing, file_order, progress

Start = Callable[..., Any]
WORDING = ROOT / "data" / "wording.yaml"
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)  # ten o'clock in Shanghai


def _put(bridge: Bridge, customer: Customer, key: str = "k", wording: str = "order_taken") -> None:
    with bridge.parts.workorder.transaction() as session:
        notice.put(
            session, key=f"{customer.conversation_id}:{key}", conversation_id=customer.conversation_id,
            wording=wording, values={"order_no": "20261122000001", "title": "过户", "reason": ""}, now=bridge.clock(),
        )  # fmt: skip


def _told(bridge: Bridge, customer: Customer) -> list[str]:
    return [row.text for row in bridge.rows(customer.conversation_id) if row.type == "notice"]


async def test_a_notice_is_told_once(bridge: Bridge) -> None:
    customer = await bridge.customer()
    _put(bridge, customer)
    assert deliver_notices(bridge.parts) == [customer.conversation_id]
    assert deliver_notices(bridge.parts) == []
    [row] = bridge.rows(customer.conversation_id)
    assert (row.author, row.type, row.in_reply_to) == ("system", "notice", None)
    assert row.text == "您的过户（工单号20261122000001）有人接单了。"


async def test_killed_between_the_two_databases_it_is_still_told_once(bridge: Bridge) -> None:
    customer = await bridge.customer()
    _put(bridge, customer)
    deliver_notices(bridge.parts)
    with bridge.parts.workorder.transaction() as session:  # as if it had been killed before it could note this
        session.execute(update(Notice).values(delivered_at=None))
    assert deliver_notices(bridge.parts) == []
    assert len(_told(bridge, customer)) == 1


async def test_without_the_log_the_notice_waits(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = await bridge.customer()
    _put(bridge, customer)

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("select", {}, Exception("away"))

    with monkeypatch.context() as patch:
        patch.setattr("api.deliveries.log_of.record_reply", away)
        with pytest.raises(OperationalError):
            deliver_notices(bridge.parts)
    assert _told(bridge, customer) == []
    deliver_notices(bridge.parts)
    assert len(_told(bridge, customer)) == 1


async def test_two_bridges_at_the_same_moment_tell_once(start: Start) -> None:
    async with start() as one, start() as two:
        customer = await one.customer()
        for number in range(5):
            _put(one, customer, str(number))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda bridge: deliver_notices(bridge.parts), (one, two)))
        assert len(_told(one, customer)) == 5


async def test_a_notice_comes_over_the_stream_by_itself(start: Start) -> None:
    async with start(loops=True) as bridge:
        customer = await bridge.customer()
        with bridge.parts.bus.listen(customer.conversation_id) as hints:
            _put(bridge, customer)
            assert await asyncio.wait_for(hints.get(), 5) is None
        assert len(_told(bridge, customer)) == 1


async def test_what_nobody_has_words_for_holds_up_no_other(bridge: Bridge) -> None:
    customer = await bridge.customer()
    _put(bridge, customer, "a", "no_such_words")
    with bridge.parts.workorder.transaction() as session:
        notice.put(session, key="gone", conversation_id="gone", wording="order_taken", values={}, now=bridge.clock())
    _put(bridge, customer, "b")
    assert deliver_notices(bridge.parts) == [customer.conversation_id]
    assert len(_told(bridge, customer)) == 1
    with bridge.parts.workorder.reading() as session:
        assert notice.due(session) == []


async def test_a_notice_does_not_keep_an_old_dialogue_alive(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("在吗")
    bridge.clock.ahead += timedelta(minutes=20)
    _put(bridge, customer)
    deliver_notices(bridge.parts)
    bridge.clock.ahead += timedelta(minutes=20)
    await customer.say("在吗")
    with bridge.parts.bridge.reading() as session:
        assert find_conversation(session, customer.conversation_id).dialogue == 2


async def test_the_progress_of_an_order_reaches_its_customer_with_buttons_that_name_it(bridge: Bridge) -> None:
    customer = await bridge.customer()
    keyring = bridge.parts.settings.keyring()
    filing = Filing(
        cause=f"{customer.conversation_id}:f", kind="transfer", category="服务申请→变更用电→过户",
        conversation_id=customer.conversation_id,
    )  # fmt: skip
    with bridge.parts.workorder.transaction() as session:
        order = file_order(session, filing, keyring=keyring, now=bridge.clock()).order
        for state in ("dispatched", "taken", "working", "done"):
            progress(session, order, state, now=bridge.clock(), note="换了表" if state == "done" else "")
    deliver_notices(bridge.parts)
    told = _told(bridge, customer)
    assert len(told) == 4
    assert told[-1] == f"您的过户（工单号{order.order_no}）已处理完。您看好了吗？说明：换了表。"
    [fixed, _] = bridge.rows(customer.conversation_id)[-1].buttons
    await customer.press(fixed["id"])
    assert bridge.rasa.asked[-1]["text"] == (
        f'/query_work_order{{"work_order_no": "{order.order_no}", "choice": "fixed"}}'
    )


# -- the words


@pytest.fixture(scope="module")
def wording() -> Wording:
    return Wording.load(WORDING)


def test_every_state_and_every_promise_of_an_order_has_words(wording: Wording) -> None:
    values = {"order_no": "1", "title": "过户", "due_at": NOW.isoformat(), "reason": ""}
    for key in [f"order_{state}" for state in STATES] + [f"moved_order_{kind}" for kind in KINDS]:
        text, _ = wording.notice(key, values, now=NOW)
        assert re.search(r"[A-Za-z{}]|None", text) is None
        assert "过户（工单号1）" in text


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (NOW + timedelta(hours=8, minutes=5), "今天18:05"),
        (NOW + timedelta(hours=23), "明天9:00"),
        (NOW + timedelta(days=3), "11月25日10:00"),
        (datetime(2026, 11, 27, 15, 59, tzinfo=UTC), "11月27日"),
    ],
)
def test_instants_are_said_as_people_say_them(wording: Wording, at: datetime, said: str) -> None:
    assert wording.instant(at, now=NOW) == said
    values = {"area": "万松里", "due_at": at.isoformat(), "reason": "下雨"}
    text, _ = wording.notice("moved_outage_restore", values, now=NOW)
    assert text == f"万松里停电：恢复时间有变化，预计{said}左右来电。说明：下雨。"


def test_a_value_that_is_missing_is_an_error(wording: Wording) -> None:
    with pytest.raises(UnknownNotice):
        wording.notice("order_done", {"title": "过户"}, now=NOW)
    with pytest.raises(UnknownNotice):
        wording.notice("outage_expected", {"area": "万松里", "due_at": "soon"}, now=NOW)


def test_a_button_without_an_order_is_refused_at_start(tmp_path: Path) -> None:
    broken = tmp_path / "wording.yaml"
    text = WORDING.read_text("utf-8")
    broken.write_text(text.replace("您的{title}（工单号{order_no}）已处理完。", "已处理完。"), "utf-8")
    with pytest.raises(ValidationError):
        Wording.load(broken)
