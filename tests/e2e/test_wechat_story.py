"""What customers live through between WeChat, the page inside it, and the app, and what nobody else may see."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from billing_facts import BillingFacts
from conftest import within
from desk_pages import SECONDS, SHOTS, WIDE, Colleague, Seat, objections
from test_browser import PHONE, Visit, account_of, browser
from test_desk import CHEN, TAN
from test_kills import RECOVERED, ready
from wechat_kit import Page, WeChatStack, bind, conversation_of, differences, log_of, tapped, told, unsettled

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext
    from playwright.sync_api import Page as BrowserPage

__all__ = ["browser"]
pytestmark = pytest.mark.browser
SMALL = {"width": 360, "height": 640}
FARM, FAMILY = "农", "家"
REPAIR = "江夏区纸坊街青龙村三组全黑了，变压器那头没响动，要报修"
TELEPHONE = "13720188453"


@pytest.fixture(autouse=True)
def _whole(wechat_stack: WeChatStack) -> None:
    assert within(RECOVERED, lambda: ready(wechat_stack)), wechat_stack.last_words()
    wechat_stack.wechat.plan()


@pytest.fixture(scope="module")
def bills(wechat_stack: WeChatStack) -> BillingFacts:
    return BillingFacts(wechat_stack.root / "var" / "billing.db")


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Any]:
    opened: list[BrowserContext] = []

    def open_(viewport: dict[str, int], **more: Any) -> BrowserContext:
        opened.append(browser.new_context(locale="zh-CN", viewport=viewport, **more))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def singles(bills: BillingFacts, count: int) -> list[str]:
    """Accounts of people who have one account and no debt to speak of."""
    rows = bills.rows(
        "SELECT account_no FROM accounts WHERE closed_on IS NULL AND prepaid = 0 AND profile IN ('children', 'couple',"
        " 'elderly', 'tenant') AND customer_id IN (SELECT customer_id FROM accounts GROUP BY customer_id"
        " HAVING count(*) = 1) ORDER BY id DESC LIMIT ?", count,
    )  # fmt: skip
    assert len(rows) == count
    return [number for (number,) in rows]


def enter(context: BrowserContext, stack: WeChatStack, openid: str) -> BrowserPage:
    """Open the page inside WeChat as this user: WeChat's own cookie says who is logged in."""
    context.add_cookies([{"name": "fake_wechat_user", "value": openid, "url": stack.wechat.url}])
    page = context.new_page()
    page.set_default_timeout(20 * SECONDS)
    page.goto(f"{stack.url}/wechat/h5")
    page.get_by_role("log").wait_for()
    return page


def test_a_repair_begun_in_wechat_is_finished_in_the_app_after_binding_and_there_is_one_order(
    wechat_stack: WeChatStack, bills: BillingFacts, contexts: Any
) -> None:
    stack, openid = wechat_stack, wechat_stack.wechat.demo("老李")
    stack.wechat.follow(openid)
    guest = Visit(contexts(WIDE), stack.url)
    card = guest.page.locator("label.customer").first
    label = card.inner_text().splitlines()[0]
    [masked, *_] = re.findall(r"\d{3}\*+\d{4}", card.inner_text())
    account = account_of(bills, masked)

    assert "电话" in told(stack, openid, REPAIR)
    assert "绑定好了" in bind(stack, openid, account)
    assert within(20, lambda: bool(stack.rows(
        "bridge", "SELECT 1 FROM channel_users WHERE user_id = ? AND customer_no IS NOT NULL", openid,
    )))  # fmt: skip

    guest.be(label)
    guest.log.get_by_text("青龙村三组全黑了").wait_for()
    guest.log.get_by_role("button", name="接着办停电报修").last.click()
    guest.log.get_by_text("留个电话").nth(1).wait_for()
    guest.say(TELEPHONE)
    guest.log.get_by_text("请核对").last.wait_for()
    guest.shot("wechat-story-app-finishes")
    guest.log.get_by_role("button", name="确认提交").last.click()
    guest.log.get_by_text("已受理").last.wait_for()
    key = conversation_of(stack, openid)
    filed = stack.rows("workorder", "SELECT order_no FROM work_orders WHERE conversation_id = ?", key)
    assert len(filed) == 1
    told_in_wechat = told(stack, openid, "我报的那个单子走到哪儿了")
    assert filed[0][0] in told_in_wechat
    guest.assert_clean()


