"""What is said right under the list of notices: all off, another channel, back again, and what nobody can read."""

from __future__ import annotations

import re
from typing import Any

import pytest
from actions_desk import Desk
from test_action_notice import BOTH, Talk, follower

from core.proactive.tables import KINDS


@pytest.fixture
def talk(writing: Desk) -> Talk:
    home = writing.account("user_class = 'residential'")
    owner = writing.one(
        "select customer_no from customers c join accounts a on a.customer_id = c.id where account_no = ?", home
    )
    return Talk(writing, (home,), owner)


def _claims(talk: Talk, text: str) -> bool:
    return re.fullmatch(talk.slots["form"]["pattern"], text) is not None


@pytest.mark.parametrize("text", ["全都不要发", "停电通知不要了", "都别发了", "改成短信", "账单的不用发了"])
def test_what_is_said_under_the_list_is_about_it(writing: Desk, text: str) -> None:
    own = follower(writing)
    own.say("现在给我发哪些通知")
    assert _claims(own, text)


@pytest.mark.parametrize(
    "text", ["不要了", "家里停电了", "电费多少", "改电话", "有人受伤", "把手机号改成新的", "怎么缴费"]
)
def test_other_things_under_the_list_are_not(writing: Desk, text: str) -> None:
    own = follower(writing)
    own.say("现在给我发哪些通知")
    assert not _claims(own, text)


def test_all_are_off_at_once_and_the_list_says_so_also_of_what_needs_an_account(writing: Desk) -> None:
    own = follower(writing)
    own.say("现在给我发哪些通知")
    said = own.say("全都不要发", "inform")
    assert {wish.kind for wish in own.kept if not wish.wanted} == set(KINDS)
    assert said.text.count("不发，绑定户号后也不发") == 5
    assert said.text.count("：不发\n") == 2
    again = own.say("停电通知不要了", "inform")
    assert own.kept == []
    assert "本来就没有发给您" in again.text


def test_taken_back_is_exactly_what_was_changed(writing: Desk) -> None:
    own = follower(writing)
    before = own.say("现在给我发哪些通知").text
    own.say("报修进度不用通知我")
    said = own.say("停电通知别给我发了", "inform")
    assert {wish.kind for wish in own.kept} == set(BOTH)
    assert said.text.count("不发，绑定户号后也不发") == 2
    back = own.press("撤销", said)
    assert {wish.kind for wish in own.kept} == set(BOTH)
    assert back.text.startswith("已改回原来的样子。")
    assert "工单进度：不发" in back.text
    assert "不发，绑定户号后也不发" not in back.text
    assert "工单进度：不发" not in before


def test_another_channel_under_the_list_holds_for_all_that_is_on(talk: Talk) -> None:
    talk.say("现在给我发哪些通知")
    said = talk.say("改成短信", "inform")
    assert {wish.channel for wish in talk.kept} == {"sms"}
    assert "· 电费账单：短信" in said.text


def test_short_messages_for_nobody_known_want_an_account_first(writing: Desk) -> None:
    own = follower(writing)
    own.say("现在给我发哪些通知")
    said = own.say("改成短信", "inform")
    assert own.kept == []
    assert said.text.startswith("发短信要知道登记的手机号，请先绑定户号")


def test_who_subscribes_is_offered_the_kinds(writing: Desk) -> None:
    own = follower(writing)
    titles = [title for title, _ in own.say("订阅通知").buttons]
    assert titles[:4] == ["打开电费账单", "打开余额不足提醒", "打开计划停电通知", "打开故障停电和来电通知"]


def test_an_answer_that_nobody_can_read_gets_a_short_question(talk: Talk) -> None:
    talk.say("退订")
    said = talk.say("那个那个", "inform")
    assert said.text == "没看出是哪一种。\n要关哪一种？" or said.text == "没看出是哪一种。要关哪一种？"
    assert said.buttons
    assert talk.kept == []


def test_the_poster_leads_to_the_same_switches_and_paper_to_the_form(talk: Talk) -> None:
    said: Any = talk.say("/inform", "inform", start="unsubscribe")
    assert said.text.startswith("要关哪一种？")
    talk.press("停掉电话或纸质账单", said)
    assert talk.slots["form"]["business"] == "unsubscribe"
