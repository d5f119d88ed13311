"""Readable names of groups of messages: the words that set a group apart from the others (充电桩 · 多久能装)."""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from core.learning.settings import Naming

LONGEST = 60  # characters of a name, as the column holds
_EXAMPLE = 14  # characters of an example that stands in for a name
_WORD = re.compile(r"[㐀-鿿A-Za-z]+")
_PHRASE = 8  # characters


def names_of(groups: Sequence[Sequence[str]], examples: Sequence[str], settings: Naming) -> list[str]:
    """Return a name for each group of texts; no two are the same, `examples` stand in where no word says anything."""
    terms = [[_terms(text, settings) for text in texts] for texts in groups]
    seen = Counter(term for group in terms for each in group for term in each)
    total = sum(map(len, groups))
    names: list[str] = []
    for group, example in zip(terms, examples, strict=True):
        best = _best(group, seen, total, settings)
        names.append(_unlike(names, best, example, settings))
    return names


def _best(group: Sequence[set[str]], seen: Counter[str], total: int, settings: Naming) -> list[str]:
    """Return the words and phrases of a group, what tells most first, none within another."""
    here = Counter(term for each in group for term in each)
    least = settings.least_share * len(group)
    scored = sorted(
        ((_score(term, count, len(group), seen[term], total), term) for term, count in here.items() if count >= least),
        key=lambda one: (-one[0], one[1]),
    )
    chosen: list[str] = []
    for _, term in scored:
        if not any(_overlap(term, other) for other in chosen):
            chosen.append(term)
    return chosen


def _score(term: str, count: int, size: int, seen: int, total: int) -> float:
    """How often it stands here, how rarely elsewhere; a longer one says more."""
    here, elsewhere = count / size, (seen - count + 0.5) / (total - size + 1)
    return here * math.log(1 + here / elsewhere) * math.sqrt(min(len(term), 5))


def _overlap(one: str, other: str) -> bool:
    return one in other or other in one or any(one[at : at + 2] in other for at in range(len(one) - 1))


def _unlike(names: Sequence[str], best: Sequence[str], example: str, settings: Naming) -> str:
    """Return a name that no other group has: with a further word, at last with the words of the example."""
    for count in range(settings.words, len(best) + 1):
        name = settings.joint.join(best[:count])[:LONGEST]
        if name not in names:
            return name
    name = settings.joint.join([*best[: settings.words], _shortened(example)])[:LONGEST]
    while name in names:
        name = f"{name}′"
    return name


def _shortened(example: str) -> str:
    return example if len(example) <= _EXAMPLE else f"{example[: _EXAMPLE - 1]}…"


def _terms(text: str, settings: Naming) -> set[str]:
    """Return the words of a text that say something, and pairs of neighbours that do so together."""
    found: set[str] = set()
    for stretch in _WORD.findall(text):
        before = ""
        for word in _cutter(settings.terms).cut(stretch):
            says = len(word) > 1 and word not in settings.stop
            if says:
                found.add(word)
            if before and len(before + word) <= _PHRASE and says and before not in settings.stop:
                found.add(before + word)
            before = word
    return found


@cache
def _cutter(terms: tuple[str, ...]) -> Any:
    import jieba

    jieba.setLogLevel(logging.ERROR)
    cutter = jieba.Tokenizer()
    cutter.initialize()
    for term in terms:
        cutter.add_word(term, freq=20_000)
    return cutter
