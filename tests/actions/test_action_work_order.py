"""Orders in conversation: how far, faster, not any more, mended or not; and nobody sees or ends another's."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from actions_desk import KEY, NOW, Desk

from actions.order_cancel import ActionCancelWorkOrder
from core import promise
from core.form import FormState
from core.identity import Identity, issue_identity
from core.notice import Notice
from core.promise import Subject
from core.work_order import Filing, WorkOrder, conversations_of, file_order, progress, urge

QUERY, URGE, CANCEL = "action_query_work_order", "action_urge_work_order", "action_cancel_work_order"
REPAIR = Filing(
    cause="c1:1", kind="repair", category="故障报修→低压停电→一户停电", conversation_id="c1", area_class="city",
    promises=[("arrival", NOW + timedelta(minutes=45))],
)  # fmt: skip
TRANSFER = Filing(
    cause="c1:2", kind="transfer", category="服务申请→变更用电→过户", conversation_id="c1",
    promises=[("complete", NOW + timedelta(days=5))],
)  # fmt: skip


def file(desk: Desk, filing: Filing, *states: str, ago: timedelta = timedelta(0)) -> str:
    """File an order so long ago, move it through the states, and return its number."""
    with desk.services.workorder.transaction() as session:
        filed = file_order(session, filing, keyring=desk.services.keyring, now=NOW - ago)
        for state in states:
            progress(session, filed.order, state, now=NOW - ago / 2)
        return filed.order.order_no


def state(desk: Desk, number: str) -> tuple[str, str, int]:
    with desk.services.workorder.reading() as session:
        order = session.query(WorkOrder).filter_by(order_no=number).one()
        return order.state, order.priority, order.urges


def named(number: str, choice: str | None = None) -> list[dict[str, Any]]:
    more = [{"entity": "choice", "value": choice}] if choice else []
    return [{"entity": "work_order_no", "value": number}, *more]


def titles(said: Any) -> list[str]:
    return [title for title, _ in said.buttons]


# -- how far


def test_one_order_is_told_with_its_stages_and_the_usual_time(writing: Desk) -> None:
    number = file(writing, REPAIR, "dispatched", ago=timedelta(minutes=10))
    said = writing.ask(QUERY, text="我报修的到哪了")
    assert said.response == "utter_order_progress"
    assert said.text.startswith(f"一户停电（工单号{number}）：已派单")
    assert "城区一般45分钟内到达现场" in said.text
    assert [row["label"] for row in said.card["rows"]] == ["受理", "已派单，等班组接单"]
    assert [row["value"] for row in said.card["rows"]] == ["11月22日09:50", "11月22日09:55"]
    assert titles(said) == ["催办", "已经好了", "撤销"]


def test_a_limit_in_days_is_told_as_a_day(writing: Desk) -> None:
    day = replace(TRANSFER, promises=[("complete", NOW.replace(hour=23, minute=59) + timedelta(days=5))])
    file(writing, day)
    assert "一般11月27日前办完" in writing.ask(QUERY).text


def test_a_time_set_for_this_case_says_how_old_it_is(writing: Desk) -> None:
    number = file(writing, REPAIR, ago=timedelta(minutes=30))
    with writing.services.workorder.transaction() as session:
        order = session.query(WorkOrder).filter_by(order_no=number).one()
        promise.move(
            session, Subject("order", order.id), promise.ARRIVAL, NOW + timedelta(minutes=40),
            now=NOW - timedelta(minutes=12), values={"order_no": number, "title": order.title},
        )  # fmt: skip
    assert "预计11月22日10:40左右到现场，这是12分钟前的消息" in writing.ask(QUERY).text


def test_whoever_was_told_a_time_hears_when_it_moves_and_its_age_stays(writing: Desk) -> None:
    elsewhere = replace(REPAIR, conversation_id="c9", account_no="4201000000009", customer_no="C1")
    number = file(writing, elsewhere, ago=timedelta(minutes=30))
    database, due_at = writing.services.workorder, NOW + timedelta(minutes=40)
    writing.ask(QUERY, "4201000000009")
    with database.transaction() as session:
        order = session.query(WorkOrder).filter_by(order_no=number).one()
        promise.move(session, Subject("order", order.id), promise.ARRIVAL, due_at, now=NOW - timedelta(minutes=12))
        assert {one.conversation_id for one in session.query(Notice)} == {"c1", "c9"}
    for _ in range(2):
        assert "这是12分钟前的消息" in writing.ask(QUERY, "4201000000009").text


def test_data_that_points_at_no_order_is_not_taken_for_a_question_about_it(writing: Desk) -> None:
    file(writing, REPAIR)
    before = writing.ask(QUERY)
    assert writing.ask("action_inform", text="三点以后", after=before).response == "utter_what_for"
    assert writing.ask("action_inform", text="报修那个", after=before).response == "utter_order_progress"


def test_past_its_time_the_order_says_so_and_offers_to_hurry(writing: Desk) -> None:
    file(writing, replace(REPAIR, promises=[("arrival", NOW - timedelta(minutes=1))]), ago=timedelta(hours=1))
    said = writing.ask(QUERY)
    assert "已超过一般时限" in said.text
    assert "催办" in titles(said)


def test_several_open_orders_are_listed_and_chosen_by_words_tail_place_or_button(writing: Desk) -> None:
    repair, transfer = file(writing, REPAIR), file(writing, TRANSFER)
    said = writing.ask(QUERY, text="我的单子到哪了")
    assert (said.response, titles(said)) == ("utter_orders", ["过户（尾号0002）", "一户停电（尾号0001）"])
    assert said.buttons[0][1] == f'/query_work_order{{"work_order_no": "{transfer}"}}'
    for text, number in (("过户那个呢", transfer), ("报修的那张", repair), ("尾号0002", transfer), ("第二个", repair)):
        assert number in writing.ask("action_inform", text=text, after=said).text
    assert repair in writing.ask(QUERY, entities=named(f"WO{repair}")).text


def test_only_open_orders_are_asked_about_and_the_last_one_told_when_none_is_open(writing: Desk) -> None:
    repair, transfer = file(writing, REPAIR, "closed"), file(writing, TRANSFER)
    assert transfer in writing.ask(QUERY).text
    writing.ask(CANCEL, entities=named(transfer))
    said = writing.ask(QUERY)
    assert "已撤销" in said.text
    assert said.buttons == []
    assert titles(writing.ask(QUERY, entities=named(repair))) == ["还没好"]


def test_without_any_order_something_is_offered(writing: Desk) -> None:
    for action in (QUERY, URGE, CANCEL):
        said = writing.ask(action, text="我那个单子")
        assert said.response.startswith("utter_no_order")
        assert writing.templates[said.response][0]["buttons"][-1]["payload"] == "/request_human"


@pytest.mark.parametrize("action", [QUERY, URGE, CANCEL])
def test_somebody_elses_number_looks_like_one_that_does_not_exist(writing: Desk, action: str) -> None:
    number = file(writing, replace(REPAIR, conversation_id="c9", account_no="4201000000009", customer_no="C9"))
    theirs = writing.ask(action, "4201000000009", assurance=0, entities=named(number))
    none = writing.ask(action, "4201000000009", assurance=0, entities=named("20261122009999"))
    assert theirs.response == none.response == "utter_order_not_found"
    assert theirs.text == none.text
    assert state(writing, number) == ("accepted", "normal", 0)


def test_with_a_bound_account_orders_of_other_conversations_are_seen(writing: Desk) -> None:
    number = file(writing, replace(REPAIR, conversation_id="c9", account_no="4201000000009", customer_no="C1"))
    assert number in writing.ask(QUERY, "4201000000009").text


@pytest.mark.parametrize(
    ("action", "intent", "text"),
    [
        ("action_voice", "complain", "师傅到我店门口没？"),
        ("action_default", "nlu_fallback", "投诉处理得咋样了"),
        ("action_greet", "greet", "那单子还在不在"),
    ],
)
def test_a_plain_question_after_an_order_is_answered_whatever_it_is_taken_for(
    writing: Desk, action: str, intent: str, text: str
) -> None:
    assert writing.ask(action, text=text, intent=intent).response != "utter_order_progress"
    number = file(writing, REPAIR)
    assert number in writing.ask(action, text=text, intent=intent).text


@pytest.mark.parametrize("text", ["师傅到了两个小时才来，还骂人", "投诉你们抢修不来", "师傅修好了，态度真好"])
def test_what_is_no_question_after_an_order_stays_what_it_is(writing: Desk, text: str) -> None:
    file(writing, REPAIR)
    assert writing.ask("action_voice", text=text, intent="complain").response != "utter_order_progress"


# -- faster


def test_urging_is_counted_once_and_says_what_it_did(writing: Desk) -> None:
    number = file(writing, REPAIR)
    first, again = writing.ask(URGE, text="快点"), writing.ask(URGE, text="快点")
    assert (first.response, again.response) == ("utter_order_urged", "utter_order_urged_before")
    assert number in first.text
    assert state(writing, number) == ("accepted", "urgent", 1)
    assert titles(first) == ["已经好了", "撤销"]


def test_urging_past_the_time_is_reported_upwards(writing: Desk) -> None:
    file(writing, replace(REPAIR, promises=[("arrival", NOW - timedelta(minutes=1))]), ago=timedelta(hours=1))
    said = writing.ask(URGE)
    assert (said.response, said.text.startswith("对不起")) == ("utter_order_escalated", True)


def test_of_several_one_is_chosen_and_urged(writing: Desk) -> None:
    repair, transfer = file(writing, REPAIR), file(writing, TRANSFER)
    said = writing.ask(URGE, text="搞快点")
    assert said.response == "utter_which_order_to_urge"
    writing.ask("action_inform", text="过户那个", after=said)
    assert (state(writing, repair)[2], state(writing, transfer)[2]) == (0, 1)
    writing.ask(URGE, text="报修的快点来人")
    assert state(writing, repair)[2] == 1


def test_what_is_done_is_not_urged_but_can_be_called_not_mended(writing: Desk) -> None:
    number = file(writing, REPAIR, "dispatched", "taken", "working", "done")
    said = writing.ask(URGE, text="怎么还没人来")
    assert said.response == "utter_order_over"
    assert titles(said) == ["已经好了", "还没好"]
    again = writing.ask(QUERY, entities=named(number, "not_fixed"))
    assert (again.response, state(writing, number)[0]) == ("utter_order_reopened", "accepted")


# -- not any more


def test_an_order_that_is_not_named_is_withdrawn_after_a_yes(writing: Desk) -> None:
    number = file(writing, REPAIR)
    asked = writing.ask(CANCEL, text="来电了，师傅别来了")
    assert (asked.response, state(writing, number)[0]) == ("utter_order_cancel_confirm", "accepted")
    assert writing.ask("action_affirm", text="是的", after=asked).response == "utter_order_cancelled"
    assert state(writing, number)[0] == "cancelled"


def test_after_a_no_it_stays(writing: Desk) -> None:
    number = file(writing, REPAIR)
    asked = writing.ask(CANCEL, text="撤单")
    kept = writing.ask("action_deny", text="算了不撤", after=asked)
    button = writing.ask(CANCEL, entities=named(number, "no"))
    assert (kept.response, button.response, state(writing, number)[0]) == (
        "utter_order_kept", "utter_order_kept", "accepted",
    )  # fmt: skip
    assert writing.ask("action_affirm", text="好的", after=kept).response == "utter_affirm_alone"


def test_a_named_order_is_withdrawn_at_once_and_twice_is_once(writing: Desk) -> None:
    number = file(writing, TRANSFER)
    assert writing.ask(CANCEL, text=f"{number}作废", entities=named(number)).response == "utter_order_cancelled"
    again = writing.ask(CANCEL, entities=named(number, "yes"))
    assert (again.response, "已撤销" in again.text) == ("utter_order_over", True)


def test_of_several_the_chosen_one_is_withdrawn_after_a_yes(writing: Desk) -> None:
    repair, transfer = file(writing, REPAIR), file(writing, TRANSFER)
    which = writing.ask(CANCEL, text="撤一张单子")
    confirm = writing.ask("action_inform", text="过户那个", after=which)
    writing.ask("action_affirm", text="对", after=confirm)
    assert (state(writing, repair)[0], state(writing, transfer)[0]) == ("accepted", "cancelled")


@pytest.mark.parametrize("text", ["中，撤了吧", "唉，还是撤了吧", "行", "不用来了", "要得，麻烦了", "作废算了"])
def test_a_yes_in_other_words_withdraws(writing: Desk, text: str) -> None:
    number = file(writing, REPAIR)
    asked = writing.ask(CANCEL, text="单子撤了")
    assert re.fullmatch(asked.slots["form"]["pattern"], text)
    done = writing.ask("action_inform", text=text, after=asked)
    assert (done.response, state(writing, number)[0]) == ("utter_order_cancelled", "cancelled")
    assert done.slots["form"] is None


@pytest.mark.parametrize("text", ["老婆说莫撤，不撤了", "先留着吧", "还是要修", "算了", "别取消"])
def test_a_no_in_other_words_keeps_it(writing: Desk, text: str) -> None:
    number = file(writing, REPAIR)
    asked = writing.ask(CANCEL, text="单子撤了")
    assert re.fullmatch(asked.slots["form"]["pattern"], text)
    kept = writing.ask("action_inform", text=text, after=asked)
    assert (kept.response, state(writing, number)[0]) == ("utter_order_kept", "accepted")
    assert re.fullmatch(kept.slots["form"]["pattern"], "唉，还是撤了吧")
    assert writing.ask("action_inform", text="唉，还是撤了吧", after=kept).response == "utter_order_cancel_confirm"
    assert writing.ask("action_affirm", text="好的", after=kept).response == "utter_affirm_alone"


@pytest.mark.parametrize("text", ["撤了还能再报吗", "撤不撤得掉？", "怎么取消工单", "撤了没"])
def test_a_question_is_no_yes(writing: Desk, text: str) -> None:
    number = file(writing, REPAIR)
    asked = writing.ask(CANCEL, text="单子撤了")
    again = writing.ask(CANCEL, text=text, after=asked)
    assert (again.response, state(writing, number)[0]) == ("utter_order_cancel_confirm", "accepted")


def test_a_yes_after_another_answer_is_asked_for_again(writing: Desk) -> None:
    number = file(writing, REPAIR)
    asked = writing.ask(CANCEL, text="单子撤了")
    later = {**asked.slots, "asked": "action_query_bill"}
    again = writing.ask("action_affirm", text="好的", slots=later)
    assert (again.response, state(writing, number)[0]) == ("utter_order_cancel_confirm", "accepted")


def test_a_press_in_the_list_is_no_yes(writing: Desk) -> None:
    number = file(writing, REPAIR)
    file(writing, TRANSFER)
    which = writing.ask(CANCEL, text="有张单子不要了")
    assert which.buttons[1][1] == f'/cancel_work_order{{"work_order_no": "{number}", "choice": "ask"}}'
    asked = writing.ask(CANCEL, entities=named(number, "ask"), after=which)
    assert (asked.response, state(writing, number)[0]) == ("utter_order_cancel_confirm", "accepted")


def test_what_was_read_as_giving_up_asks_before_it_withdraws(writing: Desk) -> None:
    number = file(writing, REPAIR)
    file(writing, replace(TRANSFER, conversation_id="c9", customer_no="C1"))
    asked = writing.ask(CANCEL, text="不搞了，把这个工单撤销", intent="cancel")
    assert (asked.response, state(writing, number)[0]) == ("utter_order_cancel_confirm", "accepted")
    assert number in asked.text


def test_a_form_that_the_question_interrupts_is_offered_again(writing: Desk) -> None:
    file(writing, REPAIR)
    form = FormState.new("suggestion").dump()
    open_form = {"kind": "business", "action": "action_form", **form}
    asked = writing.ask(CANCEL, text="那张单子撤了", slots={"form": open_form})
    done = writing.ask("action_inform", text="是的", after=asked)
    assert (done.response, done.buttons[0][0]) == ("utter_order_cancelled", "接着办建议")


def test_giving_the_question_up_withdraws_nothing_and_says_so(writing: Desk) -> None:
    action = writing.action(CANCEL)
    assert isinstance(action, ActionCancelWorkOrder)
    assert "没有撤" in action.dropped().values["text"]


@pytest.mark.parametrize("action", [URGE, CANCEL])
def test_an_order_of_another_day_that_is_over_is_not_spoken_of(writing: Desk, action: str) -> None:
    old = replace(REPAIR, conversation_id="c9", customer_no="C1", account_no="4201000000009")
    file(writing, old, "dispatched", "taken", "working", "done", "closed")
    assert writing.ask(action, "4201000000009", text="来电了").response.startswith("utter_no_order_to")


def test_after_an_unknown_number_no_other_order_is_touched(writing: Desk) -> None:
    number = file(writing, REPAIR)
    unknown = writing.ask(QUERY, entities=named("20200101999999"))
    said = writing.ask(URGE, text="催一催那个单子", after=unknown)
    assert (said.response, state(writing, number)[2]) == ("utter_which_order_to_urge", 0)


def test_an_order_in_work_stays_and_keeps_the_wish(writing: Desk) -> None:
    number = file(writing, REPAIR, "dispatched", "taken", "working")
    said = writing.ask(CANCEL, text="不用来了", entities=named(number, "yes"))
    assert (said.response, state(writing, number)[0]) == ("utter_order_stays_working", "working")
    with writing.services.workorder.reading() as session:
        order = session.query(WorkOrder).filter_by(order_no=number).one()
        note = next(event for event in order.events if event.kind == "note")
        text = writing.services.keyring.decrypt(str(note.note_cipher), f"order_events.note:{number}:{note.seq}")
    assert text == "不用来了"


def test_a_danger_is_ended_by_no_click(writing: Desk) -> None:
    danger = replace(REPAIR, kind="wire", family="danger", priority="urgent", category="故障报修→紧急→断线落地")
    number = file(writing, danger)
    for action, choice in ((CANCEL, "yes"), (QUERY, "fixed")):
        said = writing.ask(action, entities=named(number, choice))
        assert (said.response, state(writing, number)[0]) == ("utter_order_stays_danger", "accepted")


def test_who_joined_leaves_and_the_order_goes_on(writing: Desk) -> None:
    place = {"place_code": "T-1", "address": "万松里3栋502", "conversation_id": "c9"}
    number = file(writing, replace(REPAIR, **place))
    assert file(writing, replace(REPAIR, **place | {"conversation_id": "c1"}, cause="c1:8")) == number
    said = writing.ask(CANCEL, entities=named(number))
    assert (said.response, state(writing, number)[0]) == ("utter_order_left", "accepted")


# -- mended or not


def test_mended_closes_the_order(writing: Desk) -> None:
    number = file(writing, REPAIR, "dispatched", "taken", "working", "done")
    said = writing.ask(QUERY, entities=named(number, "fixed"))
    assert (said.response, state(writing, number)[0]) == ("utter_order_confirmed", "closed")


def test_not_mended_while_it_is_open_is_an_urging(writing: Desk) -> None:
    number = file(writing, REPAIR)
    assert writing.ask(QUERY, entities=named(number, "not_fixed")).response == "utter_order_urged"
    assert state(writing, number)[2] == 1


def test_urging_by_hand_and_by_click_is_one_count(writing: Desk) -> None:
    number = file(writing, REPAIR)
    with writing.services.workorder.transaction() as session:
        urge(session, session.query(WorkOrder).filter_by(order_no=number).one(), now=NOW)
    assert writing.ask(URGE, entities=named(number)).response == "utter_order_urged_before"


# -- what was filed before the conversation was joined


def joined(desk: Desk, name: str, **more: Any) -> Any:
    """Ask in a home to which the conversation `page` was joined."""
    who = Identity("c1", "C1", (), 0, "wechat", conversations=("page",))
    return desk.ask(name, identity=issue_identity(KEY, who, now=NOW), **more)


def test_an_order_of_a_joined_conversation_is_told_urged_and_withdrawn(writing: Desk) -> None:
    number = file(writing, replace(REPAIR, conversation_id="page"))
    assert writing.ask(QUERY, text="我的报修到哪了").response == "utter_no_order"
    assert joined(writing, QUERY, text="我的报修到哪了").response == "utter_order_progress"
    assert joined(writing, URGE, text="催一下").response == "utter_order_urged"
    assert joined(writing, CANCEL, text="撤销", entities=named(number)).response == "utter_order_cancelled"
    assert state(writing, number)[0] == "cancelled"
    with writing.services.workorder.reading() as session:
        assert session.query(Notice).count() == 0  # who has withdrawn it needs no notice
        told = session.query(promise.Promise.conversation_id).distinct().all()
    assert [row[0] for row in told] == ["page"]  # one promise, told once


def test_who_joined_an_order_on_a_page_leaves_it_in_the_home(writing: Desk) -> None:
    place = {"place_code": "T-1", "address": "万松里3栋502", "conversation_id": "somebody"}
    number = file(writing, replace(REPAIR, **place))
    assert file(writing, replace(REPAIR, **place | {"conversation_id": "page"}, cause="page:1")) == number
    said = joined(writing, CANCEL, text="撤销", entities=named(number))
    assert (said.response, state(writing, number)[0]) == ("utter_order_left", "accepted")
    with writing.services.workorder.reading() as session:
        order = session.query(WorkOrder).filter_by(order_no=number).one()
        assert conversations_of(session, order) == ["somebody"]
