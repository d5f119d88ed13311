"""Finds the items of general knowledge that are closest to a text, without the language model.

For suggestions to an agent, who reads them before they are sent; what the bot answers by itself is decided by the
trained index of the model. TF-IDF over characters and pairs of them, cosine against all wordings of an item together.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from core.knowledge import Item, Knowledge
from core.text import folded

# For 71 % of the questions in tests/nlu/knowledge_dev.tsv the right item is among the first three and above this score
# (95 % without a limit); 57 % of what is shown is right, and of the questions that no item answers 57 % show nothing.
LEAST = 0.12
_SIGNS = re.compile(r"[^\w]|\d")
# Figures would make every telephone number look like a question after a hot line; a hot line itself counts as a whole.
_HOTLINE = re.compile(r"(?<!\d)\d{5}(?!\d)")
_LONGEST = 200  # characters that are looked at
_SIZES = (1, 2)


@dataclass(frozen=True)
class Found:
    """An item and how close it is, 0 to 1."""

    item: Item
    score: float


class KnowledgeSearch:
    """All items as weighted terms, by term."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._items = knowledge.items
        terms = [terms_of(item.question, *item.also) for item in self._items]
        seen = Counter(term for each in terms for term in each)
        self._rarity = {term: math.log(1 + len(terms) / count) for term, count in seen.items()}
        self._unseen = math.log(1 + len(terms))
        self._weights: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for place, each in enumerate(terms):
            length = self._length(each)
            for term in each:
                self._weights[term].append((place, self._rarity[term] / length))

    def find(self, text: str, *, limit: int = 3, least: float = LEAST) -> list[Found]:
        """Return the closest items, the closest first; none if none is close enough."""
        terms = terms_of(text)
        if len(terms) < 2:
            return []
        length = self._length(terms)
        scores: defaultdict[int, float] = defaultdict(float)
        for term in terms:
            for place, weight in self._weights.get(term, ()):
                scores[place] += weight * self._rarity[term] / length
        found = [Found(self._items[place], round(score, 4)) for place, score in scores.items() if score >= least]
        return sorted(found, key=lambda one: (-one.score, one.item.id))[:limit]

    def _length(self, terms: Iterable[str]) -> float:
        return math.sqrt(sum(self._rarity.get(term, self._unseen) ** 2 for term in terms)) or 1.0


def terms_of(*texts: str) -> set[str]:
    """Return the characters of texts and the pairs of neighbours, signs, figures and blanks left out, and hot lines."""
    hotlines = {line for text in texts for line in _HOTLINE.findall(folded(text)[:_LONGEST])}
    plain = [_SIGNS.sub("", folded(text))[:_LONGEST] for text in texts]
    return hotlines | {text[at : at + size] for text in plain for size in _SIZES for at in range(len(text) - size + 1)}
