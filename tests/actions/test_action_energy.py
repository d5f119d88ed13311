"""Solar roofs, charging piles, integrated energy and finance in the chat: figures, facts, doubts, and leads filed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from actions_desk import NOW, Desk, Said
from sqlalchemy import select

from core.work_order import WorkOrder

FOLLOWING = {"inform": "action_inform", "affirm": "action_affirm", "deny": "action_deny", "cancel": "action_cancel"}


def entity(name: str, value: str) -> dict[str, Any]:
    return {"entity": name, "value": value}


def starts(said: Said) -> list[str]:
    """Return the businesses that buttons begin."""
    values = [json.loads(payload[7:]) for _, payload in said.buttons if payload.startswith("/inform{")]
    return [value["start"] for value in values if "start" in value]


@dataclass
class Chat:
    """A conversation with the actions; the test says what was understood."""

    desk: Desk
    accounts: tuple[str, ...]
    assurance: int = 1
    slots: dict[str, Any] = field(default_factory=dict)
    turns: int = 0

    def say(self, text: str, intent: str = "inform", **entities: str) -> Said:
        self.turns += 1
        said = self.desk.ask(
            FOLLOWING.get(intent, f"action_{intent}"), *self.accounts, text=text, intent=intent, slots=dict(self.slots),
            entities=[entity(name, value) for name, value in entities.items()], assurance=self.assurance,
            now=NOW + timedelta(seconds=9 * self.turns),
        )  # fmt: skip
        self.slots |= said.slots
        return said

    def press(self, title: str, said: Said) -> Said:
        payload = next(payload for shown, payload in said.buttons if title in shown)
        intent, _, values = payload.removeprefix("/").partition("{")
        return self.say(payload, intent, **(json.loads("{" + values) if values else {}))

    def orders(self) -> list[WorkOrder]:
        with self.desk.services.workorder.reading() as session:
            return list(session.scalars(select(WorkOrder).order_by(WorkOrder.id)))


@pytest.fixture
def home(desk: Desk) -> str:
    return desk.account(
        "profile = 'children' and customer_id in"
        " (select customer_id from accounts group by customer_id having count(*) = 1)"
    )


# -- solar


def test_roof_is_reckoned_with_its_area_and_the_own_price(desk: Desk, home: str) -> None:
    said = desk.ask("action_ask_solar", home, text="屋顶有60平，装光伏一年能省多少钱")
    assert said.response == "utter_energy_figures"
    assert "60平方米的屋顶，大约能装9到12千瓦，一年大约发8550到12600度" in said.text
    assert starts(said) == ["solar"]


def test_feed_in_price_is_never_told_without_its_warning(desk: Desk, home: str) -> None:
    for accounts in ((), (home,), (desk.account("user_class = 'industrial'"),)):
        said = desk.ask("action_ask_solar", *accounts, text="余电上网一度给多少钱", assurance=1 if accounts else 0)
        assert "0.4161" in said.text
        assert "2025年6月以后并网的新项目" in said.text
        assert "机制电价" in said.text


def test_business_is_warned_that_the_sun_does_not_replace_the_peak(desk: Desk) -> None:
    said = desk.ask("action_ask_solar", desk.account("user_class = 'industrial'"), text="厂房八千平，一年收益多少")
    assert "8000平方米" in said.text
    assert "抵的不是峰价" in said.text


def test_question_about_papers_gets_papers_steps_and_no_sums(desk: Desk, home: str) -> None:
    said = desk.ask("action_ask_solar", home, text="家里装光伏申请多久批，要哪些材料")
    assert said.response == "utter_energy_facts"
    assert "证件" not in said.text
    for fact in ("身份证", "现场勘查", "20个工作日", "我们不指定", "95598"):
        assert fact in said.text
    assert "每度抵" not in said.text


def test_area_said_afterwards_reckons_the_roof_again(desk: Desk, home: str) -> None:
    chat = Chat(desk, (home,))
    chat.say("光伏一年能有多少收益", "ask_solar")
    assert "两百" not in (said := chat.say("两百平")).text
    assert "200平方米的屋顶，大约能装30到40千瓦" in said.text


def test_yes_to_the_offer_begins_the_form_and_no_ends_it(desk: Desk, home: str) -> None:
    chat = Chat(desk, (home,))
    chat.say("光伏一年能有多少收益", "ask_solar")
    assert "屋顶是谁的" in chat.say("好的", "affirm").text
    other = Chat(desk, (home,))
    other.say("光伏一年能有多少收益", "ask_solar")
    assert other.say("不用了", "deny").response == "utter_cancel"
    assert other.slots["offered"] is None


def test_solar_lead_is_filed_with_what_was_said(writing: Desk, home: str) -> None:
    chat = Chat(writing, (home,))
    said = chat.say("我要申请装光伏，自家屋顶120平", "ask_solar")
    for _ in range(6):
        if "请核对" in said.text:
            break
        said = chat.press("自己家的", said) if "屋顶是谁的" in said.text else chat.say("120")
    assert "120平方米" in said.text
    done = chat.say("确认", "affirm")
    (order,) = chat.orders()
    assert (order.kind, order.order_no in done.text) == ("solar", True)


def test_money_for_fed_in_power_that_did_not_come_is_looked_into(desk: Desk, home: str) -> None:
    said = desk.ask("action_ask_solar", home, text="光伏 电费到账 少了一个月")
    assert starts(said) == ["solar_settlement"]
    assert "不要发银行卡号" in said.text


# -- charging piles


def test_price_of_charging_comes_from_the_tariffs_with_its_doubt(desk: Desk, home: str) -> None:
    said = desk.ask("action_ask_charging_pile", home, text="充电桩的电几多钱一度")
    for part in ("每度0.58元", "尖峰0.78元（20点到22点）", "高峰0.68元（17点到20点、22点到23点）",
                 "低谷0.43元（23点到次日7点）", "2024年11月30日", "以网上国网App或95598答复为准"):  # fmt: skip
        assert part in said.text


@pytest.mark.parametrize(
    ("action", "text"), [("action_ask_charging_pile", "充电桩怎么装啊"), ("action_ask_solar", "光伏有什么讲究")]
)
def test_first_answer_is_short_and_the_rest_stands_behind_buttons(
    desk: Desk, home: str, action: str, text: str
) -> None:  # fmt: skip
    said = desk.ask(action, home, text=text)
    assert len(said.text.splitlines()) <= 6
    assert {"要准备什么", "钱怎么算"} <= {title for title, _ in said.buttons}
    papers = desk.ask(action, home, text="/inform", intent="inform", entities=[entity("choice", "papers")])
    assert "步骤：" in papers.text


def test_pile_owner_sees_both_prices_on_the_own_kwh(desk: Desk) -> None:
    number = desk.account("user_class = 'charging'")
    said = desk.ask("action_ask_charging_pile", number, text="自用桩晚上充电是几毛一度")
    tou = desk.billed(number, "2025-11-01", "2026-10-01")
    flat = sum(
        (Decimal(str(row[0])) * Decimal("0.58")).quantize(Decimal("0.01"), "ROUND_HALF_UP")
        for row in desk.sql(
            "select b.kwh from bills b join accounts a on a.id = b.account_id where account_no = ?"
            " and month between '2025-11-01' and '2026-10-01'", number,
        )
    )  # fmt: skip
    assert f"按分时{tou}元" in said.text
    assert f"{flat}元" in said.text
    assert f"{abs(flat - tou)}元" in said.text


def test_other_customers_hear_of_no_charging_account(desk: Desk, home: str) -> None:
    assert "您的充电户号" not in desk.ask("action_ask_charging_pile", home, text="充电多少钱一度").text


def test_application_for_a_pile_asks_for_parking_and_address(desk: Desk, home: str) -> None:
    chat = Chat(desk, (home,))
    said = chat.say("买了小鹏，想装个7kw的桩", "ask_charging_pile", capacity="7kW")
    assert "车位是哪一种" in said.text
    assert "物业" in chat.press("自己买的", said).text


def test_pile_without_proof_of_identity_is_explained_not_filled_in(desk: Desk) -> None:
    said = desk.ask("action_ask_charging_pile", text="我要报装充电桩", assurance=0)
    assert said.response == "utter_energy_facts"
    for fact in ("身份证", "车位产权", "5个工作日", "电表不收费"):
        assert fact in said.text


# -- integrated energy


def test_storage_is_reckoned_at_the_prices_of_the_asker(desk: Desk) -> None:
    factory = desk.account("plan_code = 'hubei.industrial.two.10kv'")
    said = desk.ask("action_ask_integrated_energy", factory, text="企业储能峰谷套利能赚多少")
    assert "按您这户" in said.text
    assert "2026年11月的价：低谷充、尖峰放，约赚46.48元" in said.text
    assert "没扣设备" in said.text


def test_storage_without_an_account_is_an_example_and_says_so(desk: Desk) -> None:
    said = desk.ask("action_ask_integrated_energy", text="谷电储起来白天用能赚多少", assurance=0)
    assert "为例" in said.text


def test_household_is_not_told_that_storage_earns(desk: Desk, home: str) -> None:
    said = desk.ask("action_ask_integrated_energy", home, text="家里装储能划算不")
    assert "没有峰谷差价可赚" in said.text
    assert "约赚" not in said.text


@pytest.mark.parametrize(
    ("text", "key"),
    [("公司要买绿证，找哪个", "green_power"), ("配电房托管怎么收费", "managed_operation"),
     ("热泵供热水你们有没有这个业务", "clean_heat"), ("园区微电网怎么弄", "microgrid"),
     ("综合能源是么斯", "integrated_energy")],
)  # fmt: skip
def test_each_service_is_explained_and_offers_a_call_back(desk: Desk, text: str, key: str) -> None:
    said = desk.ask("action_ask_integrated_energy", desk.account("user_class = 'industrial'"), text=text)
    assert starts(said) == [key]
    assert "登记，让客户经理联系我" in [title for title, _ in said.buttons]


# -- finance


def test_who_cannot_pay_hears_what_is_owed_and_what_holds_meanwhile(desk: Desk) -> None:
    (number,) = desk.sql(
        "select a.account_no from accounts a where prepaid = 0 and closed_on is null"
        " and (select count(*) from accounts o where o.customer_id = a.customer_id) = 1"
        " and (select sum(round(amount * 100)) from bills b where b.account_id = a.id)"
        " > coalesce((select sum(round(amount * 100)) from payments p"
        " where p.account_id = a.id and status = 'succeeded'), 0) limit 1"
    )[0]
    owed = desk.fen(
        "select (select sum(cast(round(amount * 100) as integer)) from bills b where b.account_id = a.id)"
        " - coalesce((select sum(cast(round(amount * 100) as integer)) from payments p where p.account_id = a.id"
        " and status = 'succeeded'), 0) from accounts a where account_no = ?", number,
    )  # fmt: skip
    said = desk.ask("action_ask_finance", number, text="电费可不可以分期")
    assert f"您现在欠{owed:.2f}元" in said.text
    assert "能不能办、分几期，由工作人员看情况答复" in said.text
    assert "逾期仍会计违约金" in said.text
    assert starts(said) == ["instalment"]


def test_wish_to_pay_in_parts_is_filed_as_a_lead(writing: Desk, home: str) -> None:
    chat = Chat(writing, (home,))
    assert "请核对“电费分期或缓缴”" in chat.say("我要申请分三次还", "ask_finance").text
    done = chat.say("确认", "affirm")
    (order,) = chat.orders()
    assert (order.kind, order.order_no in done.text) == ("instalment", True)


@pytest.mark.parametrize(
    ("text", "key"), [("停电险怎么买", "insurance"), ("用电费信用能贷多少", "credit"), ("先用后付有没有", "credit")]
)
def test_credit_and_insurance_are_explained_without_rate_amount_or_promise(desk: Desk, text: str, key: str) -> None:
    said = desk.ask("action_ask_finance", text=text, assurance=0)
    assert starts(said) == [key]
    assert re.search(r"由银行定|保险公司的条款为准", said.text)
    assert not re.search(r"\d+(\.\d+)?%|\d+万", said.text)


# -- all of them


HOME_AT = "江岸区球场路8号3栋102室"


def fill(chat: Chat, said: Said) -> Said:
    """Answer every question, by the first button or in words, until the summary is shown."""
    words = {"电话": "13971234567", "哪": HOME_AT, "什么地方": HOME_AT, "多少平方米": "120", "千瓦": "7千瓦"}
    for _ in range(10):
        if "请核对" in said.text:
            break
        offered = [title for title, payload in said.buttons if '"choice"' in payload]
        answer = next((value for word, value in words.items() if word in said.text.splitlines()[-1]), "想了解一下")
        said = chat.press(offered[0], said) if offered else chat.say(answer)
    return said


@pytest.mark.parametrize(
    "key",
    ["energy_audit", "solar", "solar_settlement", "charging_pile", "integrated_energy", "storage", "clean_heat",
     "green_power", "microgrid", "managed_operation", "instalment", "credit", "insurance"],
)  # fmt: skip
def test_every_service_can_be_registered_to_the_end(writing: Desk, home: str, key: str) -> None:
    chat = Chat(writing, (home,), assurance=2)
    assert "请核对" in fill(chat, chat.say("/inform", "inform", start=key)).text
    done = chat.say("确认", "affirm")
    (order,) = chat.orders()
    assert (order.kind, order.order_no in done.text) == (key, True)


@pytest.mark.parametrize("key", ["energy_audit", "solar", "storage", "credit", "insurance"])
def test_lead_needs_no_account_only_a_telephone(writing: Desk, key: str) -> None:
    chat = Chat(writing, (), assurance=0)
    summary = fill(chat, chat.say("/inform", "inform", start=key))
    assert "13971234567" in summary.text
    chat.say("确认", "affirm")
    assert [order.kind for order in chat.orders()] == [key]


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ("ask_solar", "顶楼露台能装板子不"), ("ask_solar", "光伏一度电多少钱"),
        ("ask_charging_pile", "桩报装几天能通电"),
        ("ask_charging_pile", "充电桩谷电几毛钱"), ("ask_integrated_energy", "储能柜多少钱"),
        ("ask_integrated_energy", "绿电在哪买"), ("ask_finance", "电费白条怎么开"), ("ask_finance", "能分期交吗"),
    ],
)  # fmt: skip
def test_replies_have_no_english_word_and_a_next_step(desk: Desk, home: str, action: str, text: str) -> None:
    for accounts in (
        (),
        (home,),
        (desk.account("user_class = 'industrial'"),),
        (desk.account("user_class = 'charging'"),),
    ):
        said = desk.ask(f"action_{action}", *accounts, text=text, assurance=1 if accounts else 0)
        assert re.findall(r"[A-Za-z]+", said.text.replace("App", "")) == []
        assert starts(said)
