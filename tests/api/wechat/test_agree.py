"""The page on which subscription messages are agreed to: signed as WeChat wants it, and only where it is of use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from channel_kit import PAGE
from fake_api import FakeApi
from wechatpy import WeChatClient as Oracle

from api.channels.wechat import agree
from api.channels.wechat.client import WeChatClient
from api.channels.wechat.errors import WeChatError
from api.channels.wechat.page_ticket import AGAIN, PageTicket, signature
from tests.fake_wechat.process import FakeWeChat

TEMPLATES = {"outage": "subscribe:T-outage", "bill_ready": "subscribe:T-outage", "balance_low": "subscribe:T-low"}
TICKET = "/cgi-bin/ticket/getticket"


def config_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="config">(.*?)</script>', page)
    assert found is not None
    value: dict[str, Any] = json.loads(found[1])
    return value


def test_an_address_is_signed_as_wechatpy_signs_it() -> None:
    url = "https://kefu.example.cn/wechat/h5/notices?from=menu"
    wanted = Oracle("wx", "s").jsapi.get_jsapi_signature("n0nce", "ticket-1", 1610969440, url)
    assert signature("ticket-1", "n0nce", 1610969440, url) == wanted


async def test_the_page_shows_each_template_once_with_wechats_button_and_a_signed_address(start_account: Any) -> None:
    api = FakeApi()
    api.next(TICKET, {"errcode": 0, "ticket": "T1", "expires_in": 7200})
    async with start_account(wechat_templates=TEMPLATES, api=api) as bridge:
        answer = await bridge.http.get("/wechat/h5/notices", params={"from": "menu"})
        assert re.findall(r'wx-open-subscribe template="([^"]+)"', answer.text) == ["T-outage", "T-low"]
        names = re.findall(r'class="kind">([^<]+)<', answer.text)
        assert names == ["故障停电和来电通知、电费账单", "余额不足提醒"]
        config = config_of(answer.text)
        url = f"{PAGE}/wechat/h5/notices?from=menu"
        assert config["signature"] == signature("T1", config["nonceStr"], config["timestamp"], url)
        assert config["appId"] == bridge.parts.settings.wechat_appid
        assert "T1" not in answer.text
        policy = answer.headers["content-security-policy"]
        assert "https://res.wx.qq.com" in policy
        assert "frame-src weixin: wvjbscheme:" in policy  # the bridge of WeChat's script calls the app so
        assert "{{" not in answer.text
        assert (await bridge.http.get("/wechat/h5/static/notices.js")).status_code == 200


async def test_the_ticket_is_fetched_once_until_it_ends(start_account: Any) -> None:
    api = FakeApi()
    api.next(TICKET, *({"errcode": 0, "ticket": f"T{n}", "expires_in": 7200} for n in range(2)))
    async with start_account(wechat_templates=TEMPLATES, api=api) as bridge:
        for _ in range(3):
            await bridge.http.get("/wechat/h5/notices")
        assert len(api.calls(TICKET)) == 1
        assert api.calls(TICKET)[0].params["type"] == "jsapi"
        bridge.clock.ahead += timedelta(seconds=7200 - 299)
        await bridge.http.get("/wechat/h5/notices")
        assert len(api.calls(TICKET)) == 2


async def test_without_a_ticket_the_page_says_that_it_does_not_work_now(start_account: Any) -> None:
    api = FakeApi()
    api.next(TICKET, {"errcode": 48001, "errmsg": "api unauthorized"})
    async with start_account(wechat_templates=TEMPLATES, api=api) as bridge:
        answer = await bridge.http.get("/wechat/h5/notices")
        assert answer.status_code == 200
        assert config_of(answer.text)["signature"] == ""


async def test_a_name_with_signs_of_html_stays_a_name(start_account: Any) -> None:
    api = FakeApi()
    api.next(TICKET, {"errcode": 0, "ticket": "T1", "expires_in": 7200})
    async with start_account(wechat_templates={"outage": 'subscribe:"><script>x'}, api=api) as bridge:
        answer = await bridge.http.get("/wechat/h5/notices?</script><b>")
        assert "<script>x" not in answer.text
        assert "<b>" not in answer.text


@pytest.mark.parametrize("templates", [{}, {"outage": "T-outage"}])
async def test_where_no_kind_is_agreed_to_one_by_one_there_is_no_such_page(
    start_account: Any, templates: dict[str, str]
) -> None:
    async with start_account(wechat_templates=templates) as bridge:
        assert (await bridge.http.get("/wechat/h5/notices")).status_code == 404
        assert agree.asked_for(bridge.parts.wechat.templates, bridge.parts.manner.notices) == []


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeWeChat]:
    with FakeWeChat("") as one:
        yield one


async def test_the_fakes_ticket_is_the_one_that_wechatpy_gets_too(fake: FakeWeChat) -> None:
    client = WeChatClient(fake.appid, fake.secret, fake.url)
    ticket, seconds = await client.page_ticket()
    assert (await client.page_ticket())[0] == ticket
    assert 7190 <= seconds <= 7200
    oracle = Oracle(fake.appid, fake.secret)
    oracle.API_BASE_URL = f"{fake.url}/cgi-bin/"
    oracle.session.set(oracle.access_token_key, await client._tokens.get())
    assert oracle.jsapi.get_ticket()["ticket"] == ticket
    await client.close()


async def test_while_wechat_is_away_not_everybody_who_opens_the_page_waits_for_it() -> None:
    asked, now = 0, datetime(2026, 11, 24, 10, tzinfo=UTC)

    class Away:
        async def page_ticket(self) -> tuple[str, int]:
            nonlocal asked
            asked += 1
            if asked == 1:
                raise WeChatError("away")
            return "T1", 7200

    ticket, away = PageTicket(), cast(WeChatClient, Away())
    for seconds in (0, 5):
        with pytest.raises(WeChatError):
            await ticket.get(away, now=now + timedelta(seconds=seconds))
    assert asked == 1
    assert await ticket.get(away, now=now + AGAIN) == "T1"
