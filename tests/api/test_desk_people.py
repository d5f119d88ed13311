"""The supervisor's pages of people, canned answers, hours and the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from supervision_kit import Office, office, refused

from core.audit import entries
from core.clock import SHANGHAI
from core.handoff.tables import SKILLS

NEW = {"login": "wang.min", "name": "王敏", "staff_no": "7001", "skills": ["billing"], "capacity": 3}


@pytest.fixture
async def desk(urls: tuple[str, str]) -> AsyncIterator[Office]:
    async with office(urls) as one:
        yield one


def actions(desk: Office) -> list[str]:
    with desk.bridge.parts.bridge.reading() as session:
        return [one.action for one in entries(session)]


async def test_a_new_agent_signs_in_with_the_password_that_was_shown_once(desk: Office) -> None:
    boss, stranger = await desk.seat("supervisor"), await desk.nobody()
    made = await boss.post("/agents", **NEW)
    assert {name: made["agent"][name] for name in NEW} == NEW
    assert (made["agent"]["role"], made["agent"]["must_change"], made["agent"]["active"]) == ("agent", True, True)
    answer = await stranger.call("POST", "/login", login="wang.min", password=made["password"])
    assert (answer.status_code, answer.json()["agent"]["must_change"]) == (200, True)
    shown = await boss.get("/agents")
    assert made["password"] not in str(shown)
    assert not any("hash" in key or "cipher" in key for one in shown for key in one)
    assert "agent_added" in actions(desk)


async def test_a_supervisor_sets_up_agents_and_nobody_above_them(desk: Office) -> None:
    boss, chief, agent = await desk.seat("supervisor"), await desk.seat("administrator"), await desk.seat()
    for role in ("supervisor", "administrator"):
        assert refused(await boss.call("POST", "/agents", **NEW, role=role)) == (403, "above_you")
        assert refused(await boss.call("PUT", f"/agents/{agent.id}", role=role)) == (403, "above_you")
    for above in (boss, chief):
        assert refused(await boss.call("PUT", f"/agents/{above.id}", active=False)) == (403, "above_you")
        assert refused(await boss.call("POST", f"/agents/{above.id}/unlock")) == (403, "above_you")
    assert refused(await boss.call("POST", f"/agents/{agent.id}/password")) == (403, "forbidden")
    assert (await chief.put(f"/agents/{agent.id}", role="supervisor"))["role"] == "supervisor"
    assert (await boss.get("/agents"))[-1]["role"] in ("agent", "supervisor", "administrator")


async def test_what_is_changed_of_an_agent_holds_and_is_written_down(desk: Office) -> None:
    boss, agent = await desk.seat("supervisor"), await desk.seat()
    changed = await boss.put(f"/agents/{agent.id}", skills=["complaint", "billing"], capacity=6, name="小周")
    assert (changed["skills"], changed["capacity"], changed["name"]) == (["billing", "complaint"], 6, "小周")
    assert (await agent.get("/me"))["agent"]["skills"] == ["billing", "complaint"]
    with desk.bridge.parts.bridge.reading() as session:
        last = entries(session)[-1]
        assert (last.action, last.agent_id, last.detail["after"]["capacity"]) == ("agent_changed", boss.id, 6)


async def test_who_is_barred_is_out_at_once(desk: Office) -> None:
    boss, agent = await desk.seat("supervisor"), await desk.seat()
    assert (await agent.call("GET", "/me")).status_code == 200
    await boss.put(f"/agents/{agent.id}", active=False)
    assert refused(await agent.call("GET", "/me")) == (401, "not_signed_in")
    assert [one["active"] for one in await boss.get("/agents") if one["id"] == agent.id] == [False]


async def test_a_new_password_ends_the_old_sessions_and_has_to_be_changed(desk: Office) -> None:
    chief, agent, door = await desk.seat("administrator"), await desk.seat(), await desk.nobody()
    given = await chief.post(f"/agents/{agent.id}/password")
    assert refused(await agent.call("GET", "/me")) == (401, "not_signed_in")
    answer = await door.call("POST", "/login", login=agent.login, password=given["password"])
    assert answer.json()["agent"]["must_change"] is True
    assert refused(await door.call("GET", "/inbox")) == (403, "must_change_password")


async def test_a_locked_login_is_shown_and_opened_again(desk: Office) -> None:
    boss, agent, door = await desk.seat("supervisor"), await desk.seat(), await desk.nobody()
    for _ in range(5):
        await door.call("POST", "/login", login=agent.login, password="不是这个密码呀1")
    assert (await door.call("POST", "/login", login=agent.login, password="江城的灯亮了2026")).status_code == 429
    locked = next(one for one in await boss.get("/agents") if one["id"] == agent.id)["locked_until"]
    assert locked > desk.clock().astimezone(SHANGHAI).isoformat()
    assert (await boss.post(f"/agents/{agent.id}/unlock"))["locked_until"] is None
    assert (await door.call("POST", "/login", login=agent.login, password="江城的灯亮了2026")).status_code == 200
    assert "login_unlocked" in actions(desk)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"login": "1abc"}, 422, "bad_agent"),
        ({"name": "  "}, 422, "bad_agent"),
        ({"staff_no": "工号一"}, 422, "bad_agent"),
        ({"capacity": 21}, 422, "bad_agent"),
        ({"skills": ["cooking"]}, 422, "invalid"),
        ({"role": "owner"}, 422, "invalid"),
        ({"password": "mine-own-choice"}, 422, "invalid"),
    ],
)
async def test_an_agent_that_cannot_be_is_refused(desk: Office, change: dict[str, Any], status: int, code: str) -> None:
    boss = await desk.seat("supervisor")
    before = len(await boss.get("/agents"))
    assert refused(await boss.call("POST", "/agents", **(NEW | change))) == (status, code)
    assert len(await boss.get("/agents")) == before


async def test_login_and_staff_number_belong_to_one(desk: Office) -> None:
    boss = await desk.seat("supervisor")
    await boss.post("/agents", **NEW)
    assert refused(await boss.call("POST", "/agents", **NEW)) == (409, "agent_taken")
    assert refused(await boss.call("POST", "/agents", **(NEW | {"login": "other"}))) == (409, "agent_taken")
    assert refused(await boss.call("PUT", "/agents/4711", name="谁")) == (404, "no_such_agent")


async def test_the_last_administrator_stays(desk: Office) -> None:
    chief = await desk.seat("administrator")
    for change in ({"active": False}, {"role": "agent"}):
        assert refused(await chief.call("PUT", f"/agents/{chief.id}", **change)) == (409, "last_administrator")


async def test_canned_answers_are_added_changed_and_taken_out_of_use(desk: Office) -> None:
    boss = await desk.seat("supervisor")
    first = await boss.get("/canned/all")
    assert len(first["answers"]) >= 25
    assert "customer" in first["placeholders"]
    made = await boss.post(
        "/canned/all", shortcut="wait5", title="稍等五分钟", text="{customer}，请稍等五分钟，我查好就回您。"
    )
    assert (made["active"], made["skill"]) == (True, None)
    body = {"shortcut": "wait5", "title": "稍等", "text": "请稍等几分钟，我查好就回您。", "skill": "billing"}
    changed = await boss.put(f"/canned/{made['id']}", **body)
    assert (changed["title"], changed["skill"]) == ("稍等", "billing")
    gone = await boss.call("DELETE", f"/canned/{made['id']}")
    assert gone.json()["active"] is False
    listed = {one["shortcut"]: one["active"] for one in (await boss.get("/canned/all"))["answers"]}
    assert (len(listed), listed["wait5"]) == (len(first["answers"]) + 1, False)
    assert actions(desk)[-3:] == ["canned_added", "canned_changed", "canned_removed"]


async def test_a_canned_answer_that_would_confuse_is_refused(desk: Office) -> None:
    boss = await desk.seat("supervisor")
    taken = (await boss.get("/canned/all"))["answers"][0]["shortcut"]
    good = {"shortcut": "one", "title": "一条", "text": "请稍等，我看一下。"}
    wrong = await boss.call("POST", "/canned/all", **(good | {"text": "您好{nickname}，请稍等。"}))
    assert refused(wrong) == (422, "unknown_placeholder")
    assert wrong.json()["unknown"] == ["nickname"]
    assert refused(await boss.call("POST", "/canned/all", **(good | {"shortcut": taken}))) == (409, "shortcut_taken")
    assert refused(await boss.call("POST", "/canned/all", **(good | {"shortcut": "Bad Name"}))) == (422, "invalid")
    assert refused(await boss.call("PUT", "/canned/4711", **good)) == (404, "no_such_answer")
    made = await boss.post("/canned/all", **good)
    assert refused(await boss.call("PUT", f"/canned/{made['id']}", **(good | {"shortcut": taken}))) == (
        409, "shortcut_taken",
    )  # fmt: skip


async def test_other_hours_hold_from_now_on_and_are_told(desk: Office) -> None:
    chief = await desk.seat("administrator", name="郑主任")
    view = await chief.get("/hours")
    assert (view["changed"], view["changes"]) == (False, [])
    assert {one["skill"]: one["open"] for one in view["skills"]} == dict.fromkeys(SKILLS, True)
    hours = view["hours"]
    hours["schedules"]["desk"]["workday"] = ["08:00-09:00", "14:00-18:00"]
    hours["schedules"]["desk"]["days"] = {"2026-11-24": []}
    changed = await chief.put("/hours", hours=hours)
    assert (changed["changed"], [one["by"] for one in changed["changes"]]) == (True, ["郑主任"])
    billing = next(one for one in changed["skills"] if one["skill"] == "billing")
    assert (billing["open"], billing["next_opening"]) == (False, "2026-11-23T14:00:00+08:00")
    assert (await chief.get("/hours"))["hours"] == hours
    desk.clock.on(hours=9)  # Monday 19:00: Tuesday is a special day, closed
    chief = await desk.seat("administrator")
    view = await chief.get("/hours")
    assert (
        next(one for one in view["skills"] if one["skill"] == "billing")["next_opening"] == "2026-11-25T08:00:00+08:00"
    )
    assert actions(desk)[-2:] == ["hours_changed", "agent_added"]


async def test_the_same_hours_again_are_no_change(desk: Office) -> None:
    chief = await desk.seat("administrator")
    hours = (await chief.get("/hours"))["hours"]
    assert (await chief.put("/hours", hours=hours))["changes"] == []
    assert "hours_changed" not in actions(desk)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("schedules", "desk", "workday"), ["8-20"]),
        (("schedules", "desk", "workday"), ["08:00-12:00", "11:00-20:00"]),
        (("schedules", "desk", "days"), {"2026-02-30": []}),
        (("skills", "billing"), "night_shift"),
        (("clocks", "warn_percent"), 100),
        (("clocks", "first_response"), {"promise_minutes": 3, "aim_minutes": 15}),
    ],
)
async def test_hours_that_make_no_sense_are_refused_with_the_reason(
    desk: Office, where: tuple[str, ...], value: Any
) -> None:
    chief = await desk.seat("administrator")
    before = (await chief.get("/hours"))["hours"]
    hours = (await chief.get("/hours"))["hours"]
    at = hours
    for step in where[:-1]:
        at = at[step]
    at[where[-1]] = value
    answer = await chief.call("PUT", "/hours", hours=hours)
    assert refused(answer) == (422, "bad_hours")
    assert answer.json()["why"]
    assert (await chief.get("/hours"))["hours"] == before


async def test_a_reason_for_a_pause_may_be_renamed_but_not_dropped(desk: Office) -> None:
    chief = await desk.seat("administrator")
    hours = (await chief.get("/hours"))["hours"]
    hours["pause_reasons"]["waiting_customer"] = "等客户回话"
    hours["pause_reasons"]["waiting_parts"] = "等备件"
    await chief.put("/hours", hours=hours)
    del hours["pause_reasons"]["waiting_parts"]
    answer = await chief.call("PUT", "/hours", hours=hours)
    assert refused(answer) == (422, "reason_in_use")
    assert answer.json()["reasons"] == ["waiting_parts"]


async def test_the_audit_log_is_listed_newest_first_with_the_state_of_its_chain(desk: Office) -> None:
    chief, boss = await desk.seat("administrator"), await desk.seat("supervisor", name="周班长")
    await boss.post("/agents", **NEW)
    page = await chief.get("/audit")
    newest = page["entries"][0]
    assert (newest["action"], newest["action_text"], newest["agent"]) == (
        "agent_added", "新增坐席", {"id": boss.id, "name": "周班长"},
    )  # fmt: skip
    assert newest["subject"] == "wang.min"
    ids = [one["id"] for one in page["entries"]]
    assert ids == sorted(ids, reverse=True)
    assert (page["verification"]["ok"], page["verification"]["rows"]) == (True, len(ids))
    older = await chief.get(f"/audit?before={ids[0]}&limit=1&check=false")
    assert ([one["id"] for one in older["entries"]], older["more"], older["verification"]) == ([ids[1]], True, None)
    assert [one["id"] for one in (await chief.get(f"/audit?after={ids[1]}"))["entries"]] == [ids[0]]
    only = await chief.get(f"/audit?agent_id={boss.id}")
    assert {one["agent"]["id"] for one in only["entries"]} == {boss.id}


async def test_an_entry_that_somebody_changed_is_shown_as_such(desk: Office) -> None:
    chief = await desk.seat("administrator")
    await chief.post("/agents", **NEW)
    with desk.bridge.parts.bridge.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            names = connection.execute(
                text("SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='audit_log'")
            )
            for name in names.scalars().all():
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            connection.execute(text("ALTER TABLE audit_log DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE audit_log SET subject = 'somebody' WHERE id = 2"))
    found = (await chief.get("/audit"))["verification"]
    assert (found["ok"], found["rows"], found["first_bad"]) == (False, 1, 2)
    assert "row 2" in found["why"]


async def test_a_number_that_stands_in_a_reason_is_masked_in_the_list(desk: Office) -> None:
    chief = await desk.seat("administrator")
    with desk.bridge.parts.bridge.transaction() as session:
        desk.auditor.note(session, "reveal", "c1", now=desk.clock(), field="phone", reason="回拨 13812342842 核对")
    shown = (await chief.get("/audit"))["entries"][0]["detail"]
    assert shown["field"] == "phone"
    assert "13812342842" not in shown["reason"]
    assert "回拨" in shown["reason"]


async def test_the_audit_log_says_in_words_what_was_changed_and_of_which_case(desk: Office) -> None:
    chief, boss = await desk.seat("administrator"), await desk.seat("supervisor", name="周班长")
    agent = await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, agent)
    hours = (await boss.get("/hours"))["hours"]
    hours["schedules"]["desk"]["workday"] = ["08:00-12:00", "14:00-18:00"]
    hours["schedules"]["desk"]["days"] = {"2026-12-31": []}
    await boss.put("/hours", hours=hours)
    await boss.put(f"/agents/{agent.id}", capacity=2)
    await boss.post(f"/conversations/{customer.conversation_id}/whisper", text="先安抚")
    with desk.bridge.parts.bridge.transaction() as session:
        names = {"order_no": "20261123000001", "state": "dispatched"}
        desk.auditor.note(session, "progress_order", customer.conversation_id, now=desk.clock(), **names)
        filed = {"order_no": "20261123000001", "business": "update_phone"}
        desk.auditor.note(session, "file_order", customer.conversation_id, now=desk.clock(), **filed)
    shown = {one["action"]: one for one in (await chief.get("/audit"))["entries"]}
    assert shown["hours_changed"]["subject_text"] == "班次"
    assert shown["hours_changed"]["detail_text"] == [
        "坐席班 特殊日期 2026-12-31：未设 → 休息", "坐席班 工作日：08:00-20:00 → 08:00-12:00、14:00-18:00",
    ]  # fmt: skip
    assert shown["agent_changed"]["detail_text"] == ["接待上限：4 → 2"]
    assert (shown["whispered"]["subject_text"], shown["whispered"]["detail_text"]) == (
        f"服务单 {case}", [f"交给：坐席{agent.login.removeprefix('seat')}"],
    )  # fmt: skip
    assert shown["progress_order"]["detail_text"] == ["工单：20261123000001", "改为：已派单"]
    assert shown["file_order"]["detail_text"] == ["业务：改联系电话", "工单：20261123000001"]
