"""General knowledge from `data/knowledge/*.yaml`: one item a question, with date, source and certainty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

LONGEST_ANSWER = 120  # characters: read on a phone, at one look
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2)]


class KnowledgeError(ValueError):
    """A file of knowledge is not as it should be."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")


class UnknownItem(KeyError):
    """No item has this id, for instance because the language model was trained with other files."""


class Item(BaseModel):
    """One answer: the question, other ways in which customers put it, and how sure the answer is.

    `date` (YYYY-MM) and `source` are those of the facts; `intents` are the topics whose actions may use it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=r"^[a-z]+_[a-z0-9_]+$")]
    question: Text
    also: Annotated[tuple[Text, ...], Field(min_length=3, max_length=6)]
    answer: Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=LONGEST_ANSWER)]
    region: Literal["hubei", "national"]
    date: Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
    source: Text
    status: Literal["verified", "secondary", "unverified"]
    intents: tuple[str, ...] = ()

    @property
    def year(self) -> int:
        """Return the year of the facts."""
        return int(self.date[:4])

    @property
    def month(self) -> int:
        """Return the month of the facts, 1 to 12."""
        return int(self.date[5:])


class Knowledge:
    """All items by their id."""

    def __init__(self, items: Iterable[Item]) -> None:
        """Keep the items; raises KnowledgeError if two share an id or a wording."""
        self._items: dict[str, Item] = {}
        wordings: dict[str, str] = {}
        for item in items:
            if item.id in self._items:
                raise KnowledgeError(item.id, "the id is given twice")
            for wording in (item.question, *item.also):
                if wording in wordings:
                    raise KnowledgeError(item.id, f"{wordings[wording]} has the same wording: {wording}")
                wordings[wording] = item.id
            self._items[item.id] = item

    @classmethod
    def load(cls, directory: Path) -> Knowledge:
        """Read all files of a directory.

        Raises:
            KnowledgeError: naming file and key, if one cannot be read, misses something or has too much.
        """
        return cls(item for file in sorted(directory.glob("*.yaml")) for item in _read(file))

    def joined(self, others: Iterable[Item]) -> Knowledge:
        """Return this with other items, but for those whose id or wording is known here already: ours comes first."""
        ids = set(self._items)
        wordings = {text for item in self.items for text in (item.question, *item.also)}
        return Knowledge([
            *self.items,
            *(one for one in others if one.id not in ids and wordings.isdisjoint((one.question, *one.also))),
        ])  # fmt: skip

    def get(self, item_id: str) -> Item:
        """Return an item; raises UnknownItem."""
        try:
            return self._items[item_id]
        except KeyError:
            raise UnknownItem(item_id) from None

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._items

    def __len__(self) -> int:
        return len(self._items)

    @property
    def items(self) -> tuple[Item, ...]:
        """Return all items in the order of the files."""
        return tuple(self._items.values())


def _read(file: Path) -> list[Item]:
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise KnowledgeError(file.name, f"cannot be read: {problem}") from problem
    if not isinstance(tree, Mapping) or set(tree) - {"defaults", "items"} or not isinstance(tree.get("items"), list):
        raise KnowledgeError(file.name, "must hold `items`, and may hold `defaults`")
    return [_item(file.name, number, tree.get("defaults") or {}, entry) for number, entry in enumerate(tree["items"])]


def _item(file: str, number: int, defaults: Any, entry: Any) -> Item:
    if not isinstance(entry, Mapping) or not isinstance(defaults, Mapping):
        raise KnowledgeError(file, f"items.{number} is no mapping")
    try:
        return Item.model_validate({**defaults, **entry})
    except ValidationError as problem:
        first = problem.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        raise KnowledgeError(file, f"items.{number} ({entry.get('id')}).{key}: {first['msg']}") from problem
