"""One recommendation beside an answer: the answer stays as it was, the yuan are the engine's, refused is for ever."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import yaml
from actions_desk import KEY, NOW, ROOT, TODAY, Desk, Said, load_templates, period
from rasa_sdk.executor import CollectingDispatcher
from sqlalchemy import select

from actions import recommendation
from actions.question import Question
from actions.recommendation_words import OfferWords
from actions.reply import Reply
from core.account import find_account
from core.conversation import Conversation, Message, open_conversation
from core.db import Database
from core.energy_data import energy_facts
from core.identity import Grant, Identity, issue_identity, read_grant, turn_of
from core.place import Place
from core.recommend.engines import ENGINES, Case, offer_of
from core.recommend.nothing import Nothing
from core.recommend.offer import Offer
from core.recommend.record import Decided, Told, decide, keep, read
from core.recommend.rules import recommend_rules
from core.recommend.tables import RECOMMENDATIONS, Recommendation
from core.segment.tables import SEGMENTS
from core.work_order import Filing, file_order

RULES = recommend_rules()
WAYS = {"inform": "action_inform", "deny": "action_deny", "affirm": "action_affirm", "cancel": "action_cancel"}
MONTHS = timedelta(days=40)


@dataclass
class Talk:
    """A conversation of which the bridge keeps what the answers bring with them."""

    desk: Desk
    account: str
    conversation_id: str = "c1"
    channel: str = "web"
    customer_no: str | None = None
    slots: dict[str, Any] = field(default_factory=dict)
    now: datetime = NOW
    grants: list[Told | Decided] = field(default_factory=list)

    def ask(self, action: str = "action_query_bill", text: str = "上个月电费多少", **more: Any) -> Said:
        self.now += timedelta(seconds=20)
        who = Identity(self.conversation_id, self.customer_no, (self.account,), more.pop("assurance", 1), self.channel)
        desk = replace(self.desk, services=replace(self.desk.services, clock=lambda: self.now))
        said = desk.ask(
            action, text=text, slots=dict(self.slots), now=self.now, sender=f"{self.conversation_id}.1",
            identity=issue_identity(KEY, who, now=self.now), **more,
        )  # fmt: skip
        self.slots |= said.slots
        self._keep(said)
        return said

    def press(self, said: Said, title: str) -> Said:
        assert said.reply.beside is not None
        payload = next(one["payload"] for one in said.reply.beside["buttons"] if one["title"] == title)
        values = json.loads(payload.removeprefix("/inform"))
        entities = [{"entity": name, "value": value} for name, value in values.items()]
        return self.ask("action_inform", text=payload, entities=entities)

    def _keep(self, said: Said) -> None:
        for command in (one for one in said.reply.commands if one["type"] == "grant"):
            turn = turn_of(self.conversation_id, self.now)
            grant: Grant = read_grant(
                KEY, command["token"], now=self.now, conversation_id=self.conversation_id, turn=turn
            )
            found = read(grant.offer)
            self.grants.append(found)
            with self.desk.services.bridge.transaction() as session:
                if isinstance(found, Decided):
                    decide(session, found, now=self.now)
                else:
                    talks = (self.conversation_id,)
                    keep(session, RULES, found, conversation_id=self.conversation_id, talks=talks, now=self.now)


@dataclass
class Counted:
    """Counts how often it is asked."""

    inner: Callable[..., Any]
    times: int = 0

    def __call__(self, *args: Any, **more: Any) -> Any:
        self.times += 1
        return self.inner(*args, **more)


def opened(desk: Desk, conversation_id: str, *, channel: str = "web") -> None:
    with desk.services.bridge.transaction() as session:
        made: Conversation = open_conversation(
            session, channel=channel, customer_no=None, accounts=[], assurance=1, now=NOW
        )
        made.id = conversation_id


@pytest.fixture
def home(writing: Desk) -> str:
    """A household whose standby is worth saying, and whose next step is not near."""
    return next(
        number for (number,) in writing.sql(
            "select account_no from accounts where user_class = 'residential' and closed_on is null order by id"
        )
        if (found := first_offer(writing, number)) is not None and found.kind == "saving_measure"
    )  # fmt: skip


def first_offer(desk: Desk, account_no: str, order: tuple[str, ...] = RULES.order["unknown"]) -> Offer | None:
    services = desk.services
    with services.billing.reading() as session:
        account = find_account(session, account_no=account_no, allowed=(account_no,))
        case = Case(session, account, services.book, energy_facts(), RULES, TODAY)
        return next((found for kind in order if (found := offer_of(kind, case)) is not None), None)


@pytest.fixture(autouse=True)
def _nobody_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommendation, "held_out", lambda *_: False)
    monkeypatch.setattr(recommendation, "standing_at", lambda *_: None)


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Nothing()
    monkeypatch.setattr(recommendation, "nothing_of", lambda _: memory)


@pytest.fixture
def talk(writing: Desk, home: str) -> Talk:
    opened(writing, "c1")
    return Talk(writing, home)


def rows(desk: Desk) -> list[Recommendation]:
    with desk.services.bridge.reading() as session:
        return list(session.scalars(select(Recommendation).order_by(Recommendation.id)))


def spoken(desk: Desk, intent: str, *, at: datetime = NOW, conversation_id: str = "c1") -> None:
    with desk.services.bridge.transaction() as session:
        session.add(
            Message(
                conversation_id=conversation_id, seq=90, at=at, author="customer", type="text", text="x", buttons=[],
                channel="web", understood={"intent": intent},
            )
        )  # fmt: skip


# -- what is said


def test_after_a_bill_one_thing_is_recommended_with_the_engines_yuan(talk: Talk, writing: Desk) -> None:
    offer = first_offer(writing, talk.account)
    assert offer is not None
    said = talk.ask()
    assert said.response == "utter_bill_month"
    assert said.reply.beside is not None
    text = said.reply.beside["text"]
    assert f"{offer.yuan}元" in text
    assert "2025年11月至2026年10月" in text  # from which months
    assert [one["title"] for one in said.reply.beside["buttons"]] == ["怎么办理", "这次不用", "以后别再推荐"]
    (row,) = rows(writing)
    assert (row.kind, row.yuan, row.state, row.account_no) == (offer.kind, offer.yuan, "shown", talk.account)
    owner = writing.one(
        "select customer_no from customers c join accounts a on a.customer_id = c.id where account_no = ?", talk.account
    )
    assert row.customer_no == owner
    assert row.basis == dict(offer.basis)


def test_the_answer_is_the_same_and_comes_first(talk: Talk, writing: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with_one = talk.ask()
    monkeypatch.setattr(recommendation, "choose", lambda *_, **__: None)
    without = Talk(writing, talk.account, "c2").ask()
    assert with_one.reply.beside is not None
    assert without.reply.beside is None
    for part in ("response", "values", "buttons", "cards", "lead", "handoff"):
        assert getattr(with_one.reply, part) == getattr(without.reply, part)
    dispatcher = CollectingDispatcher()
    with_one.reply.utter(dispatcher)
    kinds = [(one.get("custom") or {}).get("type") or one.get("response") for one in dispatcher.messages]
    assert kinds == ["utter_bill_month", "bill_card", "recommendation", "grant"]


def test_once_a_month_wherever_it_is_asked(talk: Talk, writing: Desk) -> None:
    assert talk.ask().reply.beside is not None
    assert talk.ask().reply.beside is None
    for number, channel in enumerate(("web", "wechat", "app")):
        opened(writing, f"other{number}")
        other = Talk(writing, talk.account, f"other{number}", channel, now=NOW + timedelta(days=2))
        assert other.ask().reply.beside is None
    opened(writing, "later")
    assert Talk(writing, talk.account, "later", now=NOW + MONTHS).ask().reply.beside is not None
    assert len(rows(writing)) == 2


def test_a_turn_that_is_run_again_says_the_same_and_is_kept_once(talk: Talk, writing: Desk) -> None:
    before, slots = talk.now, dict(talk.slots)
    first = talk.ask()
    with writing.services.bridge.transaction() as session:
        session.delete(session.scalars(select(Recommendation)).one())  # the crash came before the commit
    talk.now, talk.slots = before, slots
    again = talk.ask()
    assert again.reply.beside == first.reply.beside
    assert len(rows(writing)) == 1


def test_who_is_held_out_hears_nothing_and_it_is_written_down(
    talk: Talk, writing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommendation, "held_out", lambda *_: True)
    said = talk.ask()
    assert said.reply.beside is None
    assert said.slots.get("form") is None
    (row,) = rows(writing)
    assert (row.state, row.yuan) == ("held_out", first_offer(writing, talk.account).yuan)  # type: ignore[union-attr]
    assert talk.ask().reply.beside is None
    assert len(rows(writing)) == 1  # nor is it written down twice


# -- what the customer says to it


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
    said = talk.ask("action_inform", text="以后别提这个了")
    assert said.text == "记下了，这一类以后不再给您推荐。"
    assert talk.grants[-1] == Decided(talk.grants[0].customers, never="saving_measure")


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


# -- when nothing is said


@pytest.mark.parametrize("intent", ["report_danger", "report_outage", "complain", "claim_compensation"])
def test_nothing_where_a_danger_an_outage_or_a_complaint_is_the_matter(talk: Talk, writing: Desk, intent: str) -> None:
    spoken(writing, intent)
    assert talk.ask().reply.beside is None
    assert rows(writing) == []


@pytest.mark.parametrize("mode", ["queued", "offered", "human"])
def test_nothing_while_a_person_has_the_conversation(talk: Talk, writing: Desk, mode: str) -> None:
    with writing.services.bridge.transaction() as session:
        session.get_one(Conversation, "c1").mode = mode
    assert talk.ask().reply.beside is None


def test_nothing_while_a_form_is_open_or_laid_aside(talk: Talk) -> None:
    form = {"kind": "business", "business": "energy_audit", "id": "1", "quiet": False}
    for slot in ("form", "paused"):
        talk.slots = {slot: form}
        assert talk.ask().reply.beside is None
    talk.slots = {"form": {"kind": "handback", "quiet": True}}  # whether to register something again
    assert talk.ask().reply.beside is None


def test_after_arrears_only_parts_are_told(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is told of a late fee has no ear for a saving or another tariff."""
    asked: list[frozenset[str]] = []
    monkeypatch.setattr(recommendation, "choose", lambda *_, without, **__: asked.append(without))
    question = talk.desk.tracker("action_query_balance", (talk.account,), "欠费多少", identity=issue_identity(
        KEY, Identity("c1", None, (talk.account,), 1, "web"), now=NOW
    ))  # fmt: skip
    with talk.desk.services.billing.reading() as session:
        heard = Question.of(question, identity_key=KEY, clock=lambda: NOW, leaning=())
        slots = {"asked": "action_query_balance", "account_asked": talk.account}
        for response in ("utter_balance_owed_late", "utter_balance_owed", "utter_balance_clear"):
            recommendation.offered(talk.desk.services, session, heard, Reply(response, slots=slots))
    others = frozenset(RECOMMENDATIONS) - {"instalments"}
    assert asked == [others, others, frozenset()]


