"""Points on the map: on the urgent order of a danger, asked about when they come alone, known to what comes after."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from channel_kit import Phone
from sqlalchemy import select

from api.deliveries import deliver_due
from core.work_order import WorkOrder
from core.work_order.tables import order_context

PLACE = "珞喻路726号光谷步行街"
DANGER = "闸推不上去，有焦味"


async def _pin(phone: Phone, label: str = PLACE) -> Any:
    return await phone.push(phone.fields("location", Location_X="30.5", Location_Y="114.4", Scale="15", Label=label))


def _address(phone: Phone) -> str | None:
    parts = phone.bridge.parts
    deliver_due(parts)
    with parts.workorder.reading() as session:
        order = session.scalars(select(WorkOrder).where(WorkOrder.conversation_id == phone.user.conversation_id)).one()
        cipher = order.address_cipher
        return cipher and parts.settings.keyring().decrypt(cipher, order_context("address", order.order_no))


async def test_the_point_sent_before_a_danger_is_the_place_of_its_order(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await _pin(phone)
        warned = await phone.say(DANGER)
        assert f"地点记的是“{PLACE}”" in warned.text
        assert "把出事的地点" not in warned.text
        noted = await phone.say("你们到底几点来人")
        assert bridge.parts.wording.danger_note_again in noted.text
        assert _address(phone) == PLACE


async def test_without_a_place_nothing_is_said_of_one_and_it_is_asked(start_account: Any) -> None:
    async with start_account() as bridge:
        phone, words = Phone(bridge), bridge.parts.wording
        await phone.say(DANGER)
        assert words.queued_danger_unplaced in (await phone.say("你们到底几点来人")).text
        assert words.queued_danger_note in (await _pin(phone)).text
        assert words.danger_note_again in (await phone.say("快点")).text
        assert _address(phone) == PLACE


async def test_a_point_of_an_hour_ago_or_other_than_what_is_said_is_no_place_of_a_danger(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await _pin(phone)
        bridge.clock.ahead += timedelta(hours=1)
        assert "把出事的地点" in (await phone.say(DANGER)).text
        assert _address(phone) is None
        other = Phone(bridge)
        await _pin(other)
        assert "地点记的是" not in (await other.say("中山大道万松里电线掉在地上冒火花")).text


async def test_a_point_that_comes_alone_is_asked_about(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        heard = await _pin(phone)
        assert f"收到您的位置：{PLACE}。这里停电了吗？" in heard.text
        assert bridge.rasa.asked == []
        assert [one["title"] for one in phone.log[-1].buttons] == ["停电了", "附近营业厅"]
        await phone.say("1")
        assert bridge.rasa.asked[-1]["text"] == '/report_outage{"address": "' + PLACE + '"}'


async def test_what_is_asked_after_a_point_knows_of_it_for_half_an_hour(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await _pin(phone)
        await phone.say("家里没电")
        assert bridge.rasa.asked[-1]["metadata"]["place"] == PLACE
        bridge.clock.ahead += timedelta(minutes=31)
        await phone.say("家里没电")
        assert "place" not in bridge.rasa.asked[-1]["metadata"]


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("珞喻路726号", True), ("在中山大道", True), ("狮子山社区3栋", True), ("南湖中央花园", True),
        ("你们到底几点来人", False), ("电路短路了", False), ("电表箱里有火", False), ("你们在路上了吗", False),
        ("不等了", False), ("旁边有小孩", False),
    ],
)  # fmt: skip
async def test_what_names_a_place_is_told_from_what_does_not(start_account: Any, said: str, names: bool) -> None:
    async with start_account() as bridge:
        assert bridge.parts.wording.names_place(said) is names
