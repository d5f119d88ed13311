"""Figures and the rows behind them: both come from one selection of items, so that they cannot differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from core.db import Database
from core.insight.spans import Span, day_of
from core.insight.totals import Total, count, sum_of
from core.insight.words import Words

Cell = str | int | float | None


class Item(Protocol):
    """One thing that figures count: when it was, and a key that no other item of its kind has."""

    @property
    def at(self) -> datetime: ...

    @property
    def key(self) -> str: ...


class UnknownRows(LookupError):
    """There is no figure or chart with this key, or none with rows."""


@dataclass(frozen=True)
class Sources:
    """Where facts come from: the three databases, and the files of the business."""

    bridge: Database
    workorder: Database
    billing: Database
    data_dir: Path


@dataclass(frozen=True)
class Asked:
    """What is asked for: days, one channel (None: all), and what time it is."""

    span: Span
    channel: str | None
    now: datetime

    @property
    def window(self) -> Span:
        """The days asked for and the ones that they are compared with."""
        return Span(self.span.previous.first, self.span.last)

    @property
    def is_unfinished(self) -> bool:
        """Whether more may still come: the last of the days asked for is not over."""
        return self.span.end > self.now


@dataclass(frozen=True)
class Table:
    """How items are shown as rows: column -> cell; `link` opens what an item is about in the desk's console."""

    columns: dict[str, Callable[[Any, Words], Cell]]
    link: Callable[[Any], str | None] = lambda _item: None
    conversation: Callable[[Any], tuple[str, int] | None] = lambda _item: None  # and the message that tells most


@dataclass(frozen=True)
class Kpi:
    """One figure; see `core.insight`. `per` divides it (complaints per 10,000 customers).

    `at_end`: it tells how things stand at the end of the days (or now), not what happened in them.
    """

    key: str
    items: Callable[[Any, Span], Iterable[Any]]
    measure: Callable[[Any], float | None]
    table: Table
    total: Total = count
    per: Callable[[Any, Span], float | None] | None = None
    by_channel: bool = True  # False: what it counts has no channel
    at_end: bool = False

    @property
    def counts(self) -> bool:
        """Whether it grows with each item, as counts and sums do and shares, means and medians do not."""
        return self.total in (count, sum_of)

    def counted(self, facts: Any, span: Span) -> list[tuple[Any, float]]:
        """Return the items that count, each with what it adds."""
        pairs = ((item, self.measure(item)) for item in self.items(facts, span))
        return [(item, value) for item, value in pairs if value is not None]

    def of(self, pairs: Sequence[tuple[Any, float]], facts: Any, span: Span) -> float | None:
        """Make the number of them."""
        found = self.total([value for _, value in pairs])
        if self.per is None or found is None:
            return found
        base = self.per(facts, span)
        return found / base if base else None

    def value(self, facts: Any, span: Span) -> float | None:
        """Return the figure of these days, None where there is nothing to tell it from."""
        return self.of(self.counted(facts, span), facts, span)


Labelled = list[tuple[str, str]]  # key, what is read


@dataclass(frozen=True)
class Axis:
    """Along what figures are laid out: an item's place, and of the places found (one an item) those shown, in order.

    `heaviest`: they are found in the order of what their items come to, the most first.
    """

    of: Callable[[Any], str]
    places: Callable[[list[str], Span, Words], Labelled]
    heaviest: bool = False


@dataclass(frozen=True)
class Breakdown:
    """A chart: figures along `x`; a series for each figure, or, of one figure, for each place on `series`."""

    key: str
    kind: str
    kpis: tuple[Kpi, ...]
    x: Axis
    series: Axis | None = None


@dataclass(frozen=True)
class Custom:
    """A chart that builds itself: its JSON but key, name and definition; its rows are found under `rows`."""

    key: str
    kind: str
    build: Callable[[Any, Asked, Words], dict[str, Any]]
    rows: str | None = None


@dataclass(frozen=True)
class Group:
    """Figures and charts that stand together."""

    key: str
    kpis: tuple[Kpi, ...] = ()
    charts: tuple[Breakdown | Custom, ...] = ()


@dataclass(frozen=True)
class Board:
    """One page of the dashboards; `more` are rows that no figure has but something links to.

    `note` is what has to be said of all of it: that what it shows is not of the days asked for. `since` is when what
    has a channel began to be written down: days before it are no measure.
    """

    key: str
    facts: Callable[[Sources, Asked, Words], Any]
    groups: tuple[Group, ...]
    more: tuple[Breakdown, ...] = field(default=())
    note: Callable[[Any, Asked, Words], str | None] = lambda _facts, _asked, _words: None
    since: Callable[[Any], datetime | None] = lambda _facts: None

    @property
    def kpis(self) -> tuple[Kpi, ...]:
        """All its figures."""
        return tuple(kpi for group in self.groups for kpi in group.kpis)

    @property
    def charts(self) -> tuple[Breakdown | Custom, ...]:
        """All its charts, and what else has rows."""
        return tuple(chart for group in self.groups for chart in group.charts) + self.more


def by_day() -> Axis:
    """Return the axis of the days asked for, those without anything too."""
    return Axis(
        lambda item: day_of(item.at).isoformat(),
        lambda _found, span, _words: [(day.isoformat(), day.isoformat()) for day in span.days],
    )


def in_order_of(labels: Callable[[Words], dict[str, str]], of: Callable[[Any], str]) -> Axis:
    """Return an axis of known places in the order of their labels, unknown ones at the end; only what was found."""

    def places(found: list[str], _span: Span, words: Words) -> Labelled:
        known, names = set(found), labels(words)
        return [(key, name) for key, name in names.items() if key in known] + [
            (key, key) for key in sorted(known - set(names))
        ]

    return Axis(of, places)


def most_first(label: Callable[[str, Words], str], of: Callable[[Any], str], *, most: int = 50) -> Axis:
    """Return an axis of the places with the most items first, at most so many."""

    def places(found: list[str], _span: Span, words: Words) -> Labelled:
        times: dict[str, int] = {}
        for key in found:
            times[key] = times.get(key, 0) + 1
        ranked = sorted(times, key=lambda key: (-times[key], key))[:most]
        return [(key, label(key, words)) for key in ranked]

    return Axis(of, places)
