"""Finds billing periods and days in a Chinese message and resolves them against the day of asking.

Bare months and seasons are the most recent ones that have begun; 近N个月 are the last N complete months.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

from bot.lexicon import time_words as words

from . import Hit, Period, feast_days, hit_of, impossible, in_year, month_of, number_of_month, settle, year_of
from .numbers import fold, read_count

_Reader = Callable[["re.Match[str]", date], "Hit | None"]
_FUTURE_DAYS = 92  # outages are announced ahead, so a date without a year may lie up to a quarter ahead


def find_periods(text: str, today: date) -> list[Period]:
    """Return the billing periods named in a message, in order (whole months; never raises)."""
    return [_public(hit, text) for hit in _scan(text, today) if hit.grain != "day"]


def find_dates(text: str, today: date) -> list[Period]:
    """Return the single days named, in order; a range of days is two of them (value YYYY-MM-DD)."""
    days = []
    for hit in (hit for hit in _scan(text, today) if hit.grain == "day"):
        days += [_public(replace(hit, last=hit.first), text)]
        days += [_public(replace(hit, first=hit.last), text)] if hit.last != hit.first else []
    return days


def _public(hit: Hit, text: str) -> Period:
    value = hit.first.isoformat() if hit.grain == "day" else f"{hit.first.isoformat()[:7]}/{hit.last.isoformat()[:7]}"
    return Period(hit.start, hit.end, text[hit.start : hit.end], hit.first, hit.last, hit.grain, value)


def _scan(text: str, today: date) -> list[Hit]:
    plain = masked = fold(text)
    hits: list[Hit] = []
    for pattern, read in _RULES:
        for match in list(pattern.finditer(masked)):
            try:
                hit = read(match, today)
            except (ValueError, OverflowError):  # a 31st of June, a year of no customer: none of it is another time
                hit = None
            else:
                if hit is None:
                    continue
                hits.append(hit)
            masked = masked[: match.start()] + "\0" * len(match[0]) + masked[match.end() :]
    hits.sort(key=lambda hit: hit.start)
    return settle(hits, plain, today)


def _one_month(match: re.Match[str], today: date) -> Hit:
    number = number_of_month(match["m"])
    return in_year(match, today, number, number, "month")


def _list_of_months(match: re.Match[str], today: date) -> Hit | None:
    numbers: list[int] = []
    for word in list(match["dd"] or "") or _M.findall(match["ms"]):
        number = number_of_month(word)
        numbers.append(number + 10 if numbers and numbers[-1] in (10, 11) and number in (1, 2) else number)
    steady = not _M.fullmatch(match["ms"] or "") and all(
        right == left + 1 for left, right in zip(numbers, numbers[1:], strict=False)
    )
    if not steady:
        return None
    hit = in_year(match, today, numbers[0], numbers[-1], "months")
    back = 0 if match["y"] or hit.last <= today else -12
    return replace(hit, first=month_of(hit.first, back), last=month_of(hit.last, back))


def _quarter(match: re.Match[str], today: date) -> Hit:
    number = read_count(match["q"] or match["p"] or match["r"])
    return in_year(match, today, 3 * number - 2, 3 * number, "quarter")


def _first_quarters(match: re.Match[str], today: date) -> Hit:
    return in_year(match, today, 1, 3 * read_count(match["n"]), "months")


def _some_months(match: re.Match[str], today: date) -> Hit:
    count = min(12, read_count(match["n"]))
    first, last = (1, count) if match["end"] in "头前" else (13 - count, 12)
    return in_year(match, today, first, last, "months")


def _half(match: re.Match[str], today: date) -> Hit:
    return in_year(match, today, *words.HALVES[match["h"]], "half")


def _season(match: re.Match[str], today: date) -> Hit:
    first, last = next(span for key, span in words.SEASONS.items() if key in match["s"])
    hit = in_year(match, today, first, last, "season")
    groups = match.groupdict()
    # Asked in winter itself, 今年冬天 is the one that began last year; 上个夏天 is over by the day of asking.
    running = (groups.get("y") or "")[:1] in ("今", "本") and first == 12 and today.month < 6
    unfinished = (groups.get("w") or "")[:1] == "上" and hit.last >= month_of(today)
    back = -12 if running or unfinished else 0
    return replace(hit, first=month_of(hit.first, back), last=month_of(hit.last, back))


def _edge(match: re.Match[str], today: date) -> Hit:
    number = words.EDGES["开" if match["e"][0] == "开" else match["e"][-1]]
    return replace(in_year(match, today, number, number, "month"), bare=False)


def _feast(match: re.Match[str], today: date) -> Hit:
    named = match.groupdict().get("y")
    year = year_of(named, today) if named else today.year
    first, last = feast_days(match["feast"], year)
    if not named and first > today:
        first, last = feast_days(match["feast"], year - 1)
    return hit_of(match, month_of(first), month_of(last), "month" if first.month == last.month else "months")


def _feast_day(match: re.Match[str], today: date) -> Hit:
    shift = timedelta(days=1 if match["feast"][0] in "除年" or "三十" in match["feast"] else 0)
    year = year_of(match["y"], today) if match["y"] else today.year
    day = feast_days(match["feast"], year)[0] - shift
    if not match["y"] and day > today:
        day = feast_days(match["feast"], year - 1)[0] - shift
    return hit_of(match, day, day, "day")


def _same_month(match: re.Match[str], today: date) -> Hit:
    month = date(year_of(match["y"], today), today.month, 1)
    return hit_of(match, month, month, "same" if "同" in match[0] else "month")


def _last_months(match: re.Match[str], today: date) -> Hit | None:
    groups = match.groupdict()
    number, years = groups["n"] or groups["b"] or groups["k"], groups["ny"] or groups["ty"]
    if number:
        count = 3 if number == "几" else read_count(number)
    else:
        count = 12 * read_count(years) if years else 6
    if not 1 <= count <= 60:
        return None
    return hit_of(match, month_of(today, -count), month_of(today, -1), "months" if count > 1 else "month")


def _relative_offset(word: str) -> int:
    word = word.replace(" ", "")
    if word.startswith(("大前", "前个")):
        return -3 if word[0] == "大" else -2
    if word.startswith(("上", "前", "头", "最")):
        return -max(1, len(word) - len(word.lstrip("上")))
    return len(word) - len(word.lstrip("下"))


def _relative_month(match: re.Match[str], today: date) -> Hit:
    month = month_of(today, _relative_offset(match["rm"]))
    return hit_of(match, month, month, "month")


def _whole_year(match: re.Match[str], today: date) -> Hit:
    hit = in_year(match, today, 1, 12, "year")
    return replace(hit, last=month_of(today)) if hit.first.year == today.year else hit


def _last_quarters(match: re.Match[str], today: date) -> Hit:
    end = month_of(today, -((today.month - 1) % 3) - 1)
    return hit_of(match, month_of(end, 1 - 3 * read_count(match["n"])), end, "months")


def _iso_month(match: re.Match[str], today: date) -> Hit:
    month = date(int(match["y"]), int(match["m"] or match["c"]), 1)
    return hit_of(match, month, month, "month")


def _relative_quarter(match: re.Match[str], today: date) -> Hit:
    offset = 3 * _relative_offset(match["rq"]) - (today.month - 1) % 3
    return hit_of(match, month_of(today, offset), month_of(today, offset + 2), "quarter")


def _iso_day(match: re.Match[str], today: date) -> Hit:
    day = date(int(match["y"]), int(match["m"]), int(match["d"]))
    return hit_of(match, day, day, "day")


def _month_day(match: re.Match[str], today: date) -> Hit:
    month, number = number_of_month(match["m"]), read_count(match["d"])
    day = date(year_of(match["y"], today) if match["y"] else today.year, month, number)
    if not match["y"]:
        latest = 0 if _PAST_HINT.search(match.string) else _FUTURE_DAYS
        if (day - today).days > latest:
            day = date(today.year - 1, month, number)
        elif (today - day).days > 365 - latest:
            day = date(today.year + 1, month, number)
    return hit_of(match, day, day, "day")


def _day_of_relative_month(match: re.Match[str], today: date) -> Hit:
    day = month_of(today, _relative_offset(match["rm"])).replace(day=read_count(match["d"]))
    return hit_of(match, day, day, "day")


def _bare_day(match: re.Match[str], today: date) -> Hit:
    number = read_count(match["d"])
    back = number > today.day and _PAST_HINT.search(match.string)
    for offset in (-1, -2) if back else (0, -1, -2):
        try:
            day = month_of(today, offset).replace(day=number)
        except ValueError:  # a month without a 31st
            continue
        return hit_of(match, day, day, "day", bare=True)
    raise ValueError(match[0])


def _day_word(match: re.Match[str], today: date) -> Hit:
    day = today + timedelta(days=words.DAYS[match["w"]])
    return hit_of(match, day, day, "day")


def _weekday(match: re.Match[str], today: date) -> Hit:
    monday = today - timedelta(days=today.weekday())
    name = match["d"] or match["e"]
    number = 6 if name in "日天" else read_count(name) - 1
    day = monday + timedelta(days=number)
    if match["w"]:
        day += timedelta(weeks=_relative_offset(match["w"]))
    elif _PAST_HINT.search(match.string):
        day -= timedelta(weeks=1 if day > today else 0)
    else:
        day += timedelta(weeks=1 if day < today else 0)
    return hit_of(match, day, day, "day")


def _week(match: re.Match[str], today: date) -> Hit:
    monday = today - timedelta(days=today.weekday()) + timedelta(weeks=_relative_offset(match["w"]))
    return hit_of(match, monday, monday + timedelta(days=6), "day")


def _days_ago(match: re.Match[str], today: date) -> Hit:
    day = today - timedelta(days=read_count(match["n"]))
    return hit_of(match, day, day, "day")


def _last_days(match: re.Match[str], today: date) -> Hit:
    groups = match.groupdict()
    days = read_count(groups["n"]) if groups["n"] else 7 * read_count(groups["nw"] or "1")
    return hit_of(match, today - timedelta(days=days), today - timedelta(days=1), "day")


def _same_day(match: re.Match[str], today: date) -> Hit:
    day = today.replace(year=year_of(match["y"], today))
    return hit_of(match, day, day, "day")


def _rules(*pairs: tuple[str, _Reader]) -> list[tuple[re.Pattern[str], _Reader]]:
    return [(re.compile(source.replace("_", " ?"), re.IGNORECASE), read) for source, read in pairs]


_PAST_HINT = re.compile(words.PAST_HINT)
_M = re.compile(words.M)
# The order is the precedence: a day claims its month before the month rule sees it, a named year its tail.
_RULES = _rules(
    (words.IMPOSSIBLE, impossible),
    (words.ISO_DAY, _iso_day),
    (words.MAYBE_YEAR + words.FEAST_DAY, _feast_day),
    (words.YEAR + words.SAME_DAY, _same_day),
    (words.MAYBE_YEAR + words.MONTH_DAY, _month_day),
    (words.RELATIVE_MONTH + words.MONTH_TAIL + "_的?_" + words.DAY, _day_of_relative_month),
    (words.ISO_MONTH, _iso_month),
    (words.LAST_DAYS, _last_days),
    (words.DAYS_AGO, _days_ago),
    (words.DAY_WORD, _day_word),
    (words.WEEKDAY, _weekday),
    (words.WEEK, _week),
    (words.LONE_DAY, _bare_day),
    (words.YEAR + words.SAME_TIME, _same_month),
    (words.ANY_YEAR + words.SOME_MONTHS, _some_months),
    (words.LAST_MONTHS, _last_months),
    (words.MAYBE_YEAR + words.MONTHS, _list_of_months),
    (words.MAYBE_YEAR + words.MONTH, _one_month),
    (words.LAST_QUARTERS, _last_quarters),
    (words.MAYBE_YEAR + words.FIRST_QUARTERS, _first_quarters),
    (words.RELATIVE_QUARTER, _relative_quarter),
    (words.MAYBE_YEAR + words.QUARTER, _quarter),
    (words.MAYBE_YEAR + words.HALF, _half),
    (words.RELATIVE_MONTH + words.MONTH_TAIL, _relative_month),
    (words.ANY_YEAR + words.FEAST, _feast),
    (words.ANY_YEAR + words.SEASON, _season),
    (words.ANY_YEAR + words.EDGE, _edge),
    (words.YEAR + "(?:_的?_" + words.WHOLE_YEAR + ")?", _whole_year),
    (words.SHORT_YEAR, _whole_year),
    (words.CERTAIN_SEASON, _season),
    (words.LONE_SEASON, _season),
    (words.LONE_FEAST, _feast),
    (words.LONE_EDGE, _edge),
    (words.LONE_WHOLE_YEAR, _whole_year),
)
