"""Subscription messages at the fake WeChat: its rules, its events, wechatpy as a client, and the bridge's own words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from wechatpy import WeChatClient as Oracle
from wechatpy.exceptions import WeChatClientException

from tests.fake_wechat.echo import EchoServer
from tests.fake_wechat.process import FakeWeChat

OPENID, TEMPLATE = "oFakeUser" + "z" * 19, "FAKE-outage"
DATA: dict[str, Any] = {"thing1": {"value": "汉阳区"}, "phrase2": {"value": "停电抢修"}}


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoServer]:
    with EchoServer(lambda _message: None) as server:
        yield server


@pytest.fixture(scope="module")
def running(echo: EchoServer) -> Iterator[FakeWeChat]:
    with FakeWeChat(echo.url) as fake:
        echo.knows(fake)
        yield fake


@pytest.fixture
def fake(running: FakeWeChat) -> FakeWeChat:
    running.reset()
    running.settings(mode="safe", form="xml", pace=0.2)
    running.users(OPENID)
    return running


@pytest.fixture
def client(fake: FakeWeChat) -> Oracle:
    made = Oracle(fake.appid, fake.secret)
    made.API_BASE_URL = f"{fake.url}/cgi-bin/"
    asked = {"grant_type": "client_credential", "appid": fake.appid, "secret": fake.secret}
    token = httpx.get(f"{fake.url}/cgi-bin/token", params=asked).json()["access_token"]
    made.session.set(made.access_token_key, token)
    return made


def refused(client: Oracle, **more: Any) -> int:
    with pytest.raises(WeChatClientException) as caught:
        client.message.send_subscribe_message(OPENID, TEMPLATE, **({"data": DATA} | more))
    code: int = caught.value.errcode
    return code


def events(fake: FakeWeChat, name: str) -> list[Any]:
    fake.idle(10)
    return [one.fields for one in fake.pushes() if one.fields.get("Event") == name]


def test_wechatpy_sends_one_message_for_each_agreement_and_each_is_told_of(fake: FakeWeChat, client: Oracle) -> None:
    assert refused(client) == 43101
    fake.subscribe(OPENID, TEMPLATE, 2)
    client.message.send_subscribe_message(OPENID, TEMPLATE, DATA, page="http://127.0.0.1/h5")
    client.message.send_subscribe_message(OPENID, TEMPLATE, DATA)
    assert refused(client) == 43101
    assert [one.way for one in fake.phone(OPENID)] == ["subscription"] * 2
    assert fake.tap(OPENID, "停电通知") == "http://127.0.0.1/h5"
    popups = events(fake, "subscribe_msg_popup_event")
    assert [one["SubscribeMsgPopupEvent"]["List"][0]["SubscribeStatusString"] for one in popups] == ["accept"] * 2
    told = [one["SubscribeMsgSentEvent"]["List"][0] for one in events(fake, "subscribe_msg_sent_event")]
    assert [(one["TemplateId"], one["ErrorCode"]) for one in told] == [(TEMPLATE, "0")] * 2
    assert len({one["MsgID"] for one in told}) == 2


def test_a_field_that_the_template_does_not_take_uses_no_agreement(fake: FakeWeChat, client: Oracle) -> None:
    fake.subscribe(OPENID, TEMPLATE, 1)
    assert refused(client, data={"phrase2": {"value": "12345678"}}) == 47003
    client.message.send_subscribe_message(OPENID, TEMPLATE, DATA)


def test_who_says_no_in_the_window_agrees_to_nothing_and_who_declines_later_loses_all(
    fake: FakeWeChat, client: Oracle
) -> None:
    fake.subscribe(OPENID, TEMPLATE, 1, status="reject")
    assert refused(client) == 43101
    fake.subscribe(OPENID, TEMPLATE, 3)
    fake.end_subscription(OPENID, TEMPLATE)
    assert refused(client) == 43101
    (told,) = events(fake, "subscribe_msg_change_event")
    row = {"TemplateId": TEMPLATE, "SubscribeStatusString": "reject"}
    assert told["SubscribeMsgChangeEvent"]["List"] == [row]


def test_json_pushes_have_the_list_without_a_wrapper(fake: FakeWeChat) -> None:
    fake.settings(form="json")
    fake.subscribe(OPENID, TEMPLATE, 1)
    (told,) = events(fake, "subscribe_msg_popup_event")
    assert told["List"][0]["TemplateId"] == TEMPLATE
