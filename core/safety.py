"""The safety line: danger to life is recognised by fixed rules before any model is asked, in every mode.

The rules and the wording are data (`data/safety.yaml`), read once at start, so that the line needs neither Rasa nor
a database. It errs on the side of warning: a needless warning costs a glance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from core.text import folded

_GAP = "，"  # stands where words were taken out, so that what is left and right of them does not grow together


class _Kind(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: str
    category: str = ""
    say: str
    order: bool = True  # false: not ours (gas, illness); words alone, no order, no queue
    unless: list[str] = []
    patterns: list[str] = []

    @model_validator(mode="after")
    def _order_has_category(self) -> Self:
        if self.order and not self.category:
            raise ValueError(f"{self.kind}: an order needs a category")
        return self


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: str
    call: str
    follow_up: str
    follow_up_human: str
    follow_up_pending: str
    follow_up_again: str
    follow_up_placed: str
    follow_up_placed_human: str
    harmless: list[str]
    unless: list[str]
    kinds: list[_Kind]
    general: _Kind


@dataclass(frozen=True)
class Danger:
    """A recognised danger: its kind, the category of its work order, what to say, and whether an order is opened."""

    kind: str
    category: str
    say: str
    order: bool = True


class SafetyLine:
    """The compiled rules."""

    def __init__(self, rules: _Rules) -> None:
        self.call = rules.call
        self.follow_up = rules.follow_up
        self.follow_up_human = rules.follow_up_human
        self.follow_up_pending = rules.follow_up_pending
        self.follow_up_again = rules.follow_up_again
        self.follow_up_placed = rules.follow_up_placed
        self.follow_up_placed_human = rules.follow_up_placed_human
        self._harmless = _any_of(rules.harmless)
        self._unless = _any_of(rules.unless)
        self._kinds = [(_any_of(kind.patterns), _any_of(kind.unless), _danger(kind)) for kind in rules.kinds]
        self._general = _danger(rules.general)

    @classmethod
    def load(cls, path: Path) -> SafetyLine:
        """Read the rules.

        Raises:
            ValueError: if the file is not of the form of `_Rules` or a pattern is no regular expression.
        """
        try:
            return cls(_Rules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))))
        except re.error as error:
            raise ValueError(f"{path}: a pattern is no regular expression: {error}") from error

    def detect(self, text: str) -> Danger | None:
        """Return the danger that the text speaks of, or None."""
        said = self._harmless.sub(_GAP, folded(text))
        fitting = (
            danger for pattern, unless, danger in self._kinds if pattern.search(said) and not unless.search(said)
        )
        found = next(fitting, None)
        return None if found is None or self._unless.search(said) else found

    def general(self) -> Danger:
        """Return the danger of unknown kind: one that the model understood and the rules did not."""
        return self._general

    def wording(
        self, danger: Danger, *, filed: bool, human: bool = False, again: bool = False, place: str | None = None
    ) -> str:
        """Return what the customer is told: what to do, whom to call, what comes next.

        `human`: a person reads along; `again`: the danger was reported before, and the place is not asked once more;
        `place`: what the order has for it.
        """
        if not danger.order:
            return danger.say
        if again and filed:
            return "\n".join((danger.say, self.call, self.follow_up_again))
        if place and filed:
            placed = self.follow_up_placed_human if human else self.follow_up_placed
            return "\n".join((danger.say, self.call, placed.format(place=place)))
        filed_words = self.follow_up_human if human else self.follow_up
        return "\n".join((danger.say, self.call, filed_words if filed else self.follow_up_pending))


def _danger(kind: _Kind) -> Danger:
    return Danger(kind.kind, kind.category, kind.say, kind.order)


def _any_of(patterns: list[str]) -> re.Pattern[str]:
    """Return what finds any of the patterns; of none, what finds nothing."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)")
