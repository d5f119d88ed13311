"""After a hand-back: what a person did, left open and promised comes first, and is not done a second time unasked."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest
from actions_desk import NOW, Desk
from handback_desk import HOUR, NOTE, STORY, Talk, changed, titles
from rasa_sdk.executor import CollectingDispatcher

from actions.handback import Note
from actions.handback_words import NoteWords
from actions.reply import MARK
from actions.smalltalk import ActionRepeat
from core.work_order import Filing, file_order, progress

FULL = (
    "坐席王岚今天上午9点帮您处理过。已办：已核对10月账单，第二档没有多算；投诉已登记。"
    "还没办：抄表班组复核表数。答应您：复核结果给您回电（今天下午6点前）。"
)
BRIEF = "坐席王岚那边的处理情况，前面跟您说过了。答应您：复核结果给您回电（今天下午6点前）。还没到时间，请再等一等。"


# -- questions about it


def test_question_for_progress_is_answered_with_what_was_done_is_open_and_was_promised(writing: Desk) -> None:
    services = writing.services
    filing = Filing(cause="c1:1", kind="repair", category="故障报修→低压停电→一户停电", conversation_id="c1")
    with services.workorder.transaction() as session:
        file_order(session, filing, keyring=services.keyring, now=NOW - HOUR)
    said = Talk(writing).say("action_query_work_order", "我那个单子到哪了")
    assert said.lead == FULL
    assert said.response == "utter_order_progress"


def test_a_question_of_an_intent_of_the_note_gets_it_before_the_normal_answer_and_briefly_later(writing: Desk) -> None:
    talk = Talk(writing, None, writing.account("user_class = 'residential'"))
    first = talk.say("action_query_bill", "我上个月的账单对不对")
    assert (first.lead, first.response) == (FULL, "utter_bill_month")
    assert first.told
    later = talk.say("action_query_bill", "再看一下上个月账单")
    assert (later.lead, later.response) == (BRIEF, "utter_bill_month")


def test_who_has_not_proved_an_account_is_still_asked_for_it_after_the_note(writing: Desk) -> None:
    said = Talk(writing).say("action_query_bill", "上个月电费多少")
    assert (said.lead, said.response) == (FULL, "utter_not_identified")


def test_who_asks_for_the_promise_and_for_his_money_in_one_message_gets_both(writing: Desk) -> None:
    talk = Talk(writing, None, writing.account("user_class = 'residential'"))
    said = talk.say("action_query_balance", "你们答应我什么了，我还欠多少电费")
    assert (said.lead, said.response) == (FULL, "utter_balance_due")


def test_a_question_of_another_intent_is_answered_as_ever(writing: Desk) -> None:
    talk = Talk(writing, None, writing.account("user_class = 'residential'"))
    said = talk.say("action_query_balance", "欠多少电费")
    assert (said.lead, said.response) == ("", "utter_balance_due")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("你们什么时候给我回电", "action_default"),
        ("刚才那个事怎么样了", "action_chitchat"),
        ("坐席怎么说的", "action_out_of_scope"),
        ("那个妹子答应我么事咧", "action_default"),
        ("说好给我打电话的呢", "action_default"),
        ("几时回话唦", "action_inform"),
        ("先前反映的问题有下文没得", "action_default"),
        ("怎么还没联系我", "action_default"),
    ],
)
def test_what_asks_for_it_in_other_words_gets_the_note_alone_and_is_no_failure(
    writing: Desk, text: str, name: str
) -> None:
    said = Talk(writing).say(name, text, "nlu_fallback" if name == "action_default" else None)
    assert (said.lead, said.response) == (FULL, "")
    assert said.buttons == [("转人工", "/request_human")]
    assert said.slots.get("failures") is None
    assert said.handoff is None


@pytest.mark.parametrize(
    "text", ["什么时候来电", "刚才的事谢谢你", "嘟嘟嘟", "电费怎么交", "我想找客服", "打电话到哪里报修"]
)
def test_what_does_not_ask_for_it_gets_no_note(writing: Desk, text: str) -> None:
    assert Talk(writing).say("action_default", text, "nlu_fallback").lead == ""


def test_a_call_is_not_taken_for_the_power_that_comes_back(writing: Desk) -> None:
    talk = Talk(writing, None, writing.account("user_class = 'residential'"))
    said = talk.say("action_ask_reconnection", "怎么还没给我回电")
    assert (said.lead, said.response) == (FULL, "")
    assert talk.say("action_ask_reconnection", "交了钱什么时候来电").lead == ""


def test_note_answers_where_there_is_no_order_to_tell_of(writing: Desk) -> None:
    said = Talk(writing).say("action_query_work_order", "办得怎么样了")
    assert (said.lead, said.response) == (FULL, "")


def test_thoughts_of_death_are_answered_before_any_note(writing: Desk) -> None:
    said = Talk(writing).say("action_chitchat", "你们什么时候回电，我不想活了")
    assert said.lead == ""
    assert "12356" in said.values["text"]


def repeated(desk: Desk, text: str, *events: dict[str, Any]) -> list[str]:
    """Return what is said to somebody who wants something repeated."""
    repeat, said = ActionRepeat(desk.services), CollectingDispatcher()
    tracker = desk.tracker("action_repeat", (), text)
    tracker.latest_message["metadata"]["handed_back"] = NOTE
    tracker.events = [{"event": "user", "text": "查电费"}, *events, {"event": "user", "text": text}]
    asyncio.run(repeat.run(said, tracker, {}))
    return [one["text"] or one["response"] for one in said.messages]


BILL = {"event": "bot", "text": "上个月39元", "data": {}}
TOLD = {"event": "bot", "text": FULL, "data": {}, "metadata": {MARK: f"7@{NOTE['at']}"}}


def test_asked_to_repeat_the_bot_tells_first_what_the_person_did(writing: Desk) -> None:
    assert repeated(writing, "再说一遍") == [FULL]
    assert repeated(writing, "再说一遍", BILL) == [FULL, "上个月39元"]


def test_what_was_told_is_repeated_like_any_answer(writing: Desk) -> None:
    assert repeated(writing, "再说一遍", TOLD, {"event": "user", "text": "电费"}, BILL) == ["上个月39元"]


def test_who_asks_again_what_the_person_promised_hears_all_of_it_and_nothing_else(writing: Desk) -> None:
    talk = (TOLD, {"event": "user", "text": "电费"}, BILL)
    assert repeated(writing, "刚才那个人答应我什么了", *talk) == [FULL]


def test_an_order_that_is_long_over_is_no_answer_to_what_came_of_the_talk(writing: Desk) -> None:
    services = writing.services
    filing = Filing(cause="c1:1", kind="praise", category="表扬→客户表扬", conversation_id="c1")
    with services.workorder.transaction() as session:
        order = file_order(session, filing, keyring=services.keyring, now=NOW - 90 * HOUR).order
        for state in ("dispatched", "taken", "working", "done", "closed"):
            progress(session, order, state, now=NOW - 80 * HOUR)
        number = order.order_no
    assert Talk(writing).say("action_query_work_order", "办得怎么样了").response == ""
    named = Talk(writing).say("action_query_work_order", f"{number}办得怎么样了", work_order_no=number)
    assert (named.lead, named.response) == (FULL, "utter_order_progress")


@pytest.mark.parametrize("text", ["你们答应我什么了", "刚才那个人怎么说的", "说好的几点打电话呢", "许了我么事咧"])
def test_question_for_what_was_said_or_promised_gets_the_note_and_no_order_beside_it(writing: Desk, text: str) -> None:
    services = writing.services
    filing = Filing(cause="c1:1", kind="repair", category="故障报修→低压停电→一户停电", conversation_id="c1")
    with services.workorder.transaction() as session:
        number = file_order(session, filing, keyring=services.keyring, now=NOW - HOUR).order.order_no
    said = Talk(writing).say("action_query_work_order", text, "query_work_order")
    assert (said.lead, said.response) == (FULL, "")
    named = Talk(writing).say(
        "action_query_work_order", f"{number}那张{text}", "query_work_order", work_order_no=number
    )
    assert named.response == "utter_order_progress"


# -- how it reads


@pytest.mark.parametrize(
    ("note", "read"),
    [
        (
            {"done": ["已派抢修班"], "open": ["10月电费还没说明"], "promised": []},
            "已办：已派抢修班。还没办：10月电费还没说明。",
        ),
        (
            {"done": ["查了表，没坏。", "·退了30.5元！"], "open": [], "promised": [{"text": "短信发账单，"}]},
            "已办：查了表，没坏；退了30.5元。答应您：短信发账单。",
        ),
        ({"done": ["换了表箱\n\n拍了照。"], "open": ["。", "…"], "promised": []}, "已办：换了表箱；拍了照。"),
        ({"done": [], "open": ["10月为什么多？"], "promised": []}, "还没办：10月为什么多。"),
        (
            {"done": [], "open": [], "promised": [{"text": "我会打给您。", "due_at": "2026-11-23T10:00:00+08:00"}]},
            "答应您：我会打给您（明天上午10点前）。",
        ),
    ],
)
def test_whatever_a_person_typed_reads_as_a_short_list(writing: Desk, note: dict[str, Any], read: str) -> None:
    said = Talk(writing, changed(**note)).say("action_query_work_order", "到哪了")
    assert said.lead == f"坐席王岚今天上午9点帮您处理过。{read}"


# -- promises


def test_promise_whose_time_is_over_is_admitted_and_a_person_offered_with_the_reason(writing: Desk) -> None:
    late = changed(promised=[{"text": "给您回电", "due_at": (NOW - 90 * HOUR / 60).isoformat()}], done=[], open=[])
    said = Talk(writing, late).say("action_urge_work_order", "怎么还没回电")
    assert said.lead == (
        "坐席王岚今天上午9点帮您处理过。答应您：给您回电（原定今天上午8点半前，已经过了）。"
        "我这边没有查到办好的记录，让您白等了，对不起。可以马上转人工问清楚。"
    )
    assert list(said.buttons) == [("转人工", '/inform{"choice": "person_rule"}')]


def test_such_a_button_brings_a_person_for_that_reason(writing: Desk) -> None:
    payload = '/inform{"choice": "person_rule"}'
    said = Talk(writing).say("action_inform", payload, choice="person_rule")
    assert (said.response, said.lead, said.handoff) == ("", "", "rule")


def test_words_that_look_like_a_button_bring_nobody(writing: Desk) -> None:
    assert Talk(writing).say("action_inform", "person_rule", choice="person_rule").handoff is None


@pytest.mark.parametrize(
    ("due", "said"),
    [
        (datetime(2026, 11, 22, 18, 30), "今天下午6点半前"),
        (datetime(2026, 11, 22, 12, 0), "今天中午12点前"),
        (datetime(2026, 11, 23, 9, 5), "明天上午9点5分前"),
        (datetime(2026, 11, 24, 23, 59), "后天之内"),
        (datetime(2026, 12, 1, 20, 0), "12月1日晚上8点前"),
        (datetime(2026, 11, 22, 0, 15), "今天凌晨0点15分前"),
    ],
)
def test_times_are_said_in_words(desk: Desk, due: datetime, said: str) -> None:
    note = Note.parse(NOTE, now=NOW)
    assert note is not None
    assert NoteWords(desk.services, note, NOW).until(due.replace(tzinfo=NOW.tzinfo)) == said


# -- not twice


def test_complaint_that_is_registered_is_not_opened_again_without_asking(writing: Desk) -> None:
    talk = Talk(writing)
    said = talk.say("action_voice", STORY, "complain")
    assert said.lead == FULL
    assert said.values["text"].startswith("要再登记一次吗？")
    assert list(said.buttons) == [("再登记一次", "/affirm"), ("不用了", "/deny")]
    assert talk.form["kind"] == "handback"
    assert talk.form["quiet"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("action_affirm", "/affirm"), ("action_inform", "再登记一次"), ("action_inform", "我要投诉")],
)
def test_who_wants_it_all_the_same_goes_on_with_what_was_said_at_first(writing: Desk, name: str, text: str) -> None:
    talk = Talk(writing)
    talk.say("action_voice", STORY, "complain")
    said = talk.say(name, text)
    assert said.lead == ""
    assert (talk.form["business"], talk.form["values"]["detail"]) == ("complaint", STORY)


@pytest.mark.parametrize(
    ("name", "text"), [("action_deny", "/deny"), ("action_inform", "不用了，谢谢"), ("action_inform", "那算了我等消息")]
)
def test_who_does_not_want_it_again_files_nothing(writing: Desk, name: str, text: str) -> None:
    talk = Talk(writing)
    talk.say("action_voice", STORY, "complain")
    said = talk.say(name, text)
    assert "不重复登记" in said.values["text"]
    assert talk.slots["form"] is None
    assert talk.orders() == []


def test_being_asked_changes_nothing_yet(writing: Desk) -> None:
    note = changed(intents=["report_outage"])
    talk = Talk(writing, note, writing.account("user_class = 'residential'"))
    said = talk.say("action_report_outage", "家里没电了")
    assert titles(said) == ["再登记一次", "不用了"]
    opened = talk.say("action_affirm", "/affirm")
    assert opened.response == "utter_outage_ask"
    assert talk.form["opening"] == "家里没电了"


def test_another_business_than_the_one_that_is_done_begins_at_once(writing: Desk) -> None:
    talk = Talk(writing)
    assert talk.say("action_voice", "表箱上印个大点的号，方便我们老眼", "suggest").lead == ""
    assert talk.form["business"] == "suggestion"


def test_mere_question_about_what_is_done_is_answered(writing: Desk) -> None:
    said = Talk(writing, changed(intents=["apply_transfer"])).say(
        "action_form", "过户要什么材料，多久办好", "apply_transfer"
    )
    assert (said.lead, said.response) == (FULL, "utter_form_info")


def test_what_is_still_open_may_be_registered(writing: Desk) -> None:
    talk = Talk(writing, changed(done=[]))
    talk.say("action_voice", STORY, "complain")
    assert talk.form["business"] == "complaint"


def test_form_that_is_laid_aside_for_the_question_is_offered_again(writing: Desk) -> None:
    talk = Talk(writing)
    talk.say("action_form", "我要过户，房子刚买的", "apply_transfer")
    before = talk.form
    talk.say("action_voice", STORY, "complain")
    assert talk.slots["paused"] == before
    assert titles(talk.say("action_deny", "/deny"))[0].startswith("接着办")


# -- which notes count


@pytest.mark.parametrize(
    "note",
    [
        {}, changed(at=(NOW - 25 * HOUR).isoformat()), changed(at="gestern"), changed(at=None),
        changed(done=[], open=[], promised=[]), changed(done=[" "], open=[None], promised=[{"text": ""}, "x"]),
    ],
)  # fmt: skip
def test_note_that_is_old_empty_or_broken_is_none(writing: Desk, note: dict[str, Any]) -> None:
    assert Note.parse(note, now=NOW) is None
    talk = Talk(writing, note)
    talk.note = note
    assert talk.say("action_query_work_order", "到哪了").lead == ""


def test_note_of_a_later_case_is_told_in_full_again(writing: Desk) -> None:
    talk = Talk(writing)
    assert talk.say("action_query_work_order", "到哪了").lead == FULL
    talk.note = changed(case=8, agent=3, agent_name="小王", done=["已退费"], open=[], promised=[])
    assert talk.say("action_query_work_order", "到哪了").lead == "坐席小王今天上午9点帮您处理过。已办：已退费。"
    talk.note = changed(case=9, agent=3, done=["已退费"], open=[], promised=[])
    assert talk.say("action_query_work_order", "到哪了").lead == ("人工坐席今天上午9点帮您处理过。已办：已退费。")
