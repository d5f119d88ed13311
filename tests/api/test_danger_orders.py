"""After an alarm: what follows is on the urgent order, and dangers that are not ours get the right number."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bridge_kit import Bridge, Customer
from handoff_kit import DeskRoom
from sqlalchemy import select

from api.deliveries import deliver_due
from api.dispatch import dispatch_once
from core import conversation as log_of
from core.handoff import life
from core.handoff.ending import WrapUp
from core.handoff.tables import Handoff
from core.outbox import OutboxItem
from core.safety import SafetyLine
from core.work_order import OrderEvent, WorkOrder, note_context

DANGER = "电线掉在地上了还冒火花"
Start = Callable[..., Any]


def _notes(bridge: Bridge, customer: Customer) -> list[str]:
    """Return the words on the one order of the conversation."""
    keyring = bridge.parts.settings.keyring()
    with bridge.parts.workorder.reading() as session:
        order = session.scalars(select(WorkOrder).where(WorkOrder.conversation_id == customer.conversation_id)).one()
        events = session.scalars(
            select(OrderEvent).where(OrderEvent.order_id == order.id).order_by(OrderEvent.seq)
        )  # fmt: skip
        return [
            keyring.decrypt(event.note_cipher, note_context(order.order_no, event.seq))
            for event in events if event.note_cipher
        ]  # fmt: skip


async def test_what_is_typed_after_a_danger_is_on_the_urgent_order(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say(DANGER)
    first, second = await customer.say("中山大道万松里门口"), await customer.say("旁边有小孩")
    wording = bridge.parts.wording
    assert [one["text"] for one in first["messages"]] == [wording.queued_danger_note]
    assert [one["text"] for one in second["messages"]] == [wording.danger_note_again]
    assert deliver_due(bridge.parts) == 4  # the order, the time by which somebody answers, two notes
    assert _notes(bridge, customer) == ["中山大道万松里门口", "旁边有小孩"]


def _latest(bridge: Bridge, customer: Customer) -> Handoff:
    query = select(Handoff).where(Handoff.conversation_id == customer.conversation_id).order_by(Handoff.id.desc())
    with bridge.parts.bridge.reading() as session:
        return session.scalars(query.limit(1)).one()


@pytest.mark.parametrize("open_order", [True, False], ids=["order open", "order closed"])
async def test_while_its_order_is_open_a_new_wish_for_a_person_is_a_danger_again(
    bridge: Bridge, open_order: bool
) -> None:
    customer = await bridge.customer()
    await customer.say(DANGER)
    deliver_due(bridge.parts)
    room = DeskRoom(bridge.parts.bridge, bridge.clock())
    agent, case = room.agent(), _latest(bridge, customer)
    assert case.summary["wish"] == DANGER
    room.claim(case, agent)
    room.call(life.wrap_up, case.conversation_id, WrapUp(outcome="ordered"), agent_id=agent)
    if not open_order:
        with bridge.parts.workorder.transaction() as session:
            query = select(WorkOrder).where(WorkOrder.conversation_id == customer.conversation_id)
            session.scalars(query).one().state = "closed"
    await customer.say("转人工")
    again = _latest(bridge, customer)
    assert (again.reason, again.priority) == ("asked", 5)
    await dispatch_once(bridge.parts)
    again = _latest(bridge, customer)
    expected = (0, ["danger"]) if open_order else (5, [])
    assert (again.priority, again.summary["flags"]) == expected


async def test_a_danger_told_while_waiting_is_what_the_summary_begins_with(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("转人工")
    await customer.say(DANGER)
    await customer.say("现在变压器也冒烟了")
    case = _latest(bridge, customer)
    assert (case.reason, case.summary["wish"]) == ("danger", DANGER)


async def test_a_second_danger_joins_the_order_of_the_first(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say(DANGER)
    await customer.say("现在变压器也冒烟了")
    deliver_due(bridge.parts)
    assert _notes(bridge, customer) == ["现在变压器也冒烟了"]


async def test_a_note_that_comes_before_its_order_waits_for_it(start: Start) -> None:
    async with start() as bridge:
        customer = await bridge.customer()
        await customer.say(DANGER)
        await customer.say("万松里门口")
        with bridge.parts.bridge.transaction() as session:
            kinds = ("urgent_order", "order_note")  # and there is the time by which somebody answers
            query = select(OutboxItem).where(OutboxItem.kind.in_(kinds))
            order, note = session.scalars(query.order_by(OutboxItem.id))
            order.next_at = note.next_at + timedelta(minutes=5)
        assert deliver_due(bridge.parts) == 1  # that time alone
        with bridge.parts.bridge.transaction() as session:
            for item in session.scalars(select(OutboxItem)):
                item.next_at = item.created_at
        assert deliver_due(bridge.parts) == 2
        assert _notes(bridge, customer) == ["万松里门口"]


async def test_delivered_twice_a_note_is_there_once(start: Start) -> None:
    async with start() as bridge:
        customer = await bridge.customer()
        await customer.say(DANGER)
        await customer.say("万松里门口")
        for _ in range(2):
            deliver_due(bridge.parts)
            with bridge.parts.bridge.transaction() as session:
                for item in session.scalars(select(OutboxItem)):
                    item.done_at = None
        assert _notes(bridge, customer) == ["万松里门口"]


async def test_an_ordinary_queue_writes_on_no_order(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("转人工")
    await customer.say("我的电表转得太快")
    with bridge.parts.bridge.reading() as session:
        mine = OutboxItem.key.startswith(customer.conversation_id)
        assert session.scalars(select(OutboxItem).where(mine)).all() == []


async def test_whoever_talks_to_a_person_is_not_told_of_a_queue(bridge: Bridge) -> None:
    customer = await bridge.customer()
    with bridge.parts.bridge.transaction() as session:
        conversation = log_of.find_conversation(session, customer.conversation_id, lock=True)
        for cause in ("ask_person", "claim"):
            log_of.change_mode(conversation, cause, now=bridge.clock())
    [warning] = (await customer.say(DANGER))["messages"]
    assert "已为您登记紧急工单" in warning["text"]
    assert "队列" not in warning["text"]


# -- not ours


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("厨房燃气泄漏了怎么办", "燃气公司抢修"), ("楼道里一股煤气味", "119"),
        ("家里有臭鸡蛋味，气阀关了", "燃气公司抢修"),
        ("我妈突然晕倒了", "120"), ("我爸心脏病犯了", "120"), ("对面小区发生火灾了", "119"),
    ],
)  # fmt: skip
async def test_gas_fire_elsewhere_and_illness_get_their_number_and_no_order(
    bridge: Bridge, said: str, number: str
) -> None:
    customer = await bridge.customer()
    answer = await customer.say(said)
    [words] = answer["messages"]
    assert (words["type"], answer["mode"]) == ("safety", "bot")
    assert number in words["text"]
    assert "工单" not in words["text"]
    assert bridge.rasa.asked == []
    with bridge.parts.bridge.reading() as session:
        mine = OutboxItem.key.startswith(customer.conversation_id)
        assert session.scalars(select(OutboxItem).where(mine)).all() == []


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("我爸触电晕倒了", "shock"), ("煤气味很大，电表箱在冒烟", "fire"), ("煤气罐着火了", "fire"),
        ("电线砸下来，人晕倒了", "shock"),
    ],
)  # fmt: skip
def test_what_is_electric_comes_first(said: str, kind: str) -> None:
    danger = SafetyLine.load(_rules()).detect(said)
    assert danger is not None
    assert (danger.kind, danger.order) == (kind, True)


@pytest.mark.parametrize(
    "said",
    [
        "煤气费怎么交", "燃气公司电话多少", "煤气灶打不着", "天然气分布式怎么并网",
        "老人靠呼吸机，停电了", "我妈心脏病，停电了怎么办",
        "看到电费我心脏病都犯了", "火灾险你们卖吗", "燃气表没电池了", "水和燃气的单子也给我了",
    ],
)  # fmt: skip
def test_what_only_mentions_them_is_a_question_like_others(said: str) -> None:
    assert SafetyLine.load(_rules()).detect(said) is None


def _rules() -> Any:
    from bridge_kit import ROOT

    return ROOT / "data" / "safety.yaml"
