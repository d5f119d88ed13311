"""A customer and agents at the same conversation, each in a real browser, against the real stack."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from billing_facts import BillingFacts
from conftest import within
from desk_pages import SECONDS, WIDE, Colleague, Seat, objections, shorter_limits
from desk_story import (
    CHEN,
    HE,
    TAN,
    ZHOU,
    Agent,
    ask_for_a_person,
    bot_respects_the_note,
    file_meter_check,
    from_agent,
    hand_back,
    helps,
    is_asked_once_how_it_was,
    queued_in_anger,
    sees_the_offer_and_takes_it,
    sees_who_it_is_and_what_was_said,
    send_order,
    served,
)
from test_browser import Visit, account_of
from test_kills import ready

from ops.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Response

pytestmark = pytest.mark.browser
SeatOf = Callable[[Agent], Seat]
Comes = Callable[[str], Visit]


@pytest.fixture(scope="module")
def browsers() -> Iterator[tuple[Browser, Browser]]:
    """Two browsers: the customers' and the agents'."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium here, and CI needs it")
        pytest.skip("there is no Chromium here: install Debian's chromium and fonts-noto-cjk to run this test")
    with sync_playwright() as playwright:
        two = [playwright.chromium.launch(executable_path=path, args=["--no-sandbox"]) for _ in range(2)]
        yield two[0], two[1]
        for one in two:
            one.close()


@pytest.fixture(scope="module")
def desk(stack: Stack) -> Iterator[Stack]:
    """The stack with people at work at any hour, and who notice sooner that one of them has vanished."""
    assert within(120, lambda: ready(stack)), stack.last_words()
    with shorter_limits(stack):
        begin_anew(stack)
        yield stack
    begin_anew(stack)


def begin_anew(stack: Stack) -> None:
    """Let the bridge read its data again; `dianfu serve` starts it when it has ended."""
    before = stack.pids("api")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert within(60, lambda: not set(before) & set(stack.pids("api"))), stack.last_words()
    assert within(120, lambda: ready(stack)), stack.last_words()


@pytest.fixture(autouse=True)
def supervisor(desk: Stack) -> Iterator[Colleague]:
    """Nothing that another test has left waits for anybody."""
    one = Colleague(desk.url, TAN[0])
    one.clear(open_conversations(desk))
    yield one
    one.clear(open_conversations(desk))
    one.leave()


def open_conversations(desk: Stack) -> list[str]:
    return [key for (key,) in rows(desk, "bridge", "SELECT conversation_id FROM handoffs WHERE ended_at IS NULL")]


@pytest.fixture
def seat(browsers: tuple[Browser, Browser], desk: Stack, supervisor: Colleague) -> Iterator[SeatOf]:
    taken: list[Seat] = []

    def take(agent: Agent) -> Seat:
        one = Seat(browsers[1], desk.url, agent[0])
        taken.append(one)
        one.sign_in()
        one.be("在线")
        return one

    yield take
    for one in taken:
        one.leave()


@pytest.fixture
def comes(browsers: tuple[Browser, Browser], desk: Stack) -> Iterator[Comes]:
    """Return a function by which a customer of the demonstration page comes."""
    contexts = []

    def come(label: str) -> Visit:
        contexts.append(browsers[0].new_context(locale="zh-CN", viewport=WIDE))
        guest = Visit(contexts[-1], desk.url)
        guest.masked = guest.be(label)
        return guest

    yield come
    for context in contexts:
        context.close()


def rows(stack: Stack, name: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{stack.root / 'var' / name}.db?mode=ro", uri=True)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def test_an_angry_customer_is_served_by_a_person_and_comes_back_to_a_bot_that_knows(
    seat: SeatOf, comes: Comes, desk: Stack, facts: BillingFacts
) -> None:
    agent = seat(ZHOU)
    agent.shot("empty")
    assert objections(agent.page) == []
    guest = comes("阶梯电价")
    account = account_of(facts, guest.masked[0])
    queued_in_anger(guest)
    sees_the_offer_and_takes_it(agent, guest)
    sees_who_it_is_and_what_was_said(agent, account, facts)
    helps(agent, guest)
    number = file_meter_check(agent)
    filed = "SELECT category, account_no, substr(cause, 1, 5) FROM work_orders WHERE order_no = ?"
    assert rows(desk, "workorder", filed, number) == [("服务申请→电能计量→申请校验", account, "desk:")]
    send_order(agent, guest, number)
    hand_back(agent, guest)
    bot_respects_the_note(guest)
    is_asked_once_how_it_was(guest)
    assert rows(desk, "bridge", "SELECT mode FROM conversations ORDER BY last_at DESC LIMIT 1") == [("closed",)]
    written = "SELECT h.outcome, h.corrected, s.score FROM handoffs h JOIN surveys s ON s.handoff_id = h.id"
    [(outcome, corrected, score)] = rows(desk, "bridge", f"{written} ORDER BY h.id DESC LIMIT 1")
    assert (outcome, json.loads(corrected), score) == ("ordered", {"1": "explain_high_bill"}, 5)
    for page in (agent, guest):
        page.assert_clean()


