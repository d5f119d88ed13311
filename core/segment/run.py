"""One segmentation from end to end: features, clusters, tree, names, publication.

It may be cut off at any moment: the run in use stays, and the next one goes on after the last step that was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from core.clock import SHANGHAI, Clock, system_clock
from core.db import Database
from core.portrait.build import Sources, build
from core.portrait.frame import Frame, chunks
from core.portrait.sql import gauge, long_reading
from core.portrait.tables import Portrait
from core.segment import runs
from core.segment.classify import Labels, in_words
from core.segment.clean import usable_of
from core.segment.drift import bins_of, drift, moves
from core.segment.layers import Classes, Layers, Part, TooFewAccounts, fit_layers
from core.segment.lock import AlreadyRunning, Check, LockLost, alone
from core.segment.method import Segmentation
from core.segment.names import cluster_names, cut, explained
from core.segment.place import Tally, place_all
from core.segment.scale import Matrix, picked
from core.segment.tree import grow

__all__ = ["AlreadyRunning", "BadDay", "LockLost", "TooFewAccounts", "segment"]

Progress = Callable[[str, int, int], None]
FIRST_DAY = date(2000, 1, 1)
_MODEL_VERSION = 1


class BadDay(Exception):
    """A run cannot be as of this day; the message says why."""


@dataclass(frozen=True)
class Sample:
    """Accounts that can be clustered: all of them, or as many as the method asks for."""

    values: Matrix
    classes: Classes
    accounts: int  # of which it is a sample


@dataclass(frozen=True)
class _Run:
    sources: Sources
    run_id: int
    seed: int
    known: Segmentation
    labels: Labels
    progress: Progress
    clock: Clock
    check: Check  # that nobody else is at it

    @property
    def bridge(self) -> Database:
        return self.sources.bridge


def segment(
    sources: Sources, *, as_of: date, seed: int, settings: Segmentation, labels: Labels | None = None,
    progress: Progress = lambda _what, _done, _total: None, clock: Clock = system_clock,
) -> int:  # fmt: skip
    """Make a run and publish it; return its id. `labels`: names and units of features, for the rules in words.

    Raises:
        BadDay: if the day has not come yet, or is before there were any of these data; nothing was done.
        AlreadyRunning: if another process is at it.
        LockLost: if another may be at it by now, since the server dropped a connection; the next run goes on with it.
        TooFewAccounts: if no account has enough history; the run has failed, and the one in use stays.
    """
    _check(as_of, clock().astimezone(SHANGHAI).date())
    with alone(sources.bridge) as check, threadpool_limits(limits=1):  # others answer customers on this machine
        begun = runs.begin(
            sources.bridge, as_of=as_of, seed=seed, settings=settings.settings(),
            resume_hours=settings.method.resume_hours, now=clock(),
        )  # fmt: skip
        one = _Run(sources, begun.run_id, seed, settings, labels or {}, progress, clock, check)
        if begun.stage == runs.FEATURES_STAGE:
            build(
                sources, begun.run_id, as_of=begun.as_of, after=begun.cursor, progress=progress, clock=clock
            )  # fmt: skip
        try:
            _reckon(one)
        except TooFewAccounts as error:
            runs.fail(sources.bridge, begun.run_id, str(error), now=clock())
            raise
        runs.prune(sources.bridge, keep=settings.method.keep_runs)
        return begun.run_id


def _check(as_of: date, today: date) -> None:
    if as_of > today:
        raise BadDay(f"{as_of} has not come yet, today is {today}: nothing could be known of the days between")
    if as_of < FIRST_DAY:
        raise BadDay(f"{as_of} is before {FIRST_DAY}: there are no data of the two years before it")


def _reckon(one: _Run) -> None:
    """Do all that follows the features."""
    one.check()
    gauge(one.bridge, Portrait.__tablename__)
    runs.reach(one.bridge, one.run_id, runs.CLUSTERS_STAGE, now=one.clock())
    sample, thresholds = _scanned(one)
    layers, decided = fit_layers(sample.values, sample.classes, one.known.method, seed=one.seed)
    if sample.accounts > one.known.method.minibatch_over:
        layers = layers.refined(lambda: _parts(one), seed=one.seed)
    one.progress("clusters", 1, 1)
    record = _modelled(one, sample, layers, thresholds, decided)
    runs.reach(one.bridge, one.run_id, runs.NAMES_STAGE, now=one.clock(), **record)
    tally = place_all(
        one.bridge, one.run_id, layers, one.known, thresholds, each=lambda done: _beat(one, done),
    )  # fmt: skip
    found = _summed_up(one, tally, record)
    runs.reach(one.bridge, one.run_id, runs.NAMES_STAGE, now=one.clock(), **found)
    gauge(one.bridge, Portrait.__tablename__)  # before anybody reads it
    one.check()
    runs.publish(one.bridge, one.run_id, now=one.clock())


def _scanned(one: _Run) -> tuple[Sample, dict[str, float]]:
    """Go once through all accounts: a sample of those that can be clustered, and the thresholds of the rules."""
    method, total = one.known.method, _count(one)
    tops = {rule.threshold: rule for rule in one.known.rules.conditions() if rule.top is not None}
    wanted = tuple(dict.fromkeys((*method.names, *(rule.feature for rule in tops.values()))))
    rng, share = np.random.default_rng(one.seed), method.sample / max(total, 1)
    columns: dict[str, list[Any]] = {key: [] for key in tops}
    values, classes, accounts = [], [], 0
    for frame in chunks(one.bridge, one.run_id, wanted, method.chunk, extra=("thin", "user_class")):
        good = usable_of(frame, method.names)
        accounts += int(good.sum())
        for key, rule in tops.items():
            columns[key].append(frame.column(rule.feature))
        if share < 1:
            good &= rng.random(len(frame)) < share
        values.append(picked(frame.values, frame.names, method.names)[good])
        classes.append(np.array(frame.extra["user_class"], dtype=object)[good])
    if not accounts:
        raise TooFewAccounts("no account has enough history")
    cuts = {key: cut(np.concatenate(columns[key]), rule.top or 0.0) for key, rule in tops.items()}
    thresholds = {key: value for key, value in cuts.items() if value is not None}
    return Sample(np.concatenate(values), np.concatenate(classes), accounts), thresholds


def _parts(one: _Run) -> Iterator[Part]:
    method = one.known.method
    for frame in _frames(one):
        good = usable_of(frame, method.names)
        classes = np.array(frame.extra["user_class"], dtype=object)
        yield picked(frame.values, frame.names, method.names)[good], classes[good]


def _frames(one: _Run) -> Iterator[Frame]:
    method = one.known.method
    yield from chunks(one.bridge, one.run_id, method.names, method.chunk, extra=("thin", "user_class"), only_full=True)


def _modelled(
    one: _Run, sample: Sample, layers: Layers, thresholds: Mapping[str, float], decided: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return what is known of the run once its clusters stand: model, rules in words, quality, drift."""
    known, names = one.known, one.known.method.names
    labels = layers.assign(sample.values, sample.classes)
    grown = grow(sample.values, names, sample.classes, labels, known.method.tree, seed=one.seed)
    titles = cluster_names(layers, sample.values, labels, known)
    one.progress("tree", 1, 1)
    with one.bridge.reading() as session:
        before = runs.published(session)
        bins = dict(before.model.get("bins", {})) if before is not None else {}
    model = {
        "version": _MODEL_VERSION, "features": list(names), "layers": layers.to_json(), "tree": grown.tree,
        "names": titles, "thresholds": dict(thresholds), "bins": bins_of(sample.values, names, known.method.drift),
    }  # fmt: skip
    rules = in_words(grown.tree, words=known.words, labels=one.labels, classes=known.classes, names=titles)
    quality = {
        "clusters": layers.count, "sample": len(sample.values), "accounts": sample.accounts, "layers": decided,
        "tree": grown.to_json(),
    }  # fmt: skip
    moved = {"against": before.id} | drift(sample.values, names, bins, known.method.drift) if before else {}
    return {"model": model, "rules": rules, "quality": quality, "drift": moved}


def _summed_up(one: _Run, tally: Tally, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the clusters with their reasons, and the summary with the moves since the published run."""
    titles = record["model"]["names"]
    clusters = [
        explained(title, number, tally.clusters.get(number, {}), tally.means(number))
        for number, title in enumerate(titles)
    ]  # fmt: skip
    summary = tally.summary()
    with long_reading(one.bridge) as session:
        before = runs.published(session)
        if before is not None:
            summary["moves"] = {"against": before.id, "rows": moves(session, before.id, one.run_id)}
    return {"clusters": clusters, "summary": summary, "accounts": summary["accounts"]}


def _beat(one: _Run, done: int) -> None:
    with one.bridge.transaction() as session:
        run = runs.find(session, one.run_id)
        run.heartbeat_at = one.clock()
        total = run.accounts
    one.progress("names", done, max(total, done))


def _count(one: _Run) -> int:
    with one.bridge.reading() as session:
        return runs.find(session, one.run_id).accounts
