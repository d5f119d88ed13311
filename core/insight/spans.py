"""The days that figures are asked for, in Shanghai, and the same number of days before them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from core.clock import SHANGHAI
from core.handoff.figures import BadSpan, span_of

MOST_DAYS = 400
_EARLIEST, _LATEST = date(2000, 1, 1), date(2199, 12, 31)


@dataclass(frozen=True)
class Span:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    @classmethod
    def of(cls, first: date, last: date) -> Span:
        """Return the span of these days.

        Raises:
            BadSpan: if the last day is before the first, there are more than `MOST_DAYS`, or no calendar of ours
                reaches so far.
        """
        if not _EARLIEST <= first <= last <= _LATEST:
            raise BadSpan(f"{first} to {last} are no days of ours")
        span_of(first, last, most_days=MOST_DAYS)
        return cls(first, last)

    @property
    def start(self) -> datetime:
        """The instant at which it begins."""
        return span_of(self.first, self.first)[0]

    @property
    def end(self) -> datetime:
        """The first instant that is no longer in it."""
        return span_of(self.last, self.last)[1]

    @property
    def days(self) -> list[date]:
        """All its days."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]

    @property
    def previous(self) -> Span:
        """As many days, just before."""
        length = self.last - self.first
        last = self.first - timedelta(days=1)
        return Span(last - length, last)

    def holds(self, at: datetime) -> bool:
        """Tell whether an instant is in it."""
        return self.start <= at < self.end


def day_of(at: datetime) -> date:
    """Return the day in Shanghai."""
    return at.astimezone(SHANGHAI).date()


__all__ = ["MOST_DAYS", "BadSpan", "Span", "day_of"]
