"""The widget on the demonstration page, in a real browser against the real stack."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from billing_facts import Bill, BillingFacts, month_of, plain, today, yuan
from conftest import within
from test_kills import ready

from ops.stack import PROJECT, Stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

pytestmark = pytest.mark.browser
QUESTION = "我上个月电费多少"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
SECONDS = 1000.0
SHOTS = PROJECT / os.environ.get("DIANFU_SCREENSHOTS", "var/ci")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
WATCH = """
window.__broken = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.__broken.push(event.violatedDirective + " " + event.blockedURI));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium here, and CI needs it")
        pytest.skip("there is no Chromium here: install Debian's chromium and fonts-noto-cjk to run this test")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


class Visit:
    """A visitor's page, with what its console complained of."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context, self.url, self.complaints = context, url, list[str]()
        context.add_init_script(WATCH)
        self.page: Page = context.new_page()
        self.page.set_default_timeout(20 * SECONDS)
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(url)

    def be(self, label: str) -> list[str]:
        """Choose a customer of the page; return the masked account numbers that it shows."""
        card = self.page.locator("label.customer").filter(has_text=label).first
        card.click()
        self.log.wait_for()
        return re.findall(r"\d{3}\*+\d{4}", card.inner_text())

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log")

    @property
    def box(self) -> Locator:
        return self.page.get_by_label("输入您的问题")

    def say(self, text: str) -> None:
        self.box.fill(text)
        self.box.press("Enter")

    def said(self, text: str) -> Locator:
        """What the customer has said and the bridge has taken."""
        return self.log.locator("li.message.customer:not(.pending)").filter(has_text=text)

    def shot(self, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_timeout(300)  # movements come to rest
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def assert_clean(self) -> None:
        """Nothing broke the page's own policy, and nothing failed but connections to a bridge that was away."""
        assert self.page.evaluate("window.__broken") == []
        network = re.compile(r"ERR_|WebSocket|Failed to load resource")
        assert [text for text in self.complaints if not network.search(text)] == []


@pytest.fixture
def visit(browser: Browser, stack: Stack, request: pytest.FixtureRequest) -> Iterator[Callable[..., Visit]]:
    assert within(120, lambda: ready(stack)), stack.last_words()
    contexts = []

    def open_(viewport: dict[str, int] = DESK, **more: Any) -> Visit:
        contexts.append(browser.new_context(locale="zh-CN", viewport=viewport, **more))
        return Visit(contexts[-1], stack.url)

    yield open_
    for context in contexts:
        context.close()


def account_of(facts: BillingFacts, masked: str) -> str:
    found = [
        no
        for no in facts.all_account_nos()
        if re.fullmatch(re.sub(r"\*+", r"\\d+", masked), no) and len(no) == len(masked)
    ]
    assert len(found) == 1, masked
    return found[0]


def last_bill(facts: BillingFacts, masked: str) -> Bill:
    [bill] = facts.bills(account_of(facts, masked), month_of(today(), -1), today())
    return bill


def assert_shows_bill(card: Locator, bill: Bill, facts: BillingFacts) -> None:
    """The card shows the amount and each line as the database has it."""
    facts_table, ledger = card.locator("table.facts"), card.locator("table.ledger")
    assert f"{yuan(bill.amount)} 元" in facts_table.get_by_role("row", name="电费", exact=False).first.inner_text()
    assert f"{plain(bill.kwh)} 度" in facts_table.inner_text()
    rows = ledger.locator("tbody tr").all()
    lines = facts.lines(bill)
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        text = row.inner_text()
        assert f"{line['amount']} 元" in text
        assert re.search(rf"(?<!\d){re.escape(line['quantity'])} \S+ × {re.escape(line['price'])}(?!\d)", text), text


@pytest.mark.parametrize(("name", "viewport"), [("desk", DESK), ("phone", PHONE)])
def test_a_customer_asks_for_last_months_bill_and_sees_every_line(
    name: str, viewport: dict[str, int], visit: Callable[..., Visit], facts: BillingFacts
) -> None:
    guest = visit(viewport)
    [masked] = guest.be("阶梯电价")
    guest.shot(f"{name}-welcome")
    guest.say(QUESTION)
    card = guest.log.locator(".card").last
    card.wait_for()
    bill = last_bill(facts, masked)
    assert_shows_bill(card, bill, facts)
    assert f"电费{yuan(bill.amount)}元" in guest.log.inner_text()
    guest.shot(f"{name}-bill")
    guest.page.reload()
    guest.page.get_by_role("button", name="在线客服").click()
    guest.log.locator(".card").first.wait_for()
    assert guest.said(QUESTION).count() == 1
    assert_shows_bill(guest.log.locator(".card").last, bill, facts)
    guest.assert_clean()


