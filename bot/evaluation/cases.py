"""The labelled messages of tests/nlu, the one reader of their files, and what a model read in each of them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FALLBACK = "nlu_fallback"
COLUMNS = 3
Entity = tuple[str, str]


class BadLine(ValueError):
    """A line of a labelled file is not `text, intent, entities as JSON`, divided by tabs."""


class NoSets(ValueError):
    """There is no file of labelled messages to measure with."""


@dataclass(frozen=True)
class Line:
    """One labelled message; two wishes are written `a+b`; entities are mappings with `entity` and `value`."""

    text: str
    intent: str
    entities: list[dict[str, str]]


@dataclass(frozen=True)
class Case:
    """One labelled message of a set, and the answer of Rasa's parser to it."""

    set: str
    text: str
    intent: str
    entities: list[dict[str, str]]
    read: dict[str, Any]
    seconds: float

    @property
    def top(self) -> str:
        """The intent that the model decided for; `nlu_fallback` if it would not say."""
        return str(self.read["intent"]["name"] or FALLBACK)

    @property
    def confidence(self) -> float:
        """The confidence of that intent."""
        return float(self.read["intent"].get("confidence") or 0.0)

    @property
    def wanted(self) -> frozenset[str]:
        """The intents that people saw in the message, two of them in a double one."""
        return frozenset(self.intent.split("+"))

    @property
    def named(self) -> frozenset[str]:
        """The intents that the model decided for."""
        return frozenset(self.top.split("+"))

    @property
    def double(self) -> bool:
        """Whether people saw more than one wish."""
        return "+" in self.intent

    @property
    def right(self) -> bool:
        """Whether the model named just the intents that people saw; of a double message in either order."""
        return self.wanted == self.named

    @property
    def guess(self) -> tuple[str, float]:
        """The intent and confidence that the model would have decided for if it never rejected."""
        if self.top != FALLBACK or not self.ranking:
            return self.top, self.confidence
        return self.ranking[0]

    @property
    def second(self) -> tuple[str, float]:
        """The likeliest intent beside the decided one (of a rejected message: the rejected), or ("", 0)."""
        others = [each for each in self.ranking if each[0] != self.top and each[0] not in self.named]
        return others[0] if others else ("", 0.0)

    @property
    def ranking(self) -> list[tuple[str, float]]:
        """Intents and confidences, the likeliest first."""
        return [(str(each["name"]), float(each["confidence"])) for each in self.read.get("intent_ranking") or []]

    @property
    def entities_wanted(self) -> Counter[Entity]:
        """What people marked: (entity, value), each as often as it is there."""
        return _multiset(self.entities)

    @property
    def entities_read(self) -> Counter[Entity]:
        """What the model found, alike."""
        return _multiset(self.read.get("entities") or [])


def read_lines(path: Path) -> list[Line]:
    """Return the messages of a tab-divided file of three columns; raises BadLine, which names the line."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [_line(row, f"{path.name} line {number}") for number, row in enumerate(rows, 1) if row]


def read_sets(folder: Path) -> dict[str, list[Line]]:
    """Return each file of labelled messages in the folder by its name without ending.

    Raises:
        NoSets: if the folder holds no file of this form.
        BadLine: if a file that begins in this form goes on in another.
    """
    found = {path.stem: read_lines(path) for path in sorted(folder.glob("*.tsv")) if _is_set(path)}
    if not found:
        raise NoSets(f"no .tsv file with {COLUMNS} columns in {folder}")
    return found


def _is_set(path: Path) -> bool:
    with path.open(encoding="utf-8", newline="") as file:
        first = file.readline()
    return not first.strip() or first.count("\t") == COLUMNS - 1


def _line(row: list[str], where: str) -> Line:
    if len(row) != COLUMNS:
        raise BadLine(f"{where}: {len(row)} columns where text, intent and entities are expected")
    text, intent, written = row
    if not all(part and part == part.strip() for part in intent.split("+")):
        raise BadLine(f"{where}: no intent, or half of a double one, in {intent!r}")
    return Line(text, intent, _entities(written, where))


def _entities(written: str, where: str) -> list[dict[str, str]]:
    try:
        entities = json.loads(written)
        return [{"entity": str(each["entity"]), "value": str(each["value"])} for each in entities]
    except (ValueError, KeyError, TypeError) as error:
        raise BadLine(f"{where}: the entities are not a JSON list of entity and value: {written!r}") from error


def _multiset(entities: Iterable[dict[str, Any]]) -> Counter[Entity]:
    return Counter((str(each["entity"]), str(each["value"])) for each in entities)
