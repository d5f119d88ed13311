"""The training messages themselves: what they must never hold, and how thin an intent may be."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest
import variants
import yaml
from rasa.shared.nlu.training_data.loading import load_data

from bot.evaluation.cases import read_sets
from bot.language.normalise import reading_of

ROOT = Path(__file__).resolve().parents[2]

FEWEST = 120
# What is missed at a price, and what customers ask most.
FEWEST_OF = dict.fromkeys(
    ["report_danger", "out_of_scope", "complain", "report_outage", "report_fault", "query_bill", "explain_high_bill",
     "request_invoice", "query_usage", "query_meter_reading", "query_balance", "query_payment",
     "report_payment_problem", "pay_bill"],
    200,
)  # fmt: skip
DOUBLES = 200
ALIKE = 0.8
Line = tuple[str, str]


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    """Text and intent of every training message."""
    data = load_data(str(ROOT / "data" / "nlu"))
    return [(message.get("text"), message.get("intent")) for message in data.intent_examples]


@pytest.fixture(scope="module")
def validation() -> list[str]:
    """The texts of all validation messages; the variants among them are made from the others."""
    return [line.text for lines in read_sets(ROOT / "tests" / "nlu").values() for line in lines]


@pytest.fixture(scope="module")
def domain_intents() -> set[str]:
    found: set[str] = set()
    for path in sorted((ROOT / "bot" / "domain").glob("*.yml")):
        entries = yaml.safe_load(path.read_text(encoding="utf-8")).get("intents") or []
        found |= {next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries}
    return found - {"nlu_fallback"}  # the classifier's own answer to doubt, never learned


def grams(text: str) -> set[str]:
    marked = "^" + re.sub(r"\s+", "", reading_of(text)) + "$"
    return {marked[start : start + 3] for start in range(len(marked) - 2)}


def likeness(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0


def near_pairs(texts: list[str], others: list[str] | None = None) -> Iterable[tuple[str, str]]:
    """Pairs of texts, or of a text and one of others, whose 3-grams are too much alike."""
    index: dict[str, list[int]] = defaultdict(list)
    pool, seen = (others if others is not None else texts), []
    for number, text in enumerate(pool):
        seen.append(grams(text))
        for gram in seen[-1]:
            index[gram].append(number)
    for number, text in enumerate(texts):
        mine = grams(text)
        shared = Counter(other for gram in mine for other in index[gram] if others is not None or other < number)
        yield from ((text, pool[other]) for other in shared if likeness(mine, seen[other]) > ALIKE)


def test_no_training_message_is_in_a_validation_file_or_like_one_there(
    lines: list[Line], validation: list[str]
) -> None:
    held_out = {reading_of(text) for text in validation}
    assert [text for text, _ in lines if reading_of(text) in held_out] == []
    assert list(near_pairs([text for text, _ in lines], validation)) == []


def test_no_message_stands_under_two_intents(lines: list[Line]) -> None:
    intents: dict[str, set[str]] = defaultdict(set)
    for text, intent in lines:
        intents[reading_of(text)].add(intent)
    assert {text: found for text, found in intents.items() if len(found) > 1} == {}


def test_no_message_stands_twice(lines: list[Line]) -> None:
    counts = Counter(reading_of(text) for text, _ in lines)
    assert [text for text, count in counts.items() if count > 1] == []


def test_no_two_messages_are_nearly_the_same(lines: list[Line]) -> None:
    assert list(near_pairs([text for text, _ in lines])) == []


def test_every_intent_has_enough_messages(lines: list[Line], domain_intents: set[str]) -> None:
    counts = Counter(intent for _, intent in lines)
    single = {intent for intent in domain_intents if "+" not in intent}
    assert {each: counts[each] for each in single if counts[each] < FEWEST_OF.get(each, FEWEST)} == {}


def test_there_are_enough_messages_with_two_wishes(lines: list[Line]) -> None:
    assert sum("+" in intent for _, intent in lines) >= DOUBLES


def test_two_wishes_are_two_known_ones_and_never_beside_danger(lines: list[Line], domain_intents: set[str]) -> None:
    for intent in {intent for _, intent in lines if "+" in intent}:
        first, second = intent.split("+")
        assert {first, second} <= domain_intents - {"report_danger"}
        assert first != second


def test_intents_of_messages_and_of_the_domain_are_the_same(lines: list[Line], domain_intents: set[str]) -> None:
    assert {intent for _, intent in lines} == domain_intents


def test_validation_is_large_and_reaches_every_intent(domain_intents: set[str]) -> None:
    sets = read_sets(ROOT / "tests" / "nlu")
    written = [line.intent for name, lines in sets.items() if name != "variants" for line in lines]
    assert len(written) >= 600
    assert {intent for intent in domain_intents if "+" not in intent} - set(written) == set()


def test_variants_are_what_the_generator_makes_of_the_validation_messages() -> None:
    kept = [(line.text, line.intent) for line in read_sets(ROOT / "tests" / "nlu")["variants"]]
    assert kept == [(text, intent) for text, intent, _ in variants.rows()]


def test_every_message_has_a_visible_character_and_one_line(lines: list[Line]) -> None:
    assert [text for text, _ in lines if not reading_of(text) or "\n" in text] == []


def test_no_message_is_read_as_an_annotation_or_a_typed_intent(lines: list[Line]) -> None:
    data = load_data(str(ROOT / "data" / "nlu"))
    assert [message.get("text") for message in data.training_examples if message.get("entities")] == []
    assert [text for text, _ in lines if text.startswith("/")] == []
