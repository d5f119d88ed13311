"""What the customer says to a recommendation: refused is for ever, a button decides about its own."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import recommendation_kit as kit
from actions_desk import KEY, NOW, Desk, period
from recommendation_kit import MONTHS, RULES, Talk, first_offer, opened, rows
from sqlalchemy import select

from actions import recommendation
from actions.question import Question
from actions.reply import Reply
from core.binding import Binding
from core.clock import add_months
from core.recommend.record import Decided
from core.recommend.tables import Recommendation
from core.work_order import Filing, file_order

home, talk, nobody_held_out, nothing_remembered = kit.home, kit.talk, kit.nobody_held_out, kit.nothing_remembered


@pytest.mark.parametrize(
    "text",
    [
        "别给我推荐了",
        "不要推销",
        "以后别再推荐了，谢谢",
        "麻烦不要再给我推销东西了",
        "别老推销",
        "能不能别推荐了",
        "莫跟我推荐了撒",
        "莫推荐哒",
        "嫑推荐",
        "甭给我整这些推荐了",
        "烦死了，别推荐了",
        "我说了别推荐了",
        "永远不要再推荐",
        "以后少给我推荐",
        "关闭推荐",
        "不接受推荐",
        "不要给我发营销短信",
        "别再给我打广告了",
        "不要再推销电价了",
        "TD",
        "退订",
        "别再推了",
        "别推送了",
        "不要再发了",
    ],
)
def test_a_refusal_in_any_words_is_for_ever_in_every_conversation_month_channel_and_kind(
    talk: Talk, writing: Desk, text: str
) -> None:
    assert talk.ask().reply.beside is not None
    said = talk.ask("action_inform", text=text)
    assert said.text == "记下了，以后不再给您推荐。有问题您随时问我。"
    assert [row.state for row in rows(writing)] == ["refused"]
    for number, channel in enumerate(("web", "wechat", "app")):
        opened(writing, f"other{number}")
        other = Talk(writing, talk.account, f"other{number}", channel, now=NOW + MONTHS * (number + 1))
        for action in ("action_query_bill", "action_query_balance", "action_query_usage"):
            assert other.ask(action).reply.beside is None
    assert len(rows(writing)) == 1


def test_the_button_refuses_for_ever_too(talk: Talk, writing: Desk) -> None:
    said = talk.press(talk.ask(), "以后别再推荐")
    assert said.text.startswith("记下了")
    opened(writing, "later")
    assert Talk(writing, talk.account, "later", now=NOW + MONTHS).ask().reply.beside is None


def test_it_is_refused_without_anything_standing_open_too(talk: Talk, writing: Desk) -> None:
    assert talk.ask("action_chitchat", text="别给我推荐了", intent="chitchat").text.startswith("记下了")
    assert talk.ask().reply.beside is None
    assert rows(writing) == []


@pytest.mark.parametrize(
    "text",
    [
        "推荐一下哪种电价便宜",
        "你推荐哪种",
        "广告牌的电费怎么算",
        "不要停电",
        "推荐个省电办法",
        "不要推荐贵的电价",
        "不用推荐，直接告诉我上个月电费",
        "取消广告牌用电",
        "别发账单推送了",
        "关掉微信推送",
        "广告退订",
        "为什么不给我推荐",
    ],
)
def test_a_wish_for_advice_is_no_refusal(writing: Desk, text: str) -> None:
    assert not re.fullmatch(writing.services.phrases.raw("recommendation.words.never"), text)


def test_what_is_written_into_a_form_is_no_refusal(talk: Talk, writing: Desk) -> None:
    """A complaint about calls that want to sell something is a complaint."""
    prose = {"kind": "business", "business": "complaint", "id": "1", "quiet": False, "free": True}
    with writing.services.billing.reading() as session:
        tracker = writing.tracker(
            "action_inform", (talk.account,), "你们天天打电话来，别再推销了", slots={"form": prose}
        )
        question = Question.of(tracker, identity_key=KEY, clock=lambda: NOW, leaning=())
        assert recommendation.heard(writing.services, session, question) is question
        elsewhere = replace(question, slots={})
        assert isinstance(recommendation.heard(writing.services, session, elsewhere), Reply)


def test_this_kind_never_again_leaves_the_others(talk: Talk, writing: Desk) -> None:
    talk.ask()
    asked_at = talk.now
    said = talk.ask("action_inform", text="以后别提这个了")
    assert said.text == "记下了，这一类以后不再给您推荐。"
    assert talk.grants[-1] == Decided(
        talk.grants[0].customers, never="saving_measure", of=(talk.account, asked_at)
    )  # fmt: skip


@pytest.mark.parametrize("text", ["不用了", "这次不用", "没兴趣，谢谢", "算了，不办了", "先不考虑"])
def test_not_this_time_is_understood_while_it_stands_open(talk: Talk, writing: Desk, text: str) -> None:
    said = talk.ask()
    pattern = said.slots["form"]["pattern"]
    assert re.fullmatch(pattern, text)  # what makes the bot read it as an answer
    assert talk.ask("action_inform", text=text).text == "好的，这次不提了。"
    assert [row.state for row in rows(writing)] == ["refused"]
    assert talk.slots["form"] is None
    opened(writing, "later")
    assert Talk(writing, talk.account, "later", now=NOW + MONTHS).ask().reply.beside is not None


def test_how_to_do_it_is_told_and_kept_as_accepted(talk: Talk, writing: Desk) -> None:
    said = talk.press(talk.ask(), "怎么办理")
    assert ("看怎么省电", "/advise_saving") in said.buttons
    assert [row.state for row in rows(writing)] == ["accepted"]


def test_how_to_do_it_opens_the_form_of_its_kind(writing: Desk) -> None:
    """A factory that is told of its power factor registers the visit of an engineer."""
    factory = next(
        number for (number,) in writing.sql("select account_no from accounts where user_class = 'industrial'")
        if (found := first_offer(writing, number, ("power_factor",))) is not None and found.yuan
    )  # fmt: skip
    opened(writing, "c1")
    talk = Talk(writing, factory)
    said = talk.ask()
    assert said.reply.beside is not None
    kind = rows(writing)[0].kind
    done = talk.ask("action_inform", text="怎么办理")
    start = RULES.kinds[kind].start
    assert start
    assert done.reply.slots["form"]["business"] == start
    assert done.reply.lead == writing.services.phrases.say(f"recommendation.{kind}.how")
    assert [row.state for row in rows(writing)] == ["accepted"]


def test_another_question_is_answered_as_if_nothing_stood_open(talk: Talk) -> None:
    talk.ask()
    said = talk.ask("action_inform", text="九月的呢", entities=[period("2026-09")])
    assert said.response == "utter_bill_month"
    assert "2026年9月" in said.text
    assert talk.slots["form"] is None


def test_the_button_pressed_late_leaves_the_form_that_is_open_since(talk: Talk) -> None:
    said = talk.ask()
    talk.slots["form"] = {"kind": "business", "business": "energy_audit", "id": "1", "quiet": False}
    done = talk.press(said, "以后别再推荐")
    assert done.text.startswith("记下了")
    assert talk.slots["form"]["kind"] == "business"


def test_a_no_to_nothing_is_as_before(talk: Talk) -> None:
    assert talk.ask("action_deny", text="不用了", intent="deny").response == "utter_deny_alone"


# -- whose word it is, and about which one


def test_the_button_of_an_old_recommendation_decides_about_its_own(talk: Talk, writing: Desk) -> None:
    old = talk.ask()
    talk.now += timedelta(days=28)  # the next month's, before the old one is over
    assert talk.ask().reply.beside is None
    talk.now += timedelta(days=1)
    with writing.services.bridge.transaction() as session:
        (first,) = session.scalars(select(Recommendation))
        session.add(again(first, talk.now))
    assert talk.press(old, "怎么办理").text != ""
    assert [row.state for row in rows(writing)] == ["accepted", "shown"]
    talk.press(old, "这次不用")
    assert [row.state for row in rows(writing)] == ["accepted", "shown"]


def again(row: Recommendation, at: datetime) -> Recommendation:
    """Return the same recommendation, told in the next month."""
    return Recommendation(
        customer_no=row.customer_no, account_no=row.account_no, month=add_months(row.month, 1), kind=row.kind,
        yuan=row.yuan, basis=row.basis, state="shown", segment=None, conversation_id=row.conversation_id, shown_at=at,
        decided_at=None,
    )  # fmt: skip


def test_an_old_recommendation_is_said_to_be_over_and_reckoned_anew(talk: Talk, writing: Desk) -> None:
    old = talk.ask()
    talk.now += timedelta(days=70)
    said = talk.press(old, "怎么办理")
    assert "2026年11月22日" in said.text
    assert "现在可能不一样了" in said.text
    assert ("看怎么省电", "/advise_saving") in said.buttons
    assert [row.state for row in rows(writing)] == ["shown"]  # figures of that time decide nothing now
    assert talk.press(old, "以后别再推荐").text.startswith("记下了")  # which no time makes void
    assert [row.state for row in rows(writing)] == ["refused"]


def test_a_tenant_refuses_for_the_tenant_and_the_landlord_hears_as_before(talk: Talk, writing: Desk) -> None:
    tenant = Talk(writing, talk.account, "tenant", customer_no="C9999999")
    opened(writing, "tenant", customer_no="C9999999")
    assert tenant.ask("action_inform", text="别给我推荐了").text.startswith("记下了")
    assert tenant.ask().reply.beside is None
    owner = owner_of(writing, talk.account)
    opened(writing, "landlord", customer_no=owner)
    assert Talk(writing, talk.account, "landlord", customer_no=owner).ask().reply.beside is not None


def owner_of(desk: Desk, account_no: str) -> str:
    query = "select customer_no from customers c join accounts a on a.customer_id = c.id where account_no = ?"
    return str(desk.one(query, account_no))


def test_somebody_unknown_refuses_and_is_believed_when_they_bind_an_account(talk: Talk, writing: Desk) -> None:
    """Nothing is proved of who speaks; they prove it later, in the same conversation and in others."""
    said = talk.ask("action_chitchat", text="别给我推荐了", intent="chitchat", assurance=0)
    assert said.text.startswith("记下了")
    assert talk.ask().reply.beside is None
    owner = owner_of(writing, talk.account)
    with writing.services.bridge.transaction() as session:
        session.add(
            Binding(
                conversation_id="c1", channel="web", customer_no=None, channel_user=None, account_no=talk.account,
                owner_no=owner, since=NOW, ended_at=None,
            )
        )  # fmt: skip
    opened(writing, "app", customer_no=owner)
    assert Talk(writing, talk.account, "app", "app", owner, now=NOW + MONTHS).ask().reply.beside is None
    assert rows(writing) == []


def test_what_is_applied_for_already_is_not_recommended(
    talk: Talk, writing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[frozenset[str]] = []
    monkeypatch.setattr(recommendation, "choose", lambda *_, without, **__: asked.append(without))
    talk.ask()
    services, account = writing.services, talk.account
    filing = Filing(cause="c1:x", kind="instalment", category="95598→x", conversation_id="c1", account_no=account)
    with services.workorder.transaction() as session:
        file_order(session, filing, keyring=services.keyring, now=NOW)
    talk.ask()
    assert asked == [frozenset(), {"instalments"}]