def test_the_door_is_open_to_everybody_and_says_why_it_stays_shut(
    browsers: tuple[Browser, Browser], desk: Stack
) -> None:
    agent = Seat(browsers[1], desk.url, HE[0])
    agent.page.get_by_label("登录名", exact=True).fill(HE[0])
    agent.page.get_by_label("密码", exact=True).fill("这不是密码")
    agent.page.get_by_role("button", name="登录", exact=True).click()
    agent.page.get_by_text("登录名、密码或动态码不正确").wait_for()
    agent.shot("login")
    assert objections(agent.page) == []
    agent.sign_in()
    agent.assert_clean()
    agent.leave()


def test_a_reload_keeps_what_was_not_sent_yet(seat: SeatOf, comes: Comes) -> None:
    agent, guest = seat(HE), comes("预付费")
    ask_for_a_person(guest)
    agent.accept()
    agent.box.fill("我正在给您查，先别")
    agent.page.reload()
    agent.open(agent.cases("我的会话").first)
    assert agent.box.input_value() == "我正在给您查，先别"
    assert guest.log.locator("li.message.agent").count() == 0
    agent.box.press("End")
    agent.page.keyboard.type("着急，一分钟就好")
    agent.box.press("Enter")
    from_agent(guest, "我正在给您查，先别着急，一分钟就好").wait_for()
    agent.assert_clean()


def test_a_phone_number_is_masked_and_shown_only_for_a_reason(seat: SeatOf, comes: Comes, desk: Stack) -> None:
    agent, guest = seat(HE), comes("商铺")
    number = "13986120457"
    received: list[str] = []
    answers: list[Response] = []
    agent.page.on("websocket", lambda socket: socket.on("framereceived", lambda data: received.append(str(data))))
    agent.page.reload()
    ask_for_a_person(guest)
    agent.accept()
    guest.say(f"打我这个电话{number}，白天都在店里")
    masked = agent.said("customer", "白天都在店里")
    masked.wait_for()
    assert number not in agent.page.content()
    agent.page.on("response", lambda answer: answers.append(answer))
    agent.page.reload()
    agent.open(agent.cases("我的会话").first)
    masked.wait_for()
    received += [one.text() for one in answers if "/v1/desk/" in one.url and one.status == 200]
    assert sum("白天都在店里" in one for one in received) >= 2  # pushed, and read again
    assert not [one for one in received if number in one]
    masked.get_by_role("button", name="显示这条消息的原文").click()
    agent.dialog.get_by_role("button", name="显示 5 分钟").click()
    agent.dialog.get_by_text("请选择原因").wait_for()
    agent.dialog.get_by_label("客户要求确认资料").check()
    agent.shot("reveal")
    agent.dialog.get_by_role("button", name="显示 5 分钟").click()
    masked.get_by_text(number).wait_for()
    agent.shot("revealed")
    [(detail,)] = rows(desk, "bridge", "SELECT detail FROM audit_log WHERE action = 'reveal' ORDER BY id DESC LIMIT 1")
    assert json.loads(detail)["reason"].startswith("客户要求确认资料")
    masked.get_by_role("button", name="隐藏").click()
    masked.get_by_text(number).wait_for(state="hidden")
    assert number not in agent.page.content()
    agent.assert_clean()


def test_two_people_at_one_customer_see_each_other_and_only_the_holder_can_answer(seat: SeatOf, comes: Comes) -> None:
    agent, guest = seat(HE), comes("三个户号")
    ask_for_a_person(guest)
    agent.accept()
    agent.reply("您好，请讲")
    boss = seat(TAN)
    boss.be("忙碌")
    boss.page.get_by_role("button", name="监控").click()
    boss.page.get_by_role("button", name="旁听").first.click()
    boss.said("agent", "您好，请讲").wait_for()
    agent.page.get_by_text("谭芸 也在看").wait_for()
    boss.page.get_by_text("何敏 也在看").wait_for()
    agent.box.press_sequentially("我帮您看一下", delay=30)
    boss.page.get_by_text("何敏 正在输入，小心重复回复").wait_for()
    assert boss.box.count() == 0  # who does not have the conversation can only leave a note
    boss.shot("read-along")
    agent.box.fill("")
    agent.context.set_offline(True)
    agent.page.get_by_text("连接断开").wait_for()
    boss.page.get_by_role("button", name="接管").click()
    boss.box.wait_for()
    boss.reply("您好，我是班长，您的事我来办")
    agent.box.fill("我这边查到了")
    agent.box.press("Enter")
    agent.log.locator("li.said.pending").wait_for()
    agent.shot("offline")
    agent.context.set_offline(False)
    agent.dialog.get_by_role("heading", name="会话已由 谭芸 接待").wait_for()
    agent.dialog.get_by_text("我这边查到了").wait_for()
    agent.shot("refused")
    assert objections(agent.page) == []
    from_agent(guest, "您的事我来办").wait_for()
    assert from_agent(guest, "我这边查到了").count() == 0
    for one in (agent, boss):
        one.assert_clean()


