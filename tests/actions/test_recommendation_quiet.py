"""When nothing is recommended beside an answer, and what comes first for whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import recommendation_kit as kit
from actions_desk import KEY, NOW, Desk, period
from recommendation_kit import RULES, Counted, Talk, figured, opened, rows, spoken

from actions import recommendation
from actions.question import Question
from actions.reply import Reply
from core.conversation import Conversation
from core.db import Database
from core.identity import Identity, issue_identity
from core.place import Place
from core.recommend.engines import ENGINES, Case
from core.recommend.record import Decided, Told
from core.recommend.tables import RECOMMENDATIONS, Recommendation
from core.segment.tables import SEGMENTS
from core.work_order import Filing, file_order

home, talk, nobody_held_out, nothing_remembered = kit.home, kit.talk, kit.nobody_held_out, kit.nothing_remembered


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
