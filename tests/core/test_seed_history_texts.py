"""What is said in the demonstration's past: by people, each in words of their own, none that the model is judged by."""

from __future__ import annotations

import itertools
from pathlib import Path

from past_kit import DATA, MATERIAL, ROOT

from core.seed.history_data import training_messages


def test_what_is_not_understood_is_said_by_people_each_in_words_of_their_own() -> None:
    said = [text for theme in MATERIAL.themes.values() for text in theme.messages]
    assert len(MATERIAL.themes) >= 12
    assert len(said) >= 200
    near = max(itertools.combinations(said, 2), key=_likeness)
    assert _likeness(near) < 0.6, near


def _likeness(pair: tuple[str, str]) -> float:
    one, other = ({text[place : place + 3] for place in range(max(1, len(text) - 2))} for text in pair)
    return len(one & other) / len(one | other)


def test_nothing_of_it_is_a_message_that_the_model_is_judged_by() -> None:
    judged = {line.partition("\t")[0] for path in (ROOT / "tests" / "nlu").glob("*.tsv") for line in _lines(path)}
    said = {text for theme in MATERIAL.themes.values() for text in theme.messages}
    assert len(judged) > 1000
    assert judged & said == set()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_the_safety_line_and_the_rules_of_anger_see_nothing_in_what_is_not_understood() -> None:
    for theme in MATERIAL.themes.values():
        for text in theme.messages:
            assert not MATERIAL.is_danger(text), text
            assert not MATERIAL.book.rules.is_angry(text), text
    assert all(MATERIAL.book.rules.is_angry(text) for text in MATERIAL.words.customer.angry)


def test_training_messages_are_read_by_intent_without_double_ones() -> None:
    found = training_messages(DATA / "nlu")
    assert set(found) <= set(MATERIAL.book.labels)
    assert not any("+" in intent for intent in found)
    assert min(map(len, found.values())) > 20
