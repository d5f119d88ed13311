"""A customer's question as the actions read it: what was said now, what is known from before, and who asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from rasa_sdk import Tracker

from core.clock import SHANGHAI, Clock, add_months
from core.identity import Identity, read_identity
from core.said_time import refuse_impossible

DAY = "day"
# A longer message says itself what it is about.
_SHORT = 16


@dataclass(frozen=True)
class Span:
    """What is asked about: whole months from `first` (a first day) to `last` (a last day), or days (grain `day`)."""

    first: date
    last: date
    grain: str = "month"

    @property
    def value(self) -> str:
        """Return the form that slots keep: YYYY-MM/YYYY-MM/grain or YYYY-MM-DD/YYYY-MM-DD/day."""
        if self.grain == DAY:
            return f"{self.first}/{self.last}/{DAY}"
        return f"{self.first:%Y-%m}/{self.last:%Y-%m}/{self.grain}"

    @classmethod
    def parse(cls, value: str, grain: str = "month") -> Span:
        """Read `YYYY-MM/YYYY-MM` or what `value` returned.

        Raises:
            ValueError: if it is of another form.
        """
        first, last, *named = value.split("/")
        if named == [DAY]:
            return cls(date.fromisoformat(first), date.fromisoformat(last), DAY)
        months = date.fromisoformat(f"{first}-01"), date.fromisoformat(f"{last}-01")
        return cls.of_months(*months, named[0] if named else grain)

    @classmethod
    def of_months(cls, first: date, last: date, grain: str = "month") -> Span:
        """Return the whole months from that of `first` to that of `last`."""
        return cls(first.replace(day=1), add_months(last, 1) - timedelta(days=1), grain)

    @property
    def whole_months(self) -> Span:
        """Return the months that hold it."""
        return Span.of_months(self.first, self.last) if self.grain == DAY else self

    @property
    def months(self) -> int:
        """Return how many months it covers."""
        return (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1


@dataclass(frozen=True)
class Question:
    """One turn."""

    identity: Identity
    intent: str
    text: str
    entities: tuple[dict[str, Any], ...]
    slots: dict[str, Any]
    now: datetime
    leaning: Sequence[str]
    pinned: str = ""  # the address of a point on the map that was sent a little before

    @classmethod
    def of(cls, tracker: Tracker, *, identity_key: str, clock: Clock, leaning: Sequence[str]) -> Question:
        """Read the tracker; `leaning` are the words of a question that leans on the one before it.

        Raises:
            BadToken: if the message carries no valid identity for this conversation.
        """
        message: dict[str, Any] = tracker.latest_message or {}
        metadata = message.get("metadata") or {}
        now = clock()
        identity = read_identity(identity_key, str(metadata.get("identity", "")), now=now, sender=tracker.sender_id)
        return cls(
            identity=identity,
            intent=str((message.get("intent") or {}).get("name") or ""),
            text=str(message.get("text") or ""),
            entities=tuple(message.get("entities") or ()),
            slots=dict(tracker.slots),
            now=_asked_at(metadata, now),
            leaning=leaning,
            pinned=str(metadata.get("place") or ""),
        )

    @property
    def today(self) -> date:
        """Return the day of asking in Shanghai."""
        return self.now.astimezone(SHANGHAI).date()

    @property
    def asked_at(self) -> str:
        """Return what names this turn: it is the same when a turn is run again after a crash."""
        return self.now.isoformat()

    @property
    def leans(self) -> bool:
        """Tell whether the question leans on the one before it."""
        return self.intent == "inform" or (len(self.text) <= _SHORT and any(word in self.text for word in self.leaning))

    def values(self, entity: str) -> list[str]:
        """Return the values of an entity in this message, in order, each once."""
        return list(dict.fromkeys(str(one["value"]) for one in self.entities if one.get("entity") == entity))

    def span(self) -> Span | None:
        """Return the months or days asked for: those named now, or those of the question that this one leans on.

        Raises:
            NoSuchTime: if all that is named is a month or day that no calendar has.
        """
        named = self._named_span()
        before = self._span_before()
        if named is None:
            refuse_impossible(self.text)
            return before if self.leans else None
        if self.leans and before and named.grain == "year" and before.grain != "year":
            # 去年12月 … 那前年呢: the same months of the year that is named.
            return _in_year(before, named.first.year)
        return named

    def _named_span(self) -> Span | None:
        spans = [
            Span.parse(str(one["value"]), str(one.get("grain", "month")))
            for one in self.entities if one.get("entity") == "period"
        ]  # fmt: skip
        if not spans:
            days = sorted(date.fromisoformat(value) for value in self.values("date"))
            return Span(days[0], days[-1], DAY) if days else None
        if len(spans) == 1:
            return spans[0]
        return Span(min(one.first for one in spans), max(one.last for one in spans), "range")

    def _span_before(self) -> Span | None:
        value = self.slots.get("period_asked")
        return Span.parse(str(value)) if value else None


def _in_year(span: Span, year: int) -> Span:
    months = 12 * (year - span.first.year)
    if span.grain != DAY:
        return Span.of_months(add_months(span.first, months), add_months(span.last, months), span.grain)
    first, last = (_months_later(day, months) for day in (span.first, span.last))
    return Span(first, last, DAY)


def _months_later(day: date, months: int) -> date:
    month = add_months(day, months)
    end = add_months(month, 1) - timedelta(days=1)
    return month.replace(day=min(day.day, end.day))


def _asked_at(metadata: dict[str, Any], now: datetime) -> datetime:
    try:
        asked = datetime.fromisoformat(str(metadata["asked_at"]))
    except (KeyError, ValueError):
        return now
    return asked if asked.tzinfo else now
