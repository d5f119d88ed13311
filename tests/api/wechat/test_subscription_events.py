"""What WeChat tells of subscription messages: agreed, declined, arrived; in both forms, each told of once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from channel_kit import Phone
from sqlalchemy import select

from core.channel import subscriptions
from core.proactive import fanout, picking, sends
from core.proactive.broadcast import announce
from core.proactive.sends import Outcome
from core.proactive.tables import Send

TEMPLATES = {"outage": "subscribe:T-outage", "bill_ready": "subscribe:T-bill", "balance_low": "T-plain"}
POPUP, CHANGE, SENT = "subscribe_msg_popup_event", "subscribe_msg_change_event", "subscribe_msg_sent_event"


def listed(phone: Phone, event: str, *rows: dict[str, str], bare: bool = False) -> dict[str, Any]:
    """Return the fields of an event as Tencent writes them: XML wraps the list, JSON does not; one row may be bare."""
    inner: dict[str, Any] = {"List": rows[0] if bare else list(rows)}
    wrapper = "".join(part.title() for part in event.split("_"))
    return phone.fields("event", Event=event, **(inner if phone.form == "json" else {wrapper: inner}))


def answer(template_id: str, status: str = "accept") -> dict[str, str]:
    return {"TemplateId": template_id, "SubscribeStatusString": status, "PopupScene": "1"}


def left(phone: Phone, template_id: str = "T-outage") -> int:
    with phone.bridge.parts.bridge.reading() as session:
        return subscriptions.left(session, phone.user.id, template_id)


@pytest.mark.parametrize("form", ["xml", "json"])
async def test_each_agreement_is_counted_for_its_template_and_a_repeated_push_is_not(
    start_account: Any, form: str
) -> None:
    async with start_account(wechat_templates=TEMPLATES) as bridge:
        phone = Phone(bridge, form=form, mode="safe")
        await phone.event("subscribe")
        both = listed(phone, POPUP, answer("T-outage"), answer("T-bill", "reject"), answer("T-plain"), answer("T-?"))
        heard = [await phone.push(both), await phone.push(both)]
        assert [one.body for one in heard] == [b"success"] * 2
        assert (left(phone), left(phone, "T-bill"), left(phone, "T-plain")) == (1, 0, 0)
        bridge.clock.ahead += timedelta(seconds=2)
        await phone.push(listed(phone, POPUP, answer("T-outage"), bare=True))
        assert left(phone) == 2
        assert len(phone.log) == 1  # the welcome: nothing of this is said


@pytest.mark.parametrize("form", ["xml", "json"])
async def test_two_windows_within_one_second_are_two_agreements(start_account: Any, form: str) -> None:
    async with start_account(wechat_templates=TEMPLATES) as bridge:
        phone = Phone(bridge, form=form)
        await phone.event("subscribe")
        first, second = listed(phone, POPUP, answer("T-outage")), listed(phone, POPUP, answer("T-bill"))
        second["CreateTime"] = first["CreateTime"]
        await phone.push(first)
        await phone.push(second)
        assert (left(phone), left(phone, "T-bill")) == (1, 1)


@pytest.mark.parametrize("form", ["xml", "json"])
async def test_who_declines_in_the_list_of_service_notices_takes_none_any_more(start_account: Any, form: str) -> None:
    async with start_account(wechat_templates=TEMPLATES) as bridge:
        phone = Phone(bridge, form=form)
        await phone.event("subscribe")
        await phone.push(listed(phone, POPUP, answer("T-outage")))
        await phone.push(listed(phone, CHANGE, {"TemplateId": "T-outage", "SubscribeStatusString": "reject"}))
        assert left(phone) == 0


async def test_a_stranger_and_a_list_that_is_none_change_nothing(start_account: Any) -> None:
    async with start_account(wechat_templates=TEMPLATES) as bridge:
        stranger, phone = Phone(bridge), Phone(bridge)
        assert (await stranger.push(listed(stranger, POPUP, answer("T-outage")))).status == 200
        await phone.event("subscribe")
        strange = ({"SubscribeMsgPopupEvent": "x"}, {"List": "x"}, {"SubscribeMsgPopupEvent": {"List": ["x"]}}, {})
        for one in strange:
            assert (await phone.event(POPUP, **one)).status == 200
        assert left(phone) == 0


async def test_leaving_takes_the_agreements_along(start_account: Any) -> None:
    async with start_account(wechat_templates=TEMPLATES) as bridge:
        phone = Phone(bridge)
        await phone.event("subscribe")
        await phone.push(listed(phone, POPUP, answer("T-outage")))
        user_id = phone.user.id
        await phone.event("unsubscribe")
        with bridge.parts.bridge.reading() as session:
            assert subscriptions.left(session, user_id, "T-outage") == 0


@pytest.mark.parametrize("form", ["xml", "json"])
async def test_the_news_of_a_message_settles_its_send(start_account: Any, form: str) -> None:
    async with start_account(wechat_templates=TEMPLATES) as bridge:
        phone, notices = Phone(bridge, form=form), bridge.parts.manner.notices
        await phone.event("subscribe")
        await phone.push(listed(phone, POPUP, answer("T-outage")))
        now, singles = bridge.clock(), bridge.parts.wechat.templates.singles
        with bridge.parts.bridge.transaction() as session:
            number = announce(
                session, notices, kind="outage", key="k", wording="outage_begun", values={"area": "听涛苑"},
                audience={"users": [phone.user.id]}, now=now,
            ).id  # fmt: skip
            fanout.step(session, notices, number, now=now)
            picked = picking.pick(session, notices, channel="wechat", limit=1, now=now)
            (item,) = picking.take(session, picked, singles=singles, now=now)
            sends.settle(session, [Outcome(item, "sent", "unknown")], now=now)
        told = {"TemplateId": "T-outage", "MsgID": "1700827132819554304", "ErrorCode": "0", "ErrorStatus": "success"}
        await phone.push(listed(phone, SENT, told, bare=True))
        with bridge.parts.bridge.reading() as session:
            row = session.scalars(select(Send)).one()
            assert (row.state, row.error, row.remote_id) == ("sent", None, "1700827132819554304")
        failed = {**told, "ErrorCode": "43101", "ErrorStatus": "user block"}
        await phone.push(listed(phone, SENT, failed))
        with bridge.parts.bridge.reading() as session:
            row = session.scalars(select(Send)).one()
            assert (row.state, row.channel, row.error) == ("waiting", "chat", "wechat 43101")
