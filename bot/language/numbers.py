"""Reads written and spoken Chinese numerals, only inside spans that a caller has already matched."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

import cn2an

SPOKEN_DIGITS = {
    "零": "0", "〇": "0", "○": "0", "洞": "0", "一": "1", "幺": "1", "妖": "1", "腰": "1", "二": "2",
    "两": "2", "三": "3", "四": "4", "五": "5", "六": "6", "七": "7", "拐": "7", "八": "8", "九": "9",
}  # fmt: skip
_LONGEST_NUMERAL = 20
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_FOLD = {
    **_FULL_WIDTH,
    **str.maketrans("　\t\n\r\u00a0個號週點兩萬塊禮當後腊臘節", "     个号周点两万块礼当后腊腊节"),
}
_ARABIC = re.compile(r"\d{1,12}(?:\.\d{1,6})?")
_DIGIT = "[0-9零〇一二两三四五六七八九]"
_YUAN = re.compile(
    rf"(?P<yuan>[^块元圆毛角分]+)(?:块|元|圆)(?:零(?P<low>{_DIGIT}))?(?P<jiao>{_DIGIT})?[毛角]?(?P<fen>{_DIGIT})?分?钱?"
)
_JIAO = re.compile(rf"(?P<jiao>{_DIGIT})[毛角](?P<fen>{_DIGIT})?分?钱?")
_FEN = re.compile(rf"(?P<fen>{_DIGIT})分钱?")


class NotANumber(ValueError):
    """The span is no number in any form that customers use."""


def fold(text: str) -> str:
    """Return the text with full-width and traditional forms made plain; its length never changes."""
    return text.translate(_FOLD)


def read_digits(span: str) -> str:
    """Return the digits that a dictated number says (四二零幺 -> 4201), separators left out."""
    digits = "".join(SPOKEN_DIGITS.get(char, char if char in "0123456789" else "") for char in fold(span))
    if not digits:
        raise NotANumber(span)
    return digits


def read_count(span: str) -> int:
    """Return a small whole number (十一, 廿五, 俩, 12) as an int."""
    number = read_number({"俩": "两", "仨": "三"}.get(span, span))
    if number != int(number):
        raise NotANumber(span)
    return int(number)


def read_number(span: str) -> Decimal:
    """Return the value of one numeral (2160, 1万2, 两百三, 一百二十点五)."""
    plain = fold(span).replace(",", "").replace(" ", "")
    if _ARABIC.fullmatch(plain):
        return Decimal(plain)
    if not plain or len(plain) > _LONGEST_NUMERAL:
        raise NotANumber(span)
    try:
        return Decimal(str(cn2an.cn2an(plain, "smart")))
    except (ValueError, KeyError, IndexError, TypeError, InvalidOperation) as error:
        raise NotANumber(span) from error


def read_yuan(span: str) -> Decimal:
    """Return a sum of money in yuan with two decimals (二百三十五块六 -> 235.60, 五毛八 -> 0.58)."""
    plain = fold(span).replace(" ", "").strip("¥￥")
    for pattern in (_YUAN, _JIAO, _FEN):
        match = pattern.fullmatch(plain)
        if match:
            return _cents(_add_up(match.groupdict()))
    return _cents(read_number(plain))


def _add_up(parts: dict[str, str | None]) -> Decimal:
    yuan = read_number(parts["yuan"] or "0") if "yuan" in parts else Decimal(0)
    jiao = int(read_digits(parts.get("jiao") or "0"))
    fen = int(read_digits(parts.get("fen") or parts.get("low") or "0"))
    return yuan + Decimal(jiao) / 10 + Decimal(fen) / 100


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
