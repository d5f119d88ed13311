"""The evaluation of one model as a document for programs: the figures of every set, and what became of each message.

Two such documents over the same sets can be compared message by message. Messages are named by a hash of their text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cases import Case
from .figures import ALL, DANGER, OUTSIDE, figures_of, groups, share
from .progress import noticed

VERSION = 1
KNOWLEDGE, ADDRESSES = "knowledge", "addresses"  # how the names of the sets of two columns begin
_NOTHING = "-"
_TIMES = ("median_ms", "p95_ms")  # of the machine and its load, not of the model


@dataclass(frozen=True)
class Question:
    """A question, with the items of knowledge of which each answers it; none: nothing does."""

    text: str
    ids: frozenset[str]


def read_questions(folder: Path) -> dict[str, list[Question]]:
    """Return the files of questions of a folder by their names: text, ids divided by commas or `-`."""
    found = {}
    for path in sorted(folder.glob(f"{KNOWLEDGE}*.tsv")):
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]
        found[path.stem] = [Question(text, frozenset(ids.split(",")) - {_NOTHING}) for text, ids in rows]
    return found


def read_places(folder: Path) -> dict[str, list[tuple[str, list[str]]]]:
    """Return the messages with the places that they name, as they are written, by the name of their file."""
    found = {}
    for path in sorted(folder.glob(f"{ADDRESSES}*.tsv")):
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]
        found[path.stem] = [(text, list(json.loads(values))) for text, values in rows]
    return found


def document(
    model: Path, folder: Path, cases: Sequence[Case], names: Sequence[str], read: Callable[[str], Mapping[str, Any]],
    show: Callable[[str], None] = lambda _line: None,
) -> dict[str, Any]:  # fmt: skip
    """Return figures and messages of all sets of the folder; `cases` are read already, `read` reads the others.

    `show` gets the progress, as that of `Reader.read_sets`.
    """
    figures = {name: _without_times(figures_of(found)) for name, found in groups(cases, names).items()}
    messages = {name: [_message(case) for case in found] for name, found in groups(cases, names).items() if name != ALL}
    for name, questions in read_questions(folder).items():
        messages[name] = [_answered(one, read(one.text)) for one in noticed(name, questions, show)]
        figures[name] = _knowledge_figures(messages[name])
    for name, rows in read_places(folder).items():
        messages[name] = [_placed(text, values, read(text)) for text, values in noticed(name, rows, show)]
        exact = share(sum(one["right"] for one in messages[name]), len(rows))
        figures[name] = {"messages": len(rows), "addresses_exact": exact}
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    return {"version": VERSION, "model": model.name, "sha256": sha256, "figures": figures, "messages": messages}


def _without_times(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    return {key: value for key, value in figures.items() if key not in _TIMES}


def _message(case: Case) -> dict[str, Any]:
    return {
        "key": _key(case.text), "single": not case.double, "right": case.right,
        "danger": DANGER in case.wanted, "danger_read": DANGER in case.named,
        "outside": OUTSIDE in case.wanted, "outside_read": OUTSIDE in case.named,
        "entities_right": case.entities_wanted == case.entities_read,
    }  # fmt: skip


def _answered(question: Question, read: Mapping[str, Any]) -> dict[str, Any]:
    hits = read.get("knowledge") or []
    first = str(hits[0]["id"]) if hits else None
    right = first in question.ids if question.ids else first is None
    return {"key": _key(question.text), "known": bool(question.ids), "answered": first is not None, "right": right}


def _knowledge_figures(messages: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    known = [one for one in messages if one["known"]]
    unknown = [one for one in messages if not one["known"]]
    wrong = sum(one["answered"] and not one["right"] for one in known)
    return {
        "messages": len(messages),
        "answered_right": share(sum(one["right"] for one in known), len(known)),
        "answered_wrong": share(wrong, len(known)),
        "answered_in_vain": share(sum(one["answered"] for one in unknown), len(unknown)),
    }


def _placed(text: str, values: list[str], read: Mapping[str, Any]) -> dict[str, Any]:
    entities = read.get("entities") or []
    return {"key": _key(text), "right": [one["value"] for one in entities if one["entity"] == "address"] == values}


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
