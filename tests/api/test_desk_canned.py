"""Canned answers: the first ones, how they are found, and what stands in the place of placeholders."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bridge_kit import ROOT, customer_token
from supervision_kit import MONDAY, Office, office, refused

from core.business import BusinessTable
from core.canned import (
    CannedAnswer,
    CannedDataError,
    fill,
    find_canned,
    load_canned,
    placeholders_in,
    seed_canned,
)
from core.promise import CONTACT
from core.work_order import Filing, file_order

FILE = ROOT / "data" / "desk" / "canned.yaml"
NAMES = {"customer": "客户姓名", "due": "约定时间"}


@pytest.fixture
async def desk(urls: Any) -> AsyncIterator[Office]:
    async with office(urls) as one:
        yield one


def test_the_first_answers_cover_every_skill_and_fit_a_phone() -> None:
    answers = load_canned(FILE).answers
    said = {one.shortcut: one.text for one in answers}
    limits = {name: BusinessTable.load(ROOT / "data" / "business").get(name).limit for name in ("complaint", "repair")}
    assert limits["complaint"] is not None
    assert limits["repair"] is not None
    figures = re.compile(r"\d+(?:小时|个工作日|分钟)")
    assert figures.findall(said["promise"]) == figures.findall(limits["complaint"].text)
    assert figures.findall(said["crew"]) == figures.findall(limits["repair"].text)
    assert len(answers) >= 25
    assert {one.skill for one in answers} == {None, "repair", "billing", "business", "complaint"}
    assert max(len(one.text) for one in answers) <= 120
    assert {one.text for one in answers if one.text[-1] not in "。？！："} == set()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("answers: [", "canned.yaml"), ("answers: []", "placeholders"),
        ("placeholders: {}\nanswers:\n  - {shortcut: hi, title: 问候, text: '您好，{nobody}'}", "nobody"),
        ("placeholders: {}\nanswers:\n  - &a {shortcut: hi, title: 问候, text: 您好您好您好}\n  - *a", "same shortcut"),
        ("placeholders: {}\nanswers:\n  - {shortcut: 'H I', title: 问候, text: 您好您好您好}", "shortcut"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "canned.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(CannedDataError, match=says):
        load_canned(tmp_path / "canned.yaml")


def test_values_are_filled_in_and_what_is_missing_stays_visible() -> None:
    filled = fill("{customer}您好，{due}前答复您，{due}。", {"customer": "张*明", "due": None}, NAMES)
    assert filled.text == "张*明您好，【约定时间】前答复您，【约定时间】。"
    assert filled.missing == ("due",)


def test_nothing_of_a_value_is_read_as_a_placeholder() -> None:
    assert fill("{customer}：{due}", {"customer": "{due}", "due": "今天"}, NAMES).text == "{due}：今天"
    assert fill("{unknown}", {}, NAMES).text == "【unknown】"


async def test_the_table_is_filled_once(desk: Office) -> None:
    count = len(load_canned(FILE).answers)
    assert desk.write(lambda session: seed_canned(session, FILE, now=desk.clock())) == count
    assert desk.write(lambda session: seed_canned(session, FILE, now=desk.clock())) == 0
    desk.write(lambda session: session.query(CannedAnswer).filter_by(shortcut="hello").one()).active = False


async def test_the_console_finds_answers_by_shortcut_title_and_words(desk: Office) -> None:
    seat = await desk.seat(name="小王")
    everything = await seat.get("/canned")
    assert len(everything) == len(load_canned(FILE).answers)
    assert [one["shortcut"] for one in await seat.get("/canned?q=/hell")] == ["hello"]
    assert "meter" in [one["shortcut"] for one in await seat.get("/canned?q=校表")]
    assert await seat.get("/canned?q=没有这样的话") == []
    hello = (await seat.get("/canned?q=hello"))[0]
    assert "小王" in hello["text"]
    assert hello["missing"] == []


async def test_answers_out_of_use_are_not_offered(desk: Office) -> None:
    seat = await desk.seat()
    await seat.get("/canned")

    def retire(session: Any) -> None:
        session.query(CannedAnswer).filter_by(shortcut="hello").one().active = False

    desk.write(retire)
    assert [one["shortcut"] for one in await seat.get("/canned?q=hello")] == []
    with desk.bridge.parts.bridge.reading() as session:
        assert [row.shortcut for row in find_canned(session, skills=("repair",)) if row.skill == "billing"] == []


async def test_the_order_and_its_time_come_from_the_conversation(desk: Office) -> None:
    seat = await desk.seat()
    customer, case = await desk.case(token=customer_token(now=MONDAY, lifetime=timedelta(hours=1)))
    filing = Filing(
        cause="one:1", kind="complaint", category="投诉→服务投诉→营业服务", title="服务投诉",
        conversation_id=customer.conversation_id, description="态度不好",
        promises=((CONTACT, MONDAY + timedelta(hours=7)),),
    )  # fmt: skip
    with desk.bridge.parts.workorder.transaction() as session:
        keyring = desk.bridge.parts.settings.keyring()
        order_no = file_order(session, filing, keyring=keyring, now=desk.clock()).order.order_no
    about = f"conversation={customer.conversation_id}"
    later = (await seat.get(f"/canned?q=later&{about}"))[0]
    assert order_no in later["text"]
    assert "11月23日17:00" in later["text"]
    assert "95598" in later["text"]
    assert later["missing"] == []
    alone = (await seat.get("/canned?q=later"))[0]
    assert "【工单号】" in alone["text"]
    assert sorted(alone["missing"]) == ["due", "order_no"]
    hall = (await seat.get(f"/canned?q=hall&{about}"))[0]
    assert "【营业厅】" in hall["text"]  # the billing database is away in this test
    assert placeholders_in(hall["text"]) == set()


async def test_answers_for_a_foreign_conversation_are_refused(desk: Office) -> None:
    seat = await desk.seat(skills=("billing",))
    customer, _ = await desk.case()
    call = await seat.call("GET", f"/canned?conversation={customer.conversation_id}")
    assert refused(call) == (403, "forbidden")
