"""Single facts with region, date and source, from `data/facts/*.yaml`: what may be said, and how sure it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

FACTS_DATA = Path("data/facts")

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class FactsError(ValueError):
    """A file of facts that is not as it should be, or a fact that does not exist."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")


class Fact(BaseModel):
    """One fact: `text` as customers read it, `date` (YYYY-MM) and `source` of it, and how sure it is.

    `words` is a pattern of the questions that it answers; without it the fact is only found by its key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")]
    text: Text
    region: Literal["hubei", "national"]
    date: Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
    source: Text
    status: Literal["verified", "secondary", "unverified"]
    words: str | None = None

    @field_validator("words")
    @classmethod
    def _is_pattern(cls, words: str | None) -> str | None:
        try:
            re.compile(words or "")
        except re.error as error:
            raise ValueError(f"no pattern: {error}") from error
        return words

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return re.compile(self.words, re.IGNORECASE) if self.words else None

    def answers(self, question: str) -> bool:
        """Tell whether the question is one of those that the fact answers."""
        return self._pattern is not None and self._pattern.search(question) is not None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    # The sentence that follows every fact which nobody has verified.
    uncertain: Text
    facts: Annotated[list[Fact], Field(min_length=1)]


class Facts:
    """All facts by key, in the order of the files."""

    def __init__(self, facts: Iterable[tuple[Fact, str]]) -> None:
        """Take facts, each with the sentence for unverified ones; raises FactsError for a key given twice."""
        self._facts: dict[str, Fact] = {}
        self._marks: dict[str, str] = {}
        for fact, uncertain in facts:
            if fact.key in self._facts:
                raise FactsError(fact.key, "given twice")
            self._facts[fact.key] = fact
            self._marks[fact.key] = uncertain if fact.status == "unverified" else ""

    @classmethod
    def load(cls, directory: Path = FACTS_DATA) -> Facts:
        """Read all *.yaml files of a directory; raises FactsError naming the file."""
        files = sorted(directory.glob("*.yaml"))
        if not files:
            raise FactsError(directory.name, "no file of facts here")
        return cls(one for file in files for one in _read(file))

    def keys(self) -> list[str]:
        """Return the keys of all facts."""
        return list(self._facts)

    def get(self, key: str) -> Fact:
        """Return a fact; raises FactsError if there is none of this key."""
        if key not in self._facts:
            raise FactsError(key, "no such fact")
        return self._facts[key]

    def say(self, *keys: str) -> str:
        """Return what customers read of the facts one after the other: the uncertain ones are called so, once."""
        marks = dict.fromkeys(mark for mark in (self._marks[self.get(key).key] for key in keys) if mark)
        return "".join([*(self.get(key).text for key in keys), *marks])

    def matching(self, topic: str, question: str) -> list[str]:
        """Return the keys of the facts of a topic (`tier` of `tier.year`) that answer the question, in file order."""
        prefix = f"{topic}."
        return [key for key, fact in self._facts.items() if key.startswith(prefix) and fact.answers(question)]


def _read(file: Path) -> list[tuple[Fact, str]]:
    try:
        data: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        read = _File.model_validate(data)
    except (yaml.YAMLError, ValidationError) as error:
        raise FactsError(file.name, str(error)) from error
    return [(fact, read.uncertain) for fact in read.facts]
