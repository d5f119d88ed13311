"""Finds where a message says that something is: districts, streets, compounds, villages, with house and room.

A place is one name or several side by side (see bot.language.place_names) with the numbers of house, building, unit
and room behind them; a building with its room stands without a name too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bot.language.numbers import fold
from bot.language.place_names import Name, find_names
from bot.lexicon import address_words as w

LONGEST_TEXT = 1000
_BARE, _GAP = re.compile(w.BARE), re.compile(w.GAP)
_HOUSE = re.compile(rf"(?:{w.TAIL})+", re.IGNORECASE)
_AFTER_ROAD, _FACING = re.compile(w.AFTER_ROAD), re.compile(w.FACING)
_JUNCTION, _CROSSING = re.compile(w.JUNCTION), re.compile(w.CROSSING)
_FILLER = re.compile(rf" ?(?:{w.FILLER})(?: ?(?:{w.FILLER}))* ?")


class Address(NamedTuple):
    """One place at text[start:end], its value as written less filler words."""

    value: str
    start: int
    end: int


def find_addresses(text: str, words: Sequence[tuple[str, str]] = ()) -> list[Address]:
    """Return the places that the first 1,000 characters name, in order; `words` are (word, tag) of LAC, or none."""
    plain = fold(text[:LONGEST_TEXT])
    found = [_address(text, start, end) for start, end in _join(plain, find_names(plain, words))]
    for bare in _BARE.finditer(plain):
        if not any(item.start < bare.end() and bare.start() < item.end for item in found):
            found.append(_address(text, bare.start(), bare.end()))
    return sorted(found, key=lambda item: item.start)


def _join(text: str, names: list[Name]) -> Iterator[tuple[int, int]]:
    """Put together what belongs to one place: names side by side, then numbers of house, building and room."""
    index = 0
    while index < len(names):
        name = names[index]
        start, end = name.start, _tail(text, name)
        while index + 1 < len(names) and _continues(text, end, name.level, names[index + 1]):
            index += 1
            name = names[index]
            end = max(end, _tail(text, name))
        crossing = _crossing(text, end, names[index + 1]) if name.road and index + 1 < len(names) else 0
        if crossing:
            index, end = index + 1, crossing
        yield start, end
        index += 1


def _continues(text: str, end: int, level: int, name: Name) -> bool:
    between = text[end : name.start]
    return name.start <= end or (level < name.level and bool(_GAP.fullmatch(between)))


def _crossing(text: str, end: int, other: Name) -> int:
    """Where a crossing of this road and the other ends (解放大道和航空路交叉口), 0 if it is none."""
    match = _CROSSING.match(text, other.end) if other.road else None
    return match.end() if match and _JUNCTION.fullmatch(text[end : other.start]) else 0


def _tail(text: str, name: Name) -> int:
    end = name.end
    for pattern in (*((_AFTER_ROAD,) if name.road else ()), _HOUSE, _FACING):
        match = pattern.match(text, end)
        end = match.end() if match else end
    return end


def _address(text: str, start: int, end: int) -> Address:
    stop = start + len(text[start:end].rstrip())
    return Address(" ".join(_FILLER.sub(" ", text[start:stop]).split()), start, stop)
