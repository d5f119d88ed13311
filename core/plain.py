"""Plain wording: one thought a line, a long answer in several messages; not a character of it is left out.

For customers whose service is `plain` (data/segments/service.yaml), whatever the answer was made of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from unicodedata import category

from core.text import SENTENCE_END

LONGEST_LINE = 20  # characters, as many as an eye takes in at once in large type
MOST_LINES = 6  # of one message: more are told in several
_LONG = 30  # characters: a list of so many is parted too
_SHORT = 4  # characters: so few are no line of their own
_CLAUSE_END, _ITEM_END = re.compile(r"(?<=[；，：])"), re.compile(r"(?<=、)")
_CLOSING = ("Pe", "Pf", "Po")  # brackets, quotation marks and further marks belong to the sentence before
_OPENING, _CLOSED = "（《“【", "）》”】"
_GOES_ON = "，、：:"  # ends a line after which nobody pauses


def by_lines(text: str) -> str:
    """Return a text with each sentence on a line of its own, a long one by its clauses; nothing is changed besides."""
    return "\n".join(one for line in text.split("\n") for one in _lines(line))


def in_messages(text: str) -> list[str]:
    """Return a text by lines, in as many messages as it takes to be read at ease: the answer first, then the rest.

    A message ends where a sentence or an item does. Where data come from, in brackets, stands with what it is about.
    """
    lines = by_lines(text).split("\n")
    said = [line for line in lines if line.strip()]
    count = -(-len(said) // MOST_LINES)
    if count < 2:
        return ["\n".join(lines)]
    most = -(-len(said) // count)  # spread evenly
    messages: list[list[str]] = [[]]
    for at, line in enumerate(said, 1):
        last = messages[-1]
        full = len(last) >= most + (at == len(said))  # one line more is better than one line alone
        if full and last[-1].rstrip()[-1] not in _GOES_ON and line[0] not in _OPENING:
            messages.append([])
        messages[-1].append(line)
    return ["\n".join(one) for one in messages]


def _lines(line: str) -> list[str]:
    sentences = _joined(SENTENCE_END.split(line), lambda *_: True)
    return [one for sentence in sentences for one in _clauses(sentence)]


def _clauses(sentence: str) -> list[str]:
    """Return a sentence as it is, or, if it is long, its clauses: as many together as fit."""
    if len(sentence) <= LONGEST_LINE:
        return [sentence]

    def ends(before: str, after: str, rest: int) -> bool:
        if before.endswith("；"):
            return True
        if before.endswith("：") and rest <= LONGEST_LINE:
            return False  # a name and its value
        return len(before + after) > LONGEST_LINE and rest > _SHORT

    clauses = _CLAUSE_END.split(sentence)
    parts = [_ITEM_END.split(one) if len(one) > _LONG else [one] for one in clauses]
    return _joined([one for several in parts for one in several], ends)


def _joined(parts: Sequence[str], ends: Callable[[str, str, int], bool]) -> list[str]:
    """Return the parts, one by one where a line `ends` before the next one (and so many characters), else together."""
    found, rest = [""], sum(map(len, parts))
    for part in parts:
        apart = found[-1] and part and not part[0].isspace() and category(part[0]) not in _CLOSING
        if apart and _is_whole(found[-1]) and ends(found[-1], part, rest):
            found.append("")
        found[-1] += part
        rest -= len(part)
    return found


def _is_whole(text: str) -> bool:
    """Tell whether all brackets and quotation marks are closed: what they hold stays together."""
    return all(text.count(one) == text.count(other) for one, other in zip(_OPENING, _CLOSED, strict=True))
