"""Numbers that point at a person, found by their form: telephones, accounts, certificates, bank cards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

from core.redact.marks import Marks

LONG = 10  # digits in a row that no amount, reading or date has
MOST_GROUPS, LONGEST = 7, 23  # of one number that is written in groups
SHORT = 7  # digits in a row that are a number of somebody's if the words before say so
_Span = tuple[int, int]
_SEP = r"[ \t\u200b\u3000\-–—‐‑−·•・.]"
_GROUP = re.compile(r"[0-9]+")
_RUN = re.compile(rf"[0-9]+(?:(?:{_SEP}{{1,3}}|[)）]{_SEP}?)[0-9]+)*")
_WIDE = r"[\s\u200b\-–—‐‑−·•・.、/()（）]"
# The words before a number that say whose it is. 电话费, 卡里 and 号码牌 are none of them.
_NAMED = re.compile(
    r"(?:手机|电话|座机|固话|热线|联系方式|号码|户号|户头|客户编?号|用户编?号|账号|帐号|账户|帐户|身份证|证件号?|银行卡|卡号"
    rf"|微信|[Qq]{{2}}|tel|phone|mobile)[^0-9，。；;！!？?\n费里]{{0,6}}([0-9](?:{_WIDE}{{0,2}}[0-9]){{{SHORT - 1},}})",
    re.IGNORECASE,
)
_MOBILE = re.compile(r"(?:86)?1[3-9][0-9]{9}")
_LANDLINE = re.compile(r"(?:86)?0[1-9][0-9]{1,2}[2-8][0-9]{6,7}")
_CERTIFICATE = re.compile(rf"(?<![0-9])[1-9](?:{_SEP}{{0,2}}[0-9]){{16}}{_SEP}{{0,2}}[0-9Xx](?![0-9])")
_HOTLINE = re.compile(r"[48]00-\d{3}-?\d{4}|[48]00-\d{4}-\d{3}|95598|12398|12345|1[12][0-9]")
# How people cut numbers into groups; 1-1-1-… is any number said digit by digit.
_MOBILE_SHAPES = {
    (3, 4, 4), (4, 3, 4), (4, 4, 3), (3, 3, 5), (3, 8), (7, 4), (5, 6), (6, 5), (3, 3, 3, 2), (3, 2, 2, 2, 2),
    (2, 2, 2, 2, 2, 1), (1, 2, 2, 2, 2, 2), (3, 4, 2, 2), (3, 2, 4, 2), (3, 3, 3, 1, 1), (2, 3, 3, 3), (4, 7),
}  # fmt: skip
_ACCOUNT_SHAPES = {
    (4, 4, 5), (3, 5, 5), (4, 5, 4), (5, 4, 4), (3, 4, 6), (6, 7), (7, 6), (3, 3, 3, 4), (4, 3, 3, 3), (3, 10),
    (4, 4, 4, 1), (3, 4, 3, 3), (3, 3, 4), (3, 4, 3), (4, 3, 3), (5, 5), (4, 6), (6, 4), (3, 7),
}  # fmt: skip
_CARD_SHAPES = {(4, 4, 4, 4), (4, 4, 4, 4, 1), (4, 4, 4, 4, 2), (4, 4, 4, 4, 3), (6, 10), (6, 13)}
_DATE = re.compile(r"(?:19|20)\d{2}[-/ .]?(?:0?[1-9]|1[0-2])[-/ .]?(?:0?[1-9]|[12]\d|3[01])(?!\d)")
_UNIT = re.compile(r"[ \u200b]?(?:元|块|度|万|千瓦|kwh?|kva|%|￥|¥)", re.IGNORECASE)
_SUM = re.compile(r"[¥￥$]\s?$")


def mark_numbers(marks: Marks) -> list[tuple[int, int]]:
    """Hide the numbers; return the stretches that are telephones, next to which names are to be expected."""
    phones: list[tuple[int, int]] = []
    for text in (marks.plain, marks.spoken):
        for found in _CERTIFICATE.finditer(text):
            if _born(re.sub(r"[^0-9Xx]", "", found[0])):
                marks.hide_digits(*found.span(), first=1, last=1)
        for run in _RUN.finditer(text):
            phones += _mark_run(marks, text, run)
        for found in _NAMED.finditer(text):
            _mark_named(marks, text, *found.span(1))
    return phones


def is_order_no(digits: str) -> bool:
    """Tell whether digits are the number of a work order (date and six figures, one more or less if mistyped), or a
    date with its time.
    """
    try:
        datetime.strptime(digits[:8], "%Y%m%d")
    except ValueError:
        return False
    if len(digits) == 12:
        return int(digits[8:10]) < 24 and int(digits[10:]) < 60
    return len(digits) in (13, 14, 15) and digits[:3] in ("202", "203")  # no account number begins so


def _mark_run(marks: Marks, text: str, run: re.Match[str]) -> Iterator[tuple[int, int]]:
    """Hide what is a number of somebody's in a run of groups of digits; yield the telephones."""
    if _HOTLINE.fullmatch(run[0]):
        return
    groups = [(run.start() + found.start(), run.start() + found.end()) for found in _GROUP.finditer(run[0])]
    for window in (*_singles(groups), *_windows(groups)):
        start, end = window[0][0], window[-1][1]
        digits = "".join(text[first:last] for first, last in window)
        kind = _kind(digits, tuple(last - first for first, last in window))
        if kind and not (len(window) > 1 and _UNIT.match(text, end)):
            marks.hide_digits(start, end, first=0 if kind == "card" else 3, last=4)
            if kind == "phone":
                yield start, end


