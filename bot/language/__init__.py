"""Readers of Chinese numerals and times: pure functions that know nothing of Rasa.

Here: what the readers of periods and days share, a stretch of time in a text and the arithmetic of months.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta

from bot.lexicon import time_words as words

from .numbers import read_count, read_digits

_TO = re.compile(rf"\s*(?:{words.TO})\s*")
_UNTIL_NOW = re.compile(words.UNTIL_NOW.replace("_", " ?"))
_NOT = re.compile("(?<!是)(?:不是|不要|不查|别查|莫查|不看|莫看|不问|没问|没说)(?:要|查|看|问|说|的)?\\s*$")
_EARLIEST, _LATEST = 1949, 9  # a year that anybody could mean; so many years ahead


@dataclass(frozen=True)
class Period:
    """Time named at text[start:end]; first and last are first days of months, or days if grain is day."""

    start: int
    end: int
    text: str
    first: date
    last: date
    grain: str
    value: str


@dataclass(frozen=True)
class Hit:
    """What one rule found; bare means that no year was said, so that a neighbour may lend it one."""

    start: int
    end: int
    first: date
    last: date
    grain: str
    bare: bool = False


def month_of(day: date, offset: int = 0) -> date:
    """Return the first day of the month that lies so many months from the day's."""
    index = day.year * 12 + day.month - 1 + offset
    return date(index // 12, index % 12 + 1, 1)


def hit_of(match: re.Match[str], first: date, last: date, grain: str, *, bare: bool = False) -> Hit:
    """Return the hit that covers the whole match."""
    return Hit(match.start(), match.end(), first, last, grain, bare)


def year_of(word: str, today: date) -> int:
    """Return the year that a word names (去年, 24年, 二零二四年); ValueError if no customer could mean it."""
    word = word.replace(" ", "").rstrip("子度")
    if word in words.YEARS:
        return today.year + words.YEARS[word]
    year = int(read_digits(word))
    earliest = 2010 if year < 100 else _EARLIEST
    year += 2000 if year < 100 else 0
    if not earliest <= year <= today.year + _LATEST:
        raise ValueError(word)
    return year


def in_year(match: re.Match[str], today: date, first: int, last: int, grain: str) -> Hit:
    """Months first..last (13 is next January) of the year named, else of the latest that has begun."""
    named = match.groupdict().get("y")
    year = year_of(named, today) if named else today.year - (first > today.month)
    january = date(year, 1, 1)
    return hit_of(
        match,
        month_of(january, first - 1),
        month_of(january, last - 1),
        grain,
        bare=not named and grain == "month",
    )


def number_of_month(word: str) -> int:
    """Return 1..12 for the words of a month; 正月, 冬月 and 腊月 approximate the solar months."""
    return words.MONTH_NAMES.get(word) or read_count(word)


def feast_days(word: str, year: int) -> tuple[date, date]:
    """Return the first and last day of a feast; unknown lunar years fall on 10 February."""
    if word[0] not in words.HOLIDAYS:
        day = date(year, *words.LUNAR_NEW_YEAR.get(year, (2, 10)))
        return day, day + timedelta(days=5)
    day = date(year, *words.HOLIDAYS[word[0]])
    return day, day


def impossible(match: re.Match[str], today: date) -> Hit:
    """Refuse what matches by ValueError: there is no such month or day."""
    raise ValueError(match[0])


def settle(hits: list[Hit], plain: str, today: date) -> list[Hit]:
    """Read neighbouring hits together: 不是X是Y, 同期 of what else is named, X到Y as one range, X以来 up to now."""
    return _until_now(_join(_same_time(_meant(hits, plain)), plain, today), plain, today)


def _meant(hits: list[Hit], plain: str) -> list[Hit]:
    """Leave out what is named only to be corrected: 不是上个月，是上上个月."""
    meant = [hit for hit in hits if not _NOT.search(plain, max(0, hit.start - 8), hit.start)]
    return meant or hits


def _same_time(hits: list[Hit]) -> list[Hit]:
    """Move 去年同期 to the months that the message itself names, if it names any."""
    named = [hit for hit in hits if hit.grain not in ("day", "same", "year")]
    settled = []
    for hit in hits:
        if hit.grain == "same":
            model = min(named, key=lambda other: abs(other.start - hit.start), default=hit)
            years = hit.first.year - model.first.year
            last, grain = month_of(model.last, 12 * years), model.grain if model is not hit else "month"
            hit = replace(hit, first=month_of(model.first, 12 * years), last=last, grain=grain)
        settled.append(hit)
    return settled


def _join(hits: list[Hit], plain: str, today: date) -> list[Hit]:
    joined: list[Hit] = []
    for hit in hits:
        before = joined[-1] if joined else None
        if before and _TO.fullmatch(plain[before.end : hit.start]) and (before.grain == "day") == (hit.grain == "day"):
            joined[-1:] = _range_of_days(before, hit, today) if hit.grain == "day" else [_range(before, hit, today)]
        else:
            joined.append(hit)
    return joined


def _range(left: Hit, right: Hit, today: date) -> Hit:
    first, last = left.first, right.last
    if left.bare:
        year = last.year if first.month <= last.month else last.year - 1
        first = first.replace(year=year)
    elif right.bare:
        same = last.replace(year=first.year if last.month >= first.month else first.year + 1)
        last = same if same <= today else last
    return Hit(left.start, right.end, min(first, last), max(first, last), "range")


def _range_of_days(left: Hit, right: Hit, today: date) -> list[Hit]:
    if right.bare and not left.bare:
        same = left.first.replace(day=right.first.day)
        right = replace(right, first=same, last=same)
    if left.first > right.first and left.bare:
        earlier = month_of(right.first, -1).replace(day=left.first.day)
        left = replace(left, first=earlier, last=earlier)
    return [left, right]


def _until_now(hits: list[Hit], plain: str, today: date) -> list[Hit]:
    extended = []
    for hit in hits:
        rest = _UNTIL_NOW.match(plain, hit.end) if hit.grain != "day" else None
        if rest and hit.first <= today:
            grain = hit.grain if hit.grain == "year" and hit.first.year == today.year else "range"
            hit = replace(hit, end=rest.end(), last=month_of(today), grain=grain)
        extended.append(hit)
    return extended
