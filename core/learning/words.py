"""The words of Chinese messages: what they speak of, if of anything. Only for processes of their own."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from core.learning.settings import Naming
from core.text import folded

_STRETCH = re.compile(r"[㐀-鿿A-Za-z]+")
_TERM, _TERM_TAG = 20_000, "nz"
# Nouns, verbs, qualities, idioms and foreign words by the tags of jieba: what somebody speaks of.
_CONTENT = frozenset("nvaijlbsx")


def stretches(text: str, settings: Naming) -> Iterator[list[tuple[str, bool]]]:
    """Yield for each stretch between signs its words, and whether each names something."""
    for stretch in _STRETCH.findall(text):
        pairs = _tagger(settings.terms, settings.phrases).cut(stretch)
        yield [(one.word, _names_something(one.word, one.flag, settings)) for one in pairs]


def is_phrase(text: str, settings: Naming) -> bool:
    """Tell whether a message is nothing but courtesy, grumbling or haste: nobody can tell from it what it is about."""
    empty = (settings.stop | settings.phrases) - settings.matter
    return all(word in empty for stretch in _STRETCH.findall(folded(text)) for word in _cut(stretch, settings))


def matter_of(text: str, settings: Naming) -> str:
    """Return a text without the words that stand in every message; as it was if nothing else stands in it."""
    words = (word for stretch in _STRETCH.findall(text) for word in _cut(stretch, settings))
    return "".join(word for word in words if word not in settings.stop) or text


def _names_something(word: str, flag: str, settings: Naming) -> bool:
    if len(word) < 2 or word in settings.stop or word in settings.phrases:
        return False
    return word in settings.terms or flag == "eng" or flag[:1] in _CONTENT


def _cut(stretch: str, settings: Naming) -> Iterator[str]:
    found: Iterator[str] = _cutter(settings.terms, settings.phrases).cut(stretch)
    return found


@cache
def _tagger(terms: tuple[str, ...], phrases: frozenset[str]) -> Any:
    import jieba.posseg

    return jieba.posseg.POSTokenizer(_cutter(terms, phrases))


@cache
def _cutter(terms: tuple[str, ...], phrases: frozenset[str]) -> Any:
    import jieba

    jieba.setLogLevel(logging.ERROR)
    cutter = jieba.Tokenizer()
    cutter.initialize()
    for word in terms:
        cutter.add_word(word, freq=_TERM, tag=_TERM_TAG)
    for word in sorted(phrases):
        cutter.add_word(word, freq=_TERM, tag="y")
    return cutter