def _singles(groups: list[_Span]) -> Iterator[list[_Span]]:
    """Yield the stretches of digits that are said one by one."""
    for single, stretch in groupby(groups, key=lambda span: span[1] - span[0] == 1):
        found = list(stretch)
        if single and len(found) >= LONG:
            yield found


def _windows(groups: list[_Span]) -> Iterator[list[_Span]]:
    """Yield the neighbouring groups that may be one number together."""
    for first in range(len(groups)):
        digits = 0
        for last in range(first, min(first + MOST_GROUPS, len(groups))):
            digits += groups[last][1] - groups[last][0]
            if digits >= LONG:
                yield groups[first : last + 1]
            if digits > LONGEST:
                break


def _kind(digits: str, shape: tuple[int, ...]) -> str | None:
    """Return what a window of groups is: phone, card, or another long number."""
    together = len(shape) == 1 or max(shape) == 1
    if _MOBILE.fullmatch(digits) and (together or _fits(shape, digits, _MOBILE_SHAPES)):
        return "phone"
    if _LANDLINE.fullmatch(digits) and (together or (shape[0] <= 4 and len(shape) <= 4 and min(shape) >= 2)):
        return "phone"
    if is_order_no(digits):
        return None
    if shape in _CARD_SHAPES and _luhn(digits):
        return "card"
    dated = re.match(r"(?:19|20)\d\d", digits) and len(digits) == LONG
    return "long" if together or (shape in _ACCOUNT_SHAPES and not dated) else None


def _fits(shape: tuple[int, ...], digits: str, shapes: set[tuple[int, ...]]) -> bool:
    bare = shape[1:] if digits.startswith("86") and len(digits) == 13 and shape[0] == 2 else shape
    return bare in shapes or bare == (11,)


def _mark_named(marks: Marks, text: str, start: int, end: int) -> None:
    digits = re.sub(r"\D", "", text[start:end])
    stands = text[start:end]
    if is_order_no(digits) or _HOTLINE.fullmatch(stands) or _DATE.match(stands) or _UNIT.match(text, end):
        return
    marks.hide_digits(start, end, first=3 if len(digits) >= LONG else 0, last=4 if len(digits) >= LONG else 2)


def _born(number: str) -> bool:
    """Tell whether a certificate number holds a day of birth."""
    try:
        return 1900 <= datetime.strptime(number[6:14], "%Y%m%d").year <= 2100
    except ValueError:
        return False


def _luhn(digits: str) -> bool:
    turned = [int(digit) for digit in reversed(digits)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in turned[1::2])
    return (sum(turned[::2]) + sum(doubled)) % 10 == 0
