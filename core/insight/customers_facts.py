"""What the board of customers is made of: the run of the segmentation in use, its portraits summed up in the server.

Portraits of a published run never change: what was summed up of one is kept in memory (a few hundred numbers a run).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import Database
from core.insight.customers_items import (
    Cell,
    Cluster,
    Listed,
    Moved,
    Owners,
    Psi,
    Tagged,
    Tried,
    cells_of,
    listed_of,
    owners_of,
    tags_of,
)
from core.insight.kpi import Asked, Sources
from core.insight.spans import Span, day_of
from core.insight.words import Words
from core.portrait.catalogue import Catalogue
from core.segment.method import Segmentation
from core.segment.tables import PUBLISHED, RETIRED, SegmentRun

MOST_RUNS = 12
Result = TypeVar("Result")
_kept: WeakKeyDictionary[Database, dict[tuple[int, str], Any]] = WeakKeyDictionary()


@dataclass(frozen=True)
class CustomersFacts:
    """The facts of the run that was in use at the end of some days; without any run there are none."""

    sources: Sources
    asked: Asked
    words: Words

    def run(self, span: Span) -> SegmentRun | None:
        """Return the run in use at the end of these days (at present, if they are not over yet).

        Before the first one was published the days asked for are shown as that one found them, the days before not at
        all: a run is not compared with itself.
        """
        if span not in self._runs:
            with self.sources.bridge.reading() as session:
                later = first_from if span == self.asked.span else _none
                self._runs[span] = run_at(session, span.end) or later(session, span.end)
        return self._runs[span]

    @property
    def later(self) -> date | None:
        """The day on which the run that is shown was published, where that was after the days asked for."""
        run = self.run(self.asked.span)
        return None if run is None or _at(run) < self.asked.span.end else day_of(_at(run))

    def cells(self, span: Span) -> list[Cell]:
        """Return the accounts by segment, class and thinness."""
        return self._summed(span, "cells", cells_of)

    def owners(self, span: Span) -> list[Owners]:
        """Return the customers by the strongest segment of their accounts."""
        return self._summed(span, "owners", owners_of)

    def tags(self, span: Span) -> list[Tagged]:
        """Return the accounts by tag, the most frequent tag first."""
        return self._summed(span, "tags", lambda session, run: tags_of(session, run, self.known.rules))

    def listed(self, span: Span) -> list[Listed]:
        """Return the accounts with the highest fees of each segment."""
        run = self.run(span)
        if run is None:
            return []
        with self.sources.bridge.reading() as session:
            return listed_of(session, run)

    def moves(self, span: Span) -> list[Moved]:
        """Return how many accounts went from which segment to which since the run before."""
        run = self.run(span)
        rows = run.summary.get("moves", {}).get("rows", []) if run is not None else []
        return [Moved(_at(run), row["before"], row["after"], row["accounts"]) for row in rows if run is not None]

    def clusters(self, span: Span) -> list[Cluster]:
        """Return the clusters, the largest first."""
        run = self.run(span)
        found = sorted(run.clusters, key=lambda one: -one["size"]) if run is not None else []
        return [Cluster.of(_at(run), one, self._class_of(run, one["number"])) for one in found if run is not None]

    def layers(self, span: Span) -> list[Tried]:
        """Return the number of clusters that was chosen in each class."""
        return [one for one in self.tried(span) if one.chosen]

    def tried(self, span: Span) -> list[Tried]:
        """Return all numbers of clusters that were tried in each class."""
        run = self.run(span)
        if run is None:
            return []
        return [
            Tried.of(_at(run), layer, one, self.class_names(layer["classes"]))
            for layer in run.quality.get("layers", []) for one in layer["tried"]
        ]  # fmt: skip

    def psi(self, span: Span) -> list[Psi]:
        """Return how far each feature has moved since the run before, the farthest first."""
        run = self.run(span)
        found: dict[str, float] = run.drift.get("psi", {}) if run is not None else {}
        rules = self.known.method.drift
        return [
            Psi(_at(run), key, self.feature_name(key), value, rules.notable, rules.large)
            for key, value in sorted(found.items(), key=lambda one: (-one[1], one[0])) if run is not None
        ]  # fmt: skip

    @property
    def known(self) -> Segmentation:
        """The rules of segments, tags and clusters."""
        return segmentation_of(self.sources.data_dir)

    def segment_name(self, key: str) -> str:
        """Return what a segment or tag is called."""
        return self.known.rules.name_of(key)

    def class_names(self, classes: list[str]) -> str:
        """Return what classes of users are called."""
        return self.words.texts.and_.join(self.known.classes.get(one, one) for one in classes)

    def feature_name(self, key: str) -> str:
        """Return what a feature is called; one that is no longer known is its own name."""
        try:
            return catalogue_of(self.sources.data_dir)[key].name
        except KeyError:
            return key

    def feature_unit(self, key: str) -> str:
        """Return the unit in which a feature is said, none where the number says enough, or the feature is unknown."""
        try:
            unit = catalogue_of(self.sources.data_dir)[key].unit
        except KeyError:
            return ""
        return "" if unit in self.known.words.no_unit else unit

    @cached_property
    def _runs(self) -> dict[Span, SegmentRun | None]:
        return {}

    def _class_of(self, run: SegmentRun, number: int) -> str:
        layers = sorted(run.model.get("layers", []), key=lambda one: int(one["first"]), reverse=True)
        found: list[str] = next((one["classes"] for one in layers if one["first"] <= number), [])
        return self.class_names(found)

    def _summed(self, span: Span, name: str, read: Callable[[Session, SegmentRun], list[Result]]) -> list[Result]:
        run = self.run(span)
        if run is None:
            return []
        kept = _kept.setdefault(self.sources.bridge, {})
        if (run.id, name) not in kept:
            with self.sources.bridge.reading() as session:
                kept[run.id, name] = read(session, run)
            while len(kept) > MOST_RUNS * 3:
                kept.pop(next(iter(kept)), None)
        found: list[Result] = kept[run.id, name]
        return found


def run_at(session: Session, moment: datetime) -> SegmentRun | None:
    """Return the run that was in use just before a moment, None before the first one was published."""
    query = select(SegmentRun).where(SegmentRun.state.in_((PUBLISHED, RETIRED)), SegmentRun.published_at < moment)
    return session.scalar(query.order_by(SegmentRun.published_at.desc(), SegmentRun.id.desc()).limit(1))


def first_from(session: Session, moment: datetime) -> SegmentRun | None:
    """Return the first run that was published at a moment or later, None if there is none yet."""
    query = select(SegmentRun).where(SegmentRun.state.in_((PUBLISHED, RETIRED)), SegmentRun.published_at >= moment)
    return session.scalar(query.order_by(SegmentRun.published_at, SegmentRun.id).limit(1))


def _none(_session: Session, _moment: datetime) -> None:
    return None


def within(name: str) -> Callable[[CustomersFacts, Span], Iterator[Any]]:
    """Return the selection of the facts of this name."""

    def items(facts: CustomersFacts, span: Span) -> Iterator[Any]:
        return iter(getattr(facts, name)(span))

    return items


def _at(run: SegmentRun | None) -> datetime:
    assert run is not None
    assert run.published_at is not None
    return run.published_at


@cache
def segmentation_of(data_dir: Path) -> Segmentation:
    """Read the rules of segments; raises core.segment.rules.BadSegmentData."""
    return Segmentation.load(data_dir / "segments")


@cache
def catalogue_of(data_dir: Path) -> Catalogue:
    """Read the catalogue of features; raises core.portrait.catalogue.CatalogueError."""
    return Catalogue.load(data_dir / "portrait" / "features.yaml")
