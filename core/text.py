"""Text as customers send it: what is invisible goes, what is typed stays typed."""

from __future__ import annotations

import re
import unicodedata

# Everything that a reader cannot see but a program can be misled by: controls, zero widths, direction marks, tags,
# halves of characters, and letters that stand for nothing (Hangul fillers, the empty Braille cell).
_INVISIBLE = {"Cc", "Cf", "Cs", "Cn"}
_FILLERS = set("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_KEPT = {"\n", "\t"}
# Newer than this Python's tables, yet real: emoji and the rare characters of people's names (later CJK extensions).
_LATER = (range(0x1F000, 0x1FC00), range(0x20000, 0x3FFFE))
SENTENCE_END = re.compile(r"(?<=[。！？])")
# What stands around an answer and is no part of it.
PUNCTUATION = " ，,。.、;；!！~"
_LEADING = re.compile(r"^[\s/\\／＼﹨⁄∕⧸⧵╱╲]+")


def clean(text: str) -> str:
    """Return the text without invisible characters and outer blanks; line breaks stay."""
    return "".join(char for char in text if _is_shown(char)).strip()


def typed(text: str) -> str:
    """Return typed text in a form that Rasa cannot take for a command.

    Rasa obeys `/intent{"slot": …}` with confidence 1.0. A leading slash of any width, behind any blanks, goes; what
    remains is ordinary text for the model.
    """
    return _LEADING.sub("", clean(text)).strip() or "…"


def folded(text: str) -> str:
    """Return the text for matching: compatibility forms unified, no blanks, lower case."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", clean(text))).lower()


def _is_shown(char: str) -> bool:
    if char in _KEPT:
        return True
    category = unicodedata.category(char)
    if category == "Cn":
        return any(ord(char) in block for block in _LATER)
    return category not in _INVISIBLE and char not in _FILLERS
