"""Turns a message into the reading that the classifier sees; the message itself keeps its text and offsets."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

# Longer messages keep their opening and their end, where customers put what they want.
READING_LIMIT = 240
_TAIL = 80

_REPEATED_MARK = re.compile(r"([^\w\s])\1+")
_REPEATED_LETTER = re.compile(r"([^\W\d])\1{2,}")
_SPACE = re.compile(r"\s+")
_HESITATION = re.compile(r"(?:^|(?<=[\s,，。.、!！?？]))[呃额嗯啊哎诶]+[\s,，。.、…]+(?=\w)")
_HAN = re.compile(r"[\u3400-\u9fff]")


def reading_of(text: str) -> str:
    """Return text as the classifier reads it: simplified, folded, without invisible marks; at most 240 characters."""
    folded = unicodedata.normalize("NFKC", _shorten(text, READING_LIMIT * 4))
    visible = _SPACE.sub(" ", "".join(_visible(sign) for sign in folded)).strip()
    plain = _REPEATED_LETTER.sub(r"\1\1", _REPEATED_MARK.sub(r"\1", visible.lower()))
    return _shorten(_HESITATION.sub("", simplify(plain)), READING_LIMIT)


def simplify(text: str) -> str:
    """Return text with traditional characters written as simplified ones; unchanged if it holds no Han character."""
    return str(_converter().convert(text)) if _HAN.search(text) else text


def _visible(sign: str) -> str:
    """Return a space for any kind of blank or control and nothing for invisible formatting characters."""
    category = unicodedata.category(sign)
    if category in ("Cc", "Zl", "Zp", "Zs"):
        return " "
    return "" if category in ("Cf", "Cn", "Co", "Cs", "Mn", "Me") else sign


def _shorten(text: str, limit: int) -> str:
    """Return the head and the last 80 characters of a text that is longer than limit."""
    return text if len(text) <= limit else f"{text[: limit - _TAIL - 1]} {text[-_TAIL:]}"


@lru_cache(maxsize=1)
def _converter() -> Any:
    # Imported late: the dictionaries take a moment and only the classifier needs them.
    from opencc import OpenCC

    return OpenCC("t2s")
