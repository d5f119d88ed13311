"""The phone page of the fake WeChat, in a real browser at phone size, against a small account's server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from test_browser import PHONE, RULES, SHOTS, browser

from tests.fake_wechat.echo import EchoServer
from tests.fake_wechat.process import FakeWeChat
from tests.fake_wechat.state import NOTICE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

__all__ = ["browser"]
pytestmark = pytest.mark.browser


def link(title: str, button: str) -> str:
    return f'<a href="weixin://bizmsgmenu?msgmenucontent={quote(title)}&msgmenuid={button}">{title}</a>'


def account(message: Any) -> Any:
    """An account that welcomes, answers, and breaks on demand."""
    if message.type == "event":
        return f"欢迎关注！\n{link('查电费', 'b_1')}\n<b>不是标签</b>"
    if message.type != "text":
        return f"收到{message.type}"
    if message.content == "坏了":
        return b"<html>"
    return f"您说：{message.content}（{message._data.get('bizmsgmenuid', '打字')}）"


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeWeChat]:
    with EchoServer(account) as echo, FakeWeChat(echo.url) as made:
        echo.knows(made)
        yield made


@pytest.fixture
def phone(browser: Browser, fake: FakeWeChat) -> Iterator[Page]:
    fake.reset()
    context = browser.new_context(locale="zh-CN", viewport=PHONE)
    page = context.new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(fake.url)
    yield page
    context.close()
    assert complaints == []


def shot(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"fake-wechat-{name}.png")


def shown(page: Page, words: str) -> Locator:
    return page.get_by_role("log").locator("li").filter(has_text=words)


def test_a_person_follows_writes_taps_and_sees_a_failure_with_the_keyboard_alone(phone: Page) -> None:
    phone.get_by_role("button", name="关注公众号").press("Enter")
    shown(phone, "欢迎关注！").wait_for()
    assert "<b>不是标签</b>" in shown(phone, "欢迎关注！").inner_text(), "only links are tags"
    phone.get_by_label("输入消息").fill("我家停电了")
    phone.keyboard.press("Enter")
    shown(phone, "您说：我家停电了（打字）").wait_for()
    phone.get_by_role("button", name="查电费").press("Enter")
    shown(phone, "您说：查电费（b_1）").wait_for()
    phone.get_by_label("输入消息").fill("坏了")
    phone.keyboard.press("Enter")
    shown(phone, NOTICE).wait_for()
    shot(phone, "talk")


def test_what_the_phone_can_send_beside_words(phone: Page, fake: FakeWeChat) -> None:
    phone.get_by_role("button", name="关注公众号").click()
    phone.get_by_role("button", name="更多功能").click()
    phone.get_by_role("button", name="位置").click()
    phone.get_by_role("button", name=re.compile("汉阳钟家村")).click()
    shown(phone, "收到location").wait_for()
    phone.get_by_role("button", name="语音").click()
    phone.get_by_label("说的话").fill("我要报修")
    phone.get_by_label("微信带上识别结果").check()
    phone.get_by_role("button", name="发送").click()
    shown(phone, "收到voice").wait_for()
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
    phone.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": png})
    shown(phone, "收到image").wait_for()
    phone.get_by_role("button", name="扫一扫").click()
    phone.get_by_label("二维码的场景值").fill("hall_1")
    phone.get_by_role("dialog").get_by_role("button", name="扫码").click()
    fake.wait_for(fake.demo(), "欢迎关注", after=2)
    pushed = [push.fields for push in fake.pushes(fake.demo())]
    assert [one.get("Event", one["MsgType"]) for one in pushed] == ["subscribe", "location", "voice", "image", "SCAN"]
    assert pushed[2]["Recognition"] == "我要报修"


def test_the_menu_templates_and_typing_are_shown_and_users_are_apart(phone: Page, fake: FakeWeChat) -> None:
    asked = {"grant_type": "client_credential", "appid": fake.appid, "secret": fake.secret}
    token = httpx.post(f"{fake.api_url}/cgi-bin/stable_token", json=asked).json()["access_token"]

    def call(path: str, body: dict[str, Any]) -> None:
        answer = httpx.post(f"{fake.api_url}/cgi-bin/{path}", params={"access_token": token}, json=body)
        assert answer.json()["errcode"] == 0, answer.text

    phone.get_by_role("button", name="关注公众号").click()
    shown(phone, "欢迎关注！").wait_for()
    items = [{"name": "本月账单", "type": "click", "key": "bill"}, {"name": "余额", "type": "click", "key": "balance"}]
    call("menu/create", {"button": [{"name": "查电费", "sub_button": items}]})
    phone.locator("#foot").get_by_role("button", name="查电费").press("Enter")
    phone.keyboard.press("ArrowDown")
    shot(phone, "menu")
    phone.keyboard.press("Enter")
    user = fake.demo()
    fake.wait_for(user, "欢迎关注", after=1)
    assert fake.pushes(user)[-1].fields["EventKey"] == "balance"
    data = {"thing1": {"value": "汉阳区"}, "phrase2": {"value": "恢复供电"}}
    call("message/template/send", {"touser": user, "template_id": "FAKE-outage", "data": data, "url": fake.url})
    shown(phone, "停电区域").get_by_role("button", name="查看详情").wait_for()
    call("message/custom/typing", {"touser": user, "command": "Typing"})
    phone.get_by_role("heading", name="对方正在输入…").wait_for()
    shot(phone, "cards")
    phone.get_by_label("切换微信用户").click()
    phone.get_by_role("dialog").get_by_role("button", name=re.compile("老李")).click()
    phone.get_by_role("button", name="关注公众号").wait_for()
    assert phone.get_by_role("log").locator("li").count() == 0


def test_the_phone_page_has_no_faults_for_a_screen_reader(phone: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    phone.get_by_role("button", name="关注公众号").click()
    shown(phone, "欢迎关注！").wait_for()
    found = Axe().run(phone, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
    assert [(one["id"], [node["html"][:80] for node in one["nodes"]]) for one in found] == []
