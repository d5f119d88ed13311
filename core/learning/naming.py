"""Readable names of groups of messages: the words that set a group apart from the others (充电桩 · 多久能装)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from core.learning.settings import Naming
from core.learning.words import stretches

LONGEST = 60  # characters of a name, as the column holds
_EXAMPLE = 22  # characters of a message that stands in for a name
_PHRASE = 8  # characters of two words together
_OF_THE_TRADE = 1.5  # how much more a word of the trade says


def names_of(groups: Sequence[Sequence[str]], examples: Sequence[str], settings: Naming) -> list[str]:
    """Return a name for each group of texts; no two are the same, `examples` stand in where no word says anything.

    A message that many sent word for word counts once: it would name the group by itself.
    """
    terms = [[_terms(text, settings) for text in dict.fromkeys(texts)] for texts in groups]
    seen = Counter(term for group in terms for each in group for term in each)
    total = sum(map(len, terms))
    names: list[str] = []
    for group, example in zip(terms, examples, strict=True):
        names.append(_unlike(names, _best(group, seen, total, settings), example, settings))
    return names


def name_of_phrases(names: Iterable[str], example: str, settings: Naming) -> str:
    """Return the name of a group that says nothing of a matter, other than those that are given away."""
    return _other(set(names), settings.phrase.format(said=_shortened(example)))


def _best(group: Sequence[set[str]], seen: Counter[str], total: int, settings: Naming) -> list[str]:
    """Return the words of a group, what tells most first, none within another.

    The second one tells of the messages in which the first does not stand, if there is one that many of them share.
    """
    least = max(settings.least_share * len(group), min(2, len(group)))
    chosen: list[str] = []
    for _ in range(settings.words + 1):
        left = [each for each in group if not each & {*chosen}]
        word = _first(left, least, chosen, seen, total, settings) or _first(group, least, chosen, seen, total, settings)
        if word is None:
            break
        chosen.append(word)
    return chosen


def _first(
    group: Sequence[set[str]], least: float, chosen: Sequence[str], seen: Counter[str], total: int, settings: Naming
) -> str | None:  # fmt: skip
    here = Counter(term for each in group for term in each if not any(_overlap(term, other) for other in chosen))
    scored = [
        (-_score(term, count, len(group), seen[term], total, settings), term)
        for term, count in here.items() if count >= least
    ]  # fmt: skip
    return min(scored)[1] if scored else None


def _score(term: str, count: int, size: int, seen: int, total: int, settings: Naming) -> float:
    """How often it stands here, how rarely elsewhere; a longer one says more, and so does one of the trade."""
    here, elsewhere = count / size, (max(seen - count, 0) + 0.5) / (total - size + 1)
    weight = _OF_THE_TRADE if any(word in term for word in settings.terms) else 1.0
    return weight * here * math.log(1 + here / elsewhere) * math.sqrt(min(len(term), 4))


def _overlap(one: str, other: str) -> bool:
    return one in other or other in one or any(one[at : at + 2] in other for at in range(len(one) - 1))


def _unlike(names: Sequence[str], best: Sequence[str], example: str, settings: Naming) -> str:
    """Return a name that no other group has: its words; with its middle message where these are few, or taken."""
    for count in range(settings.words, len(best) + 1):
        name = settings.joint.join(best[:count])[:LONGEST]
        if name not in names:
            return name
    said = settings.example.format(said=_shortened(example))
    told = [word for word in best[:1] if word not in said]
    return _other(set(names), settings.joint.join([*told, said]))


def _other(names: set[str], name: str) -> str:
    """Return the name, with a number behind it where it is given away."""
    found, number = name[:LONGEST], 2
    while found in names:
        found, number = f"{name[: LONGEST - 5]} {number}", number + 1
    return found


def _shortened(example: str) -> str:
    return example if len(example) <= _EXAMPLE else f"{example[: _EXAMPLE - 1]}…"


def _terms(text: str, settings: Naming) -> set[str]:
    """Return the words of a text that say something, and pairs of neighbours that do so together."""
    found: set[str] = set()
    for stretch in stretches(text, settings):
        before = ""
        for word, says in stretch:
            if says:
                found.add(word)
                if before and len(before + word) <= _PHRASE:
                    found.add(before + word)
            before = word if says else ""
    return found
