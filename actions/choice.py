"""Which of several accounts a customer means: by buttons, or by words (第二个, 汉阳那套, 充电桩那个, 尾号0417)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from actions.labels import Labels
from actions.question import Question
from core.account import AccountView

__all__ = ["AccountView", "buttons", "by_words"]

_TAIL = re.compile(r"(?<!\d)\d{3,6}(?!\d)")


def buttons(views: Sequence[AccountView], labels: Labels) -> list[tuple[str, str]]:
    """Return a button for each account: (title, payload)."""
    return [(_title(view, labels), "/inform" + json.dumps({"account_no": view.account_no})) for view in views]


def by_words(views: Sequence[AccountView], question: Question, labels: Labels) -> list[str]:
    """Return the numbers of the accounts that most of the words fit: none if no word fits any."""
    scores = [_score(place, view, question, labels) for place, view in enumerate(views)]
    best = max(scores, default=0)
    return [view.account_no for view, score in zip(views, scores, strict=True) if score == best > 0]


def _title(view: AccountView, labels: Labels) -> str:
    address = re.sub(labels.address_noise, "", view.masked_address)
    return labels.account_button.format(
        address=address, class_name=labels.user_class[view.user_class], tail=view.account_no[-4:]
    )


def _score(place: int, view: AccountView, question: Question, labels: Labels) -> int:
    """Return how many hints of the message point at this account."""
    text = question.text
    ordinals = labels.ordinals[place] if place < len(labels.ordinals) else []
    return (
        any(re.search(f"{word}(?![{labels.not_after_ordinal}])", text) is not None for word in ordinals)
        + _is_of_class(view, question, labels)
        + any(view.account_no.endswith(digits) for digits in _TAIL.findall(text))
        + sum(name in text for name in _places(view.masked_address, labels.place_endings))
    )


def _is_of_class(view: AccountView, question: Question, labels: Labels) -> bool:
    words = labels.class_words.get(view.user_class, [])
    return view.user_class in question.values("tariff_class") or any(word in question.text for word in words)


def _places(address: str, endings: str) -> set[str]:
    """Return the names in a masked address without their endings: 汉阳, 琴台, 钟家小院."""
    return {part for part in re.split(f"[{endings}*]+", address) if len(part) > 1}
