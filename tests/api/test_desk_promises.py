"""What the desk promises stands in the ledger, is told once when it moves, and is escalated once when it has passed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from bridge_kit import Customer
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from supervision_kit import BOOK, Office, Seat, office

from api.deliveries import deliver_due, deliver_notices
from api.dispatch import dispatch_once
from core import promise
from core.customer_card import Sources, customer_card
from core.desk_feed import DeskEvent
from core.handoff import life, waiting
from core.handoff.ending import WrapUp
from core.outbox import OutboxItem
from core.promise import ANSWER, ARRIVAL, CONTACT, RESTORE, Promise, Subject
from core.work_order import Filing, WorkOrder, file_order, progress

HOUR = timedelta(hours=1)


@pytest.fixture
async def desk(urls: tuple[str, str]) -> AsyncIterator[Office]:
    async with office(urls) as one:
        yield one


def _ledger(desk: Office, case: int) -> list[tuple[str, datetime, str]]:
    """Return (kind, due, what became of it) of all that was promised of a case."""
    with desk.bridge.parts.workorder.reading() as session:
        query = select(Promise).where(Promise.subject_kind == "case", Promise.subject_id == case)
        rows = session.scalars(query.order_by(Promise.id)).all()
    ends = [("moved" if one.moved_to else "kept" if one.kept_at else "stands") for one in rows]
    return [(one.kind, one.due_at, end) for one, end in zip(rows, ends, strict=True)]


def _deliver(desk: Office) -> None:
    deliver_due(desk.bridge.parts)
    deliver_notices(desk.bridge.parts)


def _leave_message(desk: Office, customer: Customer) -> None:
    desk.write(lambda session: life.leave_message(session, customer.conversation_id, book=BOOK, now=desk.clock()))


def _step(desk: Office, case: int) -> str | None:
    return desk.write(lambda session: waiting.step(session, case, book=BOOK, now=desk.clock()))


def _wrap_up(desk: Office, customer: Customer, agent: Seat, *due: datetime, then: Any = "bot") -> None:
    promised = [{"text": f"第{place}次回电", "due_at": at.isoformat()} for place, at in enumerate(due, 1)]
    written = WrapUp(outcome="solved", note={"promised": [*promised, {"text": "多留意", "due_at": None}]}, then=then)
    desk.write(
        lambda session: life.wrap_up(
            session, customer.conversation_id, written, agent_id=agent.id, book=BOOK, now=desk.clock()
        )
    )


def _told(desk: Office, customer: Customer) -> list[str]:
    return [row.text for row in desk.bridge.rows(customer.conversation_id) if row.author == "system"]


def _warnings(desk: Office) -> list[DeskEvent]:
    with desk.bridge.parts.bridge.reading() as session:
        rows = session.scalars(select(DeskEvent).where(DeskEvent.kind == "warning").order_by(DeskEvent.seq))
        return [one for one in rows if one.data["what"] == "promise_late"]


# -- into the ledger


async def test_with_nobody_on_duty_the_promised_time_stands_in_the_ledger_until_an_agent_answers(desk: Office) -> None:
    customer, case = await desk.case()
    asked = desk.clock()
    _deliver(desk)
    assert _ledger(desk, case) == [(ANSWER, asked + 2 * HOUR, "stands")]
    desk.clock.on(minutes=2)
    _leave_message(desk, customer)
    _deliver(desk)
    assert _ledger(desk, case) == [
        (ANSWER, asked + 2 * HOUR, "moved"), (ANSWER, asked + 2 * HOUR + timedelta(minutes=2), "stands"),
    ]  # fmt: skip
    agent = await desk.seat()
    desk.claim(case, agent)
    _deliver(desk)
    assert _ledger(desk, case)[-1][2] == "stands"
    desk.reply(customer, agent, "您好，停电的事我来查。")
    _deliver(desk)
    assert [end for _, _, end in _ledger(desk, case)] == ["moved", "kept"]
    assert not any("有变化" in line for line in _told(desk, customer))


@pytest.mark.parametrize("way", ["left", "asked again"])
async def test_a_case_that_is_over_without_an_answer_leaves_no_promise_standing(desk: Office, way: str) -> None:
    customer, case = await desk.case()
    if way == "left":
        desk.write(lambda session: life.leave_queue(session, customer.conversation_id, book=BOOK, now=desk.clock()))
    else:
        _leave_message(desk, customer)
        desk.clock.on(minutes=5)
        desk.write(
            lambda session: life.request(
                session, customer.conversation_id, reason="asked", book=BOOK, now=desk.clock()
            ).id
        )  # fmt: skip
    _deliver(desk)
    assert {end for _, _, end in _ledger(desk, case)} == {"kept"}
    assert [end for _, _, end in _ledger(desk, case + 1)] == (["stands"] if way == "asked again" else [])


async def test_what_an_agent_promised_stands_until_one_writes_to_the_customer_again(desk: Office) -> None:
    agent = await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, agent)
    desk.reply(customer, agent, "明天上午和下午各给您回个电话。")
    due = [desk.clock() + 24 * HOUR, desk.clock() + 28 * HOUR]
    _wrap_up(desk, customer, agent, *due)
    _deliver(desk)
    _deliver(desk)
    assert _ledger(desk, case) == [(CONTACT, at, "stands") for at in due]
    again = desk.write(
        lambda session: life.request(session, customer.conversation_id, reason="asked", book=BOOK, now=desk.clock()).id
    )
    desk.claim(again, agent)
    _deliver(desk)
    assert _ledger(desk, case) == [(CONTACT, at, "stands") for at in due]
    desk.clock.on(minutes=1)
    desk.reply(customer, agent, "我是刚才的坐席，给您回话。")
    desk.reply(customer, agent, "还有别的要问吗？")
    _deliver(desk)
    assert _ledger(desk, case) == [(CONTACT, at, "kept") for at in due]
    assert _ledger(desk, again) == []


async def test_a_case_that_promised_nothing_does_not_trouble_the_ledger(desk: Office) -> None:
    await desk.closed(await desk.seat())
    with desk.bridge.parts.bridge.reading() as session:
        assert session.scalars(select(OutboxItem).where(OutboxItem.kind == "desk_promise")).all() == []


async def test_the_customer_card_shows_what_the_desk_promised(desk: Office) -> None:
    customer, case = await desk.case()
    _deliver(desk)
    parts = desk.bridge.parts
    with parts.bridge.reading() as session:
        conversation = life.hold_case(session, case)[0]
    sources = Sources(parts.billing, parts.workorder, parts.bridge, parts.settings.keyring())
    [shown] = customer_card(sources, conversation, now=desk.clock())["promises"]
    assert (shown["kind"], shown["handoff_id"], shown["order_no"], shown["overdue"]) == (ANSWER, case, None, False)
    assert shown["due_at"] == (desk.clock() + 2 * HOUR).isoformat()
    assert customer.conversation_id == conversation.id


# -- moved


async def test_a_message_not_answered_in_time_is_told_the_new_time_once(desk: Office) -> None:
    customer, case = await desk.case()
    _leave_message(desk, customer)
    _deliver(desk)
    desk.clock.on(hours=2)
    assert _step(desk, case) == "message_late"
    assert _step(desk, case) is None
    for _ in range(3):
        _deliver(desk)
    due = desk.clock() + 2 * HOUR
    assert [line for line in _told(desk, customer) if "14:00" in line] == [
        "答复您的时间有变化，最迟今天14:00前会有坐席回复您，对不起让您多等了。"
    ]
    assert [(at, end) for _, at, end in _ledger(desk, case)] == [(due - 2 * HOUR, "moved"), (due, "stands")]


async def test_the_same_delivered_again_by_several_at_once_changes_nothing(desk: Office) -> None:
    customer, case = await desk.case()
    _leave_message(desk, customer)
    desk.clock.on(hours=2)
    _step(desk, case)
    _deliver(desk)
    before = _ledger(desk, case)
    desk.write(lambda session: session.execute(update(OutboxItem).values(done_at=None, next_at=desk.clock())))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: deliver_due(desk.bridge.parts), range(4)))
    deliver_notices(desk.bridge.parts)
    assert _ledger(desk, case) == before
    assert sum("有变化" in line for line in _told(desk, customer)) == 1


async def test_with_the_work_order_system_away_the_promise_waits_and_old_news_is_not_told(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer, case = await desk.case()
    _leave_message(desk, customer)

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("select", {}, Exception("away"))

    with monkeypatch.context() as patch:
        patch.setattr("api.deliveries.promise.hold", away)
        assert deliver_due(desk.bridge.parts) == 0
        desk.clock.on(hours=2)
        _step(desk, case)
        agent = await desk.seat()
        desk.claim(case, agent)
        desk.reply(customer, agent, "让您久等了。")
    assert _ledger(desk, case) == []
    desk.clock.on(minutes=5)
    _deliver(desk)
    assert [end for _, _, end in _ledger(desk, case)] == ["moved", "kept"]
    assert not any("有变化" in line for line in _told(desk, customer))


# -- passed


async def test_a_passed_promise_of_an_agent_is_escalated_once_and_stands_on_the_wall(desk: Office) -> None:
    agent = await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, agent)
    desk.reply(customer, agent, "半小时内给您回话。")
    due = desk.clock() + HOUR / 2
    _wrap_up(desk, customer, agent, due)
    _deliver(desk)
    desk.clock.at = due + timedelta(seconds=60)
    await dispatch_once(desk.bridge.parts)
    assert _warnings(desk) == []  # its minute is not over
    desk.clock.on(seconds=1)
    for _ in range(3):
        await dispatch_once(desk.bridge.parts)
    [warning] = _warnings(desk)
    assert (warning.conversation_id, warning.handoff_id, warning.agent_id) == (customer.conversation_id, case, None)
    assert (warning.data["promise"], warning.data["order_no"]) == (CONTACT, None)
    boss = await desk.seat("supervisor")
    [late] = (await boss.get("/wall"))["figures"]["promises_late"]
    assert late == {
        "kind": "contact", "due_at": due.isoformat(), "conversation_id": customer.conversation_id, "order_no": None,
        "title": None, "handoff_id": case, "area": None, "told": 1,
    }  # fmt: skip
    with desk.bridge.parts.workorder.transaction() as session:
        promise.keep(session, Subject("case", case), now=desk.clock())
    assert (await boss.get("/wall"))["figures"]["promises_late"] == []


async def test_a_passed_promise_of_an_order_names_the_order_and_who_was_not_told_does_not_count(desk: Office) -> None:
    customer = await desk.bridge.customer()
    parts, now = desk.bridge.parts, desk.clock()
    with parts.workorder.transaction() as session:
        given = {"kind": "fault_meter", "category": "故障报修→计量故障→电能表", "title": "电表报修"}
        filing = Filing(cause="t1", conversation_id=customer.conversation_id, customer_no=None, **given)
        order = file_order(session, filing, keyring=parts.settings.keyring(), now=now).order
        promise.tell(
            session, Subject("order", order.id), ARRIVAL, now + HOUR, conversation_id=customer.conversation_id, now=now
        )
        promise.record(session, Subject("order", order.id), RESTORE, now + HOUR, now=now)
    desk.clock.on(hours=2)
    await dispatch_once(parts)
    [warning] = _warnings(desk)
    assert (warning.data["promise"], warning.data["order_no"]) == (ARRIVAL, order.order_no)
    boss = await desk.seat("supervisor")
    [late] = (await boss.get("/wall"))["figures"]["promises_late"]
    assert (late["order_no"], late["title"], late["kind"]) == (order.order_no, "电表报修", "arrival")
    with parts.workorder.transaction() as session:
        for state in ("dispatched", "taken", "arrived"):
            progress(session, session.get_one(WorkOrder, order.id), state, now=desk.clock())
    assert (await boss.get("/wall"))["figures"]["promises_late"] == []


async def test_an_outage_many_were_told_of_is_one_warning_and_who_is_told_later_makes_another(desk: Office) -> None:
    customers = [await desk.bridge.customer() for _ in range(3)]
    parts, now = desk.bridge.parts, desk.clock()

    def tell(area: int, *told: Customer) -> None:
        with parts.workorder.transaction() as session:
            for one in told:
                promise.tell(
                    session, Subject("outage", area), RESTORE, now + HOUR, conversation_id=one.conversation_id, now=now
                )

    tell(7, *customers[:2])
    desk.clock.on(hours=2)
    await dispatch_once(parts)
    await dispatch_once(parts)
    assert [one.data["told"] for one in _warnings(desk)] == [2]
    tell(7, customers[2])
    await dispatch_once(parts)
    assert [one.data["told"] for one in _warnings(desk)] == [2, 3]


async def test_without_the_work_order_system_the_wall_says_so_and_the_loop_goes_on(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = await desk.seat("supervisor")

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("select", {}, Exception("away"))

    monkeypatch.setattr("api.desk_watch.promise.late", away)
    assert (await boss.get("/wall"))["figures"]["promises_late"] is None
    await desk.case()
    await dispatch_once(desk.bridge.parts)
    assert desk.bridge.figure("dianfu_desk_waiting", skill="repair") == 1


# -- figures for Prometheus


async def test_the_metrics_tell_who_waits_who_is_there_and_what_went_wrong(desk: Office) -> None:
    parts, figure = desk.bridge.parts, desk.bridge.figure
    agent, _ = await desk.seat(capacity=1), await desk.seat(online=False)
    _, first = await desk.case()
    await desk.case(said="电费怎么算的", skill="billing")
    await dispatch_once(parts)
    assert [figure("dianfu_desk_waiting", skill=skill) for skill in ("repair", "billing", "business")] == [1, 1, 0]
    assert [figure("dianfu_desk_agents", status=one) for one in ("online", "away", "offline", "lost")] == [1, 0, 1, 0]
    desk.clock.on(seconds=21)
    await dispatch_once(parts)
    assert figure("dianfu_desk_longest_wait_seconds") == 21
    assert figure("dianfu_desk_offers_lapsed_total") == 1
    desk.claim(first, agent)
    desk.clock.on(minutes=16)
    await dispatch_once(parts)
    assert (figure("dianfu_desk_vanished_total"), figure("dianfu_desk_agents", status="lost")) == (1, 1)
    assert figure("dianfu_desk_breaches_total", clock="first_response") == 2
    await dispatch_once(parts)
    assert figure("dianfu_desk_breaches_total", clock="first_response") == 2
    answer = await desk.bridge.http.get("/metrics")
    assert 'dianfu_desk_waiting{skill="repair"} 1.0' in answer.text