def test_a_factory_sees_all_lines_of_its_bill_in_large_type(visit: Callable[..., Visit], facts: BillingFacts) -> None:
    guest = visit(PHONE)
    [masked] = guest.be("两部制")
    guest.page.get_by_role("button", name="大字版").click()
    guest.say(QUESTION)
    card = guest.log.locator(".card").last
    card.wait_for()
    assert_shows_bill(card, last_bill(facts, masked), facts)
    size = guest.box.evaluate("element => parseFloat(getComputedStyle(element).fontSize)")
    assert size >= 22
    guest.shot("phone-large-bill")
    guest.log.evaluate("element => element.scrollTop = element.scrollHeight")
    guest.shot("phone-large-bill-end")
    wide = guest.log.evaluate("element => element.scrollWidth - element.clientWidth")
    assert wide <= 0, "the record scrolls sideways"
    guest.assert_clean()


def test_one_of_two_accounts_is_chosen_by_its_button(visit: Callable[..., Visit], facts: BillingFacts) -> None:
    guest = visit(PHONE)
    accounts = guest.be("充电桩")
    assert len(accounts) == 2
    guest.say(QUESTION)
    choice = guest.log.get_by_role("button", name=accounts[1][-4:])
    choice.wait_for()
    guest.shot("phone-two-accounts")
    choice.click()
    card = guest.log.locator(".card").last
    card.wait_for()
    assert_shows_bill(card, last_bill(facts, accounts[1]), facts)
    guest.shot("phone-two-accounts-chosen")
    guest.assert_clean()


def test_use_is_drawn_with_the_figures_of_the_database(visit: Callable[..., Visit], facts: BillingFacts) -> None:
    guest = visit(PHONE)
    [masked] = guest.be("阶梯电价")
    guest.say("最近半年用了多少电")
    chart = guest.log.get_by_role("img")
    chart.wait_for()
    spoken = chart.get_attribute("aria-label") or ""
    bills = facts.bills(account_of(facts, masked), month_of(today(), -6), today())
    for bill in bills:
        assert f"{bill.month.month}月 {plain(bill.kwh)} 度" in spoken
    guest.shot("phone-usage")
    guest.page.get_by_role("button", name="看表格").click()
    assert plain(bills[-1].kwh) in guest.log.locator("table.figures").inner_text()
    guest.assert_clean()


def test_what_is_owed_is_shown_with_its_bills(visit: Callable[..., Visit], facts: BillingFacts) -> None:
    guest = visit(DESK)
    [masked] = guest.be("欠费用户")
    guest.say("我一共欠多少电费")
    card = guest.log.locator(".card").last
    card.wait_for()
    owed = -facts.balance(account_of(facts, masked))
    assert owed > 0
    assert f"{yuan(owed)} 元" in card.inner_text()
    assert card.locator("table.ledger tbody tr").count() == len(facts.unpaid(account_of(facts, masked)))
    guest.shot("desk-balance")
    guest.assert_clean()


def test_who_waits_for_a_person_can_go_back_to_the_bot(visit: Callable[..., Visit]) -> None:
    guest = visit(PHONE)
    guest.be("阶梯电价")
    guest.page.get_by_role("button", name="转人工").first.click()
    leave = guest.log.get_by_role("button", name="不等了")
    leave.wait_for()
    guest.page.get_by_text("排队中").wait_for()
    guest.shot("phone-queued")
    leave.click()
    guest.page.get_by_text("已退出人工排队").wait_for()
    guest.page.get_by_text("排队中").wait_for(state="hidden")
    guest.assert_clean()


def test_a_failed_turn_is_put_again_by_its_button(
    visit: Callable[..., Visit], stack: Stack, facts: BillingFacts
) -> None:
    guest = visit(PHONE)
    [masked] = guest.be("阶梯电价")
    asleep = stack.pids("rasa")
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    try:
        guest.say(QUESTION)
        again = guest.log.get_by_role("button", name="再试一次")
        again.wait_for()
        guest.shot("phone-apology")
    finally:
        for pid in asleep:
            os.kill(pid, signal.SIGCONT)
    assert within(60, lambda: ready(stack))
    again.click()
    card = guest.log.locator(".card").last
    card.wait_for()
    assert_shows_bill(card, last_bill(facts, masked), facts)
    guest.assert_clean()


def test_a_message_written_offline_is_sent_once_when_the_network_is_back(visit: Callable[..., Visit]) -> None:
    guest = visit(PHONE)
    guest.be("阶梯电价")
    guest.say("你好")
    guest.log.locator("li.message.bot").first.wait_for()
    guest.context.set_offline(True)
    guest.page.get_by_text("网络已断开").wait_for()
    guest.say("没有网的时候写的话")
    guest.log.locator("li.pending").wait_for()
    guest.shot("phone-offline")
    guest.context.set_offline(False)
    guest.said("没有网的时候写的话").wait_for()
    guest.page.wait_for_timeout(3 * SECONDS)
    assert guest.said("没有网的时候写的话").count() == 1
    assert guest.log.locator("li.pending").count() == 0
    guest.assert_clean()


