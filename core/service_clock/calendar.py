"""The desk's own settings (data/desk/hours.yaml): who works when, and how long what may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.service_clock import hours
from core.service_clock.hours import BadHours, Schedule
from core.working_time import Due

Skill = Literal["repair", "billing", "business", "complaint"]
Minutes = Annotated[int, Field(gt=0)]


class UnknownSkill(ValueError):
    """The hours know no such skill."""


class UnknownPauseReason(ValueError):
    """A clock is paused only for one of the reasons of the settings."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Urgent(_Settings):
    """Priority classes that have hours of their own whatever the skill."""

    priorities: frozenset[int]
    schedule: str


class ClockSettings(_Settings):
    """What is promised, and what is aimed at within, in minutes of counted time."""

    promise_minutes: Minutes
    aim_minutes: Minutes | None = None

    @property
    def promise(self) -> timedelta:
        """The time promised."""
        return timedelta(minutes=self.promise_minutes)

    @property
    def aim(self) -> timedelta | None:
        """The time aimed at, if there is one."""
        return timedelta(minutes=self.aim_minutes) if self.aim_minutes else None

    @model_validator(mode="after")
    def _aims_within(self) -> Self:
        if self.aim_minutes and self.aim_minutes > self.promise_minutes:
            raise BadHours("what is aimed at is not longer than what is promised")
        return self


class Clocks(_Settings):
    """The settings of the two clocks of a conversation, and what holds for all three."""

    first_response: ClockSettings
    closure: ClockSettings
    message_minutes: Minutes  # working time within which a message that was left is answered
    warn_percent: Annotated[int, Field(gt=0, lt=100)]  # of the promise, for all three clocks


class DeskHours(_Settings):
    """The whole file."""

    schedules: dict[str, Schedule]
    skills: dict[Skill, str]
    urgent: Urgent
    clocks: Clocks
    pause_reasons: Annotated[dict[str, str], Field(min_length=1)]  # key -> what agents read

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        missing = set(get_args(Skill)) - set(self.skills)
        if missing:
            raise BadHours(f"no hours for {', '.join(sorted(missing))}")
        unknown = {*self.skills.values(), self.urgent.schedule} - set(self.schedules)
        if unknown:
            raise BadHours(f"no such schedule: {', '.join(sorted(unknown))}")
        return self

    @classmethod
    def read(cls, data: Any) -> DeskHours:
        """Check settings as they come from YAML or JSON.

        Raises:
            BadHours: if anything is missing, unknown, malformed or contradicts itself.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise BadHours(str(error)) from error

    @classmethod
    def load(cls, path: Path) -> DeskHours:
        """Read the file.

        Raises:
            BadHours: as `read` does, and if it is no YAML.
        """
        try:
            return cls.read(yaml.safe_load(path.read_text(encoding="utf-8")))
        except yaml.YAMLError as error:
            raise BadHours(f"{path.name} is no YAML: {error}") from error


@dataclass(frozen=True)
class Calendar:
    """Working time by skill; a priority class may have other hours than its skill. Answers are in Shanghai time."""

    desk: DeskHours

    @classmethod
    def load(cls, path: Path) -> Calendar:
        """Read the settings; raises BadHours as `DeskHours.load`."""
        return cls(DeskHours.load(path))

    def schedule(self, skill: str, priority: int | None = None) -> Schedule:
        """Return the hours that count for a case.

        Raises:
            UnknownSkill: if the settings have no such skill.
        """
        names: Mapping[str, str] = {str(key): name for key, name in self.desk.skills.items()}
        if skill not in names:
            raise UnknownSkill(skill)
        urgent = self.desk.urgent
        return self.desk.schedules[urgent.schedule if priority in urgent.priorities else names[skill]]

    def open_at(self, instant: datetime, skill: str, priority: int | None = None) -> bool:
        """Tell whether people of this skill work now; at the very end of their hours they do not any more."""
        return hours.is_open(self.schedule(skill, priority), instant)

    def next_opening(self, instant: datetime, skill: str, priority: int | None = None) -> datetime:
        """Return when they next work: the instant itself if they do. Raises NeverOpen."""
        return hours.opening(self.schedule(skill, priority), instant)

    def add(self, instant: datetime, amount: timedelta, skill: str, priority: int | None = None) -> datetime:
        """Return the earliest instant at which so much working time has passed. Raises NegativeTime, NeverOpen."""
        return hours.forward(self.schedule(skill, priority), instant, amount)

    def between(self, start: datetime, end: datetime, skill: str, priority: int | None = None) -> timedelta:
        """Return the working time from `start` to `end`; zero if `end` is before `start`."""
        return hours.passed(self.schedule(skill, priority), start, end)

    def answer_by(self, instant: datetime, skill: str, priority: int | None = None) -> Due:
        """Return until when a message that is left now is answered, in working time; fit to be told to the customer."""
        schedule = self.schedule(skill, priority)
        at = hours.forward(schedule, instant, timedelta(minutes=self.desk.clocks.message_minutes))
        return Due(at, hours.certain(schedule, instant, at))

    def pause_reason(self, key: Any) -> str:
        """Return the key if clocks may be paused for it.

        Raises:
            UnknownPauseReason: if not.
        """
        if not isinstance(key, str) or key not in self.desk.pause_reasons:
            raise UnknownPauseReason(str(key))
        return key
