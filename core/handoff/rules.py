"""Who is to answer, and how soon: from the reason, from what was talked about, and from who the customer is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.handoff.tables import DANGER, OTHER, REASONS, SKILLS
from core.text import folded

Priority = Annotated[int, Field(ge=DANGER, le=OTHER)]
# Far enough that no waiting time makes up for it, and still a date.
_BEFORE_ALL, _BEFORE_OTHERS = timedelta(days=3650), timedelta(days=1825)


class BadRules(ValueError):
    """The rules name something that does not exist."""


class Reason(BaseModel):
    """What a reason says by itself; without a skill the talk decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    priority: Priority = OTHER
    skill: str | None = None


class IntentRule(BaseModel):
    """What follows when the model understood this intent: a person is offered, or comes at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str
    how: Literal["offer", "at_once"]
    flags: frozenset[str] = frozenset()  # only for customers of whom one of these is known; none: for all


class Rules(BaseModel):
    """The whole file (data/desk/rules.yaml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reasons: dict[str, Reason]
    flags: dict[str, Priority]
    special_categories: dict[str, str]  # flag -> pattern of the category of a work order that gives it
    trouble_categories: str  # pattern of the categories of outages and faults
    skills: dict[str, list[str]]
    default_skill: str
    intents: dict[str, IntentRule]
    small_talk: frozenset[str]  # intents that say nothing of what is wanted
    goodbyes: frozenset[str]
    failures: dict[str, Annotated[int, Field(gt=0)]]  # offer, hand_over: failed answers in a row
    failed_intents: frozenset[str]
    anger: list[str]
    anger_unless: list[str]

    def skill_of(self, intent: str) -> str | None:
        """Return the skill for an intent, None if it says nothing of it (`a+b`: the first that does)."""
        return next((self._by_intent[one] for one in intent.split("+") if one in self._by_intent), None)

    def route(self, reason: str, intents: Sequence[str] = (), flags: Iterable[str] = ()) -> tuple[str, int]:
        """Return skill and priority class; `intents` are those of the talk so far, the latest last.

        Raises:
            BadRules: if there is no such reason.
        """
        if reason not in self.reasons:
            raise BadRules(f"no such reason: {reason}")
        rule = self.reasons[reason]
        talked = (skill for intent in reversed(intents) if (skill := self.skill_of(intent)))
        skill = rule.skill or next(talked, self.default_skill)
        return skill, min([rule.priority, *(self.flags[flag] for flag in flags if flag in self.flags)])

    def intent_rule(self, intent: str, flags: Iterable[str] = ()) -> IntentRule | None:
        """Return what follows from an understood intent, None if nothing does."""
        known = frozenset(flags)
        found = (self.intents[one] for one in intent.split("+") if one in self.intents)
        return next((rule for rule in found if not rule.flags or rule.flags & known), None)

    def flags_of(self, categories: Iterable[str]) -> list[str]:
        """Return what the categories of a customer's work orders say of the customer."""
        given = list(categories)
        return [
            flag for flag, pattern in self.special_categories.items()
            if any(re.search(pattern, category) for category in given)
        ]  # fmt: skip

    def is_angry(self, text: str) -> bool:
        """Tell whether somebody insults, threatens or has had enough, so that a machine should not go on."""
        said = folded(text)
        return bool(self._angry.search(said)) and not self._calm.search(said)

    def failed(self, understood: dict[str, Any] | None) -> bool:
        """Tell whether the bot's answer to a message was no answer; an open form counts its own repeated questions."""
        if not understood or understood.get("form"):
            return False
        return bool(understood.get("failed")) or str(understood.get("intent", "")) in self.failed_intents

    @cached_property
    def _by_intent(self) -> dict[str, str]:
        return {intent: skill for skill, intents in self.skills.items() for intent in intents}

    @cached_property
    def _angry(self) -> re.Pattern[str]:
        return _any_of(self.anger)

    @cached_property
    def _calm(self) -> re.Pattern[str]:
        return _any_of(self.anger_unless)

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        skills = {*self.skills, self.default_skill, *(one.skill for one in self.reasons.values() if one.skill)}
        reasons = {*self.reasons, *(rule.reason for rule in self.intents.values())}
        wrong = (skills - set(SKILLS)) | (reasons ^ set(REASONS)) | ({"offer", "hand_over"} ^ set(self.failures))
        if wrong:
            raise BadRules(f"unknown or missing: {', '.join(sorted(wrong))}")
        try:
            for patterns in (self.anger, self.anger_unless, [*self.special_categories.values()]):
                _any_of([*patterns, self.trouble_categories])
        except re.error as error:
            raise BadRules(f"no regular expression: {error}") from error
        return self


def rank(requested_at: datetime, priority: int, aging: timedelta, *, returned: bool = False) -> datetime:
    """Return where a case stands: its request, put back by `aging` a class.

    All wait equally long, so whoever has waited longer by that much comes before a more important case. Danger comes
    before all; a case that was given back comes before all but danger.
    """
    if priority == DANGER:
        return requested_at - _BEFORE_ALL
    return requested_at - _BEFORE_OTHERS if returned else requested_at + priority * aging


def _any_of(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)")