def test_an_agent_sees_the_channel_and_what_may_still_be_sent_and_his_answer_is_on_the_phone(
    wechat_stack: WeChatStack, browser: Browser
) -> None:
    stack, openid = wechat_stack, wechat_stack.wechat.demo("王阿姨")
    supervisor = Colleague(stack.url, TAN[0])  # whoever else waits would be offered first
    waiting = stack.rows("bridge", "SELECT id FROM conversations WHERE mode IN ('queued', 'offered', 'human')")
    supervisor.clear([one for (one,) in waiting])
    stack.wechat.follow(openid)
    seat = Seat(browser, stack.url, CHEN[0])
    seat.sign_in()
    seat.be("在线")
    told(stack, openid, "转人工")
    seat.cases("派给我").first.wait_for()
    seat.accept()
    seat.page.get_by_text(re.compile("还可发送\\s*[3-5]\\s*条")).first.wait_for()
    assert "微信" in seat.page.locator("main").inner_text()
    seat.reply("王阿姨您好，我是供电公司的，您说")
    shown = stack.wechat.wait_for(openid, "我是供电公司的")
    assert shown.way == "custom"
    assert CHEN[1] in shown.text
    stack.wechat.say(openid, "我屋里跳闸了，推不上去")
    seat.said("customer", "跳闸了").wait_for()
    seat.reply("好，先别硬推，我给您看看")
    stack.wechat.wait_for(openid, "先别硬推")
    seat.shot("wechat-quota")
    assert within(20, lambda: not unsettled(stack)), unsettled(stack)
    assert differences(stack.wechat.phone(openid), log_of(stack, openid)) == []
    seat.assert_clean()
    seat.leave()
    supervisor.clear([conversation_of(stack, openid)])
    supervisor.leave()


def test_two_customers_on_one_phone_see_nothing_of_each_other(
    wechat_stack: WeChatStack, bills: BillingFacts, contexts: Any
) -> None:
    stack, wechat = wechat_stack, wechat_stack.wechat
    openid = wechat.users("oTwoOnOnePhone_____________")[0]
    first, second = singles(bills, 2)
    assert "绑定好了" in bind(stack, openid, first)
    canary = "我家门口的桂花树第八十八棵"
    told(stack, openid, f"我上个月电费多少，{canary}")
    seen = told(stack, openid, "我户号是多少")
    assert first in seen
    context = contexts(PHONE)
    page = enter(context, stack, openid)
    page.get_by_text(canary).first.wait_for()

    asked = told(stack, openid, "解绑")
    if "已解绑" not in asked:
        assert "已解绑" in tapped(stack, openid, "解绑")
    assert within(30, lambda: not stack.rows(
        "bridge", "SELECT 1 FROM channel_users WHERE user_id = ? AND customer_no IS NOT NULL", openid,
    ))  # fmt: skip
    mark = wechat.screen(openid)[-1].n
    page.reload()
    page.get_by_role("log").wait_for()
    hidden = [canary, first, first[-4:]]
    assert "绑定好了" in bind(stack, openid, second)
    for text in ("我户号是多少", "我上个月电费多少", "我刚才说了什么", "我有哪些户号", "我的工单"):
        told(stack, openid, text)
    after = "\n".join(one.text for one in wechat.phone(openid, after=mark))
    assert second in after
    assert [word for word in hidden if word in after] == []
    other = enter(context, stack, openid)
    other.get_by_text("我刚才说了什么").first.wait_for()
    for one in (page, other):
        assert [word for word in hidden if word in one.content()] == []
    log = "\n".join(str(one) for one in Page(stack, openid).log())
    assert [word for word in hidden if word in log] == []


