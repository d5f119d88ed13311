"""What an agent does with a conversation besides talking: notes, help, pauses, passing on, and the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bridge_kit import Customer, FakeRasa, customer_token
from sqlalchemy import select
from supervision_kit import MONDAY, Office, Seat, office, refused, text_of

from api.rasa import BotTurn
from core.audit import entries
from core.conversation import Draft, find_conversation
from core.handoff import life
from core.handoff.tables import Handoff

UNDERSTOOD = {"intent": "report_outage+query_bill", "confidence": 0.83}


@pytest.fixture
async def desk(urls: Any, tmp_path: Path) -> AsyncIterator[Office]:
    rasa = FakeRasa(lambda text: BotTurn((Draft("bot", f"答：{text}"),), UNDERSTOOD))
    async with office(urls, rasa=rasa, upload_dir=tmp_path / "photos") as one:
        yield one


async def talking(desk: Office, **more: Any) -> tuple[Seat, Customer, str]:
    """Return an agent who has a customer's conversation."""
    seat = await desk.seat()
    customer, case = await desk.case(**more)
    desk.claim(case, seat)
    return seat, customer, f"/conversations/{customer.conversation_id}"


async def test_a_note_stays_inside_and_stands_behind_the_message_it_was_written_at(desk: Office) -> None:
    seat, customer, path = await talking(desk)
    note = await seat.post(f"{path}/notes", text="  客户电话13871234567，说话有点急  ")
    assert (note["kind"], note["agent"]["id"], note["to_agent"]) == ("note", seat.id, None)
    assert note["text"].startswith("客户电话138")
    assert "13871234567" not in note["text"]
    assert note["after_seq"] == desk.bridge.rows(customer.conversation_id)[-1].seq
    assert (await seat.get(path))["notes"] == [note]
    assert "说话有点急" not in text_of(await customer.history())
    assert refused(await seat.call("POST", f"{path}/notes", text="  ")) == (422, "bad_note")
    assert refused(await seat.call("POST", f"{path}/notes", text="长" * 2001)) == (422, "bad_note")


async def test_a_whisper_is_read_by_its_agent_and_by_supervisors_alone(desk: Office) -> None:
    seat, customer, path = await talking(desk)
    chief = await desk.seat("supervisor")
    now = desk.clock()
    desk.write(lambda s: life.whisper(s, customer.conversation_id, agent_id=chief.id, text="先道歉", now=now))
    assert [one["text"] for one in (await seat.get(path))["notes"]] == ["先道歉"]
    colleague = await desk.seat()
    await seat.post(f"{path}/transfer", skill="repair", note="请接着查")
    assert [one["kind"] for one in (await colleague.get(path))["notes"]] == ["transfer"]
    assert [one["kind"] for one in (await chief.get(path))["notes"]] == ["whisper", "transfer"]


async def test_the_clock_is_paused_for_a_reason_of_the_settings_and_goes_on(desk: Office) -> None:
    seat, customer, path = await talking(desk)
    assert refused(await seat.call("POST", f"{path}/pause", reason="waiting_field")) == (409, "customer_waits")
    desk.reply(customer, seat, "我请现场看一下")
    assert (await seat.post(f"{path}/pause", reason="waiting_field"))["paused_reason"] == "waiting_field"
    view = (await seat.get(path))["case"]
    assert view["clocks"]["closure"]["state"] == "paused"
    assert (await seat.post(f"{path}/resume"))["paused_reason"] is None
    assert refused(await seat.call("POST", f"{path}/pause", reason="coffee")) == (422, "unknown_choice")


async def test_pauses_help_and_passing_on_are_audited_by_ids_alone(desk: Office) -> None:
    seat, customer, path = await talking(desk)
    desk.reply(customer, seat, "我去问一下班组")
    desk.reply(customer, seat, "我请现场看一下")
    for name, body in (
        ("pause", {"reason": "waiting_field"}), ("resume", {}), ("help", {"text": "客户电话13871234567，怎么答？"}),
        ("pause", {"reason": "coffee"}), ("transfer", {"skill": "billing", "note": "王小姐，请接着查"}),
    ):  # fmt: skip
        await seat.call("POST", f"{path}/{name}", **body)
    rows = desk.write(lambda s: [(r.action, r.subject, r.detail) for r in entries(s, agent_id=seat.id, limit=9)])
    where = customer.conversation_id
    assert rows == [
        ("paused", where, {"reason": "waiting_field"}), ("resumed", where, {}), ("help_asked", where, {}),
        ("transferred", where, {"to": "billing"}),
    ]  # fmt: skip


