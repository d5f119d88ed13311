"""The H5 page: let in by WeChat alone, one ticket for one session, and always the person who is logged in now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from bridge_kit import Bridge, Customer, settings
from bridge_kit import running as run

from api.channels.wechat import h5
from api.channels.wechat.client import OAuthUser
from api.channels.wechat.errors import WeChatRefused, WeChatUnreachable
from core.channel.tables import WECHAT
from core.channel.users import known_user

WE = {
    "wechat_appid": "wx0123456789abcdef", "wechat_secret": "s" * 32, "wechat_token": "token",
    "wechat_oauth_url": "https://open.wechat.test", "public_url": "http://bridge.test",
}  # fmt: skip
PAGE = {"X-Dianfu-Page": "h5"}


class Tencent:
    """Says whose each code is, once."""

    def __init__(self) -> None:
        self.codes: dict[str, OAuthUser | Exception] = {}

    async def openid_of(self, code: str) -> OAuthUser:
        found = self.codes.pop(code, WeChatRefused(40163, "code been used"))
        if isinstance(found, Exception):
            raise found
        return found

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
async def bridge(sqlite_urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    async with run(settings(*sqlite_urls, **WE)) as one:
        if not any(getattr(route, "path", "") == "/wechat/h5" for route in one.app.routes):
            one.app.include_router(h5.router)
        tencent = Tencent()
        monkeypatch.setattr(type(one.parts.wechat.client), "openid_of", lambda _, code: tencent.openid_of(code))
        one.app.state.tencent = tencent
        yield one


def phone(bridge: Bridge) -> httpx.AsyncClient:
    """A browser inside WeChat, with cookies of its own."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(bridge.app), base_url="http://bridge.test")


async def through(bridge: Bridge, browser: httpx.AsyncClient, openid: str, *, code: str = "c1") -> httpx.Response:
    """Go by the door to WeChat and back."""
    left = await browser.get("/wechat/h5/enter")
    state = parse_qs(urlsplit(left.headers["location"]).query)["state"][0]
    bridge.app.state.tencent.codes[code] = OAuthUser(openid, snapshot=False)
    return await browser.get("/wechat/oauth", params={"code": code, "state": state})


async def session_in(bridge: Bridge, browser: httpx.AsyncClient) -> dict[str, Any]:
    answer = await browser.post("/wechat/h5/session", headers=PAGE)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_without_a_ticket_the_page_is_a_door_to_wechat(bridge: Bridge) -> None:
    async with phone(bridge) as browser:
        door = await browser.get("/wechat/h5")
        assert "door.js" in door.text
        assert "script-src 'self'" in door.headers["content-security-policy"]
        left = await browser.get("/wechat/h5/enter")
        address = urlsplit(left.headers["location"])
        assert (left.status_code, address.netloc, address.fragment) == (302, "open.wechat.test", "wechat_redirect")
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        assert asked.pop("state")
        assert asked == {
            "appid": WE["wechat_appid"], "redirect_uri": "http://bridge.test/wechat/oauth", "response_type": "code",
            "scope": "snsapi_base",
        }  # fmt: skip
        cookie = left.headers["set-cookie"]
        assert all(part in cookie for part in ("HttpOnly", "SameSite=lax", "Max-Age=600", "Path=/wechat"))


async def test_the_user_gets_a_session_of_the_own_conversation_once(bridge: Bridge) -> None:
    async with phone(bridge) as browser:
        back = await through(bridge, browser, "o-alice")
        assert (back.status_code, back.headers["location"]) == (303, "/wechat/h5?in=1")
        page = await browser.get("/wechat/h5?in=1")
        assert "/widget/v1.js" in page.text
        found = await session_in(bridge, browser)
        assert found["token"] not in page.text + str(back.headers)
        user = await bridge.parts.store.read(lambda session: known_user(session, WECHAT, "o-alice"))
        assert user is not None
        assert (user.conversation_id, user.followed) == (found["conversation_id"], False)
        customer = Customer(bridge.http, found["conversation_id"], found["token"])
        assert [one["text"] for one in (await customer.say("你好"))["messages"]] == ["答：你好"]
        assert {one["channel"] for one in (await customer.history())["messages"]} == {"h5"}
        assert (await browser.post("/wechat/h5/session", headers=PAGE)).status_code == 401  # the ticket is used up


async def test_another_person_on_the_same_telephone_gets_the_own_conversation(bridge: Bridge) -> None:
    async with phone(bridge) as browser:
        await through(bridge, browser, "o-alice", code="c1")
        hers = await session_in(bridge, browser)
        await through(bridge, browser, "o-bob", code="c2")
        his = await session_in(bridge, browser)
    assert his["conversation_id"] != hers["conversation_id"]


