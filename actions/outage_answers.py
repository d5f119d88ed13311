"""How answers in the talk about an outage are read: how far it reaches, a place in the list, and asides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.form_fields import CHINESE_DIGITS
from core.text import PUNCTUATION, clean, folded

if TYPE_CHECKING:
    from actions.outage_words import OutageWords
    from actions.question import Question

SCOPES = ("household", "building", "area")
HOUSEHOLD = "household"
# The patterns of data/phrases/outage.yaml that tell how far an outage reaches.
SCOPE_WORDS = ("not_only", "household", "area", "building", "others_lit", "them_too")
# What buttons with a payload of their own mean in the talk, when their number is said instead.
MEANING = {"/ask_reconnection": "paid", "/report_danger": "smell"}


class Answers:
    """Reads what customers say about an outage; the patterns stand in data/phrases/outage.yaml under `words`."""

    def __init__(self, words: OutageWords) -> None:
        self._words = words

    def scope(self, text: str) -> str:
        """Return how far the outage reaches (household, building or area), empty if the text does not tell.

        不是只有我家 is no household; a building or an area that is named counts before a lit window next door.
        """
        rest = self._pattern("not_only").sub(" ", text)
        for name in ("household", "area", "building"):
            if self._has(name, rest):
                return name
        if self._has("others_lit", rest):
            return HOUSEHOLD
        return "building" if rest != text or self._pattern("them_too").fullmatch(text.strip()) else ""

    def scope_told(self, question: Question) -> str:
        """Return the reach that a message tells without being asked; a question (是不是只有我家停) tells none."""
        text = "" if question.text.startswith("/") else question.text
        if self._has("doubt", text):
            return ""
        said = [one for one in question.values("outage_scope") if one in SCOPES]
        return self.scope(text) or (said[0] if said else "")

    def wider(self, text: str) -> str:
        """Return the reach if a text takes back that it is the own household alone."""
        found = "" if text.startswith("/") or self._has("doubt", text) else self.scope(text)
        return found if found != HOUSEHOLD else ""

    def place_in_list(self, text: str) -> int | None:
        """Return which of the offered answers is meant (第一个 is 0), None if the text is no ordinal."""
        found = self._pattern("ordinal").fullmatch(folded(text).rstrip(PUNCTUATION))
        return int(found[1].translate(CHINESE_DIGITS)) - 1 if found else None

    def is_back(self, text: str) -> bool:
        """Tell whether a text says that there is power again."""
        return bool(self._pattern("restored").fullmatch(clean(text)))

    def phone(self, question: Question) -> str:
        """Return a telephone number that is given by the way, empty if none."""
        text = re.sub(r"(?<=\d)[ -](?=\d)", "", question.text)
        found = self._pattern("phone").search(text)
        return found[0] if found else ""

    def account_no(self, question: Question) -> str:
        """Return an account number that is named, empty if none."""
        found = question.values("account_no") or self._pattern("told_no").findall(question.text)
        return str(found[0]) if found else ""

    def place(self, text: str) -> str:
        """Return a text without the telephone and account numbers in it, which are no part of an address."""
        return self._pattern("contact").sub("", text).strip(PUNCTUATION)

    def _has(self, name: str, text: str) -> bool:
        return bool(self._pattern(name).search(text))

    def _pattern(self, name: str) -> re.Pattern[str]:
        return re.compile(self._words.raw(f"words.{name}"))
