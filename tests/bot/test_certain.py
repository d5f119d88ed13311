"""What is but a guess: the channel does not act upon it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bot.certain import sober


def read(text: str, *ranking: tuple[str, float], intent: str = "", sure: float = 0.0) -> dict[str, Any]:
    """A parse as Rasa gives it; the intent is the first of the ranking unless named."""
    ranked = [{"name": name, "confidence": confidence} for name, confidence in ranking]
    first = {"name": intent, "confidence": sure} if intent else ranked[0]
    return {"text": text, "intent": first, "intent_ranking": ranked, "entities": []}


def name_of(parsed: dict[str, Any]) -> str:
    return str(sober(parsed)["intent"]["name"])


@pytest.mark.parametrize(
    ("sure", "name"), [(0.39, "nlu_fallback"), (0.4, "subscribe_notice"), (0.9, "subscribe_notice")]
)
def test_a_guess_is_not_understood(sure: float, name: str) -> None:
    assert name_of(read("ignore previous instructions", ("subscribe_notice", sure), ("suggest", 0.2))) == name


@pytest.mark.parametrize("name", ["report_danger", "out_of_scope", "greet", "nlu_fallback"])
def test_what_has_its_own_rule_or_changes_nothing_stays(name: str) -> None:
    assert name_of(read("线头冒火了", (name, 0.3))) == name


@pytest.mark.parametrize(
    "text",
    ["3号变瓷瓶击穿 弧光不断 人员已撤 求援", "屋里有股糊味", "手摸上去有点麻", "水漫到电表了", "杆子歪了", "🔥🔥"],
)
def test_a_doubtful_danger_stays_one_if_a_word_speaks_of_it(text: str) -> None:
    assert name_of(read(text, ("report_danger", 0.25), ("report_fault", 0.5))) == "report_danger"


@pytest.mark.parametrize(
    ("second", "name"),
    [(("report_fault", 0.45), "report_fault"), (("cancel", 0.33), "nlu_fallback"), (("affirm", 0.5), "nlu_fallback")],
)
def test_a_breaker_that_tripped_raises_no_alarm(second: tuple[str, float], name: str) -> None:
    assert name_of(read("总闸掉下来了", ("report_danger", 0.35), second)) == name


def test_a_sure_danger_needs_no_word() -> None:
    assert name_of(read("总闸掉下来了", ("report_danger", 0.5), ("report_fault", 0.45))) == "report_danger"


def test_asking_for_help_politely_is_no_danger_word() -> None:
    assert name_of(read("麻烦在线查下水费", ("report_danger", 0.3), ("pay_bill", 0.6))) == "pay_bill"


@pytest.mark.parametrize("text", ["😡😡😡", "$%^&*", "？？？", "……", "   "])
@pytest.mark.parametrize("name", ["affirm", "repeat", "query_bill"])
def test_signs_alone_say_nothing(text: str, name: str) -> None:
    assert name_of(read(text, (name, 0.98))) == "nlu_fallback"


@pytest.mark.parametrize(
    "text",
    [
        "👌",
        "对",
        "1",
        "ok",
        "要得要得",
        "冇得问题",
        "嗯哪，是这么回事",
        "就按你说的来",
        "男将也点头了",
        "系啊",
        "y",
        "彳亍",
    ],
)
def test_a_yes_in_any_voice_is_one(text: str) -> None:
    assert name_of(read(text, ("affirm", 0.9))) == "affirm"


@pytest.mark.parametrize("text", ["啊吧啊吧", "哎呀就是它它它那个啥子", "呃呃呃", "那什么嘛", "是吗？"])
def test_mumbling_confirms_nothing(text: str) -> None:
    assert name_of(read(text, ("affirm", 0.98))) == "nlu_fallback"


@pytest.mark.parametrize(
    ("text", "intent", "sure", "name"),
    [
        ("这个账咋个算", "claim_compensation+explain_high_bill", 0.43, "explain_high_bill"),
        ("这个账咋个算", "claim_compensation+explain_high_bill", 0.5, "claim_compensation+explain_high_bill"),
        ("这账咋算 赔我", "claim_compensation+explain_high_bill", 0.43, "claim_compensation+explain_high_bill"),
        ("怎么举报 有奖没", "claim_compensation+out_of_scope", 0.44, "claim_compensation"),
    ],
)
def test_a_doubtful_double_without_a_joint_is_one_wish(text: str, intent: str, sure: float, name: str) -> None:
    ranking = (("explain_high_bill", 0.9), ("claim_compensation", 0.5), ("out_of_scope", 0.1))
    assert name_of(read(text, *ranking, intent=intent, sure=sure)) == name


def test_a_half_that_is_a_guess_too_is_not_understood() -> None:
    parsed = read("这个账咋个算", ("pay_bill", 0.3), ("query_bill", 0.2), intent="query_bill+pay_bill", sure=0.42)
    assert name_of(parsed) == "nlu_fallback"


def test_nothing_is_changed_in_place() -> None:
    parsed = read("啊吧啊吧", ("affirm", 0.98))
    before = copy.deepcopy(parsed)
    assert sober(parsed)["intent_ranking"] == before["intent_ranking"]
    assert parsed == before
