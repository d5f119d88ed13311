"""The table of businesses (业务): a row says what a customer needs, how long it takes, what it costs, what is asked.

The rows stand in `data/business/<topic>.yaml`. The form, the answer to "what do I need", the order and its progress
all follow from the row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

Kind = Literal[
    "text", "name", "phone", "address", "choice", "yes_no", "number", "capacity", "energy", "amount", "date", "photo",
]  # fmt: skip
Unit = Literal["minutes", "hours", "days", "working_days"]
Month = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,29}$")]


class BusinessDataError(Exception):
    """A file of the table is wrong; says which and where."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Option(_Strict):
    """One answer to a choice; `words` are other ways to say it (regular expressions)."""

    value: Key
    label: str
    words: tuple[str, ...] = ()


class Field(_Strict):
    """One thing that a form needs.

    `default` tells where it is taken from without asking: the customer's telephone on file, the account's address, or
    the message that opened the form. `when` asks it only if other fields have one of these values. `pattern` is
    what a text must hold (a tax number). `past`: the day lies behind (when it broke), else it lies ahead.
    """

    name: Key
    kind: Kind
    label: str
    ask: str
    optional: bool = False
    options: tuple[Option, ...] = ()
    default: Literal["customer", "account", "message"] | None = None
    when: Mapping[str, tuple[str, ...]] = {}
    unit: str | None = None
    pattern: str | None = None
    past: bool = False
    min: float | None = None
    max: float | None = None
    hint: str | None = None

    @model_validator(mode="after")
    def _choice_has_options(self) -> Self:
        if (self.kind == "choice") != bool(self.options):
            raise ValueError("options belong to a choice, and a choice needs them")
        for expression in (self.pattern or "", *(word for option in self.options for word in option.words)):
            re.compile(expression)
        return self


class Limit(_Strict):
    """The time that a business takes: what is said, and the same as a figure for the promise ledger."""

    text: str
    amount: int
    unit: Unit


class Business(_Strict):
    """One row of the table."""

    key: Key
    title: str
    intent: str
    words: tuple[str, ...] = ()
    category: Annotated[str, StringConstraints(pattern=r"^[^→]+(→[^→]+){1,2}$", max_length=120)]
    priority: Literal["normal", "urgent"] = "normal"
    assurance: Literal[0, 1, 2]
    account: Literal["required", "optional", "none"]
    about: str
    papers: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    limit: Limit | None = None
    promise: Literal["arrival", "restore", "contact", "answer", "complete"] | None = None
    fee: str | None = None
    notes: tuple[str, ...] = ()
    region: str
    date: Month
    source: str
    status: Literal["verified", "secondary", "unverified"]
    lead: bool = False
    person: Literal["complaint", "special_service", "high_risk"] | None = None  # why a person is offered afterwards
    joins: bool = True  # a second order of the same matter becomes part of the first
    unavailable: str | None = None
    intro: str | None = None
    done: str | None = None
    fields: tuple[Field, ...] = ()

    @model_validator(mode="after")
    def _fields_fit(self) -> Self:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            raise ValueError("two fields have the same name")
        for field in self.fields:
            unknown = set(field.when) - set(names)
            if unknown:
                raise ValueError(f"{field.name} depends on {sorted(unknown)}, which is no field")
        if self.promise and self.limit is None:
            raise ValueError("a promise needs a limit")
        return self

    def field(self, name: str) -> Field:
        """Return a field by its name; KeyError if there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    def fits(self, text: str) -> bool:
        """Tell whether the words of the row are in the text."""
        return any(re.search(word, text) for word in self.words)


class BusinessTable:
    """All rows, by key and by the intent that starts them."""

    def __init__(self, rows: Sequence[Business]) -> None:
        self._rows = {row.key: row for row in rows}
        if len(self._rows) != len(rows):
            keys = [row.key for row in rows]
            raise BusinessDataError(f"rows of the same key: {sorted({key for key in keys if keys.count(key) > 1})}")

    @classmethod
    def load(cls, directory: Path) -> BusinessTable:
        """Read all files of a directory.

        Raises:
            BusinessDataError: if one is not of the form of `Business`.
        """
        return cls([row for file in sorted(directory.glob("*.yaml")) for row in _rows(file)])

    def __iter__(self) -> Iterator[Business]:
        return iter(self._rows.values())

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def get(self, key: str) -> Business:
        """Return a row; KeyError if there is none."""
        return self._rows[key]

    def of_intent(self, intent: str) -> list[Business]:
        """Return the rows that an intent may start, in the order of the files."""
        return [row for row in self if row.intent == intent]

    def choose(self, intent: str, text: str) -> list[Business]:
        """Return the rows that a message means: those whose words are in it, else those without words, else all."""
        rows = self.of_intent(intent)
        return [row for row in rows if row.fits(text)] or [row for row in rows if not row.words] or rows


def _rows(file: Path) -> Iterator[Business]:
    tree = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    for key, row in (tree.get("businesses") or {}).items():
        try:
            yield Business.model_validate({"key": key, **row})
        except (ValidationError, re.error, TypeError) as error:
            raise BusinessDataError(f"{file.name}: {key}: {error}") from error
