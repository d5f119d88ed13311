"""What may happen to a conversation between a message and its answer, or before the message is logged."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import pytest
from bridge_kit import Bridge, Customer, customer_token

from api import dialogue
from api.channels import web
from core.channel.erase import ERASED, user_left
from core.channel.tables import ChannelUser
from core.conversation import Button, Message


def _give_to_somebody_else(bridge: Bridge, conversation_id: str) -> ChannelUser:
    """Let a conversation be that of a channel's user, whom no page belongs to."""
    with bridge.parts.bridge.transaction() as session:
        user = ChannelUser(
            channel="wechat", user_id=f"o{uuid.uuid4().hex[:27]}", conversation_id=conversation_id,
            created_at=bridge.clock(),
        )  # fmt: skip
        session.add(user)
    return user


async def _in_thought(bridge: Bridge, customer: Customer, text: str) -> asyncio.Task[object]:
    """Ask, and return when the bot has begun to think."""
    bridge.rasa.gate = asyncio.Event()
    asking = asyncio.create_task(customer.say(text))
    while not bridge.rasa.at_once:
        await asyncio.sleep(0.01)
    return asking


@pytest.mark.parametrize("pause", [timedelta(0), timedelta(minutes=11)], ids=["at once", "after a pause"])
async def test_a_page_cannot_write_into_what_is_somebody_elses_though_nobody_had_time_to_look(
    bridge: Bridge, pause: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "PLACING_SECONDS", 0)
    customer = await bridge.customer()
    await customer.say("上个月电费多少")
    _give_to_somebody_else(bridge, customer.conversation_id)
    bridge.clock.ahead += pause
    refused = await customer.post(client_id="later", text="再说一遍我的地址")
    assert refused.status_code == 401
    assert [row.text for row in bridge.rows(customer.conversation_id)] == ["上个月电费多少", "答：上个月电费多少"]


async def test_a_danger_told_after_a_pause_is_filed_though_its_warning_did_not_wait_for_the_log(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = await bridge.customer()
    await customer.say("上个月电费多少")
    bridge.clock.ahead += timedelta(minutes=11)
    monkeypatch.setattr(dialogue, "DANGER_PATIENCE", 0)
    warned = await customer.say("电线掉在地上冒火花")
    assert (warned["messages"][0]["type"], warned["accepted_seq"]) == ("safety", None)
    while len(rows := bridge.rows(customer.conversation_id)) < 4:
        await asyncio.sleep(0.01)
    assert [row.type for row in rows[2:]] == ["text", "safety"]


async def test_what_was_erased_while_the_bot_was_thinking_is_neither_answered_nor_written_back(bridge: Bridge) -> None:
    customer = await bridge.customer()
    asking = await _in_thought(bridge, customer, "我姓欧阳，住幸福路3号")
    user = _give_to_somebody_else(bridge, customer.conversation_id)
    with bridge.parts.bridge.transaction() as session:
        session.get_one(Message, (customer.conversation_id, 1)).channel = "wechat"  # no page has a part in it
        user_left(session, session.get_one(ChannelUser, user.id), bridge.clock())
    assert bridge.rasa.gate is not None
    bridge.rasa.gate.set()
    await asking
    [row] = bridge.rows(customer.conversation_id)
    assert (row.type, row.text, row.turn, row.understood) == (ERASED, "", "done", None)
    with bridge.parts.bridge.reading() as session:
        assert session.query(Button).filter_by(conversation_id=customer.conversation_id).all() == []


async def test_an_answer_comes_once_although_its_turn_was_closed_meanwhile(bridge: Bridge) -> None:
    customer = await bridge.customer(customer_token())
    asking = await _in_thought(bridge, customer, "停电了吗")
    with bridge.parts.bridge.transaction() as session:
        session.get_one(Message, (customer.conversation_id, 1)).turn = "done"  # another process was faster
    assert bridge.rasa.gate is not None
    bridge.rasa.gate.set()
    await asking
    assert [row.text for row in bridge.rows(customer.conversation_id)] == ["停电了吗"]
