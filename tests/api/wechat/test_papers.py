"""Papers of the hall that are scanned in WeChat: by a new follower, by an old one, by the wrong one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bridge_kit import Bridge, FakeRasa
from channel_kit import Phone
from sqlalchemy import update

from api.rasa import BotTurn
from core import conversation as log_of
from core.business import BusinessTable
from core.conversation import Draft
from core.hall import HallPaper
from core.hall_paper import make_poster, make_slip, order_for_paper
from core.work_order import Filing, OrderNotFound, file_order, orders_of

StartAccount = Callable[..., Any]


def echo(text: str) -> BotTurn:
    return BotTurn((Draft("bot", f"进度：{text}"),))


def slip(bridge: Bridge, **more: str) -> tuple[str, str]:
    """File an order and print its slip; number and scene."""
    filing = Filing(cause="other:9", kind="transfer", category="业务申请→过户", conversation_id="other", **more)
    keyring, now = bridge.parts.settings.keyring(), bridge.clock()
    with bridge.parts.workorder.transaction() as session:
        number = file_order(session, filing, keyring=keyring, now=now, joins=False).order.order_no
    with bridge.parts.workorder.reading() as session:
        order = order_for_paper(session, number)
    with bridge.parts.bridge.transaction() as session:
        return number, make_slip(session, order, days=7, agent_id=None, now=now).scene


@pytest.mark.parametrize("event", ["subscribe", "SCAN"])
async def test_a_slip_shows_its_order_to_the_first_one_who_scans_it(start_account: StartAccount, event: str) -> None:
    async with start_account(FakeRasa(echo)) as bridge:
        number, scene = slip(bridge)
        key = f"qrscene_{scene}" if event == "subscribe" else scene
        phone, second = Phone(bridge), Phone(bridge)
        heard = await phone.event(event, EventKey=key)
        assert heard.text == f'进度：/query_work_order{{"work_order_no": "{number}"}}'
        assert [one.author for one in phone.log] == ["customer", "bot"]
        assert phone.log[0].text.startswith("扫码查看：")
        with bridge.parts.workorder.reading() as session:
            assert orders_of(session, conversation_id=phone.user.conversation_id, order_no=number)
        assert "已经有人扫过" in ((await second.event(event, EventKey=key)).text or "")
        later = int(bridge.clock().timestamp()) + 1
        assert number in ((await phone.event("SCAN", EventKey=scene, CreateTime=later)).text or "")
        assert phone.user.scene == scene


async def test_of_a_known_customers_order_others_hear_the_progress_until_the_account_is_proved(
    start_account: StartAccount,
) -> None:
    async with start_account(FakeRasa(echo)) as bridge:
        number, scene = slip(bridge, customer_no="C0000007", account_no="4201234567890")
        phone = Phone(bridge)
        heard = await phone.event("SCAN", EventKey=scene)
        assert heard.text is not None
        assert "已受理" in heard.text
        assert number not in heard.text
        assert [one["title"] for one in phone.log[-1].buttons] == ["绑定户号"]
        assert bridge.rasa.asked == []
        with bridge.parts.workorder.reading() as session, pytest.raises(OrderNotFound):
            orders_of(session, conversation_id=phone.user.conversation_id, order_no=number)
        with bridge.parts.bridge.transaction() as session:
            conversation = log_of.find_conversation(session, phone.user.conversation_id, lock=True)
            conversation.accounts, conversation.assurance = ["4201234567890"], 1
        later = int(bridge.clock().timestamp()) + 1
        assert number in ((await phone.event("SCAN", EventKey=scene, CreateTime=later)).text or "")


async def test_who_is_linked_to_another_customer_hears_the_progress_alone(start_account: StartAccount) -> None:
    async with start_account(FakeRasa(echo)) as bridge:
        for customer_no, asked in (("C0000008", 0), ("C0000007", 1)):
            _, scene = slip(bridge, customer_no="C0000007")
            phone = Phone(bridge)
            await phone.say("在吗")
            bridge.rasa.asked.clear()
            with bridge.parts.bridge.transaction() as session:
                log_of.find_conversation(session, phone.user.conversation_id, lock=True).customer_no = customer_no
            await phone.event("SCAN", EventKey=scene)
            assert len(bridge.rasa.asked) == asked


async def test_an_unknown_code_says_nothing_to_who_follows_already(start_account: StartAccount) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        assert "电小服" in ((await phone.event("SCAN", EventKey="nothing")).text or "")
        later = int(bridge.clock().timestamp()) + 1
        heard = await phone.event("SCAN", EventKey="nothing", CreateTime=later)
        assert (heard.body, len(phone.log)) == (b"success", 1)


async def test_a_retried_scan_is_answered_once(start_account: StartAccount) -> None:
    async with start_account(FakeRasa(echo)) as bridge:
        _, scene = slip(bridge)
        phone = Phone(bridge)
        fields = phone.fields("event", Event="SCAN", EventKey=scene)
        await phone.push(fields)
        await phone.push(fields)
        assert len(bridge.rasa.asked) == 1
        assert [one.author for one in phone.log] == ["customer", "bot"]


async def test_a_poster_begins_its_business_and_an_unknown_code_is_greeted(start_account: StartAccount) -> None:
    async with start_account(FakeRasa(echo)) as bridge:
        business = BusinessTable.load(bridge.parts.settings.data_dir / "business").get("transfer")
        with bridge.parts.bridge.transaction() as session:
            scene = make_poster(session, business, days=None, agent_id=None, now=bridge.clock()).scene
        first, second = Phone(bridge), Phone(bridge)
        assert '/inform{"start": "transfer"}' in ((await first.event("SCAN", EventKey=scene)).text or "")
        assert '/inform{"start": "transfer"}' in ((await second.event("SCAN", EventKey=scene)).text or "")
        assert "电小服" in ((await second.event("subscribe", EventKey="qrscene_nothing")).text or "")


async def test_an_order_that_cannot_be_opened_now_is_said_so(start_account: StartAccount) -> None:
    async with start_account(FakeRasa(echo)) as bridge:
        _, scene = slip(bridge)
        with bridge.parts.bridge.transaction() as session:
            session.execute(update(HallPaper).values(order_no="209901010001"))
        heard = await Phone(bridge).event("SCAN", EventKey=scene)
        assert "暂时连不上" in (heard.text or "")
        assert bridge.rasa.asked == []
