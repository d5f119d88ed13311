"""Groups of a second pile of messages: likeness, names, and what says nothing of a matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from sklearn.metrics import adjusted_rand_score

from core.learning.groups import clusters_of, names_for
from core.learning.likeness import Likeness
from core.learning.naming import name_of_phrases, names_of
from core.learning.training import training_messages
from core.learning.words import is_phrase, matter_of
from tests.core.learning_kit import DATA, SETTINGS

VOICES: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[1] / "data" / "learning" / "voices.yaml").read_text(encoding="utf-8")
)
MATTERS: dict[str, dict[str, list[str]]] = VOICES["matters"]
PHRASES: list[str] = VOICES["phrases"]
SAID = [(name, text) for name, one in MATTERS.items() for text in one["messages"]]
# Measured: see docs/learning.md.
LEAST_RAND, LEAST_NAMED = 0.60, 9
SPOKEN_OF = (
    "没电",
    "电费",
    "停电了吗",
    "灯不亮",
    "跳闸",
    "电",
    "我家多少",
    "充不进去",
    "表跑得快",
    "户号",
    "屋里没得电",
)


@pytest.fixture(scope="module")
def likeness() -> Likeness:
    return Likeness(list(training_messages(DATA / "nlu")), SETTINGS.groups, SETTINGS.placeholders, SETTINGS.names)


def test_new_voices_come_together_by_matter_and_the_names_say_which(likeness: Likeness) -> None:
    assert (len(MATTERS), len(SAID), len(PHRASES)) == (10, 100, 20)
    texts = [text for _, text in SAID] + PHRASES
    themes = [name for name, _ in SAID] + ["phrases"] * len(PHRASES)
    found = clusters_of(texts, likeness, SETTINGS)
    marks = [next(at for at, one in enumerate(found) if place in one.places) for place in range(len(texts))]
    rand = adjusted_rand_score(themes[: len(SAID)], marks[: len(SAID)])
    names = names_for(found, texts, SETTINGS)
    named = [name for name, one in MATTERS.items() if _is_named(name, one["words"], found, names, themes)]
    print(f"adjusted Rand {rand:.3f}; {len(named)} of {len(MATTERS)} matters named; {len(found)} groups")
    assert rand >= LEAST_RAND
    assert len(named) >= LEAST_NAMED, set(MATTERS) - set(named)
    assert len(set(names)) == len(names)
    assert [one for one in found if len({themes[place] == "phrases" for place in one.places}) > 1] == []


def _is_named(matter: str, words: list[str], found: Any, names: list[str], themes: list[str]) -> bool:
    """Tell whether the largest group of a matter has one of its words in the name."""
    sizes = [sum(themes[place] == matter for place in one.places) for one in found]
    name = names[sizes.index(max(sizes))]
    return any(word in name for word in words)


def test_what_says_nothing_of_a_matter_is_told_and_nothing_else() -> None:
    assert [text for text in PHRASES if not is_phrase(text, SETTINGS.names)] == []
    spoken = [text for _, text in SAID] + list(SPOKEN_OF)
    assert [text for text in spoken if is_phrase(text, SETTINGS.names)] == []


def test_of_the_messages_of_training_only_small_talk_is_taken_for_a_phrase() -> None:
    talk = {"greet", "goodbye", "thank", "affirm", "deny", "repeat", "praise", "bot_challenge", "chitchat",
            "ask_capabilities", "request_human", "cancel", "inform"}  # fmt: skip
    known = [text for intent, text in training_messages(DATA / "nlu") if intent not in talk]
    wrong = [text for text in known[::4] if is_phrase(text, SETTINGS.names)]
    assert len(wrong) <= len(known) // 4 // 500, wrong


def test_words_of_every_message_do_not_make_messages_alike() -> None:
    assert matter_of("请问我家的电费怎么交", SETTINGS.names) == "电费交"
    assert matter_of("你好", SETTINGS.names) == "你好"


def test_a_message_that_many_sent_word_for_word_does_not_name_its_group() -> None:
    group = ["村委会没有税号开票怎么填"] * 9 + [
        "发票抬头写错了",
        "发票要寄到哪里",
        "电子发票收不到",
        "发票能不能合并开",
    ]
    other = ["充电桩装在哪里", "充电桩要多大的线", "装桩要物业盖章"]
    first, _ = names_of([group, other], [group[0], other[0]], SETTINGS.names)
    assert first.startswith("发票")


def test_a_name_holds_no_numbers_of_days_or_small_words() -> None:
    group = ["每个月扣一块五是什么钱", "一个月扣两次钱", "每个月都多扣", "这么扣钱谁定的"]
    (name,) = names_of([group], [group[0]], SETTINGS.names)
    assert [word for word in ("每个", "一个月", "这么", "一块") if word in name.partition("“")[0]] == []


def test_two_groups_of_phrases_have_two_names() -> None:
    first = name_of_phrases([], "你好", SETTINGS.names)
    second = name_of_phrases([first], "你好", SETTINGS.names)
    assert (first, second) == ("没说具体事：你好", "没说具体事：你好 2")
