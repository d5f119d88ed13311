"""The ways to a person that the bot offers or takes by itself, and what the desk reads of a form that is open."""

from __future__ import annotations

import json

from actions_desk import Desk
from handback_desk import STORY, Talk, titles

from core.business import BusinessTable

# -- the ways to a person


def test_after_a_complaint_a_person_is_offered_with_the_reason(writing: Desk) -> None:
    talk = Talk(writing, {}, writing.account("a.district like '%区'"))
    talk.say("action_voice", STORY, "complain")
    done = talk.say("action_affirm", "/affirm")
    assert len(talk.orders()) == 1
    payload = dict(done.buttons)["转人工"]
    assert json.loads(payload.removeprefix("/inform")) == {"choice": "person_complaint"}


def test_rows_name_the_reason_for_which_a_person_should_look(desk: Desk) -> None:
    table: BusinessTable = desk.services.businesses
    named = {row.key: row.person for row in table if row.person}
    assert named["special_life_support"] == "special_service"
    assert named["compensation_appliance"] == "high_risk"
    assert named["complaint"] == "complaint"
    assert {row.intent for row in table if row.person == "special_service"} == {"request_special_service"}


def test_third_message_in_a_row_that_is_not_understood_brings_a_person(writing: Desk) -> None:
    replies, talk = [], Talk(writing, {})
    for text in ("那什么就是那个", "哎呀它它它", "晓得唦就是那个"):
        reply = talk.say("action_default", text, "nlu_fallback")
        slot = {"event": "slot", "name": "failures", "value": reply.slots["failures"]}
        talk.events.insert(-1, slot)
        replies.append(reply)
    assert [one.handoff for one in replies] == [None, None, "failures"]
    assert "转人工" in titles(replies[1])
    assert "没听明白" in replies[2].values["text"]


def test_signs_without_words_bring_nobody(writing: Desk) -> None:
    talk = Talk(writing, {})
    for text in ("😡😡😡", "？？", "……"):
        reply = talk.say("action_default", text, "nlu_fallback")
        talk.events.insert(-1, {"event": "slot", "name": "failures", "value": reply.slots["failures"]})
        assert reply.handoff is None


# -- what the desk reads of an open form


def test_open_form_says_title_answers_and_what_is_missing_in_words(writing: Desk) -> None:
    talk = Talk(writing, {}, writing.account("a.district like '%区'"))
    talk.say("action_voice", "家里电器都烧坏了，电视冰箱都不亮", "claim_compensation")
    form = talk.form
    assert form["title"] == "电器损坏登记"
    assert form["shown"]["联系电话"] == "按登记的"
    assert form["shown"]["坏了哪些"] == "家里电器都烧坏了，电视冰箱都不亮"
    assert form["shown"]["户号"] == f"尾号{talk.accounts[0][-4:]}"
    assert form["missing"] == ["哪天坏的"]


def test_report_of_an_outage_says_how_far_it_is(writing: Desk) -> None:
    talk = Talk(writing, {})
    talk.say("action_report_outage", "家里没电了")
    assert (talk.form["business"], talk.form["title"], talk.form["shown"]) == ("repair", "停电报修", {})
    assert talk.form["missing"] == ["地点", "停电范围"]


def test_question_whether_to_register_again_is_no_form_for_the_desk(writing: Desk) -> None:
    talk = Talk(writing)
    talk.say("action_voice", STORY, "complain")
    assert "title" not in talk.form
