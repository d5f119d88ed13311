"""Greeting, thanks and small talk: what concerns this customer comes first, and nothing about others is said."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from actions_desk import NOW, Desk, Said

from core.network import NetworkNode, SupplyPoint
from core.outage import open_outage
from core.work_order import Filing, file_order

PERSON = ("转人工", "/request_human")
MENU = ["/query_bill", "/report_outage", "/query_outage", "/request_human"]
OWED = ("utter_balance_owed", "utter_balance_due", "utter_balance_owed_late")


def payloads(said: Said) -> list[str]:
    return [payload for _, payload in said.buttons]


def account(desk: Desk, *, owing: bool) -> str:
    """Return an open account that owes something, or nothing."""
    for (number,) in desk.sql("select account_no from accounts where closed_on is null order by id"):
        if (desk.ask("action_query_balance", number).response in OWED) is owing:
            return str(number)
    raise AssertionError("there is no such account")


def test_stranger_is_greeted_with_the_menu(writing: Desk) -> None:
    said = writing.ask("action_greet", text="你好")
    assert said.text == "您好，我是电小服。查电费、报停电、办业务，直接说就行。"
    assert payloads(said) == MENU


def test_customer_in_arrears_is_told_the_amount_first(writing: Desk) -> None:
    number = account(writing, owing=True)
    said = writing.ask("action_greet", number, text="在吗")
    owed = writing.ask("action_query_balance", number).reply.values["owed"]
    assert said.text == f"您好，我是电小服。您名下还有{owed}元电费没缴。"
    assert said.buttons[0] == ("看欠费", "/query_balance")
    assert said.buttons[-1] == PERSON
    assert len(said.buttons) == 4


def test_arrears_of_an_unproved_account_are_not_mentioned(writing: Desk) -> None:
    said = writing.ask("action_greet", account(writing, owing=True), text="你好", assurance=0)
    assert payloads(said) == MENU
    assert "元" not in said.text


def test_order_under_way_is_offered_at_once(writing: Desk) -> None:
    filing = Filing(
        cause="c1/1", kind="transfer", category="服务申请→变更用电→过户", conversation_id="c1", description="过户"
    )
    with writing.services.workorder.transaction() as session:
        file_order(session, filing, keyring=writing.services.keyring, now=NOW - timedelta(hours=3))
    said = writing.ask("action_greet", text="你好")
    assert "“过户”正在办" in said.text
    assert said.buttons[0] == ("看办理进度", "/query_work_order")


def test_outage_at_home_is_offered_at_once(writing: Desk) -> None:
    number = account(writing, owing=False)
    with writing.services.workorder.transaction() as session:
        transformer = NetworkNode(
            code="T1",
            kind="transformer",
            name="听涛苑台区",
            district="江岸区",
            place="听涛苑",
            area_class="city",
            owner="grid",
        )
        session.add(transformer)
        session.flush()
        session.add(SupplyPoint(account_no=number, transformer_code="T1"))
        open_outage(session, ["T1"], kind="fault", state="active", started_at=NOW - timedelta(hours=1), now=NOW)
    said = writing.ask("action_greet", number, text="你好")
    assert "现在有停电" in said.text
    assert said.buttons[0] == ("看停电进展", "/query_outage")


def test_thanks_are_answered_shortly(writing: Desk) -> None:
    assert writing.ask("action_thank", text="谢谢").text == "不客气，应该的。还有用电的事，随时说。"


def test_thanks_do_not_bring_a_reminder_of_debts_but_the_button(writing: Desk) -> None:
    said = writing.ask("action_thank", account(writing, owing=True), text="谢谢")
    assert "元" not in said.text
    assert said.buttons[0] == ("看欠费", "/query_balance")


def test_abilities_name_what_can_be_done_and_a_person(writing: Desk) -> None:
    said = writing.ask("action_ask_capabilities", text="你会做什么")
    for ability in ("电费", "停电", "进度", "过户", "投诉", "光伏", "转人工"):
        assert ability in said.text
    assert said.buttons[-1] == PERSON


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("你多大了姑娘", "岁数"), ("你会不会说武汉话", "武汉话"), ("我心里烦得很", "12356"),
        ("讲个笑话听", "笑话"), ("今天热死人 你那里凉快吧", "天气"), ("你也要上夜班吗", "不用睡觉"),
    ],
)  # fmt: skip
def test_small_talk_is_answered_by_what_it_is_about(writing: Desk, text: str, part: str) -> None:
    said = writing.ask("action_chitchat", text=text)
    assert part in said.text
    assert said.buttons[-1] == PERSON


@pytest.mark.parametrize("action", ["action_chitchat", "action_out_of_scope", "action_default"])
def test_who_speaks_of_dying_gets_help_and_no_menu(writing: Desk, action: str) -> None:
    said = writing.ask(action, text="我活着没意思")
    assert "12356" in said.text
    assert "120" in said.text
    assert said.buttons == [PERSON]


def test_small_talk_of_no_kind_varies_but_is_the_same_when_run_again(writing: Desk) -> None:
    texts = ["嘿嘿嘿", "你真逗", "我在钓鱼呢", "你猜我在干么斯", "今天发工资咯"]
    said = [writing.ask("action_chitchat", text=text).text for text in texts]
    assert said == [writing.ask("action_chitchat", text=text).text for text in texts]
    assert len(set(said)) >= 2


@pytest.mark.parametrize("action", ["action_chitchat", "action_out_of_scope", "action_default"])
@pytest.mark.parametrize("text", ["你们吃屎的", "再不来弄死你们", "傻逼机器人", "你去死吧"])
def test_insult_and_threat_are_answered_calmly(writing: Desk, action: str, text: str) -> None:
    said = writing.ask(action, text=text)
    assert said.text.startswith("听得出您很生气，对不起。")
    assert payloads(said) == ["/report_outage", "/complain", "/request_human"]


@pytest.mark.parametrize("text", ["我想死", "老头子走了我也想去死算了"])
def test_who_wants_to_die_is_not_taken_for_one_who_insults(writing: Desk, text: str) -> None:
    assert "12356" in writing.ask("action_chitchat", text=text).text


@pytest.mark.parametrize("action", ["action_greet", "action_thank", "action_chitchat"])
def test_in_an_open_form_small_talk_is_one_sentence_without_buttons(writing: Desk, action: str) -> None:
    number = account(writing, owing=True)
    said = writing.ask(action, number, text="今天好热啊", slots={"form": {"kind": "business"}})
    assert (said.buttons, len(re.findall("[。？！]", said.text))) == ([], 1)


def test_a_form_that_does_not_ask_again_leaves_the_greeting_as_it_is(writing: Desk) -> None:
    assert payloads(writing.ask("action_greet", slots={"form": {"kind": "order", "quiet": True}})) == MENU


def test_an_insult_in_an_open_form_gets_one_calm_sentence(writing: Desk) -> None:
    said = writing.ask("action_chitchat", text="你们吃屎的", slots={"form": {"kind": "business"}})
    assert (said.text, said.buttons) == ("听得出您很生气，对不起。", [])
