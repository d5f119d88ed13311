"""What customers choose to be told first: read from how people say it, kept at once, shown, undone by one tap."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from actions_desk import KEY, NOW, Desk, Said

from actions.notice_words import Wish, pressed, read, token
from core.channel.tables import ChannelUser
from core.conversation import Conversation, open_conversation
from core.identity import Identity, NoticeWish, issue_identity, read_grant, turn_of
from core.proactive.choices import choose
from core.proactive.speaker import choose_all
from core.proactive.tables import KINDS

WAYS = {"inform": "action_inform", "cancel": "action_cancel", "deny": "action_deny"}
BOTH = ("planned_outage", "outage")
OTHERS = tuple(kind for kind in KINDS if kind not in BOTH)


@dataclass
class Talk:
    """A conversation whose choices are kept as the bridge keeps them."""

    desk: Desk
    accounts: tuple[str, ...] = ()
    customer_no: str | None = None
    channel: str = "web"
    conversation_id: str = "c1"
    slots: dict[str, Any] = field(default_factory=dict)
    seconds: int = 0

    def say(self, text: str, intent: str = "subscribe_notice", **entities: str) -> Said:
        self.seconds += 5
        now = NOW + timedelta(seconds=self.seconds)
        who = Identity(
            self.conversation_id, self.customer_no, self.accounts, 1 if self.accounts else 0, self.channel
        )  # fmt: skip
        said = self.desk.ask(
            WAYS.get(intent, "action_form"), text=text, intent=intent, slots=dict(self.slots), now=now,
            sender=f"{self.conversation_id}.1", identity=issue_identity(KEY, who, now=now),
            entities=[{"entity": name, "value": value} for name, value in entities.items()],
        )  # fmt: skip
        self.slots |= said.slots
        self.kept = self._keep(said, now)
        return said

    def press(self, title: str, said: Said) -> Said:
        payload = next(payload for shown, payload in said.buttons if title in shown)
        intent, _, values = payload.removeprefix("/").partition("{")
        return self.say(payload, intent, **(json.loads("{" + values) if values else {}))

    def _keep(self, said: Said, now: Any) -> list[NoticeWish]:
        kept: list[NoticeWish] = []
        for command in (one for one in said.reply.commands if one["type"] == "grant"):
            turn = turn_of(self.conversation_id, now)
            grant = read_grant(
                KEY, command["token"], now=self.desk.services.clock(), conversation_id=self.conversation_id, turn=turn
            )
            kept += grant.choices
            with self.desk.services.bridge.transaction() as session:
                choose_all(session, grant.subject, grant.choices, conversation_id=self.conversation_id, now=now)
        return kept


@pytest.fixture
def home(writing: Desk) -> str:
    return writing.account("user_class = 'residential'")


@pytest.fixture
def talk(writing: Desk, home: str) -> Talk:
    owner = writing.one(
        "select customer_no from customers c join accounts a on a.customer_id = c.id where account_no = ?", home
    )
    return Talk(writing, (home,), owner)


def follower(desk: Desk, **more: Any) -> Talk:
    with desk.services.bridge.transaction() as session:
        conversation: Conversation = open_conversation(
            session, channel="wechat", customer_no=None, accounts=[], assurance=0, now=NOW
        )
        user = ChannelUser(channel="wechat", user_id="o-1", conversation_id=conversation.id, created_at=NOW, **more)
        session.add(user)
        session.flush()
        conversation.channel_user_id = user.id
        return Talk(desk, channel="wechat", conversation_id=conversation.id)


def _read(desk: Desk, text: str) -> Wish:
    return read(desk.services.phrases, desk.services.businesses.get("unsubscribe"), text)


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("以后不要给我发停电短信", Wish(wanted=False, kinds=BOTH, refused="sms")),
        ("别再给我推电费账单了", Wish(wanted=False, kinds=("bill_ready",))),
        ("现在给我发哪些通知", Wish()),
        ("我都订了什么", Wish()),
        ("晚上十点后别推消息", Wish()),
        ("停电前提前告诉我一声", Wish(wanted=True, kinds=("planned_outage",))),
        ("把余额提醒打开", Wish(wanted=True, kinds=("balance_low",))),
        ("余额低于三百提醒一声", Wish(wanted=True, kinds=("balance_low",))),
        ("账单短信发微信就行，不要发短信了", Wish(wanted=True, kinds=("bill_ready",), channel="wechat")),
        ("公众号推的账单我看不到，能不能改短信给我", Wish(wanted=True, kinds=("bill_ready",), channel="sms")),
        ("计划停电通知发短信到我手机", Wish(wanted=True, kinds=("planned_outage",), channel="sms")),
        ("只要停电通知，别的莫发", Wish(wanted=True, kinds=BOTH, shut=OTHERS)),
        ("停电的提醒就行，账单不用", Wish(wanted=True, kinds=BOTH, shut=("bill_ready",))),
        ("催费的短信关掉，停电的留着", Wish(wanted=True, kinds=BOTH, shut=("balance_low",), refused=None)),
        ("消息太多了，除了停电其他都关掉", Wish(wanted=True, kinds=BOTH, shut=OTHERS)),
        ("除了停电通知以外都不要发了", Wish(wanted=True, kinds=BOTH, shut=OTHERS)),
        ("都不要发了", Wish(wanted=False, kinds=KINDS)),
        ("退订", Wish(wanted=False)),
        ("订阅通知", Wish(wanted=True)),
        ("报修进度不用通知我", Wish(wanted=False, kinds=("order_progress",))),
        ("一天三条短信，烦死了，别发了", Wish(wanted=False, refused="sms")),
    ],
)
def test_wishes_are_read_from_how_people_say_them(desk: Desk, text: str, wish: Wish) -> None:
    found = _read(desk, text)
    assert (
        Wish(found.wanted, found.kinds, found.shut, wish.channel and found.channel, wish.refused and found.refused)
        == wish
    )


@pytest.mark.parametrize(
    "text",
    [
        "电费账单给我寄纸质的",
        "给我儿子也发一份，停电那种",
        "打电话念给俺听",
        "网上国网的广告别推了",
        "账单每期发我邮箱",
    ],
)
def test_what_is_not_ours_to_switch_takes_a_form(desk: Desk, text: str) -> None:
    assert _read(desk, text).elsewhere


def test_a_customer_switches_a_kind_off_at_once_and_sees_the_list(talk: Talk) -> None:
    said = talk.say("别再给我推停电的消息了")
    assert talk.kept == [NoticeWish("planned_outage", False, "sms"), NoticeWish("outage", False, "sms")]
    assert said.text.startswith("已关：计划停电通知、故障停电和来电通知。\n现在主动发给您的通知：")
    assert "· 计划停电通知：不发" in said.text
    assert "· 电费账单：只在对话里说" in said.text
    assert "晚上22:00到早上8:00不打扰您" in said.text


def test_one_tap_takes_it_back(talk: Talk) -> None:
    said = talk.press("撤销", talk.say("别再给我推停电的消息了"))
    assert talk.kept == [NoticeWish("planned_outage", True, "sms"), NoticeWish("outage", True, "sms")]
    assert "· 计划停电通知：短信" in said.text


def test_a_channel_that_is_not_used_is_said_before_anything_is_closed(talk: Talk) -> None:
    said = talk.say("别再给我发账单短信")
    assert talk.kept == []
    assert said.text.startswith("电费账单现在不发短信，是只在对话里说。")
    talk.press("关掉电费账单", said)
    assert talk.kept == [NoticeWish("bill_ready", False, "chat")]


def test_only_the_named_kind_stays(talk: Talk) -> None:
    said = talk.say("只要停电的通知，别的莫发")
    assert {wish.kind for wish in talk.kept if not wish.wanted} == set(OTHERS) - {"offer"}  # which was never on
    assert "· 计划停电通知：短信" in said.text
    assert "· 电费账单：不发" in said.text


def test_without_a_kind_it_is_asked_and_a_word_is_enough(talk: Talk) -> None:
    said = talk.say("退订")
    assert said.text.startswith("要关哪一种？")
    assert talk.slots["form"]["kind"] == "notices"
    answer = talk.say("余额的", "inform")
    assert talk.kept == [NoticeWish("balance_low", False, "sms")]
    assert answer.text.startswith("已关：余额不足提醒。")
    assert talk.slots["form"]["wanted"] is None  # nothing is asked any more


def test_the_list_offers_a_button_for_each_kind(talk: Talk) -> None:
    said = talk.say("现在给我发哪些通知")
    assert talk.kept == []
    titles = [title for title, _ in said.buttons]
    assert titles[:6] == [
        "关掉电费账单", "关掉余额不足提醒", "关掉计划停电通知", "关掉故障停电和来电通知", "关掉工单进度",
        "关掉约定时间变更",
    ]  # fmt: skip
    assert titles[6:] == ["打开用电建议", "换个地方收", "要电话告诉或寄纸质账单", "别再给我推荐"]


def test_another_place_is_chosen_by_a_tap(talk: Talk) -> None:
    where = talk.press("换个地方收", talk.say("我订了哪些通知"))
    assert [title for title, _ in where.buttons] == ["改发短信", "只在对话里说"]  # nobody follows the account
    talk.press("改发短信", where)
    assert {wish.channel for wish in talk.kept} == {"sms"}


def test_what_is_so_already_changes_nothing(talk: Talk) -> None:
    said = talk.say("打开故障停电通知")
    assert talk.kept == []
    assert said.text.startswith("故障停电和来电通知已经开着，发短信到登记的手机。")


def test_a_linked_follower_is_told_over_wechat(talk: Talk) -> None:
    own = follower(talk.desk, customer_no=talk.customer_no)
    own.accounts, own.customer_no = talk.accounts, talk.customer_no
    said = own.say("账单出来了发短信给我")
    assert own.kept == [NoticeWish("bill_ready", True, "sms")]
    assert "· 余额不足提醒：微信" in said.text
    again = own.press("改发微信", said)
    assert own.kept == [NoticeWish("bill_ready", True, "wechat")]
    assert "· 电费账单：微信" in again.text


def test_a_follower_without_an_account_chooses_for_themselves(writing: Desk) -> None:
    own = follower(writing)
    said = own.say("报修进度不用通知我")
    assert own.kept == [NoticeWish("order_progress", False, "wechat")]
    assert "· 电费账单：绑定户号后才能发" in said.text
    offered = own.say("账单出来告诉我")
    assert "绑定户号" in [title for title, _ in offered.buttons]
    assert "绑好就会发给您" in offered.text


def test_somebody_unknown_on_a_page_is_asked_to_bind_or_fills_in_the_form(writing: Desk) -> None:
    nobody = Talk(writing)
    assert nobody.say("停电提前通知我").response == "utter_not_identified"
    said = nobody.say("别再给我发短信了")
    assert nobody.slots["form"]["business"] == "unsubscribe"
    assert said.reply.commands == ()


def test_paper_and_calls_still_make_a_work_order(talk: Talk) -> None:
    talk.say("电费账单给我寄纸质的")
    assert talk.slots["form"]["business"] == "subscribe"
    assert talk.kept == []


def test_a_question_about_fees_gets_facts(talk: Talk) -> None:
    assert talk.say("订通知要收费吗").response == "utter_form_info"


def test_a_form_that_is_being_filled_in_stays_open(talk: Talk) -> None:
    form = {"kind": "business", "business": "subscribe", "asking": "phone", "id": "f", "values": {}}
    talk.slots["form"] = form
    talk.say("以后不要给我推账单")
    assert talk.slots["form"] == form
    assert talk.kept == [NoticeWish("bill_ready", False, "chat")]


def test_given_up_nothing_is_changed(talk: Talk) -> None:
    talk.say("退订")
    assert talk.say("算了", "cancel").text == "好的，通知的设置不变。"
    assert talk.slots["form"] is None


def test_a_rehearsal_sends_no_command(talk: Talk) -> None:
    action = talk.desk.action("action_form")
    tracker = talk.desk.tracker(
        "action_form", talk.accounts, "别再给我推停电的消息了", intent="subscribe_notice", sender="draft.c1.7"
    )
    assert action.answer(tracker).commands == []


def test_buttons_of_somebody_else_s_making_are_no_changes() -> None:
    changes = {"outage": (False, "sms"), "bill_ready": (True, "wechat")}
    found = pressed(token(changes))
    assert found is not None
    assert found.changes == changes
    assert pressed("notice:outage=on@pigeon") is None
    assert pressed("notice:everything=off@sms") is None
    assert pressed("sms") is None


def test_what_was_chosen_before_is_shown(talk: Talk) -> None:
    with talk.desk.services.bridge.transaction() as session:
        choose(session, f"customer:{talk.customer_no}", "outage", wanted=False, channel="sms", now=NOW)
    assert "· 故障停电和来电通知：不发" in talk.say("现在给我发哪些通知").text
