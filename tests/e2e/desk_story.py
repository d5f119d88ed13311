"""What a customer and an agent do together, step by step, and what each of them has to see."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from billing_facts import BillingFacts, month_of, today, yuan
from desk_pages import SECONDS, Seat, objections
from test_browser import QUESTION, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Locator

# Login, name and staff number.
Agent = tuple[str, str, str]
CHEN, ZHOU = ("chenlu", "陈璐", "1001"), ("zhoujian", "周健", "1002")
HE, TAN = ("hemin", "何敏", "1003"), ("tanyun", "谭芸", "2001")
ANGRY = "你们乱收费还没人管，我马上打12345投诉你们，气死我了"
SERVED = "人工坐席 {name}（工号 {number}）为您服务"


def ask_for_a_person(guest: Visit) -> None:
    guest.page.get_by_role("button", name="转人工").first.click()
    guest.log.get_by_text("已为您转到人工队列").wait_for()


def served(guest: Visit, agent: Agent) -> Locator:
    return guest.log.get_by_text(SERVED.format(name=agent[1], number=agent[2]))


def from_agent(guest: Visit, text: str) -> Locator:
    return guest.log.locator("li.message.agent").filter(has_text=text)


def assert_shows_customer(agent: Seat, account: str, facts: BillingFacts) -> None:
    """The panel says of the account what the billing database says, masked."""
    bills = agent.part("近 12 个月账单")
    bills.get_by_role("button", name=re.compile("^全部")).click()
    shown = [tuple(row.locator("th,td").all_inner_texts()) for row in bills.locator("tbody tr").all()]
    known = facts.bills(account, month_of(today(), -12), today())
    assert [(month, kwh.replace("估", "").strip(), amount) for month, kwh, amount, _ in shown] == [
        (f"{bill.month:%Y-%m}", format(bill.kwh, ".2f"), yuan(bill.amount)) for bill in reversed(known)
    ]
    unpaid = {f"{bill.month:%Y-%m}" for bill in facts.unpaid(account)}
    assert {month for month, _, _, state in shown if state.strip() != "已缴清"} == unpaid
    money = agent.part("户号").inner_text()
    assert f"{account[:3]}***{account[-4:]}" in money
    assert account not in agent.page.content()
    assert ("欠费" in money.replace("无欠费", "")) == (facts.balance(account) < 0)


def correct(agent: Seat, said: str, intent: str) -> None:
    agent.said("customer", said).get_by_role("button", name="电小服理解为").click()
    agent.dialog.get_by_label("查找意图").fill(intent)
    agent.dialog.get_by_role("button", name=intent, exact=True).click()
    agent.said("customer", said).get_by_text(f"更正为 {intent}").wait_for()


def file_meter_check(agent: Seat) -> str:
    """Make a work order for the customer; return its number."""
    form = agent.do("建工单")
    form.get_by_label("查找业务").fill("校验电表")
    form.get_by_role("button", name="校验电表").first.click()
    form.get_by_label("走得太快").check()
    agent.shot("order-form")
    form.get_by_role("button", name="建工单", exact=True).click()
    toast = agent.page.get_by_text(re.compile("已建工单|已并入在办工单"))
    toast.wait_for()
    number = toast.inner_text().split()[-1]
    agent.part("工单").get_by_text(number).wait_for()
    return number


def write_up(agent: Seat) -> Locator:
    """Fill in the dialog at the end; the promise is typed and not added, and has to be taken along."""
    form = agent.dialog
    form.get_by_label("业务分类").select_option(label="电费账单")
    form.get_by_label("已转工单").check()
    form.get_by_label("已办").fill("核对了10月账单，读数和单价都对")
    form.get_by_label("已办").press("Enter")
    form.get_by_label("未办").fill("等校表人员上门")
    form.get_by_label("未办").press("Enter")
    form.get_by_label("答应的事").fill("校表结果电话告诉您")
    form.get_by_label("最晚什么时候").fill(f"{today() + timedelta(days=1)}T18:00")
    return form


def queued_in_anger(guest: Visit) -> None:
    guest.say(QUESTION)
    guest.log.locator(".card").last.wait_for()
    guest.say(ANGRY)
    told = guest.log.get_by_text("已为您转到人工队列")
    told.wait_for()
    assert "您排在第 1 位，坐席马上接待您" in told.inner_text()
    assert "您想办的：查电费账单" in told.inner_text()
    guest.shot("console-customer-queued")


def sees_the_offer_and_takes_it(agent: Seat, guest: Visit) -> None:
    offered = agent.cases("派给我").first
    offered.wait_for()
    assert "情绪激动" in offered.inner_text()
    assert "你们乱收费还没人管" in offered.inner_text()
    agent.shot("offer")
    agent.accept()
    served(guest, ZHOU).wait_for()


def sees_who_it_is_and_what_was_said(agent: Seat, account: str, facts: BillingFacts) -> None:
    agent.part("近 12 个月账单").wait_for()
    assert_shows_customer(agent, account, facts)
    summary = agent.page.get_by_role("region", name="接入摘要").inner_text()
    assert "查电费账单" in summary
    assert "电费账单" in summary.partition("已核对")[2]
    assert "查电费账单" in agent.said("customer", QUESTION).inner_text()
    assert agent.said("bot", "电费").locator("table.ledger").count() == 1
    agent.shot("conversation")
    assert objections(agent.page) == []


def helps(agent: Seat, guest: Visit) -> None:
    """An answer, a note to colleagues that the customer never sees, and a correction for the training."""
    agent.reply("您好，我看过您10月的账单了，电量都是按第二档算的。您觉得哪里不对？")
    from_agent(guest, "您觉得哪里不对").wait_for()
    guest.say("我一个月根本用不了这么多，是不是电表走快了")
    agent.said("customer", "电表走快了").wait_for()
    agent.page.get_by_role("button", name="内部备注").click()
    agent.note_box.fill("客户怀疑表快，情绪已缓和")
    agent.shot("note")
    agent.note_box.press("Enter")
    agent.log.locator("li.internal").filter(has_text="情绪已缓和").wait_for()
    correct(agent, QUESTION, "电费为什么高")
    assert "情绪已缓和" not in guest.page.content()


def send_order(agent: Seat, guest: Visit, number: str) -> None:
    agent.part("工单").get_by_role("button", name=number).click()
    agent.dialog.get_by_role("button", name="发给客户").click()
    guest.log.locator(".card").filter(has_text=number).wait_for()
    agent.shot("order-sent")


def hand_back(agent: Seat, guest: Visit) -> None:
    agent.do("结束服务")
    form = write_up(agent)
    agent.shot("wrap-up")
    assert objections(agent.page) == []
    form.get_by_role("button", name="交还电小服").click()
    agent.page.get_by_text("已交还电小服").wait_for()
    guest.log.get_by_text("现在由电小服（智能客服）接着为您服务").wait_for()
    guest.shot("console-customer-handed-back")


def bot_respects_the_note(guest: Visit) -> None:
    guest.say("我电费怎么这么高")
    answer = guest.log.locator("li.message.bot").filter(has_text="帮您处理过")
    answer.wait_for()
    for line in ("周健", "核对了10月账单，读数和单价都对", "等校表人员上门", "校表结果电话告诉您", "明天下午6点前"):
        assert line in answer.inner_text()
    guest.shot("console-customer-note-respected")


def is_asked_once_how_it_was(guest: Visit) -> None:
    guest.say("好的，没事了，谢谢")
    ask = guest.log.get_by_text("您满意吗")
    ask.wait_for()
    guest.shot("console-customer-survey")
    guest.log.get_by_role("button", name="很满意", exact=True).click()
    guest.log.get_by_text("谢谢您的评价").wait_for()
    guest.page.wait_for_timeout(2 * SECONDS)
    assert ask.count() == 1
    guest.shot("console-customer-closed")
