"""How well the trained model understands messages that no training message was written after."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.evaluation.cases import Case, read_lines
from bot.evaluation.reader import Reader, newest_model

ROOT = Path(__file__).resolve().parents[2]

# Each floor stands a little below what docs/nlu.md reports.
ACCURACY = 0.88
DANGER_RECALL = 0.99
PERIODS_EXACT = 0.88


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(newest_model(ROOT / "models"))


@pytest.fixture(scope="module")
def cases(reader: Reader) -> list[Case]:
    lines = read_lines(ROOT / "tests" / "nlu" / "validation.tsv")
    return reader.read_sets({"validation": [line for line in lines if "+" not in line.intent]}, print)


def test_validation_messages_get_their_intent(cases: list[Case]) -> None:
    right = sum(case.top == case.intent for case in cases)
    assert right / len(cases) >= ACCURACY, f"{right} of {len(cases)}"


def test_danger_is_not_missed(cases: list[Case]) -> None:
    danger = [case for case in cases if case.intent == "report_danger"]
    missed = [case.text for case in danger if case.top != "report_danger"]
    assert 1 - len(missed) / len(danger) >= DANGER_RECALL, missed


def test_periods_are_exact(cases: list[Case]) -> None:
    wanted = [(case, values(case.entities)) for case in cases if values(case.entities)]
    exact = sum(values(case.read["entities"]) == periods for case, periods in wanted)
    assert exact / len(wanted) >= PERIODS_EXACT, f"{exact} of {len(wanted)}"


def test_rejected_message_keeps_the_ranking_of_real_intents(cases: list[Case]) -> None:
    for case in cases:
        ranking = case.read["intent_ranking"]
        assert "nlu_fallback" not in [each["name"] for each in ranking]
        assert ranking[0]["name"] == case.top or case.top == "nlu_fallback"


@pytest.mark.parametrize(
    "text", ["", " ", "\u200b\u200d", "\u0000\u0007\u001b", "😀", "\ud83d", "？？？", "电" * 10_000, "a\n" * 5_000]
)
def test_no_message_makes_the_model_fail(reader: Reader, text: str) -> None:
    read = reader.read(text)
    assert isinstance(read["intent"]["name"], str)
    assert isinstance(read["entities"], list)


def values(entities: list[dict[str, str]]) -> list[str]:
    return sorted(entity["value"] for entity in entities if entity["entity"] == "period")