def test_the_page_belongs_to_who_is_logged_in_to_wechat_now(wechat_stack: WeChatStack, contexts: Any) -> None:
    stack = wechat_stack
    one, another = stack.wechat.users("oLoggedInFirst_____________", "oLoggedInSecond____________")
    told(stack, one, "我是第一个人，暗号白鹭")
    told(stack, another, "我是第二个人，暗号苍鹰")
    context = contexts(SMALL)
    page = enter(context, stack, one)
    page.get_by_text("暗号白鹭").first.wait_for()
    page = enter(context, stack, another)
    page.get_by_text("暗号苍鹰").first.wait_for()
    assert "白鹭" not in page.content()
    assert "白鹭" not in str(context.storage_state())


def test_who_stops_following_is_forgotten(wechat_stack: WeChatStack) -> None:
    stack = wechat_stack
    openid, canary = wechat_users(stack), "金丝雀密语八八四二"
    told(stack, openid, f"你好，{canary}")
    told(stack, openid, f"阶梯电价怎么算，{canary}")
    assert stores_with(stack, canary, openid)
    stack.wechat.unfollow(openid)
    assert within(90, lambda: not stores_with(stack, canary, openid)), stores_with(stack, canary, openid)


def wechat_users(stack: WeChatStack) -> str:
    return stack.wechat.users("oLeavesAndIsForgotten_______")[0]


def stores_with(stack: WeChatStack, *words: str) -> list[str]:
    """Return the columns of all databases in which one of these words stands."""
    found = []
    for path in sorted((stack.root / "var").rglob("*.db")):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                for column, *_rest in [row[1:] for row in database.execute(f'PRAGMA table_info("{table}")')]:
                    for word in words:
                        escaped = word.encode("unicode_escape").decode()
                        query = f'SELECT count(*) FROM "{table}" WHERE instr("{column}", ?) OR instr("{column}", ?)'
                        if database.execute(query, (word, escaped)).fetchone()[0]:
                            found.append(f"{path.name}:{table}.{column}")
    return sorted(set(found))


def test_the_phone_and_the_page_read_well_at_phone_size(
    wechat_stack: WeChatStack, bills: BillingFacts, contexts: Any
) -> None:
    """Screenshots to be looked at; nothing is cut off at the side, and axe has no objection."""
    stack, openid = wechat_stack, wechat_stack.wechat.demo("小陈")
    stack.wechat.follow(openid)
    phone = contexts(PHONE).new_page()
    phone.goto(stack.wechat.url)
    phone.get_by_role("log").get_by_text("我是电小服").wait_for()
    phone.wait_for_timeout(500)
    phone.screenshot(path=shot("wechat-phone-welcome"))
    assert "绑定好了" in bind(stack, openid, singles(bills, 3)[2])
    phone.screenshot(path=shot("wechat-phone-bound"))
    for name, text in LOOKS.items():
        told(stack, openid, text)
        phone.wait_for_timeout(500)
        phone.screenshot(path=shot(f"wechat-phone-{name}"))
    for name, viewport, more in (("390", PHONE, {}), ("360", SMALL, {}), ("large", SMALL, {"large": True})):
        context = contexts(viewport, device_scale_factor=2)
        page = enter(context, stack, openid)
        page.get_by_role("log").get_by_text("阶梯").last.wait_for()
        if more:
            page.get_by_role("button", name=re.compile("大字|字号|放大")).first.click()
        for place in (0.0, 0.5, 1.0):
            page.get_by_role("log").evaluate("(log, at) => { log.scrollTop = at * log.scrollHeight; }", place)
            page.wait_for_timeout(400)
            page.screenshot(path=shot(f"wechat-h5-{name}-{int(place * 100)}"))
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide
        assert objections(page) == []


LOOKS = {
    "bill": "我上个月电费多少", "usage": "最近半年用电量", "outage": "我们这里什么时候来电", "tiers": "阶梯电价怎么算",
    "repair": "我家停电了，邻居家都有电",
}  # fmt: skip


def shot(name: str) -> Path:
    SHOTS.mkdir(parents=True, exist_ok=True)
    return SHOTS / f"{name}.png"