async def test_a_state_of_another_browser_or_none_is_refused(bridge: Bridge) -> None:
    async with phone(bridge) as browser, phone(bridge) as other:
        left = await other.get("/wechat/h5/enter")
        state = parse_qs(urlsplit(left.headers["location"]).query)["state"][0]
        bridge.app.state.tencent.codes["c1"] = OAuthUser("o-alice", snapshot=False)
        for params in ({"code": "c1", "state": state}, {"code": "c1"}, {"state": state}, {}):
            answer = await browser.get("/wechat/oauth", params=params)
            assert "重新打开" in answer.text
            assert "set-cookie" not in answer.headers
        await browser.get("/wechat/h5/enter")
        assert "没能确认" in (await browser.get("/wechat/oauth", params={"code": "c1", "state": state})).text
    assert "c1" in bridge.app.state.tencent.codes  # nobody has asked WeChat


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (WeChatRefused(40163, "used"), "已经用过"),
        (WeChatRefused(42003, "expired"), "重新打开"),
        (WeChatUnreachable(sent=False), "连不上微信"),
        (OAuthUser("o-snapshot", snapshot=True), "没能确认"),
    ],
)
async def test_what_wechat_refuses_is_told_plainly(bridge: Bridge, said: OAuthUser | Exception, words: str) -> None:
    async with phone(bridge) as browser:
        left = await browser.get("/wechat/h5/enter")
        state = parse_qs(urlsplit(left.headers["location"]).query)["state"][0]
        bridge.app.state.tencent.codes["c1"] = said
        answer = await browser.get("/wechat/oauth", params={"code": "c1", "state": state})
        assert words in answer.text
        assert 'href="/wechat/h5"' in answer.text
        assert (await browser.post("/wechat/h5/session", headers=PAGE)).status_code == 401


async def test_a_ticket_is_good_for_a_minute_for_the_own_page_alone_and_is_no_session(bridge: Bridge) -> None:
    async with phone(bridge) as browser:
        await through(bridge, browser, "o-alice")
        assert (await browser.post("/wechat/h5/session")).status_code == 401
        ticket = browser.cookies["dianfu_h5"]
        answer = await bridge.http.get("/v1/messages", headers={"Authorization": f"Bearer {ticket}"})
        assert answer.status_code == 401
        bridge.clock.ahead = timedelta(seconds=61)
        assert (await browser.post("/wechat/h5/session", headers=PAGE)).status_code == 401


async def test_a_session_is_no_ticket_for_another_session(bridge: Bridge) -> None:
    async with phone(bridge) as browser:
        await through(bridge, browser, "o-alice")
        token = (await session_in(bridge, browser))["token"]
    async with phone(bridge) as other:
        other.cookies.set("dianfu_h5", token, path="/wechat")
        assert (await other.post("/wechat/h5/session", headers=PAGE)).status_code == 401
        assert "/widget/v1.js" not in (await other.get("/wechat/h5")).text


async def test_a_browser_that_keeps_no_cookie_goes_in_no_circle(bridge: Bridge) -> None:
    async with phone(bridge) as browser:
        assert "重新打开" in (await browser.get("/wechat/h5?in=1")).text


async def test_without_an_official_account_the_page_says_so(sqlite_urls: tuple[str, str]) -> None:
    async with run(settings(*sqlite_urls)) as one:
        if not any(getattr(route, "path", "") == "/wechat/h5" for route in one.app.routes):
            one.app.include_router(h5.router)
        for path in ("/wechat/h5", "/wechat/h5/enter", "/wechat/oauth"):
            answer = await one.http.get(path)
            assert "请在微信里打开" in answer.text


async def test_the_pages_files_are_served_and_no_others(bridge: Bridge) -> None:
    for name in h5.FILES:
        assert (await bridge.http.get(f"/wechat/h5/static/{name}")).status_code == 200
    assert (await bridge.http.get("/wechat/h5/static/index.html")).status_code == 404


async def test_the_page_leads_to_the_notices_that_are_agreed_to_one_by_one_if_there_are_such(
    sqlite_urls: tuple[str, str],
) -> None:
    for ids, shown in (({"outage": "subscribe:S1"}, True), ({"outage": "T1"}, False)):
        async with run(settings(*sqlite_urls, **WE, wechat_templates=ids)) as bridge:
            page = h5._with_bar(bridge.parts, h5._file("index.html"))
            assert ('href="/wechat/h5/notices"' in page, 'class="with-bar"' in page) == (shown, shown)