def test_a_supervisor_reads_along_whispers_and_takes_over(seat: SeatOf, comes: Comes) -> None:
    agent, guest = seat(HE), comes("一户多人口")
    ask_for_a_person(guest)
    agent.accept()
    agent.reply("您好，一户多人口的优惠我帮您看")
    boss = seat(TAN)
    boss.be("忙碌")
    boss.page.get_by_role("button", name="监控").click()
    row = boss.page.locator(".wall-agent").filter(has_text="何敏")
    row.get_by_text("1/3").wait_for()
    boss.shot("wall")
    assert objections(boss.page) == []
    row.get_by_role("button", name="耳语").click()
    boss.dialog.get_by_label("只有这位坐席看得到").fill("户口本之外，居住证也行")
    boss.dialog.get_by_role("button", name="发送").click()
    agent.log.locator("li.internal.whisper").filter(has_text="居住证也行").wait_for()
    agent.shot("whisper")
    row.get_by_role("button", name="旁听").click()
    boss.said("agent", "一户多人口的优惠我帮您看").wait_for()
    boss.page.get_by_role("button", name="接管").click()
    boss.box.wait_for()
    served(guest, TAN).wait_for()
    agent.page.get_by_text("已由 谭芸 接待").first.wait_for()
    boss.reply("我是班长，接着帮您办")
    from_agent(guest, "接着帮您办").wait_for()
    assert "居住证也行" not in guest.page.content()
    for one in (agent, boss):
        one.assert_clean()


def test_the_customers_of_an_agent_whose_browser_is_gone_are_first_again(
    seat: SeatOf, comes: Comes, supervisor: Colleague
) -> None:
    agent, first = seat(CHEN), comes("充电桩")
    ask_for_a_person(first)
    agent.accept()
    agent.reply("您好，请讲")
    first.say("充电桩的电表怎么分开算")
    agent.said("customer", "怎么分开算").wait_for()
    agent.be("忙碌")
    second = comes("工厂")
    ask_for_a_person(second)
    agent.context.close()
    first.log.get_by_text("刚才那位坐席的网络断了").wait_for(timeout=60 * SECONDS)
    first.page.get_by_text("排队中").wait_for()
    first.shot("console-customer-agent-gone")
    line = supervisor.get("/wall")["queue"]
    assert [one["place"] for one in line] == [1, 2]
    assert line[0]["last_message"]["text"] == "充电桩的电表怎么分开算"
    other = seat(HE)
    offered = other.cases("派给我").filter(has_text="怎么分开算")
    offered.get_by_role("button", name="接入").click()
    served(first, HE).wait_for()
    other.said("agent", "您好，请讲").wait_for()
    assert served(second, HE).count() == 0
    other.assert_clean()


def test_the_keyboard_alone_is_enough_for_an_agent(seat: SeatOf, comes: Comes, desk: Stack) -> None:
    agent, guest = seat(HE), comes("欠费用户")
    keys = agent.page.keyboard
    ask_for_a_person(guest)
    agent.cases("派给我").first.wait_for()
    keys.press("Alt+KeyA")
    served(guest, HE).wait_for()
    focused(agent, "回复客户")
    keys.type("您好，欠的电费可以分两次交")
    keys.press("Enter")
    from_agent(guest, "可以分两次交").wait_for()
    keys.press("Alt+KeyE")
    agent.dialog.wait_for()
    tab_to(agent, "业务分类")
    keys.press("ArrowDown")
    tab_to(agent, "当场解决")
    keys.press("Space")
    tab_to(agent, "已办")
    keys.type("讲清了分次交的办法")
    keys.press("Enter")
    tab_to(agent, "交还电小服")
    keys.press("Enter")
    agent.dialog.wait_for(state="hidden")
    guest.log.get_by_text("现在由电小服（智能客服）接着为您服务").wait_for()
    found = rows(desk, "bridge", "SELECT category, outcome, note FROM handoffs ORDER BY id DESC LIMIT 1")
    [(category, outcome, note)] = found
    assert (category, outcome) == ("bill", "solved")
    assert json.loads(note)["done"] == ["讲清了分次交的办法"]
    agent.assert_clean()


NAMED = """() => { const e = document.activeElement;
  const label = e.labels && e.labels[0] ? e.labels[0].innerText : "";
  return [e.getAttribute("aria-label") || "", label, e.innerText || ""].join("|"); }"""


def focused(agent: Seat, name: str) -> None:
    assert within(10, lambda: name in agent.page.evaluate(NAMED)), agent.page.evaluate(NAMED)


def tab_to(agent: Seat, name: str) -> None:
    for _ in range(40):
        if name in agent.page.evaluate(NAMED):
            return
        agent.page.keyboard.press("Tab")
    pytest.fail(f"{name} cannot be reached with Tab")
