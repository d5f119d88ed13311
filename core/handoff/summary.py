"""What travels with a case: the wish, what was understood and looked up so far, what is still missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.conversation import Message
from core.handoff.book import Book

_BACK = timedelta(hours=1)  # what was talked about before is another matter
_MOST = 80  # messages
CANCEL = "cancel"  # the intent that gives up an open form


def talk_of(session: Session, conversation_id: str, *, now: datetime) -> list[Message]:
    """Return the latest messages of a conversation, in order."""
    query = select(Message).where(Message.conversation_id == conversation_id, Message.at > now - _BACK)
    return list(reversed(session.scalars(query.order_by(Message.seq.desc()).limit(_MOST)).all()))


def intents_of(talk: Iterable[Message], *, book: Book) -> list[str]:
    """Return what was wanted, in order, the latest last; neither small talk nor a form given up is wanted."""
    wanted: list[str] = []
    begun: int | None = None  # how much was wanted before the form that is open
    for understood in (row.understood or {} for row in talk if row.author == "customer"):
        named = [one for one in str(understood.get("intent") or "").split("+") if one]
        if CANCEL in named and begun is not None and not understood.get("form"):
            del wanted[begun:]
        begun = (len(wanted) if begun is None else begun) if understood.get("form") else None
        wanted += [one for one in named if one not in book.rules.small_talk]
    return wanted


def summary_of(talk: Iterable[Message], *, book: Book) -> dict[str, Any]:
    """Return {wish, understood, checked, missing, intents} in words for customer and agent."""
    rows = list(talk)
    intents = intents_of(rows, book=book)
    wishes = [book.labels[intent] for intent in intents if intent in book.labels]
    form = _form(rows)
    values: Mapping[str, Any] = form.get("values") or {}
    cards = [book.words.summary.cards[row.type] for row in rows if row.type in book.words.summary.cards]
    title = str(form.get("title") or "")
    return {
        "wish": title or next(reversed(wishes), ""),
        "understood": [f"{label} {value}" for label, value in values.items()] or _last(wishes[:-1], 3),
        "checked": _last(cards, 4),
        "missing": [str(label) for label in form.get("missing") or []],
        "intents": _last(intents, 5),
    }


def danger_first(summary: Mapping[str, Any], said: str, *, book: Book) -> dict[str, Any]:
    """Return a summary that begins with the danger, in the customer's words; what was wanted before follows."""
    wishes = [said.strip(), str(summary.get("wish") or "")]
    return {**summary, "wish": book.words.summary.separator.join(one for one in wishes if one)}


def _form(rows: list[Message]) -> Mapping[str, Any]:
    """Return the form that was open after the last turn, {} if none was."""
    for row in reversed(rows):
        if row.author == "customer" and row.understood:
            form = row.understood.get("form")
            return form if isinstance(form, Mapping) else {}
    return {}


def _last(items: list[str], count: int) -> list[str]:
    """Return the last few different ones, in order."""
    return list(dict.fromkeys(reversed(items)))[:count][::-1]
