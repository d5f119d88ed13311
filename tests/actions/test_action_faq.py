"""General knowledge as an answer, kind refusals, and what happens when twice nothing is understood."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from actions_desk import ROOT, Desk

from actions.base import Reply
from actions.faq import Heard, best, knowledge

INTENTS = 61


def answered(
    desk: Desk, name: str, text: str, *, hits: tuple[tuple[str, float], ...] = (),
    ranking: tuple[str, ...] = (), events: tuple[dict[str, Any], ...] = (),
) -> tuple[Reply, str]:  # fmt: skip
    """Return the reply of an action to a message that was understood so, and its text."""
    tracker = desk.tracker(name, [], text)
    tracker.latest_message["knowledge"] = [{"id": item, "score": score} for item, score in hits]
    tracker.latest_message["intent_ranking"] = [
        {"name": intent, "confidence": 0.3 - place / 100} for place, intent in enumerate(ranking)
    ]
    tracker.events = list(events)
    reply = desk.action(name).answer(tracker)
    said = desk.templates[reply.response][0]["text"].format(**reply.values)
    assert not re.search(r"[{}]|None|。。|[a-z]{3,}", said)
    return reply, said


def turn(failures: int | None = None) -> tuple[dict[str, Any], ...]:
    """Return the events of one earlier turn; with `failures` it was one that was not understood."""
    slot = ({"event": "slot", "name": "failures", "value": failures},) if failures is not None else ()
    return ({"event": "user", "text": "哦哦"}, *slot, {"event": "bot", "text": "……"})


NOW = ({"event": "user", "text": "嘟嘟嘟"},)


def test_question_that_knowledge_covers_is_answered_with_its_date(desk: Desk) -> None:
    reply, said = answered(desk, "action_default", "下雨漏保跳", hits=(("safety_leak_trip_wet", 0.9),))
    item = knowledge().get("safety_leak_trip_wet")
    assert said == f"{item.answer}具体以网上国网App或95598答复为准。（2026年11月的资料）"
    assert reply.slots == {"failures": None}


def test_item_with_a_source_is_told_without_the_doubt(desk: Desk) -> None:
    _, said = answered(desk, "action_default", "45分钟", hits=(("outage_arrival", 0.8),))
    assert said.endswith("（2023年12月的资料）")
    assert "为准" not in said


def test_every_item_can_be_said_and_offers_a_next_step(desk: Desk) -> None:
    for item in knowledge().items:
        reply, said = answered(desk, "action_default", "？", hits=((item.id, 0.99),))
        assert said.startswith(item.answer)
        assert ("为准" in said) >= (item.status == "unverified"), item.id
        assert len(reply.buttons) == 2, item.id


def test_where_the_intent_speaks_against_it_a_hit_must_be_surer(desk: Desk) -> None:
    doubtful, sure = (("general_water_electric_bill", 0.7),), (("general_water_electric_bill", 0.9),)
    assert answered(desk, "action_out_of_scope", "水费", hits=doubtful)[0].response == "utter_out_of_scope"
    assert answered(desk, "action_out_of_scope", "水费", hits=sure)[0].response == "utter_knowledge"
    assert answered(desk, "action_default", "水费", hits=doubtful)[0].response == "utter_knowledge"


def test_hit_that_the_files_no_longer_have_is_no_answer(desk: Desk) -> None:
    assert answered(desk, "action_default", "？", hits=(("meter_gone", 0.99),))[0].response == "utter_default"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("明天下雨不", "12121"),
        ("自来水停了", "自来水公司"),
        ("燃气灶打不着", "燃气公司"),
        ("帮我写首诗", "不归供电公司管"),
    ],
)
def test_refusal_says_who_can_help_where_that_is_certain(desk: Desk, text: str, said: str) -> None:
    reply, words = answered(desk, "action_out_of_scope", text)
    assert said in words
    assert reply.buttons[-1] == ("转人工", "/request_human")


def test_first_failure_asks_again_and_remembers_it(desk: Desk) -> None:
    reply, _ = answered(desk, "action_default", "嘟嘟", ranking=("query_bill", "pay_bill"))
    assert reply.response == "utter_default"
    assert reply.slots == {"failures": 1}


def test_second_failure_in_a_row_offers_the_two_likeliest_and_a_person(desk: Desk) -> None:
    ranking = ("chitchat", "apply_transfer", "affirm", "query_bill+pay_bill", "apply_closure", "query_bill")
    reply, _ = answered(desk, "action_default", "嘟嘟嘟", ranking=ranking, events=(*turn(failures=1), *NOW))
    assert reply.response == "utter_default_choice"
    assert reply.slots == {"failures": 2}
    assert list(reply.buttons) == [
        ("过户、更名", "/apply_transfer"), ("销户", "/apply_closure"), ("转人工", "/request_human"),
    ]  # fmt: skip


def test_failures_with_an_answer_between_them_are_not_in_a_row(desk: Desk) -> None:
    events = (*turn(failures=1), *turn(), *NOW)
    reply, _ = answered(desk, "action_default", "嘟嘟嘟", ranking=("query_bill", "pay_bill"), events=events)
    assert reply.response == "utter_default"
    assert reply.slots == {"failures": 1}


def test_second_failure_without_any_guess_asks_once_more(desk: Desk) -> None:
    reply, _ = answered(desk, "action_default", "，", events=(*turn(failures=1), *NOW))
    assert reply.response == "utter_default"
    assert reply.buttons[-1] == ("转人工", "/request_human")


def test_answers_of_one_conversation_do_not_leak_into_the_next(desk: Desk) -> None:
    action = desk.action("action_default")
    first, second = desk.tracker("action_default", [], "漏保"), desk.tracker("action_default", [], "嘟嘟")
    first.latest_message["knowledge"] = [{"id": "safety_leak_protector_use", "score": 0.95}]
    assert action.answer(first).response == "utter_knowledge"
    assert action.answer(second).response == "utter_default"


def test_best_is_nothing_below_the_score_asked_for() -> None:
    heard = Heard(hits=(("meter_blink", 0.7),))
    assert best(heard, least=0.71) is None
    item = best(heard)
    assert item is not None
    assert item.id == "meter_blink"


def test_all_intents_have_a_readable_name(desk: Desk) -> None:
    names = set()
    for file in (ROOT / "bot" / "domain").glob("*.yml"):
        for entry in yaml.safe_load(file.read_text(encoding="utf-8")).get("intents") or []:
            names.add(next(iter(entry)) if isinstance(entry, dict) else entry)
    single = {name for name in names if "+" not in name} - {"nlu_fallback"}
    titles = desk.services.phrases.under("smalltalk.intent_titles")
    assert len(single) >= INTENTS
    assert set(titles) == single
    assert len(set(titles.values())) == len(titles)
    assert not [title for title in titles.values() if re.search(r"[A-Za-z_]", title.replace("App", ""))]


def test_buttons_lead_to_intents_that_exist(desk: Desk) -> None:
    titles = desk.services.phrases.under("smalltalk.intent_titles")
    steps = desk.services.phrases.under("faq.next")
    assert {key.rpartition(".")[2] for key in steps} <= set(titles)
    assert set(desk.services.phrases.under("smalltalk.menu")) <= set(titles)
