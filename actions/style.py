"""Wording fitted to who asks (data/segments/service.yaml): other words around the same figures, never other figures.

Nothing is left out: plain wording puts one sentence on each line. What is said of a danger is the same for everybody.
"""

from __future__ import annotations

from dataclasses import replace
from unicodedata import category

from actions.reply import Reply
from core.text import SENTENCE_END

PLAIN = "plain"
_UNTOUCHED = "utter_danger"  # begins the responses that say what to do in a danger
_CLOSING = ("Pe", "Pf", "Po")  # brackets, quotation marks and further marks belong to the sentence before


def dressed(reply: Reply, style: str) -> Reply:
    """Return a reply in a style; its cards, buttons and commands are as they were."""
    if style != PLAIN or reply.response.startswith(_UNTOUCHED) or reply.handoff == "danger":
        return reply
    values = {name: by_lines(text) for name, text in reply.values.items()}
    return replace(reply, values=values, lead=by_lines(reply.lead))


def by_lines(text: str) -> str:
    """Return a text with each sentence on a line of its own; not a character is changed besides."""
    lines = ""
    for part in SENTENCE_END.split(text):
        joined = not lines or lines.endswith("\n") or not part or part[0].isspace() or category(part[0]) in _CLOSING
        lines += part if joined else f"\n{part}"
    return lines
