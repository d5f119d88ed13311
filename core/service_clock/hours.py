"""Working hours: windows of the day for working days, weekends and holidays, and the time that passes within them.

Which day is which comes from `chinesecalendar` (State Council notices with 调休): a Saturday worked in exchange is a
working day, every day of a holiday period (exchanged ones too) is a holiday. Of a year it does not know, Saturday and
Sunday are the weekend, all else works, and answers that depend on it are not certain. All windows are times in
Shanghai, where no clock was changed since 1991, so time by the wall is time that passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import count
from typing import Annotated, Any, Literal, Self

import chinese_calendar
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from core.clock import SHANGHAI

DayKind = Literal["workday", "weekend", "holiday"]
ZERO, _DAY = timedelta(0), timedelta(days=1)
_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)
_MOST_CLOSED_DAYS = 400


class BadHours(ValueError):
    """Working hours that make no sense: the text says where and why."""


class NaiveInstant(ValueError):
    """An instant without a time zone, which could be any."""


class NegativeTime(ValueError):
    """Less than no time cannot pass."""


class NeverOpen(ValueError):
    """The hours stay closed for more than a year."""


@dataclass(frozen=True)
class Window:
    """A part of a day, counted from its midnight; an end after 24 h lies in the next day."""

    start: timedelta
    end: timedelta


def window(text: str) -> Window:
    """Read "08:00-20:00"; "22:00-06:00" goes over midnight, "00:00-24:00" is the whole day.

    Raises:
        BadHours: for another form, or an end that equals the start.
    """
    found = _WINDOW.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise BadHours(f'{text!r} is no window of hours like "08:00-20:00"')
    hours, minutes, last_hours, last_minutes = (int(part) if part else 0 for part in found.groups())
    start = timedelta(hours=hours, minutes=minutes)
    end = timedelta(hours=last_hours, minutes=last_minutes) if found[3] else _DAY
    if start == end:
        raise BadHours(f"{text!r} ends when it starts; the whole day is 00:00-24:00, a closed one an empty list")
    return Window(start, end if end > start else end + _DAY)


def windows(texts: Any) -> tuple[Window, ...]:
    """Read the windows of one day, in any order.

    Raises:
        BadHours: if one is malformed or two overlap.
    """
    if not isinstance(texts, list):
        raise BadHours(f"{texts!r} is no list of windows")
    found = sorted((window(text) for text in texts), key=lambda one: one.start)
    if any(before.end > after.start for before, after in zip(found, found[1:], strict=False)):
        raise BadHours(f"{texts!r} overlap")
    return tuple(found)


Windows = Annotated[tuple[Window, ...], BeforeValidator(windows)]


class Schedule(BaseModel):
    """The windows by kind of day; `days` (special ones) come before all. A window belongs to the day it starts on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workday: Windows
    weekend: Windows
    holiday: Windows
    days: dict[date, Windows] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _opens(self) -> Self:
        if not (self.workday or self.weekend):
            raise BadHours("hours without a window on working days or weekends never open")
        return self

    def of_day(self, day: date) -> tuple[Window, ...]:
        """Return the windows that start on this day."""
        special = self.days.get(day)
        return special if special is not None else self._of_kind(day_kind(day)[0])

    def certain_on(self, day: date) -> bool:
        """Tell whether these hours are sure; on a special day, or with the same hours every day, they always are."""
        return day in self.days or self.workday == self.weekend == self.holiday or day_kind(day)[1]

    def _of_kind(self, kind: DayKind) -> tuple[Window, ...]:
        return {"workday": self.workday, "weekend": self.weekend, "holiday": self.holiday}[kind]


ALWAYS = Schedule.model_validate({kind: ["00:00-24:00"] for kind in ("workday", "weekend", "holiday")})


@lru_cache(maxsize=4096)
def day_kind(day: date) -> tuple[DayKind, bool]:
    """Return what kind of day this is, and whether its year's holidays are known."""
    try:
        free, name = chinese_calendar.get_holiday_detail(day)
    except NotImplementedError:
        return ("workday" if day.weekday() < 5 else "weekend"), False
    if not free:
        return "workday", True
    return ("holiday" if name else "weekend"), True


def local(instant: datetime) -> datetime:
    """Return the same instant in Shanghai.

    Raises:
        NaiveInstant: if it has no time zone.
    """
    if instant.tzinfo is None:
        raise NaiveInstant(f"{instant} has no time zone")
    return instant.astimezone(SHANGHAI)


def is_open(schedule: Schedule, instant: datetime) -> bool:
    """Tell whether people work at this instant; at the very end of a window they do not any more."""
    instant = local(instant)
    return any(start <= instant < end for start, end in _spans(schedule, _days(instant, instant)))


def opening(schedule: Schedule, instant: datetime) -> datetime:
    """Return when people next work: the instant itself if they do.

    Raises:
        NeverOpen: if that is not within 400 days.
    """
    instant = local(instant)
    return next(max(start, instant) for start, end in _spans(schedule, _onwards(instant)) if end > instant)


def forward(schedule: Schedule, instant: datetime, amount: timedelta) -> datetime:
    """Return the earliest instant at which so much working time has passed; none has at the instant itself.

    Raises:
        NegativeTime: if the amount is below zero.
        NeverOpen: if the hours stay closed for 400 days.
    """
    if amount < ZERO:
        raise NegativeTime(f"{amount} cannot pass")
    instant = local(instant)
    if amount == ZERO:
        return instant
    for start, end in _spans(schedule, _onwards(instant)):
        start = max(start, instant)
        if end - start >= amount:
            return start + amount
        amount -= max(end - start, ZERO)
    raise AssertionError("the days go on for ever")


def passed(schedule: Schedule, start: datetime, end: datetime) -> timedelta:
    """Return the working time between two instants; none if the second is before the first."""
    start, end = local(start), local(end)
    spans = _spans(schedule, _days(start, end))
    return sum((max(min(last, end) - max(first, start), ZERO) for first, last in spans), ZERO)


def certain(schedule: Schedule, start: datetime, end: datetime) -> bool:
    """Tell whether the holidays of all days between two instants are known, as far as these hours depend on them."""
    return all(schedule.certain_on(day) for day in _days(local(start), local(end)))


def _days(start: datetime, end: datetime) -> Iterator[date]:
    """Yield the days whose windows can touch this time: from the eve on, whose last window may go over midnight."""
    eve = start.date() - _DAY
    return (eve + timedelta(days=number) for number in range((end.date() - eve).days + 1))


def _onwards(instant: datetime) -> Iterator[date]:
    eve = instant.date() - _DAY
    return (eve + timedelta(days=number) for number in count())


def _spans(schedule: Schedule, days: Iterable[date]) -> Iterator[tuple[datetime, datetime]]:
    """Yield from when until when people work, in order; where two days' windows overlap, the time comes once."""
    covered, closed = None, 0
    for day in days:
        found = schedule.of_day(day)
        closed = 0 if found else closed + 1
        if closed > _MOST_CLOSED_DAYS:
            raise NeverOpen(f"closed for {closed} days until {day}")
        midnight = datetime.combine(day, time(), SHANGHAI)
        for one in found:
            start, end = midnight + one.start, midnight + one.end
            start = start if covered is None else max(start, covered)
            if end > start:
                yield start, end
                covered = end
