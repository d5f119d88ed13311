"""A text beside its plain forms, character by character, and which of its characters are to be hidden."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

GAP = "\u200b"  # stands for every character that nobody sees
HIDE, DOOR = 1, 2  # one star for the character; two stars for the whole run of them
_SPOKEN = str.maketrans("〇零一幺二三四五六七八九壹贰叁肆伍陆柒捌玖", "001123456789123456789")
_DOORS = re.compile(f"{chr(DOOR)}+")
# What people put between the digits of a number they spell.
_JOINT = re.compile(r"[\s\u200b\-–—‐‑−~·•・.,，。、;；:：/\\|_+()（）\[\]【】'\"“”]")


def plain(text: str) -> str:
    """Return the text with every character in its plainest form: one width, one script of digits; same length."""
    return "".join(_plain(char) for char in text)


def spoken(text: str) -> str:
    """Return a plain text with Chinese digits as figures; same length."""
    return text.translate(_SPOKEN)


def solid(text: str) -> str:
    """Return a value as it is compared: plain, Chinese digits as figures, lower case, nothing between."""
    return "".join(char for char in spoken(plain(text)) if not _JOINT.fullmatch(char)).lower()


class Marks:
    """Which characters of a text are hidden."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain = plain(text)
        self.spoken = spoken(self.plain)
        self._marks = bytearray(len(text))
        self._places = [place for place, char in enumerate(self.spoken) if not _JOINT.fullmatch(char)]
        self._solid = "".join(self.spoken[place].lower()[:1] for place in self._places)

    def find(self, value: str) -> Iterator[tuple[int, int]]:
        """Yield where a solid value stands, also where joints are strewn in it, and where occurrences overlap."""
        at = self._solid.find(value) if value else -1
        while at >= 0:
            yield self._places[at], self._places[at + len(value) - 1] + 1
            at = self._solid.find(value, at + 1)

    def hide(self, start: int, end: int, how: int = HIDE) -> None:
        """Hide the characters from `start` to before `end`; one star each is stronger than two for the run."""
        for place in range(start, end):
            self._marks[place] = HIDE if how == HIDE else (self._marks[place] or how)

    def hide_digits(self, start: int, end: int, *, first: int, last: int) -> None:
        """Hide the digits between the `first` and the `last` ones of a stretch; joints stay."""
        digits = [place for place in range(start, end) if self.spoken[place].isalnum()]
        for place in digits[first : len(digits) - last]:
            self.hide(place, place + 1)

    def hidden(self, start: int, end: int) -> bool:
        """Tell whether something of the stretch is hidden already."""
        return any(self._marks[start:end])

    def result(self) -> str:
        """Return the text with what is hidden replaced."""
        if not any(self._marks):
            return self.text
        kept = {0: None, HIDE: "*", DOOR: chr(DOOR)}
        shown = "".join(kept[mark] or char for char, mark in zip(self.text, self._marks, strict=True))
        return _DOORS.sub("**", shown)


def _plain(char: str) -> str:
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    if unicodedata.category(char) in ("Cf", "Mn", "Me", "Cc") and char not in "\n\t":
        return GAP
    simple = unicodedata.normalize("NFKC", char)
    return simple if len(simple) == 1 else char
