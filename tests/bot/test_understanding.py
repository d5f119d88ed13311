"""How well the trained model understands messages that no training message was written after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.evaluation.cases import Case, read_sets
from bot.evaluation.reader import Reader, newest_model

ROOT = Path(__file__).resolve().parents[2]

# Each floor stands a little below what docs/nlu.md reports.
ACCURACY = {"validation": 0.92, "validation_web": 0.91, "variants": 0.88}
DANGER_RECALL, DANGER_PRECISION = 0.98, 0.85
OUT_OF_SCOPE_F1 = 0.85
BOTH_WISHES = 0.66
PERIODS_EXACT, ENTITIES_EXACT = 0.88, 0.85
Where = Callable[[Case], bool]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(newest_model(ROOT / "models"))


@pytest.fixture(scope="module")
def cases(reader: Reader) -> list[Case]:
    """Every message of every set; those that are variants of others count for the variants alone."""
    return reader.read_sets(read_sets(ROOT / "tests" / "nlu"), print)


def share(cases: list[Case], right: Where) -> float:
    assert cases
    return sum(map(right, cases)) / len(cases)


def written(cases: list[Case], where: Where) -> list[Case]:
    """Messages as people wrote them that fulfil a condition."""
    return [case for case in cases if case.set != "variants" and where(case)]


@pytest.mark.parametrize("name", ACCURACY)
def test_unseen_messages_get_their_intent(cases: list[Case], name: str) -> None:
    mine = [case for case in cases if case.set == name]
    assert share(mine, lambda case: case.right) >= ACCURACY[name]


def test_danger_is_not_missed(cases: list[Case]) -> None:
    danger = [case for case in cases if case.intent == "report_danger"]
    missed = [case.text for case in danger if case.top != "report_danger"]
    assert 1 - len(missed) / len(danger) >= DANGER_RECALL, missed


def test_danger_is_seldom_seen_where_there_is_none(cases: list[Case]) -> None:
    alarms = written(cases, lambda case: case.top == "report_danger")
    assert share(alarms, lambda case: case.intent == "report_danger") >= DANGER_PRECISION


def test_what_no_power_company_answers_is_told_from_what_it_does(cases: list[Case]) -> None:
    wanted = written(cases, lambda case: case.intent == "out_of_scope")
    named = written(cases, lambda case: case.top == "out_of_scope")
    recall, precision = share(wanted, lambda case: case.right), share(named, lambda case: case.right)
    assert 2 * recall * precision / (recall + precision) >= OUT_OF_SCOPE_F1


def test_both_of_two_wishes_are_read(cases: list[Case]) -> None:
    doubles = written(cases, lambda case: "+" in case.intent)
    assert share(doubles, lambda case: case.right) >= BOTH_WISHES


def test_entities_are_exact(cases: list[Case]) -> None:
    holding = written(cases, lambda case: bool(case.entities))
    assert share(holding, lambda case: case.entities_wanted == case.entities_read) >= ENTITIES_EXACT


def test_periods_are_exact(cases: list[Case]) -> None:
    wanted = written(cases, lambda case: bool(periods(case.entities)))
    assert share(wanted, lambda case: periods(case.read["entities"]) == periods(case.entities)) >= PERIODS_EXACT


def test_decision_leads_the_ranking_of_real_intents(cases: list[Case]) -> None:
    for case in cases:
        ranking = case.read["intent_ranking"]
        assert "nlu_fallback" not in [each["name"] for each in ranking]
        assert ranking[0]["name"] == case.top or case.top == "nlu_fallback"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\u200b\u200d",
        "\u0000\u0007\u001b",
        "😀",
        "👩‍👩‍👧‍👦🔥🔥",
        "\ud83d",
        "？？？",
        "\u202e费电查\u202c",
        "السلام عليكم 停电了",
        "Ｈｅｌｌｏ電費はいくら 얼마",
        "电" * 10_000,
        "a\n" * 5_000,
        "\n".join(f"第{line}行 查电费" for line in range(50)),
        "，" * 10_000,
        "解放大道" * 2_500,
    ],
)
def test_no_message_makes_the_model_fail(reader: Reader, text: str) -> None:
    read = reader.read(text)
    assert isinstance(read["intent"]["name"], str)
    assert isinstance(read["entities"], list)


def periods(entities: list[dict[str, str]]) -> list[str]:
    return sorted(entity["value"] for entity in entities if entity["entity"] == "period")
