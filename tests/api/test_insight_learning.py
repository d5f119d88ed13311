"""The console of learning over HTTP: who may, groups and their messages, labels, answers, the export, the button."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from bridge_kit import Bridge
from sqlalchemy import select
from supervision_kit import Office, Seat, office

from core.audit import AuditEntry
from core.conversation import Message
from core.learning import export, marks
from core.learning.export import Guard
from core.learning.tables import LearningGroup, LearningItem

BASE = "/v1/insight/learning"
GREEN = {
    "key": "learned_green_power", "question": "绿电要到哪里认购",
    "also": ["个人想买风电找谁", "公司采购绿色电力的门路", "绿证和绿电买哪样划算"],
    "answer": "绿电在电力交易平台认购，企业开户后挂单，个人暂时只能买绿证。", "region": "hubei",
    "source": "湖北电力交易中心公告", "month": "2026-10", "status": "verified",
}  # fmt: skip
READS = ["/groups", "/groups/1", "/faqs", "/intents", "/summary", "/export.zip"]
WRITES = [("POST", "/items/label"), ("POST", "/items/dismiss"), ("POST", "/items/undo"), ("POST", "/faqs"),
          ("PATCH", "/faqs/1"), ("POST", "/refresh")]  # fmt: skip


@pytest.fixture
async def desk(urls: Any) -> AsyncIterator[Office]:
    async with office(urls) as one:
        yield one


@pytest.fixture
async def boss(desk: Office) -> Seat:
    return await desk.seat("supervisor", name="陈主管")


async def call(seat: Seat, method: str, path: str, **body: Any) -> tuple[int, Any]:
    content = {"json": body} if body else {}
    answer = await seat.http.request(method, BASE + path, headers={"X-CSRF-Token": seat.csrf}, **content)
    return answer.status_code, answer.json() if "json" in answer.headers["content-type"] else answer.content


def filled(desk: Office, *texts: str, name: str = "光伏 · 卖电", harm: float = 5.0) -> tuple[int, list[int]]:
    """Put a group with messages there; its id and theirs."""

    def work(session: Any) -> tuple[int, list[int]]:
        group = LearningGroup(name=name, size=len(texts), harm=harm, parts={"message": harm}, example=texts[0],
                              made_at=desk.clock())  # fmt: skip
        session.add(group)
        session.flush()
        items = [
            LearningItem(
                conversation_id="11111111-2222-3333-4444-555555555555", seq=place + 100 * group.id, at=desk.clock(),
                channel="web", text=text, reasons=["low_confidence"], intent="query_bill", confidence=0.41,
                suggested="ask_solar", harm=1.0, parts={"message": 1.0}, group_id=group.id,
            )
            for place, text in enumerate(texts)
        ]  # fmt: skip
        session.add_all(items)
        session.flush()
        return group.id, [item.id for item in items]

    return desk.write(work)


async def test_only_supervisors_see_or_change_anything(desk: Office) -> None:
    agent, nobody = await desk.seat("agent"), await desk.nobody()
    for method, path in [*(("GET", path) for path in READS), *WRITES]:
        assert (await call(agent, method, path))[0] == 403, path
        assert (await call(nobody, method, path))[0] == 401, path


async def test_groups_come_by_harm_with_parts_reasons_and_intents_page_by_page(desk: Office, boss: Seat) -> None:
    solar, _ = filled(desk, "卖电的钱呢", "并网没结算")
    worse, _ = filled(desk, "电梯停了", name="电梯 · 停电", harm=9.0)
    code, page = await call(boss, "GET", "/groups?limit=1")
    assert code == 200
    assert ([one["id"] for one in page["groups"]], page["total"]) == ([worse], 2)
    _, rest = await call(boss, "GET", f"/groups?limit=1&after={page['next']}")
    (group,) = rest["groups"]
    assert (group["id"], group["name"], group["size"], rest["next"]) == (solar, "光伏 · 卖电", 2, None)
    assert group["parts"] == [{"key": "message", "name": "没帮上忙", "value": 5.0}]
    assert group["reasons"] == [{"key": "low_confidence", "name": "把握不大", "value": 2}]
    assert group["intents"] == [{"key": "query_bill", "name": "查电费账单", "value": 2}]
    assert (await call(boss, "GET", "/groups?after=x"))[0] == 422


async def test_the_messages_of_a_group_say_what_was_understood_and_lead_to_their_conversation(
    desk: Office, boss: Seat
) -> None:
    group, ids = filled(desk, "卖电的钱呢", "并网没结算", "光伏退补")
    _, page = await call(boss, "GET", f"/groups/{group}?limit=2")
    assert [one["id"] for one in page["items"]] == [ids[2], ids[1]]
    first = page["items"][0]
    assert (first["understood_text"], first["confidence"], first["suggested_text"]) == ("查电费账单", 0.41, "屋顶光伏")
    assert first["link"] == "/desk#/conversations/11111111-2222-3333-4444-555555555555"
    assert first["state_text"] == "待处理"
    _, rest = await call(boss, "GET", f"/groups/{group}?limit=2&after={page['next']}")
    assert ([one["id"] for one in rest["items"]], rest["next"]) == ([ids[0]], None)
    code, said = await call(boss, "GET", "/groups/999")
    assert (code, said["code"]) == (404, "no_such_group")


async def test_a_group_is_labelled_at_once_and_the_second_reviewer_is_told_who_was_first(
    desk: Office, boss: Seat
) -> None:
    group, ids = filled(desk, "卖电的钱呢", "并网没结算")
    code, rows = await call(boss, "POST", "/items/label", group_id=group, intent="ask_solar")
    assert (code, [(one["label_text"], one["reviewed"]["name"]) for one in rows]) == (200, [("屋顶光伏", "陈主管")] * 2)
    other = await desk.seat("supervisor", name="何主管")
    code, said = await call(other, "POST", "/items/dismiss", ids=ids[:1])
    assert (code, said["code"], "陈主管" in said["detail"]) == (409, "already_reviewed", True)
    code, rows = await call(other, "POST", "/items/undo", ids=ids[:1])
    assert (code, rows[0]["state"]) == (200, "open")
    code, rows = await call(other, "POST", "/items/dismiss", ids=ids[:1])
    assert (code, rows[0]["state_text"], rows[0]["reviewed"]["name"]) == (200, "已忽略", "何主管")
    _, state = await call(boss, "GET", "/summary")
    assert (state["open"], state["labelled_since_export"], state["groups"]) == (0, 1, 0)
    assert sorted((one["name"], one["value"]) for one in state["by_reviewer"]) == [("何主管", 1), ("陈主管", 1)]
    _, page = await call(boss, "GET", "/groups?state=done")
    assert [one["id"] for one in page["groups"]] == [group]


@pytest.mark.parametrize("path", ["/items/label", "/items/dismiss"])
async def test_a_second_click_on_a_group_that_is_done_says_who_did_it_or_changes_nothing(
    desk: Office, boss: Seat, path: str
) -> None:
    group, _ = filled(desk, "卖电的钱呢", "并网没结算")
    more = {"intent": "ask_solar"} if path == "/items/label" else {}
    assert (await call(boss, "POST", path, group_id=group, **more))[0] == 200
    assert await call(boss, "POST", path, group_id=group, **more) == (200, [])
    other = await desk.seat("supervisor", name="何主管")
    code, said = await call(other, "POST", path, group_id=group, **more)
    assert (code, said["code"]) == (409, "group_reviewed")
    assert said["detail"] == "这一组已经由 陈主管 处理完了，请刷新后再看。"


async def test_what_an_export_held_back_waits_for_none_and_shows_why(desk: Office, boss: Seat, tmp_path: Path) -> None:
    group, ids = filled(desk, "屋脊上发的那点电卖得脱不", "我叫王小明，板子哪天装")
    await call(boss, "POST", "/items/label", ids=ids, intent="ask_solar")
    _, before = await call(boss, "GET", "/summary")
    assert (before["labelled_since_export"], before["refused"]) == (2, [])
    guard = Guard.load(desk.bridge.parts.settings.data_dir)
    export.write(desk.bridge.parts.bridge, tmp_path, now=desk.clock(), guard=guard)
    _, after = await call(boss, "GET", "/summary")
    assert after["labelled_since_export"] == 0
    assert after["refused"] == [{"key": "personal", "name": "可能含个人信息", "value": 1}]
    _, page = await call(boss, "GET", f"/groups/{group}")
    assert [one["refused_text"] for one in page["items"]] == ["可能含个人信息", ""]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/items/label", {"ids": [1], "intent": "no_such"}, "unknown_intent"),
        ("/items/label", {"ids": [9], "intent": "complain"}, "no_such_item"),
        ("/items/label", {"group_id": 9, "intent": "complain"}, "no_such_group"),
        ("/items/dismiss", {"ids": []}, "no_such_item"), ("/items/undo", {"ids": [1]}, "not_reviewed"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_said_in_words(
    desk: Office, boss: Seat, path: str, body: dict[str, Any], code: str
) -> None:
    filled(desk, "卖电的钱呢")
    _, said = await call(boss, "POST", path, **body)
    assert said["code"] == code
    assert said["detail"]


async def test_an_answer_is_written_for_messages_approved_and_guarded_by_its_version(desk: Office, boss: Seat) -> None:
    _, ids = filled(desk, "绿电哪里买")
    code, made = await call(boss, "POST", "/faqs", **GREEN, items=ids)
    assert (code, made["state_text"], made["version"], made["author"]) == (201, "草稿", 1, "陈主管")
    code, said = await call(boss, "POST", "/faqs", **GREEN)
    assert (code, said["code"], said["field"], said["why"]) == (422, "bad_faq", "id", "taken")
    path = f"/faqs/{made['id']}"
    text = GREEN | {"source": "省公司公告"}
    code, ready = await call(boss, "PATCH", path, version=1, text=text, state="ready")
    assert (code, ready["state"], ready["version"], ready["source"]) == (200, "ready", 3, "省公司公告")
    code, said = await call(boss, "PATCH", path, version=1, state="withdrawn")
    assert (code, said["code"], "陈主管" in said["detail"]) == (409, "faq_changed", True)
    assert (await call(boss, "PATCH", "/faqs/99", version=1, state="ready"))[0] == 404
    _, found = await call(boss, "GET", "/faqs?state=ready")
    assert [one["key"] for one in found] == [GREEN["key"]]


async def test_an_approved_answer_that_an_export_held_back_does_not_count_as_ready(
    desk: Office, boss: Seat, tmp_path: Path
) -> None:
    _, ids = filled(desk, "绿电在哪个柜台买")
    _, made = await call(boss, "POST", "/faqs", **GREEN)
    await call(boss, "PATCH", f"/faqs/{made['id']}", version=1, state="ready")
    other = GREEN | {
        "key": "learned_other",
        "question": "绿电在哪个柜台买",
        "also": ["柜台认购绿色电力行不", "上哪层楼办绿电", "绿电的柜台几号"],
    }
    _, second = await call(boss, "POST", "/faqs", **other)
    await call(boss, "PATCH", f"/faqs/{second['id']}", version=1, state="ready")
    await call(boss, "POST", "/items/label", ids=ids, intent="ask_solar")  # the same wording, as an intent
    _, before = await call(boss, "GET", "/summary")
    assert (before["answers_ready"], before["answers_refused"]) == (2, [])
    guard = Guard.load(desk.bridge.parts.settings.data_dir)
    assert export.write(desk.bridge.parts.bridge, tmp_path, now=desk.clock(), guard=guard).faqs == 1
    _, after = await call(boss, "GET", "/summary")
    why = {"key": "conflicting", "name": "同一句话被标了不同的意图", "value": 1}
    assert (after["answers_ready"], after["answers_refused"]) == (1, [why])
    _, found = await call(boss, "GET", "/faqs")
    assert {one["key"]: one["refused_text"] for one in found} == {GREEN["key"]: "", "learned_other": why["name"]}
    text = other | {"question": "绿电到哪里去买得到"}
    await call(boss, "PATCH", f"/faqs/{second['id']}", version=2, text=text, state="ready")
    _, mended = await call(boss, "GET", "/summary")
    assert (mended["answers_ready"], mended["answers_refused"]) == (2, [])


async def test_what_can_be_chosen_are_the_intents_with_their_labels(boss: Seat) -> None:
    _, found = await call(boss, "GET", "/intents")
    assert {"name": "ask_solar", "label": "屋顶光伏"} in found
    assert len(found) > 45


async def test_the_archive_holds_the_files_and_who_took_it_is_audited(desk: Office, boss: Seat) -> None:
    _, ids = filled(desk, "屋脊上发的那点电卖得脱不", "我叫王小明，板子哪天装")
    await call(boss, "POST", "/items/label", ids=ids, intent="ask_solar")
    code, content = await call(boss, "GET", "/export.zip")
    assert code == 200
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.namelist()) == ["knowledge/learned.yaml", "nlu/learned.yml"]
        (block,) = yaml.safe_load(archive.read("nlu/learned.yml"))["nlu"]
    assert block == {"intent": "ask_solar", "examples": "- 屋脊上发的那点电卖得脱不\n"}
    with desk.bridge.parts.bridge.reading() as session:
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert last is not None
        assert (last.action, last.agent_id, last.detail["refused"]) == ("learning_exported", boss.id, {"personal": 1})


async def settled(bridge: Bridge) -> dict[str, Any]:
    """Wait for the process of the button."""
    for _ in range(600):
        with bridge.parts.bridge.reading() as session:
            state = marks.mark(session, marks.RUN)
        if state["state"] != "running":
            return state
        await asyncio.sleep(0.1)
    raise AssertionError(state)


async def test_the_button_gathers_and_groups_in_a_process_of_its_own_one_at_a_time(desk: Office, boss: Seat) -> None:
    customer = await desk.bridge.customer()
    await customer.say("绿电怎么买")
    desk.write(_understood)
    code, state = await call(boss, "POST", "/refresh")
    assert (code, state["state"]) == (202, "running")
    code, said = await call(boss, "POST", "/refresh")
    assert (code, said["code"]) == (409, "running")
    done = await settled(desk.bridge)
    assert (done["state"], done["new"], done["items"], done["groups"]) == ("done", 1, 1, 1)
    _, page = await call(boss, "GET", "/groups")
    assert [one["example"] for one in page["groups"]] == ["绿电怎么买"]


async def test_a_process_that_fails_is_told_and_can_be_started_again(
    desk: Office, boss: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.insight.learning_refresh.COMMAND", ("-c", "raise SystemExit(3)"))
    await call(boss, "POST", "/refresh")
    assert (await settled(desk.bridge))["error"] == "process"
    assert (await call(boss, "POST", "/refresh"))[0] == 202
    await settled(desk.bridge)
    running = {"state": "running", "stage": "group", "at": desk.clock().isoformat()}
    desk.write(lambda session: marks.put_mark(session, marks.RUN, running, now=desk.clock()))
    desk.clock.on(minutes=16)
    _, state = await call(boss, "GET", "/summary")
    assert (state["run"]["state"], state["run"]["error"]) == ("failed", "silent")


def test_the_bridge_loads_nothing_that_reckons_groups() -> None:
    code = "import sys, api.app, ops.learning; print(sorted({'numpy', 'sklearn', 'scipy', 'jieba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def _understood(session: Any) -> None:
    for row in session.scalars(select(Message).where(Message.author == "customer")):
        row.understood, row.turn = {"intent": "out_of_scope", "confidence": 0.3, "form": None}, "done"
