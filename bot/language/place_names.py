"""Finds names of places in a message: of the list of places, before an ending such as 路 or 小区, of a segmenter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from bot.lexicon import address_words as w

_PLACES = Path(__file__).resolve().parent.parent / "lexicon" / "places.txt"
_DISTRICT, _AREA, _TOWN, _STREET, _COMPOUND = 2, 3, 4, 5, 6
_LONGEST_NAME, _LONGEST_WALK, _LONGEST_RUN, _WINDOW = 7, 8, 16, 8
_HAN = re.compile("[\u4e00-\u9fff]")
_NAME = re.compile(r"[\u4e00-\u9fffA-Za-z0-9·]{1,8}$")
_BUILDING, _HALL, _PARK = re.compile(w.BUILDING), re.compile(w.HALL), re.compile(w.PARK_END)
_ADMIN, _TOWN_END = re.compile(w.ADMIN), re.compile(f"镇(?!政)|{w.ADMIN}")
_NOT_AFTER, _BESIDE, _AT = re.compile(w.NOT_AFTER), re.compile(w.BESIDE), re.compile(w.AT)
_NEIGHBOUR = re.compile(rf" ?((?:{w.TOWNSHIP})|[\u4e00-\u9fff]{{2,4}}?{w.BESIDE})")
_ELSEWHERE = re.compile(rf"(?:{w.ELSEWHERE})(?!.?(?:路|街|大道))")
_NOT_A_PLACE, _NOT_ROAD = re.compile(w.NOT_A_PLACE), re.compile(w.NOT_ROAD)
_GENERIC = re.compile(f"(?:{w.GENERIC})*")
_STOP, _STOP_CHARS = re.compile(f"^.*(?:{w.STOP_WORDS})"), re.compile(f"^.*[{w.STOP_CHARS}]")
_LEADING_NUMBER = re.compile("[0-9]+(?=[\u4e00-\u9fff])")
_LOCAL_END, _WEAK_END = re.compile(w.LOCAL_END), re.compile(w.WEAK_END)
_LOOSE_END = re.compile("(?:山里|乡下|农村|里|上|下|边|头)$")
_NUMBER, _NUMBER_AFTER = re.compile(w.PART), re.compile(w.NUMBER_AFTER)
_CAME_FROM = re.compile("从[^,，。 ]{2,5}来$")
_BOUND, _ABOUT_POWER = re.compile(w.ELSEWHERE_BOUND), re.compile(w.ABOUT_POWER)
_HINTS = re.compile(w.HINTS)
_ENDINGS = tuple(
    (kind, re.compile(source))
    for kind, source in (
        ("road", w.ROAD),
        ("compound", w.COMPOUND),
        ("institution", w.INSTITUTION),
        ("village", w.VILLAGE),
        ("village", w.HAMLET),
    )
)


class Word(NamedTuple):
    """A segmenter's word at text[start:end] with its tag."""

    start: int
    end: int
    tag: str


class Name(NamedTuple):
    """A name at text[start:end]: the higher its level, the smaller the place."""

    start: int
    end: int
    level: int
    road: bool = False


def find_names(text: str, words: Sequence[tuple[str, str]]) -> list[Name]:
    """Return the names of places in order, apart from one another; `words` are (word, tag) of LAC, or none."""
    spans = list(_spans(words, len(text)))
    found = {*_listed(text, spans), *_ended(text, spans), *_tagged(text, spans), *_before_buildings(text, spans)}
    names: list[Name] = []
    for name in sorted(found, key=lambda item: (item.start, -item.end)):
        if not names or name.start >= names[-1].end:
            names.append(name)
        elif name.end > names[-1].end:
            names[-1] = Name(names[-1].start, name.end, max(names[-1].level, name.level), name.road)
    return names


def may_name_place(text: str) -> bool:
    """Whether anything in a message hints at a place, so that a segmenter is worth asking."""
    return bool(_HINTS.search(text)) or any(_listed_size(text, index) for index in range(len(text)))


@lru_cache(maxsize=1)
def _places() -> dict[str, int]:
    levels: dict[str, int] = {}
    for line in _PLACES.read_text(encoding="utf-8").splitlines():
        if line[:1].isdigit():
            level, *names = line.split()
            for name in names:
                levels.setdefault(name, int(level))
    return levels


