"""A form from its first word to its order: asked, corrected, confirmed, filed once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from actions_desk import NOW, Desk, Said
from sqlalchemy import func, select

from core.masking import mask_account_no
from core.work_order import WorkOrder
from core.work_order.tables import reveal

FOLLOWING = {
    "inform": "action_inform", "affirm": "action_affirm", "deny": "action_deny", "cancel": "action_cancel",
}  # fmt: skip


@dataclass
class Chat:
    """A conversation with the actions alone; who understands says the intent."""

    desk: Desk
    accounts: tuple[str, ...]
    assurance: int = 2
    slots: dict[str, Any] = field(default_factory=dict)
    seconds: int = 0

    def say(self, text: str, intent: str = "inform", *, again: bool = False, **entities: str) -> Said:
        from datetime import timedelta

        self.seconds += 0 if again else 7
        said = self.desk.ask(
            FOLLOWING.get(intent, "action_form"), *self.accounts, text=text, intent=intent, slots=dict(self.slots),
            entities=[{"entity": name, "value": value} for name, value in entities.items()], assurance=self.assurance,
            now=NOW + timedelta(seconds=self.seconds), sender="c1.1",
        )  # fmt: skip
        self.slots |= said.slots
        return said

    def press(self, title: str, said: Said) -> Said:
        import json

        payload = next(payload for shown, payload in said.buttons if title in shown)
        intent, _, values = payload.removeprefix("/").partition("{")
        return self.say(payload, intent, **(json.loads("{" + values) if values else {}))

    def orders(self) -> list[WorkOrder]:
        with self.desk.services.workorder.reading() as session:
            return list(session.scalars(select(WorkOrder).order_by(WorkOrder.id)))


@pytest.fixture
def home(writing: Desk) -> str:
    return str(
        writing.one(
            "select min(account_no) from accounts a where user_class = 'residential' and closed_on is null and"
            " customer_id in (select customer_id from accounts group by customer_id having count(*) = 1)"
        )
    )


@pytest.fixture
def chat(writing: Desk, home: str) -> Chat:
    return Chat(writing, (home,))


def filled(chat: Chat) -> Said:
    said = chat.say("电表走得太快了，我要校表", "apply_meter_check")
    for _ in range(8):
        if "请核对" in said.text:
            break
        shown = [title for title, payload in said.buttons if '"choice"' in payload]
        said = (
            chat.press("跳过" if any("跳过" in one for one in shown) else shown[0], said)
            if shown
            else chat.say("走得快")
        )
    return said


def test_meter_check_is_filed_after_the_summary_was_confirmed(chat: Chat, home: str) -> None:
    summary = filled(chat)
    assert f"户号：{mask_account_no(home)}\n" in summary.text
    assert home not in summary.text
    assert chat.orders() == []
    done = chat.press("确认提交", summary)
    [order] = chat.orders()
    assert done.response == "utter_form_done"
    assert order.order_no in done.text
    assert (order.kind, order.account_no, order.state) == ("meter_check", home, "accepted")
    assert "5个工作日" in done.text


def test_telephone_on_file_is_shown_masked_and_filed_whole(chat: Chat) -> None:
    summary = filled(chat)
    assert "****" in summary.text
    chat.press("确认提交", summary)
    [order] = chat.orders()
    clear = reveal(order, keyring=chat.desk.services.keyring)
    assert clear.contact is not None
    assert clear.contact.isdigit()
    assert len(clear.contact) == 11


def test_confirmation_that_is_run_again_tells_the_same_number_and_files_nothing(chat: Chat) -> None:
    filled(chat)
    before = dict(chat.slots)
    first = chat.say("确认", "affirm")
    lost = Chat(chat.desk, chat.accounts, slots=before, seconds=chat.seconds)
    again = lost.say("确认", "affirm", again=True)
    kept = chat.say("确认", "affirm", again=True)
    [order] = chat.orders()
    assert order.order_no in first.text
    assert order.order_no in again.text
    assert order.order_no in kept.text


def test_yes_to_nothing_files_nothing(chat: Chat) -> None:
    assert chat.say("好的", "affirm").response == "utter_affirm_alone"
    assert chat.orders() == []


def test_dropped_form_leaves_no_order(chat: Chat) -> None:
    summary = filled(chat)
    dropped = chat.press("不办了", summary)
    assert dropped.response == "utter_form_dropped"
    assert chat.say("确认", "affirm").response == "utter_affirm_alone"
    assert chat.orders() == []


def test_correction_at_the_summary_is_shown_before_it_is_filed(chat: Chat) -> None:
    filled(chat)
    corrected = chat.say("电话写错了，是13800001111")
    assert "13800001111" in corrected.text
    chat.say("对的，提交", "affirm")
    [order] = chat.orders()
    assert reveal(order, keyring=chat.desk.services.keyring).contact == "13800001111"


def test_one_time_code_is_asked_for_before_a_change_of_data(writing: Desk, home: str) -> None:
    chat = Chat(writing, (home,), assurance=1)
    filled(chat)
    refused = chat.say("确认", "affirm")
    assert "验证码" in refused.text
    assert chat.orders() == []


def test_question_about_papers_is_answered_and_the_form_only_offered(chat: Chat) -> None:
    said = chat.say("过户要带哪些材料，几天能办好", "apply_transfer")
    assert said.response in ("utter_form_info", "utter_form_which")
    if said.response == "utter_form_info":
        assert "身份证" in said.text
        assert any("现在就办" in title for title, _ in said.buttons)
    assert chat.orders() == []


def test_nobody_gets_a_form_about_an_account(writing: Desk) -> None:
    chat = Chat(writing, (), assurance=0)
    assert chat.say("我要校表", "apply_meter_check").response == "utter_not_identified"


def test_two_answers_that_are_none_bring_a_way_out(chat: Chat) -> None:
    said = chat.say("给我换个联系手机号", "update_contact")
    for _ in range(2):
        said = chat.say("不晓得呢")
    assert {"/cancel", "/request_human"} <= {payload for _, payload in said.buttons}


def test_form_that_another_one_interrupts_is_offered_again_after_it(chat: Chat) -> None:
    chat.say("给我换个联系手机号", "update_contact")
    done = chat.press("确认提交", filled(chat))
    assert any('"resume"' in payload for _, payload in done.buttons)
    back = chat.press("接着办", done)
    assert back.response == "utter_form_ask"
    with chat.desk.services.workorder.reading() as session:
        assert session.scalar(select(func.count()).select_from(WorkOrder)) == 1


def test_desk_of_another_customer_sees_none_of_it(chat: Chat, writing: Desk) -> None:
    chat.press("确认提交", filled(chat))
    stranger = replace(chat, accounts=(), assurance=0, slots={})
    assert stranger.say("确认", "affirm").response == "utter_affirm_alone"


def test_a_telephone_number_at_the_summary_is_taken_as_it_is(chat: Chat) -> None:
    filled(chat)
    assert "13800001111" in chat.say("13800001111", phone="13800001111").text


def test_a_question_about_the_fee_in_a_form_is_answered(chat: Chat) -> None:
    asked = chat.say("我要校表", "apply_meter_check")
    said = chat.say("要钱不")
    fee = chat.desk.services.businesses.get("meter_check").fee
    assert f"费用：{fee}" in said.text
    assert said.buttons == asked.buttons


def test_a_sentence_at_the_summary_goes_into_the_description(chat: Chat) -> None:
    chat.say("这个礼拜停电停了三回", "complain")
    said = chat.say("每回都是晚饭点停 都没通知过")
    assert "情况：这个礼拜停电停了三回；每回都是晚饭点停 都没通知过" in said.text


def test_question_about_another_business_leaves_the_open_form_alone(chat: Chat) -> None:
    chat.say("给我换个联系手机号", "update_contact")
    before = chat.slots["form"]
    said = chat.say("过户要带哪些材料，几天能办好", "apply_transfer")
    assert said.response == "utter_form_info"
    assert chat.slots["form"] == before


def test_form_is_laid_aside_while_another_business_is_being_chosen(chat: Chat) -> None:
    chat.say("电表走得太快了，我要校表", "apply_meter_check")
    before = chat.slots["form"]
    said = chat.say("帮我办一下", "update_contact")
    assert said.response == "utter_form_which"
    assert chat.slots["paused"] == before
