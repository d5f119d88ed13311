"""Calls back and named managers over HTTP: listed, counted, taken, ended once, and the number to call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from bridge_kit import Customer
from service_fit_kit import NUMBERS, ended, fitted_office, token
from sqlalchemy import select
from sqlalchemy.orm import Session
from supervision_kit import Office, Seat, good, refused

from core.account import Customer as Owner
from core.account import phone_context
from core.agent import Agent
from core.audit import AuditEntry
from core.call_back import forget
from core.conversation import Conversation
from core.db import Database
from core.recommend.tables import CallBack
from core.work_order import Filing, file_order
from tests.dialects import NewUrl

PHONE = "13800006677"


@pytest.fixture
async def desk(urls: tuple[str, str], new_url: NewUrl, tmp_path: Path) -> AsyncIterator[Office]:
    """A desk with a customer of each segment in the published run."""
    async with fitted_office(urls, new_url, tmp_path) as one:
        yield one


# -- managers


async def test_supervisors_name_a_manager_and_it_is_written_down(desk: Office) -> None:
    agent, boss = await desk.seat(name="李经理"), await desk.seat("supervisor")
    customer, case = await desk.case(token=token(desk, "high_value"))
    desk.claim(case, agent)
    path = f"/conversations/{customer.conversation_id}/manager"
    assert refused(await agent.call("PUT", path, agent_id=agent.id))[0] == 403
    await boss.put(path, agent_id=agent.id)
    card = await agent.get(f"/conversations/{customer.conversation_id}/customer")
    assert (card["manager"]["agent"]["name"], card["manager"]["due"]) == ("李经理", None)
    await boss.put(path, agent_id=None)
    assert refused(await boss.call("PUT", path, agent_id=9999)) == (409, "no_such_agent")
    with desk.bridge.parts.bridge.reading() as session:
        noted = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "manager_named")).all()
    assert [one["to"] for one in noted] == [agent.id, None]


async def test_of_nobody_there_is_no_manager(desk: Office) -> None:
    boss = await desk.seat("supervisor")
    customer, _ = await desk.case()
    answer = await boss.call("PUT", f"/conversations/{customer.conversation_id}/manager", agent_id=boss.id)
    assert refused(answer) == (409, "manager_of_nobody")


# -- calls back


async def test_a_call_back_is_listed_taken_and_done_once(desk: Office) -> None:
    first, second = await desk.seat(), await desk.seat()
    _, row = await ended(desk, first)
    (listed,) = (await second.get("/call-backs"))["items"]
    assert (listed["id"], listed["segment"], listed["mine"], listed["overdue"]) == (
        row.id,
        "特殊服务客户",
        False,
        False,
    )
    assert len(listed["why"]) == 1
    await second.post(f"/call-backs/{row.id}/take")
    assert (await first.get("/call-backs"))["items"] == []
    assert (await first.call("POST", f"/call-backs/{row.id}/take")).status_code == 403
    assert refused(await second.call("POST", f"/call-backs/{row.id}/done", note=" ")) == (422, "bad_call_back_note")
    await second.post(f"/call-backs/{row.id}/done", note="问过了，电话13912345678，都好")
    assert refused(await second.call("POST", f"/call-backs/{row.id}/drop", note="再来一次")) == (409, "call_back_over")
    with desk.bridge.parts.bridge.reading() as session:
        kept = session.get_one(CallBack, row.id)
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.action.startswith("call_back"))).all()
    assert (kept.state, kept.done_by) == ("done", second.id)
    assert "13912345678" not in (kept.note or "")
    assert list(actions) == ["call_back_taken", "call_back_done"]


async def test_late_ones_are_counted_for_all_and_a_supervisor_may_take_them_over(desk: Office) -> None:
    agent, boss = await desk.seat(), await desk.seat("supervisor")
    _, row = await ended(desk, agent)
    await agent.post(f"/call-backs/{row.id}/take")
    desk.clock.at = row.due_at + timedelta(minutes=1)
    boss = await desk.seat("supervisor")
    page = await boss.get("/call-backs")
    assert (page["overdue"], page["items"][0]["overdue"]) == (1, True)
    await boss.post(f"/call-backs/{row.id}/take")
    await boss.post(f"/call-backs/{row.id}/release")
    assert (await boss.get("/call-backs"))["items"][0]["agent"] is None


async def test_a_call_of_who_has_left_the_desk_is_anybodys(desk: Office) -> None:
    first, second = await desk.seat(), await desk.seat()
    _, row = await ended(desk, first)
    await first.post(f"/call-backs/{row.id}/take")
    assert (await second.get("/call-backs"))["items"] == []

    def leaves(session: Session) -> None:
        session.get_one(Agent, first.id).active = False

    desk.write(leaves)
    (listed,) = (await second.get("/call-backs"))["items"]
    assert (listed["id"], listed["agent"]) == (row.id, None)
    await second.post(f"/call-backs/{row.id}/take")
    assert (await second.get("/call-backs"))["items"][0]["mine"]


async def test_the_number_is_shown_to_whom_the_call_falls_for_a_reason_that_is_kept(desk: Office) -> None:
    on_file(desk, NUMBERS["special_service"], PHONE)
    agent = await desk.seat()
    customer, row = await ended(desk, agent)
    path = f"/call-backs/{row.id}/phone"
    assert refused(await agent.call("POST", path, reason="电话回访")) == (403, "call_back_not_yours")
    assert (await agent.call("GET", f"/conversations/{customer.conversation_id}/messages")).status_code == 403
    await agent.post(f"/call-backs/{row.id}/take")
    assert refused(await agent.call("POST", path, reason="看")) == (422, "reason_too_short")
    shown = good(await agent.call("POST", path, reason="电话回访"))
    assert (shown["field"], shown["value"]) == ("phone", PHONE)
    assert (await agent.call("GET", f"/conversations/{customer.conversation_id}/messages")).status_code == 200
    with desk.bridge.parts.bridge.reading() as session:
        noted = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "reveal")).all()
    assert [(one["field"], one["reason"]) for one in noted] == [("phone", "电话回访")]
    await agent.post(f"/call-backs/{row.id}/drop", note="客户说不用再打")
    assert (await agent.call("POST", path, reason="电话回访")).status_code == 403


# -- on which number


async def shown(desk: Office, row: CallBack, agent: Seat) -> tuple[str, str, str]:
    await agent.post(f"/call-backs/{row.id}/take")
    answer = await agent.post(f"/call-backs/{row.id}/phone", reason="电话回访")
    return answer["value"], answer["field"], answer["source"]


async def test_somebody_unknown_is_called_on_the_number_that_he_wrote_last(desk: Office) -> None:
    agent = await desk.seat(skills=("complaint",))
    said = "我要投诉，电话13912345678，哦打错了，是138 8765 4321，户号4201071234567"
    _, row = await ended(desk, agent, None, said=said, skill="complaint")
    (listed,) = (await agent.get("/call-backs"))["items"]
    assert (listed["phone_on_file"], listed["customer"]) == (False, "访客")
    value, field, source = await shown(desk, row, agent)
    assert (value, field.partition(":")[0]) == ("13887654321", "message")
    assert "先问清" in source
    with desk.bridge.parts.bridge.reading() as session:
        noted = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "reveal")).all()
    assert [one["field"] for one in noted] == [field]


async def test_the_number_left_for_an_order_comes_before_what_was_written(desk: Office) -> None:
    agent = await desk.seat(skills=("complaint",))
    customer, row = await ended(desk, agent, None, said="我要投诉，电话13912345678", skill="complaint")
    with desk.bridge.parts.workorder.transaction() as session:
        filed(session, desk, customer.conversation_id, "13700001111")
        filed(session, desk, "another-conversation", "13600002222")
    value, field, _ = await shown(desk, row, agent)
    assert (value, field.partition(":")[0], field.rpartition(":")[2]) == ("13700001111", "order", "contact")


async def test_of_whom_no_number_is_known_it_is_said_so_with_what_to_do(desk: Office) -> None:
    agent = await desk.seat(skills=("complaint",))
    _, row = await ended(desk, agent, None, said="我要投诉，你们95598打不通", skill="complaint")
    await agent.post(f"/call-backs/{row.id}/take")
    answer = await agent.call("POST", f"/call-backs/{row.id}/phone", reason="电话回访")
    assert refused(answer) == (404, "call_back_no_phone")
    assert "取消回访" in answer.json()["detail"]
    with desk.bridge.parts.bridge.reading() as session:
        assert session.scalars(select(AuditEntry.id).where(AuditEntry.action == "reveal")).all() == []


async def test_the_number_of_another_customer_is_never_shown_whose_conversation_it_has_become(desk: Office) -> None:
    on_file(desk, NUMBERS["high_value"], PHONE)
    agent = await desk.seat()
    customer, row = await ended(desk, agent, said="停电了，打13912345678")
    becomes(desk, customer, NUMBERS["high_value"])
    await agent.post(f"/call-backs/{row.id}/take")
    path = f"/call-backs/{row.id}/phone"
    assert refused(await agent.call("POST", path, reason="电话回访")) == (404, "call_back_no_phone")
    becomes(desk, customer, None)  # let go of the account: what was left here is still theirs
    assert (await shown(desk, row, agent))[0] == "13912345678"


async def test_who_has_proved_who_he_is_since_is_called_on_the_number_on_file(desk: Office) -> None:
    on_file(desk, NUMBERS["high_value"], PHONE)
    agent = await desk.seat(skills=("complaint",))
    customer, row = await ended(desk, agent, None, said="我要投诉，电话13912345678", skill="complaint")
    becomes(desk, customer, NUMBERS["high_value"])
    assert await shown(desk, row, agent) == (PHONE, "phone", "登记的电话")


def filed(session: Session, desk: Office, conversation_id: str, contact: str) -> None:
    filing = Filing(
        cause=f"{conversation_id}:1", kind="complaint", category="投诉→服务", conversation_id=conversation_id,
        contact=contact,
    )  # fmt: skip
    file_order(session, filing, keyring=desk.bridge.parts.settings.keyring(), now=desk.clock())


def becomes(desk: Office, customer: Customer, number: str | None) -> None:
    def work(session: Session) -> None:
        session.get_one(Conversation, customer.conversation_id).customer_no = number

    desk.write(work)


def on_file(desk: Office, number: str, phone: str) -> None:
    keyring = desk.bridge.parts.settings.keyring()
    billing = Database(desk.bridge.parts.settings.billing_url)  # the bridge itself only reads it
    with billing.transaction() as session:
        cipher = keyring.encrypt(phone, phone_context(number))
        session.add(Owner(customer_no=number, kind="person", name_cipher="", phone_cipher=cipher, phone_hash=number))
    billing.dispose()


# -- what happens meanwhile


async def test_late_ones_stand_in_the_counts_of_the_desk_and_on_the_wall(desk: Office) -> None:
    agent, other = await desk.seat(), await desk.seat()
    _, row = await ended(desk, agent)
    _, later = await ended(desk, agent, "high_value")
    await other.post(f"/call-backs/{later.id}/take")
    assert await agent.get("/call-backs/count") == {"open": 1, "overdue": 0}
    desk.clock.at = max(row.due_at, later.due_at) + timedelta(minutes=1)
    agent, boss = await desk.seat(), await desk.seat("supervisor")
    assert await agent.get("/call-backs/count") == {"open": 1, "overdue": 1}
    assert await boss.get("/call-backs/count") == {"open": 2, "overdue": 2}
    assert (await boss.get("/wall"))["figures"]["call_backs"] == {"open": 2, "overdue": 2}


async def test_a_second_click_on_done_is_no_second_deed_and_no_error(desk: Office) -> None:
    agent = await desk.seat()
    _, row = await ended(desk, agent)
    for _ in range(2):
        await agent.post(f"/call-backs/{row.id}/take")
    for _ in range(2):
        await agent.post(f"/call-backs/{row.id}/done", note="都好了，电话13912345678")
    assert refused(await agent.call("POST", f"/call-backs/{row.id}/done", note="没好")) == (409, "call_back_over")
    with desk.bridge.parts.bridge.reading() as session:
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.action.startswith("call_back"))).all()
    assert list(actions) == ["call_back_taken", "call_back_done"]


async def test_who_wrote_again_and_has_further_calls_is_marked(desk: Office) -> None:
    first = await desk.seat()
    for segment in ("special_service", "special_service", "high_value"):
        await ended(desk, first, segment)
    agent = await desk.seat()
    items = (await agent.get("/call-backs"))["items"]
    assert [(one["segment"], one["others"], one["wrote_at"]) for one in items] == [
        ("特殊服务客户", 1, None), ("特殊服务客户", 1, None), ("高价值稳定客户", 0, None),
    ]  # fmt: skip
    at = desk.clock.on(minutes=5)
    customer = await desk.bridge.customer(token(desk, "special_service"))
    await customer.say("灯又闪了")
    items = (await agent.get("/call-backs"))["items"]
    assert [one["wrote_at"] for one in items] == [at.isoformat(), at.isoformat(), None]


async def test_who_is_forgotten_is_called_by_nobody(desk: Office) -> None:
    agent = await desk.seat()
    customer, row = await ended(desk, agent)
    await agent.post(f"/call-backs/{row.id}/take")
    desk.write(lambda session: forget(session, customer.conversation_id, now=desk.clock()))
    assert (await agent.get("/call-backs"))["items"] == []
    assert await agent.get("/call-backs/count") == {"open": 0, "overdue": 0}
    path = f"/call-backs/{row.id}"
    assert (await agent.call("POST", f"{path}/phone", reason="电话回访")).status_code == 403
    assert refused(await agent.call("POST", f"{path}/done", note="打过了，都好")) == (409, "call_back_over")
    with desk.bridge.parts.bridge.reading() as session:
        kept = session.get_one(CallBack, row.id)
    assert (kept.customer_no, kept.segment, kept.note) == (None, None, None)


async def test_a_supervisor_who_saw_another_manager_is_told_who_it_is_now(desk: Office) -> None:
    agent, boss, rival = await desk.seat(name="李经理"), await desk.seat("supervisor"), await desk.seat("supervisor")
    customer, case = await desk.case(token=token(desk, "high_value"))
    desk.claim(case, agent)
    path = f"/conversations/{customer.conversation_id}/manager"
    await boss.put(path, agent_id=agent.id, instead_of=None)
    answer = await rival.call("PUT", path, agent_id=rival.id, instead_of=None)
    assert refused(answer) == (409, "manager_changed")
    assert answer.json()["holder"] == {"id": agent.id, "name": "李经理"}
    await rival.put(path, agent_id=agent.id, instead_of=None)
    await rival.put(path, agent_id=rival.id, instead_of=agent.id)
