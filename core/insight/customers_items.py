"""What the board of customers counts: portraits by group (one GROUP BY each), and what a run says of itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, case, cast, func, select
from sqlalchemy.orm import Session

from core.insight.weighing import ratio
from core.portrait.tables import Portrait
from core.segment.rules import Rules
from core.segment.tables import SEGMENTS, SegmentRun

MOST_LISTED = 500  # accounts of a segment that are shown one by one
STABLE, WATCH, SHIFTED = "stable", "watch", "shifted"
_RANK = {name: place for place, name in enumerate(SEGMENTS)}


@dataclass(frozen=True)
class Cell:
    """Accounts of one segment, class and reason for being thin: how many, and the sums of their features.

    `kwh_now` and `kwh_before` are of those whose growth is known.
    """

    at: datetime
    segment: str
    user_class: str
    thin: str | None
    accounts: int
    kwh_year: float
    fee_year: float
    kwh_now: float
    kwh_before: float
    on_time: float
    on_time_known: int
    contacts: float
    contacts_known: int

    @property
    def growth(self) -> float | None:
        """Growth of the energy used, of those of whom it is known."""
        return ratio(self.kwh_now - self.kwh_before, self.kwh_before)

    @property
    def punctual(self) -> float | None:
        """Mean share of bills paid in time."""
        return ratio(self.on_time, self.on_time_known)

    @property
    def asked_often(self) -> float | None:
        """Mean number of contacts in a year."""
        return ratio(self.contacts, self.contacts_known)

    @property
    def key(self) -> str:
        """Which cell it is."""
        return f"{self.segment}:{self.user_class}:{self.thin or ''}"


@dataclass(frozen=True)
class Owners:
    """Customers whose strongest segment is this one."""

    at: datetime
    segment: str
    customers: int

    @property
    def key(self) -> str:
        """The segment."""
        return self.segment


@dataclass(frozen=True)
class Tagged:
    """Accounts with a tag."""

    at: datetime
    tag: str
    name: str
    accounts: int

    @property
    def key(self) -> str:
        """How many, so that the most come first, and which."""
        return f"{self.accounts:012d}:{self.tag}"


@dataclass(frozen=True)
class Moved:
    """Accounts that went from a segment to another (or stayed); None: it was not there before."""

    at: datetime
    before: str | None
    after: str | None
    accounts: int

    @property
    def key(self) -> str:
        """From where to where."""
        return f"{self.accounts:012d}:{self.before}:{self.after}"


@dataclass(frozen=True)
class Cluster:
    """One cluster as the run tells it; `segments`: how many of its accounts belong to which."""

    at: datetime
    number: int
    name: str
    class_name: str
    size: int
    segment: str | None
    majority: float | None
    means: Mapping[str, float | None]

    @classmethod
    def of(cls, at: datetime, one: Mapping[str, Any], class_name: str) -> Cluster:
        """Return it from the record of the run."""
        return cls(
            at, one["number"], one["name"], class_name, one["size"], one["segment"], one["majority"], one["means"]
        )

    @property
    def key(self) -> str:
        """Its size, so that the largest come first, and its number."""
        return f"{self.size:012d}:{self.number:04d}"


@dataclass(frozen=True)
class Tried:
    """One number of clusters that was tried in a class; `accounts` are those of the class in the sample."""

    at: datetime
    class_name: str
    accounts: int
    start: int
    k: int
    silhouette: float
    stability: float
    chosen: bool

    @classmethod
    def of(cls, at: datetime, layer: Mapping[str, Any], one: Mapping[str, Any], class_name: str) -> Tried:
        """Return it from the record of the run."""
        return cls(
            at, class_name, layer["accounts"], one["start"], one["k"], one["silhouette"], one["stability"],
            chosen=one["start"] == layer["start"],
        )  # fmt: skip

    @property
    def key(self) -> str:
        """Class and number."""
        return f"{self.accounts:012d}:{self.class_name}:{self.start:04d}"


@dataclass(frozen=True)
class Psi:
    """How far one feature has moved since the run before."""

    at: datetime
    feature: str
    name: str
    value: float
    notable: float
    large: float

    @property
    def word(self) -> str:
        """Whether that is to be watched."""
        return SHIFTED if self.value >= self.large else WATCH if self.value >= self.notable else STABLE

    @property
    def key(self) -> str:
        """How far, so that the farthest come first, and which."""
        return f"{self.value:012.4f}:{self.feature}"


@dataclass(frozen=True)
class Listed:
    """One account as it is shown in a list: masked where it is shown."""

    at: datetime
    account_id: int
    account_no: str
    segment: str | None
    district: str
    user_class: str
    kwh_year: float | None
    fee_year: float | None
    thin: str | None

    @property
    def key(self) -> str:
        """Its fee, so that the highest come first, and which."""
        return f"{self.fee_year or 0.0:018.2f}:{self.account_id:012d}"


def cells_of(session: Session, run: SegmentRun) -> list[Cell]:
    """Return the accounts of a run by segment, class and thinness."""
    whole = Portrait.kwh_growth > -1
    columns = (
        func.sum(Portrait.kwh_year), func.sum(Portrait.fee_year), func.sum(case((whole, Portrait.kwh_year))),
        func.sum(case((whole, Portrait.kwh_year / (1 + Portrait.kwh_growth)))), func.sum(Portrait.on_time_rate),
        func.count(Portrait.on_time_rate), func.sum(Portrait.contacts_year), func.count(Portrait.contacts_year),
    )  # fmt: skip
    by = (Portrait.segment, Portrait.user_class, Portrait.thin)
    query = select(*by, func.count(), *columns).where(Portrait.run_id == run.id, Portrait.segment.is_not(None))
    assert run.published_at is not None
    return [
        Cell(run.published_at, *row[:4], *(one or 0 for one in row[4:]))
        for row in session.execute(query.group_by(*by).order_by(*by))
    ]  # fmt: skip


def owners_of(session: Session, run: SegmentRun) -> list[Owners]:
    """Return the customers of a run by the strongest segment of their accounts."""
    rank = func.min(case(_RANK, value=Portrait.segment)).label("rank")
    whose = select(Portrait.customer_no, rank).where(Portrait.run_id == run.id, Portrait.segment.is_not(None))
    mine = whose.group_by(Portrait.customer_no).subquery()
    query = select(mine.c.rank, func.count()).group_by(mine.c.rank).order_by(mine.c.rank)
    assert run.published_at is not None
    return [Owners(run.published_at, SEGMENTS[place], count) for place, count in session.execute(query)]


def tags_of(session: Session, run: SegmentRun, rules: Rules) -> list[Tagged]:
    """Return the accounts of a run by tag: the server groups the lists as they stand, few of which differ."""
    text = cast(Portrait.tags, Text)
    query = select(text, func.count()).where(Portrait.run_id == run.id).group_by(text)
    found: Counter[str] = Counter()
    for tags, count in session.execute(query):
        for tag in json.loads(tags or "[]"):
            found[tag] += count
    ranked = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    assert run.published_at is not None
    return [Tagged(run.published_at, tag, rules.name_of(tag), count) for tag, count in ranked]


def listed_of(session: Session, run: SegmentRun) -> list[Listed]:
    """Return the accounts with the highest fees of each segment."""
    columns = (
        Portrait.account_id, Portrait.account_no, Portrait.segment, Portrait.district, Portrait.user_class,
        Portrait.kwh_year, Portrait.fee_year, Portrait.thin,
    )  # fmt: skip
    found = []
    for segment in SEGMENTS:
        query = select(*columns).where(Portrait.run_id == run.id, Portrait.segment == segment)
        query = query.order_by(Portrait.fee_year.desc().nulls_last(), Portrait.account_id).limit(MOST_LISTED)
        assert run.published_at is not None
        found += [Listed(run.published_at, *row) for row in session.execute(query)]
    return found
