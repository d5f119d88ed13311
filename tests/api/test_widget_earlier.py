"""The quiet line above the log: what a login said on a page before it was joined, opened with the keyboard."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from api.widget import join_widget

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOST = '<!doctype html><html lang="zh-CN"><title>营业厅</title><script src="/widget/v1.js"></script><body></body>'
AT = "2026-11-22T10:00:00+08:00"
LINE = "查看之前的对话"


def said(seq: int, author: str, text: str) -> dict[str, Any]:
    return {
        "seq": seq, "at": AT, "author": author, "type": "text", "text": text, "card": None, "buttons": [],
        "channel": "web", "agent": None, "client_id": None, "in_reply_to": None,
    }  # fmt: skip


API = {
    "/v1/sessions": {"conversation_id": "home", "token": "t", "mode": "bot", "expires_at": "2099-01-01T00:00:00+08:00"},
    "/v1/messages": {
        "messages": [said(1, "customer", "微信上问的"), said(2, "bot", "微信上答的")], "mode": "bot", "last_seq": 2,
        "conversation_id": "home",
    },
    "/v1/messages/earlier": {"conversations": [{
        "conversation_id": "page", "joined_at": AT,
        "messages": [said(1, "customer", "网页上问的"), said(2, "bot", "网页上答的")],
    }]},
}  # fmt: skip


@pytest.fixture
def page() -> Iterator[Page]:
    from playwright.sync_api import Route, sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium here, and CI needs it")
        pytest.skip("there is no Chromium here: install Debian's chromium to run this test")

    def answer(route: Route) -> None:
        path = "/" + route.request.url.split("/", 3)[3].partition("?")[0]
        if path in API:
            route.fulfill(status=200, content_type="application/json", body=json.dumps(API[path]))
        elif path == "/widget/v1.js":
            route.fulfill(status=200, content_type="text/javascript; charset=utf-8", body=join_widget())
        else:
            route.fulfill(status=200, content_type="text/html; charset=utf-8", body=HOST)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        found = browser.new_page(locale="zh-CN", viewport={"width": 390, "height": 844})
        found.route("**/*", answer)
        found.goto("http://localhost:9/")
        found.wait_for_function("window.dianfu")
        yield found
        browser.close()


def texts(page: Page) -> list[str]:
    return page.locator(".log .bubble, .log .notice span").all_inner_texts()


@pytest.mark.browser
@pytest.mark.parametrize("big", [False, True])
def test_a_login_opens_what_was_said_before_with_the_keyboard(page: Page, big: bool) -> None:
    page.evaluate("dianfu.login('login-token'); dianfu.open()")
    if big:
        page.get_by_role("button", name="大字").click()
    line = page.get_by_role("button", name=LINE)
    line.wait_for()
    assert texts(page) == ["微信上问的", "微信上答的"]
    line.focus()
    page.keyboard.press("Enter")
    page.get_by_text("以上是之前的对话").wait_for()
    assert texts(page) == ["网页上问的", "网页上答的", "以上是之前的对话", "微信上问的", "微信上答的"]
    assert line.count() == 0
    assert page.get_by_role("button", name="新消息").count() == 0
    assert page.evaluate("document.querySelector('dianfu-chat').shadowRoot.activeElement.className") == "log"
    if picture := os.environ.get("SHOT"):
        page.screenshot(path=f"{picture}-{big}.png")


@pytest.mark.browser
def test_without_a_login_nothing_earlier_is_asked_for(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("dianfu.open()")
    page.get_by_text("微信上答的").wait_for()
    assert page.get_by_role("button", name=LINE).count() == 0
    assert not any("earlier" in one for one in asked)
