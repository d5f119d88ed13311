"""The rules by which handoffs go: limits, rules, words and working hours, read once at start (`data/desk`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Protocol, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.desk_setting import DeskSetting
from core.fitting import Fitting
from core.handoff.figures import HOURS, Calendars
from core.handoff.rules import Rules
from core.handoff.words import Words
from core.roster import Worker, on_duty
from core.said_instant import Times
from core.service_clock import Calendar


class Staff(Protocol):
    """Tells who can take cases now."""

    def __call__(self, session: Session, *, now: datetime) -> list[Worker]: ...


Positive = Annotated[int | float, Field(gt=0)]


class Limits(BaseModel):
    """How long what may take (data/desk/limits.yaml), in the unit that each name says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    aging_minutes: Positive  # so many minutes of waiting outweigh one priority class
    offer_seconds: Positive
    soon_seconds: Positive  # nobody is told "at once" before whom, or who himself, has waited longer
    vanish_seconds: Positive
    last_agent_hours: Positive
    last_agent_wait_seconds: Positive
    drop_skill_seconds: Positive
    danger_over_capacity: Annotated[int, Field(ge=0)]
    queued_reminder_minutes: Positive
    queued_reminder_most_minutes: Positive
    nobody_minutes: Positive
    nobody_danger_minutes: Positive
    agent_silent_seconds: Positive
    agent_silent_escalation_seconds: Positive
    customer_silent_minutes: Positive
    customer_silent_finish_minutes: Positive
    wrap_up_minutes: Positive
    note_hours: Positive
    survey_silence_seconds: Positive
    survey_hours: Positive
    comment_minutes: Positive
    message_text_minutes: Positive
    handling_minutes: dict[str, Positive]  # by skill, until there are cases to learn from
    handling_cases: Annotated[int, Field(gt=0)]

    def seconds(self, name: str) -> timedelta:
        """Return the limit `<name>_seconds`."""
        return timedelta(seconds=getattr(self, f"{name}_seconds"))

    def minutes(self, name: str) -> timedelta:
        """Return the limit `<name>_minutes`."""
        return timedelta(minutes=getattr(self, f"{name}_minutes"))

    def hours(self, name: str) -> timedelta:
        """Return the limit `<name>_hours`."""
        return timedelta(hours=getattr(self, f"{name}_hours"))


class Hours:
    """The working hours, which an administrator changes while all runs."""

    def __init__(self, path: Path) -> None:
        self._path, self._held, self._newest = path, Calendars(Calendar.load(path)), 0

    @property
    def present(self) -> Calendar:
        """The hours that hold at present."""
        return self._held.present

    def at(self, instant: datetime) -> Calendar:
        """Return the hours that held at an instant: a clock goes by those of its request."""
        return self._held.at(instant)

    def refresh(self, session: Session) -> None:
        """Take in what was changed since the last time.

        Raises:
            BadHours: if a change cannot be read; the hours stay as they were.
        """
        newest = session.scalar(select(func.max(DeskSetting.id)).where(DeskSetting.key == HOURS)) or 0
        if newest != self._newest:
            self._held, self._newest = Calendars.read(session, self._path), newest


@dataclass(frozen=True)
class Book:
    """Everything that the life of a case goes by."""

    limits: Limits
    rules: Rules
    words: Words
    hours: Hours
    times: Times
    labels: Mapping[str, str]  # intent -> what people call it
    fitting: Fitting  # what a segment changes: queue, wording, calls back
    staff: Staff = on_duty  # who can take cases; a desk that is not ours knows it of its own people

    @property
    def calendar(self) -> Calendar:
        """The working hours that hold at present."""
        return self.hours.present

    @classmethod
    def load(cls, data_dir: Path) -> Self:
        """Read the files of a data directory.

        Raises:
            pydantic.ValidationError, BadHours, BadFitting, BadSegmentData: if one of them is not as it has to be.
        """
        desk = data_dir / "desk"
        wording = _yaml(data_dir / "wording.yaml")
        return cls(
            Limits.model_validate(_yaml(desk / "limits.yaml")), Rules.model_validate(_yaml(desk / "rules.yaml")),
            Words.model_validate(wording["desk"]), Hours(desk / "hours.yaml"),
            Times.model_validate(wording["times"]),
            _yaml(desk / "options.yaml")["intents"], Fitting.load(data_dir / "segments"),
        )  # fmt: skip


def _yaml(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content