def _listed_size(text: str, start: int) -> int:
    """Length of the longest listed name at text[start:], 0 if there is none."""
    longest = min(_LONGEST_NAME, len(text) - start)
    return next((size for size in range(longest, 1, -1) if text[start : start + size] in _places()), 0)


def _spans(words: Sequence[tuple[str, str]], length: int) -> Iterator[Word]:
    start = 0
    for word, tag in words:
        if start < length:
            yield Word(start, min(start + len(word), length), tag)
        start += len(word)


def _listed(text: str, words: list[Word]) -> Iterator[Name]:
    """Names of the list; a bare name of a town only beside a greater place or a word that speaks of places."""
    edges = {word.start for word in words} | {word.end for word in words}
    index, last = 0, Name(-9, -9, 0)
    while index < len(text):
        size = _listed_size(text, index)
        name = _listed_at(text, index, size, last) if size else None
        if name and words and index not in edges and index + size not in edges:  # 五月天门票
            name = None
        if name:
            yield name
            yield from _neighbour(text, name)
            last = name
        index = name.end if name else index + 1


def _listed_at(text: str, start: int, size: int, last: Name) -> Name | None:
    end, level = start + size, _places()[text[start : start + size]]
    admin = (_TOWN_END if level == _TOWN else _ADMIN).match(text, end)
    beside = last.level < level and last.end <= start <= last.end + 1 and not text[last.end : start].strip()
    if level == _TOWN and not (admin or beside or _BESIDE.match(text, end)):
        return None
    end = admin.end() if admin else end
    if _NOT_AFTER.match(text, end) or _passing(text, start, end, level):
        return None
    return Name(start, end, min(level, _AREA), text[end - 1] in "路街巷道")


def _neighbour(text: str, name: Name) -> Iterator[Name]:
    """A name that the list does not have, told by the greater place before it (黄陂某某那边, 洪山区某某街道)."""
    match = _NEIGHBOUR.match(text, name.end) if name.level <= _DISTRICT else None
    if not match or any(pattern.search(match[1]) for pattern in (_STOP_CHARS, _STOP, _NOT_A_PLACE)):
        return
    if not _generic(re.sub("街道|镇|乡", "", match[1])):
        yield Name(match.start(1), match.end(1), _TOWN)


def _passing(text: str, start: int, end: int, level: int) -> bool:
    """Whether the place is where somebody comes from or travels to, and not where the matter is."""
    came = text[start - 1 : start] == "从" and text[end : end + 1] == "来"
    arrived = text[start - 1 : start] == "来" and bool(_CAME_FROM.search(text[max(0, start - _WINDOW) : start]))
    away = text[max(0, start - 2) : start] in ("不在", "回来")
    firm = text[start - 1 : start] == "("  # (武汉) in a firm's name
    bound = level <= _DISTRICT and bool(_BOUND.search(text)) and not _ABOUT_POWER.search(text)
    return came or arrived or away or firm or bound


def _ended(text: str, words: list[Word]) -> Iterator[Name]:
    """Names before an ending that makes them one of a place."""
    for kind, ending in _ENDINGS:
        for match in ending.finditer(text):
            found = _name_start(text, words, match.start(), match.end())
            start = match.start() if found is None else found
            if _names(text, words, kind, start, match):
                yield Name(start, match.end(), _STREET if kind in ("road", "village") else _COMPOUND, kind == "road")


def _names(text: str, words: list[Word], kind: str, start: int, match: re.Match[str]) -> bool:
    name = text[start : match.start()]
    latin = bool(name) and not _HAN.search(name) and not (kind == "institution" and name[0].isupper())
    if latin or _ELSEWHERE.match(name) or _NOT_A_PLACE.search(name):
        return False
    if kind == "road":
        return len(name) > 1 and not _NOT_ROAD.search(name) and (not words or _sure_road(text, words, name, match))
    if _generic(name):
        return kind == "compound" and bool(_PARK.search(match[0]) and _HALL.match(text, match.end()))
    if kind == "institution" and words:
        return any(word.tag in w.PROPER_TAGS for word in words if word.start < match.end() and start < word.end)
    return len(name) > 1 or any(word.tag == "LOC" and word.start == start for word in words)


