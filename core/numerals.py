"""Numbers as people say them (三千四百二, 一万二千三百九, 七七三六), in figures."""

from __future__ import annotations

import re

_SAID = ("零〇", "一", "二两", "三", "四", "五", "六", "七", "八", "九")
_DIGITS = {digit: value for value, digits in enumerate(_SAID) for digit in digits}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_WORDS = re.compile(f"[{''.join(_DIGITS)}十][{''.join(_DIGITS)}{''.join(_UNITS)}]+")


def in_figures(text: str) -> str:
    """Return the text with its spoken numbers of at least two characters in Arabic figures."""
    return _WORDS.sub(lambda found: str(_value(found[0])), text)


def _value(word: str) -> int | str:
    """Return the value of a spoken number; digits said one by one stay a row of digits (leading zeros too)."""
    if not any(char in _UNITS for char in word):
        return "".join(str(_DIGITS[char]) for char in word)
    total = section = digit = 0
    unit = 1
    for place, char in enumerate(word):
        if char in _DIGITS:
            digit = _DIGITS[char]
            # After a zero the last digit is one of the ones (三千零五), else of the next lower unit (三千五).
            last = place == len(word) - 1
            if last and unit > 10 and word[place - 1] not in "零〇":
                digit *= unit // 10
            continue
        unit = _UNITS[char]
        if char == "万":
            total, section, digit = (total + section + digit) * unit, 0, 0
        else:
            section, digit = section + (digit or 1) * unit, 0
    return total + section + digit