async def test_the_clock_of_a_danger_is_not_paused(desk: Office) -> None:
    seat, customer, path = await talking(desk)
    again = {"reason": "danger", "book": desk.bridge.parts.book, "now": desk.clock()}
    desk.write(lambda session: life.request(session, customer.conversation_id, **again).id)
    desk.reply(customer, seat, "人离远点，抢修在路上")
    answer = await seat.call("POST", f"{path}/pause", reason="waiting_field")
    assert refused(answer) == (409, "in_danger")
    assert answer.json()["detail"] == "有危险的会话不能暂停。"


async def test_help_is_a_note_that_supervisors_hear_of(desk: Office) -> None:
    seat, _, path = await talking(desk)
    assert (await seat.post(f"{path}/help", text="客户要求赔偿，怎么答？"))["kind"] == "help"


async def test_passing_on_needs_a_note_and_somebody_who_is_there(desk: Office) -> None:
    seat, customer, path = await talking(desk)
    absent, there = await desk.seat(online=False), await desk.seat(name="小李")
    for body, expected in (
        ({"skill": "billing", "note": "  "}, (422, "note_required")),
        ({"note": "请看"}, (422, "bad_transfer")),
        ({"skill": "billing", "agent_id": there.id, "note": "请看"}, (422, "bad_transfer")),
        ({"agent_id": seat.id, "note": "请看"}, (422, "bad_transfer")),
        ({"skill": "cooking", "note": "请看"}, (422, "unknown_choice")),
        ({"agent_id": absent.id, "note": "请看"}, (409, "no_such_agent")),
        ({"agent_id": 999_999, "note": "请看"}, (409, "no_such_agent")),
    ):
        assert refused(await seat.call("POST", f"{path}/transfer", **body)) == expected
    assert desk.mode(customer) == "human"
    await seat.post(f"{path}/transfer", agent_id=there.id, note="客户催了两次")
    offered = (await there.get("/inbox"))["offers"]
    assert [one["conversation_id"] for one in offered] == [customer.conversation_id]
    assert [one["text"] for one in (await there.get(path))["notes"]] == ["客户催了两次"]
    assert refused(await seat.call("GET", path)) == (403, "forbidden")


async def test_the_writing_up_keeps_what_the_model_and_the_bot_need(desk: Office) -> None:
    seat, customer, path = await talking(desk)
    desk.reply(customer, seat, "来电了吗")
    assert (await seat.post(f"{path}/finish"))["mode"] == "wrap_up"
    assert [one["conversation_id"] for one in (await seat.get("/inbox"))["wrap_up"]] == [customer.conversation_id]
    due = (MONDAY + timedelta(days=1)).isoformat()
    body = {
        "category": "outage", "outcome": "ordered", "corrected": {"1": "report_fault"}, "intents": ["report_fault"],
        "note": {"done": ["报修已登记"], "open": [], "promised": [{"text": "回电", "due_at": due}]}, "then": "bot",
    }  # fmt: skip
    for wrong in ({"category": "cooking"}, {"outcome": "great"}, {"corrected": {"1": "cook"}}, {"intents": ["cook"]}):
        assert refused(await seat.call("POST", f"{path}/wrap_up", **(body | wrong))) == (422, "unknown_choice")
    assert refused(await seat.call("POST", f"{path}/wrap_up", **(body | {"corrected": {"2": "report_fault"}}))) == (
        422, "bad_wrap_up",
    )  # fmt: skip
    await seat.post(f"{path}/wrap_up", **body)
    with desk.bridge.parts.bridge.reading() as session:
        case = session.scalars(select(Handoff)).one()
        note = find_conversation(session, customer.conversation_id).note or {}
    assert (case.category, case.outcome, case.corrected) == ("outage", "ordered", {"1": "report_fault"})
    assert (note["done"], note["promised"][0]["text"]) == (["报修已登记"], "回电")
    assert desk.mode(customer) == "bot"
    assert refused(await seat.call("GET", path)) == (403, "forbidden")


async def test_the_writing_up_can_be_left_again(desk: Office) -> None:
    seat, _, path = await talking(desk)
    await seat.post(f"{path}/finish")
    assert (await seat.post(f"{path}/reopen"))["mode"] == "human"
    assert refused(await seat.call("POST", f"{path}/reopen")) == (409, "wrong_mode")


async def test_earlier_contacts_stand_beside_the_conversation(desk: Office) -> None:
    token = customer_token(now=MONDAY, lifetime=timedelta(days=1))
    before = await desk.seat(name="小陈")
    _, past = await desk.closed(before, token=token)
    seat, _, path = await talking(desk, token=token)
    history = (await seat.get(path))["history"]
    assert [(one["handoff_id"], one["agent"], one["category"], one["outcome"]) for one in history] == [
        (past, "小陈", "停电报修", "当场解决"),
    ]  # fmt: skip