def _sure_road(text: str, words: list[Word], name: str, match: re.Match[str]) -> bool:
    """Whether more than the ending 路 speaks for a road: a bus or a dark path has it too."""
    begin = match.start() - len(name)
    located = any(word.tag == "LOC" for word in words if word.start < match.end() and begin <= word.end)
    numbered = bool(re.search(f"{w.CN}$", name)) or bool(_NUMBER.match(text, match.end()))
    return located or numbered or match[0] in ("大道", "大街") or name in _places()


def _name_start(text: str, words: list[Word], ending: int, end: int, run: int = 0) -> int | None:
    """Where the name before text[ending:end] begins, None if there is none; `run`: over several names, so long."""
    start = _run_start(text, words, ending, end, run)
    if not words:
        match = _NAME.search(text[max(0, ending - _WINDOW) : ending])
        start = ending - len(match[0]) if match else ending
        start += _length(_STOP_CHARS, text[start:ending])
    start += _length(_STOP, text[start:ending])
    start += _length(_LEADING_NUMBER, text[start:ending])
    return start if start < ending else None


def _length(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.match(text)
    return match.end() if match else 0


def _run_start(text: str, words: list[Word], ending: int, end: int, run: int) -> int:
    """Walk left over nouns and names from the word that holds the ending."""
    index = next((i for i, word in enumerate(words) if word.start < end <= word.end), -1)
    start = ending
    while index >= 0:
        word = words[index]
        whole = text[word.start : word.end]
        named = word.tag in w.NAME_TAGS or re.fullmatch(w.ROAD_VERBS, whole)  # 前进四路 has a verb to the segmenter
        far = ending - word.start > (run or _LONGEST_WALK)
        if word.end <= ending and (not named or not whole.strip() or far):
            break
        start = min(start, word.start)
        if not run and word.tag in ("LOC", "ORG") and word.start < ending:
            break
        index -= 1
    return start


def _tagged(text: str, words: list[Word]) -> Iterator[Name]:
    """What the segmenter calls a location, if it ends as places do or the words about it speak of a place."""
    for word in words:
        name = text[word.start : word.end].rstrip()
        if word.tag != "LOC" or _ELSEWHERE.match(name) or _NOT_A_PLACE.search(name):
            continue
        name = _NUMBER_AFTER.sub("", _LOOSE_END.sub("", name))
        if len(name) > 1 and not _NOT_AFTER.match(text, word.end) and _located(text, word.start, name):
            yield Name(word.start, word.start + len(name), _STREET, name[-1] in "路街巷道")


def _located(text: str, start: int, name: str) -> bool:
    listed = _listed_size(name, 0)
    proper = (_HAN.match(name) or name.isupper()) and not _NUMBER.fullmatch(name)
    if listed == len(name) or not proper or _generic(_LOCAL_END.sub("", name)):
        return False  # what the list has in full was weighed there
    if name[-1] in "路街巷" and _NOT_ROAD.search(name[:-1]):
        return False
    told = _BESIDE.match(text, start + len(name)) or _AT.search(text[max(0, start - _WINDOW) : start])
    return bool(listed or told or (len(name) > 2 and _LOCAL_END.search(name)))


def _before_buildings(text: str, words: list[Word]) -> Iterator[Name]:
    """Names of compounds without an ending, before the number of a building (梅苑7栋)."""
    for match in _BUILDING.finditer(text):
        start = _name_start(text, words, match.start(), match.start(), _LONGEST_RUN)
        if start is None:
            continue
        name = text[start : match.start()]
        tags = {word.tag for word in words if word.start < match.start() and start < word.end}
        proper = bool(tags & set(w.PROPER_TAGS)) or bool(_WEAK_END.search(name))
        if len(name) > 1 and _HAN.search(name) and proper and not _generic(name) and not _NOT_A_PLACE.search(name):
            yield Name(start, match.start(), _COMPOUND)


def _generic(name: str) -> bool:
    return bool(_GENERIC.fullmatch(name.strip()))
