"""Complaints, claims, reports, suggestions and praise, from the first word to the order in the database."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from actions_desk import NOW, Desk, Said
from sqlalchemy import select

from core.promise import Promise
from core.work_order import WorkOrder, reveal

VOICE = "action_voice"
INTENTS = ("complain", "claim_compensation", "report_violation", "suggest", "praise")


def say(desk: Desk, intent: str, text: str, *accounts: str, **more: Any) -> Said:
    more.setdefault("assurance", 1 if accounts else 0)
    return desk.ask(VOICE, *accounts, text=text, intent=intent, **more)


def answer(
    desk: Desk, before: Said, text: str, *accounts: str, entities: Any = (), name: str = "action_inform"
) -> Said:
    return desk.ask(
        name, *accounts, text=text, after=before, entities=entities, assurance=1 if accounts else 0
    )  # fmt: skip


def chosen(value: str) -> list[dict[str, str]]:
    return [{"entity": "choice", "value": value}]


def order_of(desk: Desk, said: Said) -> WorkOrder:
    (number,) = re.findall(r"工单号(\d+)", said.text)
    with desk.services.workorder.reading() as session:
        order = session.scalars(select(WorkOrder).where(WorkOrder.order_no == number)).one()
        session.expunge(order)
        return order


def promises_of(desk: Desk, order: WorkOrder) -> dict[str, Any]:
    with desk.services.workorder.reading() as session:
        rows = session.scalars(select(Promise).where(Promise.subject_id == order.id))
        return {row.kind: row.due_at for row in rows}


def test_a_complaint_begins_with_an_apology_for_the_effect_and_the_usual_time(desk: Desk) -> None:
    said = say(desk, "complain", "三天两头停电，一个月停四次，连通知都没有")
    assert said.text.startswith("停电影响了您的生活，对不起。")
    assert "24小时内联系您，5个工作日内答复" in said.text


def test_the_class_of_a_complaint_is_read_from_its_words(desk: Desk) -> None:
    said = say(desk, "complain", "抄表员态度差，跟我店员吵起来了")
    assert said.slots["form"]["values"]["kind"] == "conduct"


def test_a_bare_complaint_is_asked_what_it_is_about_and_then_what_happened(desk: Desk) -> None:
    said = say(desk, "complain", "我要投诉")
    assert ("停电太多或没通知", '/inform{"choice": "outage"}') in said.buttons
    said = answer(desk, said, '/inform{"choice": "conduct"}', entities=chosen("conduct"))
    assert "发生了什么" in said.text


def test_a_complaint_becomes_an_order_with_its_class_and_both_promises(writing: Desk) -> None:
    number = writing.account("a.district like '%区'")
    said = say(writing, "complain", "柜台那个女的嫌我老，很不耐烦，昨天上午在中北路", number)
    assert "请核对“投诉”" in said.text
    done = answer(writing, said, "/affirm", number, name="action_affirm")
    order = order_of(writing, done)
    assert order.category == "投诉→工作人员态度"
    assert order.kind == "complaint"
    details = reveal(order, keyring=writing.services.keyring).details
    assert list(details) == ["投诉哪方面", "情况", "联系电话"]
    due = promises_of(writing, order)
    assert due["contact"] == NOW + timedelta(hours=24)
    assert due["answer"] > NOW + timedelta(days=5)


def test_two_complaints_of_one_customer_are_two_orders(writing: Desk) -> None:
    number = writing.account("a.district like '%区'")
    numbers = set()
    for text in ("师傅进门不穿鞋套还顺走我一把钳子", "95598打了半小时没人接，什么服务"):
        done = answer(writing, say(writing, "complain", text, number), "/affirm", number, name="action_affirm")
        numbers.add(order_of(writing, done).order_no)
    assert len(numbers) == 2


def test_the_regulator_is_told_to_whoever_asks_for_it(desk: Desk) -> None:
    assert "12398" in say(desk, "complain", "你们乱收费 我要投诉到12398去").text


@pytest.mark.parametrize("intent", INTENTS)
def test_the_regulator_is_not_brought_up_unasked(desk: Desk, intent: str) -> None:
    said = say(desk, intent, "上个礼拜的事，我想跟你们说一下")
    assert "12398" not in said.text


def test_the_regulator_is_told_before_a_choice_too(desk: Desk) -> None:
    said = say(desk, "report_violation", "要举报，12398还是找你们")
    assert "12398" in said.text
    assert [title for title, _ in said.buttons] == ["举报窃电", "举报多收电费"]


def test_a_burnt_appliance_is_to_be_kept_as_it_is_and_nothing_is_promised(desk: Desk) -> None:
    said = say(desk, "claim_compensation", "来电瞬间电视主板烧了，3800你们出")
    assert "别修也别丢，7天内要提出来" in said.text
    assert "能不能赔、赔多少，查明原因后才知道" in said.text
    assert said.slots["form"]["business"] == "compensation_appliance"


@pytest.mark.parametrize(
    ("text", "business"),
    [
        ("立杆子占了我田 青苗费一直冇给", "compensation_works"),
        ("两千斤草鱼翻塘 一下午的电 哪个赔我", "compensation_other"),
        ("路由器光猫一起烧了 肯定是电压 报销吧", "compensation_appliance"),
    ],
)
def test_a_claim_finds_its_own_form(desk: Desk, text: str, business: str) -> None:
    assert say(desk, "claim_compensation", text).slots["form"]["business"] == business


def test_only_asking_about_compensation_gives_the_rules_and_no_order(desk: Desk) -> None:
    said = say(desk, "claim_compensation", "家里电器烧坏了，赔偿要什么材料")
    assert said.response == "utter_form_info"
    assert "7天内" in said.text


def test_a_report_of_theft_accuses_nobody_and_may_be_anonymous(desk: Desk) -> None:
    said = say(desk, "report_violation", "楼下烧烤摊夜里把线挂钩到路灯上偷电")
    assert "可以匿名" in said.text
    assert "要现场查了才能定" in said.text


def test_an_anonymous_report_keeps_nothing_of_who_reports_though_the_company_knows_them(writing: Desk) -> None:
    number = writing.account("a.district like '%区'")
    said = say(writing, "report_violation", "隔壁养鸡场夜里绕过电表偷电，已经半年了", number)
    said = answer(writing, said, "白泉镇石桥村2组", number)
    while "请核对" not in said.text:
        said = answer(writing, said, "跳过", number)
    done = answer(writing, said, "/affirm", number, name="action_affirm")
    order = order_of(writing, done)
    assert (order.customer_no, order.account_no, order.contact_cipher) == (None, None, None)
    assert order.category == "举报→窃电"


def test_a_reporter_who_leaves_a_telephone_is_called_there(writing: Desk) -> None:
    said = say(writing, "report_violation", "房东一度电收我们一块八，还不给票")
    said = answer(writing, said, "洪山区书城苑3栋")
    said = answer(writing, said, "19912345678", entities=[{"entity": "phone", "value": "19912345678"}])
    said = answer(writing, said, "跳过")
    order = order_of(writing, answer(writing, said, "/affirm", name="action_affirm"))
    assert reveal(order, keyring=writing.services.keyring).contact == "19912345678"


def test_praise_without_a_word_of_whom_is_asked_once(writing: Desk) -> None:
    number = writing.account("a.district like '%区'")
    said = say(writing, "praise", "点个赞", number)
    assert "您想表扬谁" in said.text
    said = answer(writing, said, "昨天来修电的小张师傅，雨里爬了半天杆子", number)
    order = order_of(writing, answer(writing, said, "/affirm", number, name="action_affirm"))
    assert order.category == "表扬→客户表扬"


def test_a_suggestion_is_thanked_for_and_filed(writing: Desk) -> None:
    number = writing.account("a.district like '%区'")
    said = say(writing, "suggest", "表箱上印个大点的号，方便我们老眼", number)
    assert said.text.startswith("谢谢您的建议")
    order = order_of(writing, answer(writing, said, "/affirm", number, name="action_affirm"))
    assert order.category == "意见→客户建议"


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("呵呵你们供电局真好一个礼拜停三回电", "complaint"),
        ("师傅讲修好了其实还是没来电", "complaint"),
        ("上回没修好这回王师傅一来就好了谢谢他", "praise"),
    ],
)
def test_nobody_is_thanked_for_a_grievance(desk: Desk, text: str, row: str) -> None:
    assert say(desk, "praise", text).slots["form"]["business"] == row