def test_the_death_of_the_bridge_costs_the_visitor_nothing_but_time(visit: Callable[..., Visit], stack: Stack) -> None:
    guest = visit(PHONE)
    guest.be("阶梯电价")
    guest.say("你好")
    guest.log.locator("li.message.bot").first.wait_for()
    for pid in stack.pids("api"):
        os.kill(pid, signal.SIGKILL)
    guest.page.get_by_text("网络已断开").wait_for()
    words = ["第一句，账单怎么看", "第二句，上个月电费", "第三句，谢谢"]
    for text in words:
        guest.say(text)
    guest.said(words[-1]).wait_for(timeout=120 * SECONDS)
    guest.page.get_by_text("网络已断开").wait_for(state="hidden")
    guest.log.locator("li.message.customer:not(.pending) ~ li.message.bot").last.wait_for()
    guest.page.wait_for_timeout(2 * SECONDS)
    shown = guest.log.locator("li.message.customer .bubble").all_inner_texts()
    assert shown == ["你好", *words]
    guest.assert_clean()


def test_enter_that_ends_a_composition_does_not_send(visit: Callable[..., Visit]) -> None:
    guest = visit(DESK)
    guest.be("阶梯电价")
    guest.box.focus()
    keyboard = guest.context.new_cdp_session(guest.page)
    keyboard.send("Input.imeSetComposition", {"text": "dianfei", "selectionStart": 7, "selectionEnd": 7})
    enter = {"type": "rawKeyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
    keyboard.send("Input.dispatchKeyEvent", enter)
    guest.page.wait_for_timeout(300)
    assert guest.log.locator("li.message").count() == 0
    keyboard.send("Input.insertText", {"text": "电费"})
    guest.page.wait_for_timeout(100)
    assert guest.box.input_value() == "电费"
    guest.box.press("Enter")
    guest.said("电费").wait_for()
    assert guest.box.input_value() == ""
    guest.assert_clean()


def test_the_keyboard_alone_is_enough(visit: Callable[..., Visit]) -> None:
    guest = visit(DESK)
    page = guest.page
    page.locator("label.customer").first.wait_for()
    launcher = page.get_by_role("button", name="在线客服")
    for _ in range(40):
        if launcher.evaluate("element => element.getRootNode().activeElement === element"):
            break
        page.keyboard.press("Tab")
    else:
        pytest.fail("the launcher cannot be reached with Tab")
    page.keyboard.press("Enter")
    guest.log.wait_for()
    page.keyboard.type("怎么交电费")
    page.keyboard.press("Enter")
    answer = guest.log.locator("li.message.bot").first
    answer.wait_for()
    buttons = answer.get_by_role("button")
    assert buttons.count() > 0
    for _ in range(20):
        if buttons.first.evaluate("element => element.getRootNode().activeElement === element"):
            break
        page.keyboard.press("Shift+Tab")
    else:
        pytest.fail("a button under an answer cannot be reached from the box")
    title = buttons.first.inner_text()
    page.keyboard.press("Enter")
    guest.said(title).wait_for()
    page.keyboard.press("Escape")
    guest.log.wait_for(state="hidden")
    assert launcher.evaluate("element => element.getRootNode().activeElement === element")
    guest.assert_clean()


@pytest.mark.parametrize("large", [False, True], ids=["normal", "large"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_to_object_to(large: bool, viewport: dict[str, int], visit: Callable[..., Visit]) -> None:
    guest = visit(viewport)
    guest.be("充电桩")
    if large:
        guest.page.get_by_role("button", name="大字版").click()
    guest.say(QUESTION)
    guest.log.get_by_role("group", name="可选操作").get_by_role("button").first.click()
    guest.log.locator(".card").first.wait_for()
    for number, question in enumerate(("那用了多少度呢", "现在欠费吗", "最近半年的缴费记录"), 2):
        guest.say(question)
        guest.log.locator(".card").nth(number - 1).wait_for()
    guest.say("转人工")
    guest.page.get_by_text("排队中").wait_for()
    guest.page.wait_for_timeout(500)
    guest.shot(f"axe-{'phone' if viewport == PHONE else 'desk'}-{'large' if large else 'normal'}")
    import axe_playwright_python

    script = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    guest.page.evaluate(script)
    found = guest.page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}}).then(result => result.violations.map("
        "one => [one.id, one.impact, one.nodes.map(node => node.html.slice(0, 160) + ' ' + node.failureSummary)]))",
        RULES,
    )
    assert found == []
