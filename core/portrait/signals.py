"""Which orders and conversations are a sign of what need (data/portrait/signals.yaml, data/desk/rules.yaml)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from core.handoff.rules import BadRules, Rules

DATA = Path(__file__).parents[2] / "data"


class SignalsError(Exception):
    """A file of signs is missing or wrong; names the file."""


class Signals(BaseModel):
    """The whole file; `outage_reports`, `complaints` and `applications` are beginnings of categories of orders."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    complaints: tuple[str, ...]
    outage_reports: tuple[str, ...]
    applications: tuple[str, ...]
    pv_kinds: frozenset[str]
    ev_kinds: frozenset[str]
    ev_plans: tuple[str, ...]
    topics: dict[str, str]
    saving_intents: frozenset[str]

    def charges_a_car(self, plan_code: str) -> bool:
        """Tell whether a plan is that of a charging pile."""
        return any(part in plan_code for part in self.ev_plans)


class Signs:
    """The signs, with the rules of the desk that say which intent belongs to which skill."""

    def __init__(self, signals: Signals, rules: Rules) -> None:
        self.signals, self._rules = signals, rules
        skills = {skill: frozenset(intents) for skill, intents in rules.skills.items()}
        self.topics = {feature: skills.get(skill, frozenset()) for feature, skill in signals.topics.items()}
        self.topics["contacts_saving"] = signals.saving_intents

    @classmethod
    def load(cls, data: Path) -> Signs:
        """Read both files below a directory of data.

        Raises:
            SignalsError: if one is missing or not of its form.
        """
        return cls(_read(data / "portrait" / "signals.yaml", Signals), _read(data / "desk" / "rules.yaml", Rules))

    def topics_of(self, intent: str) -> list[str]:
        """Return the features that count a contact with this intent (`a+b`: two wishes)."""
        said = set(intent.split("+"))
        return [feature for feature, intents in self.topics.items() if said & intents]

    def special(self, category: str) -> bool:
        """Tell whether an order of this category registers a special need."""
        return bool(self._rules.flags_of([category]))


@cache
def signs(data: Path = DATA) -> Signs:
    """Return the signs of a directory of data, read once."""
    return Signs.load(data)


def _read(file: Path, kind: type[Any]) -> Any:
    try:
        return kind.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError, BadRules) as error:
        raise SignalsError(f"{file.name}: {error}") from error
