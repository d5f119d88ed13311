"""Months and days that do not exist (13月, 2月30日): asked for all the same, and never to be taken for another one."""

from __future__ import annotations

import calendar
import re

from core.errors import BusinessError
from core.numerals import in_figures
from core.text import folded

_NAMES = "一二三四五六七八九十"
_LEAP = 2024
_TIME = re.compile(
    rf"(?:(?P<year>(?:19|20)[0-9]{{2}})年)?(?<![0-9{_NAMES}零百千每半近-])"
    rf"(?P<month>[0-9]{{1,2}}|[{_NAMES}])月(?![大龄嫂饼子])(?:份?的?(?P<day>[0-9]{{1,2}})(?:日|号(?![0-9]|[楼线机门院栋变表杆])))?"
)
# 78月份 are July and August.
_PAIRS = frozenset({23, 34, 45, 56, 67, 78, 89})


class NoSuchTime(BusinessError):
    """A month or a day was named that no calendar has; `values` holds it as `said`."""

    code = "no_such_month"


class NoSuchDay(NoSuchTime):
    """The month is one, the day is not; `values` also holds the `month` and its `last` day."""

    code = "no_such_day"


def refuse_impossible(text: str) -> None:
    """Return nothing for a text without an impossible time.

    Raises:
        NoSuchTime: if it names a month above 12 or a zeroth one.
        NoSuchDay: if it names a day that its month does not have.
    """
    for found in _TIME.finditer(in_figures(folded(text))):
        month = _number(found["month"])
        if month in _PAIRS and not found["day"]:
            continue
        if not 1 <= month <= 12:
            raise NoSuchTime(said=f"{month}月")
        last = calendar.monthrange(int(found["year"] or _LEAP), month)[1]
        if found["day"] and not 1 <= int(found["day"]) <= last:
            raise NoSuchDay(said=f"{month}月{int(found['day'])}日", month=str(month), last=str(last))


def _number(word: str) -> int:
    return int(word) if word.isdigit() else _NAMES.index(word) + 1