def test_engines_that_have_nothing_to_say_are_asked_once_a_day(
    talk: Talk, writing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def nothing(kind: str, _: Case) -> None:
        asked.append(kind)

    monkeypatch.setattr("core.recommend.choosing.offer_of", nothing)
    monkeypatch.setattr(recommendation, "is_due", counted := Counted(recommendation.is_due))
    for _ in range(3):
        assert talk.ask().reply.beside is None
    assert talk.ask("action_explain_high_bill", text="怎么这么多").reply.beside is None
    opened(writing, "c2")
    assert Talk(writing, talk.account, "c2", now=talk.now).ask().reply.beside is None
    assert sorted(asked) == sorted(RECOMMENDATIONS)
    assert counted.times == 1
    talk.now += timedelta(days=1)
    talk.ask()
    assert len(asked) == 2 * len(RECOMMENDATIONS)


def test_nothing_after_messages_that_were_not_understood(talk: Talk) -> None:
    talk.slots = {"failures": 1}
    assert talk.ask().reply.beside is None


def test_nothing_after_an_answer_that_is_none(talk: Talk) -> None:
    said = talk.ask(entities=[period("2019-01")])
    assert said.response == "utter_no_bill"
    assert said.reply.beside is None


def test_nothing_to_somebody_unknown(writing: Desk, home: str) -> None:
    opened(writing, "c1")
    assert Talk(writing, home).ask(assurance=0).reply.beside is None


def test_nothing_where_the_bridges_database_is_away(talk: Talk, writing: Desk) -> None:
    away = replace(writing, services=replace(writing.services, bridge=Database("sqlite:///:memory:")))
    said = Talk(away, talk.account).desk.ask("action_query_bill", talk.account, text="电费多少")
    assert said.response == "utter_bill_month"
    assert said.reply.beside is None


def test_whatever_is_wrong_with_a_recommendation_the_answer_stands(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ArithmeticError("an engine of a later day")

    monkeypatch.setattr(recommendation, "choose", broken)
    said = talk.ask()
    assert (said.response, said.reply.beside, said.reply.commands) == ("utter_bill_month", None, ())


def test_a_rehearsal_neither_says_nor_keeps_it(talk: Talk, writing: Desk) -> None:
    who = Identity("c1", None, (talk.account,), 1, "web")
    said = writing.ask(
        "action_query_bill", text="电费多少", sender="draft.c1.1", identity=issue_identity(KEY, who, now=NOW)
    )
    assert said.reply.beside is None
    assert said.reply.commands == []


def test_what_the_answer_told_itself_is_not_told_again(talk: Talk) -> None:
    talk.ask("action_advise_saving", text="怎么省电")
    assert all(isinstance(one, Decided) or one.kind != "saving_measure" for one in talk.grants)


def test_who_needs_special_service_is_offered_only_free_help(writing: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommendation, "standing_at", lambda *_: "special_service")
    kinds = set()
    numbers = writing.sql("select account_no from accounts where closed_on is null order by id")
    for place, (number,) in enumerate(numbers):
        opened(writing, f"t{place}")
        talk = Talk(writing, number, f"t{place}")
        talk.ask("action_query_balance", text="还有多少钱")
        kinds |= {one.kind for one in talk.grants if isinstance(one, Told)}
    assert kinds
    assert kinds <= {"tier_warning", "instalments", "saving_measure"}


def test_the_order_is_that_of_the_segment(writing: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in RECOMMENDATIONS:
        monkeypatch.setitem(ENGINES, kind, lambda _case, kind=kind: figured(kind))  # type: ignore[index]
    account = writing.account("user_class = 'residential'")
    for place, segment in enumerate(SEGMENTS):
        monkeypatch.setattr(recommendation, "standing_at", lambda *_, segment=segment: segment)
        with writing.services.bridge.transaction() as session:
            session.query(Recommendation).delete()
        opened(writing, f"s{place}")
        talk = Talk(writing, account, f"s{place}")
        talk.ask()
        (told,) = talk.grants
        assert isinstance(told, Told)
        assert (told.kind, told.segment) == (RULES.order[segment][0], segment)


# -- the words


FIGURES = {
    "months": "12", "first": "2025-11-01", "last": "2026-10-01", "plan": "甲", "plan_now": "乙", "now": "1000.00",
    "then": "900.00", "moved": "300", "valley": "80.00", "tier": "1", "next_tier": "2", "on": "2026-12-20",
    "kwh": "2000", "left": "160", "daily": "8.00", "more": "0.05", "as_of": "2026-11-20", "over": "88",
    "factor": "0.91", "target": "0.95", "paid": "120.00", "at_target": "-300.00", "kvar": "47", "other": "80.00",
    "edge": "501", "capacity": "800", "bills": "1", "due": "2026-11-30", "usual": "90.00", "overdue": "", "unsure": "1",
}  # fmt: skip


def figured(kind: str) -> Offer:
    """Return an offer of a kind with all figures that any words need."""
    from core.saving import Measure

    measure = Measure("standby", Decimal(131), Decimal(131), Decimal("73.32"), Decimal("80.00"), {
        "watts": Decimal(15), "base": Decimal("1.8"), "price": Decimal("0.558"),
    })  # fmt: skip
    return Offer(kind, Decimal("4321.09"), FIGURES, None, measure if kind == "saving_measure" else None)


@pytest.mark.parametrize("kind", RECOMMENDATIONS)
def test_every_kind_says_its_yuan_and_never_a_group_pressure_or_a_question(writing: Desk, kind: str) -> None:
    words = OfferWords(writing.services, energy_facts().home)
    bad = (*RULES.campaigns.segment_words, *RULES.campaigns.pressure_words)
    for figures_first in (False, True):
        text = words.text(figured(kind), figures_first=figures_first, today=date(2026, 11, 22))
        assert ("73.32到80.00元" if kind == "saving_measure" else "4321.09元") in text
        assert "{" not in text
        assert "None" not in text
        assert not [word for word in bad if word in text]
        assert not text.rstrip().endswith(("？", "?"))
    how = writing.services.phrases.say(f"recommendation.{kind}.how")
    assert not [word for word in bad if word in how]


def test_each_kind_leads_somewhere_that_exists(writing: Desk) -> None:
    domain = {
        next(iter(one)) if isinstance(one, dict) else one
        for file in (ROOT / "bot" / "domain").glob("*.yml")
        for one in yaml.safe_load(file.read_text(encoding="utf-8")).get("intents") or ()
    }
    for kind, rule in RULES.kinds.items():
        assert not rule.start or rule.start in writing.services.businesses, kind
        assert set(rule.leads) <= domain
        for lead in rule.leads:
            assert f"recommendation.lead.{lead}" in writing.services.phrases
    assert domain >= RULES.quiet_intents | RULES.quiet_orders


def test_the_answers_that_may_be_followed_are_answers_of_the_domain(writing: Desk) -> None:
    templates = load_templates()
    for action, after in RULES.after.items():
        assert writing.action(action).name() == action
        assert any(response in templates for response in after.responses)


def test_it_runs_beside_the_event_loop_as_every_answer(talk: Talk) -> None:
    tracker = talk.desk.tracker(
        "action_query_bill", (talk.account,), "电费多少", identity=issue_identity(
            KEY, Identity("c1", None, (talk.account,), 1, "web"), now=NOW
        ),
    )  # fmt: skip
    dispatcher = CollectingDispatcher()
    run: Callable[..., Any] = talk.desk.action("action_query_bill").run
    asyncio.run(run(dispatcher, tracker, {}))
    assert [(one.get("custom") or {}).get("type") for one in dispatcher.messages][-2:] == ["recommendation", "grant"]


@pytest.mark.parametrize(("kind", "said"), [("complaint", False), ("live_wire", False), ("energy_audit", True)])
def test_nothing_while_an_order_about_something_that_matters_more_is_open(
    talk: Talk, writing: Desk, kind: str, said: bool
) -> None:
    services = writing.services
    filing = Filing(cause=f"c1:{kind}", kind=kind, category="95598→x", conversation_id="c1", account_no=talk.account)
    with services.workorder.transaction() as session:
        file_order(session, filing, keyring=services.keyring, now=NOW)
    assert (talk.ask().reply.beside is not None) == said


def test_nothing_while_the_power_is_out_at_the_account(
    talk: Talk, writing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place("江岸区听涛苑", ("T1",))
    monkeypatch.setattr(recommendation, "locate", lambda *_, **__: place)
    monkeypatch.setattr(recommendation, "outage_at", lambda *_: object())
    assert talk.ask().reply.beside is None
    monkeypatch.setattr(recommendation, "outage_at", lambda *_: None)
    assert talk.ask().reply.beside is not None
