"""The board of customers: segments with size, revenue and growth, moves, tags, clusters, the tree, and its quality.

All of it is of the run of the segmentation that was in use at the end of the days asked for, or, where there was none
yet, of the first one after them, and says so; the figures before are those of the run in use at the end of the days
before. A segment is for staff only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.insight import customers_tables as tables
from core.insight.customers_charts import (
    clusters_scatter,
    drift_table,
    moves_sankey,
    rules_lines,
    rules_tree,
    segments_table,
)
from core.insight.customers_facts import CustomersFacts, within
from core.insight.customers_items import Cell, Moved, Tried
from core.insight.kpi import Asked, Board, Breakdown, Custom, Group, Kpi, in_order_of
from core.insight.spans import Span
from core.insight.totals import mean
from core.insight.weighing import as_found, greatest, if_so, ratio, ratio_of, sum_if_any
from core.insight.words import Words
from core.segment.tables import SegmentRun


def _cells(key: str, measure: Any, **more: Any) -> Kpi:
    given = {"total": sum_if_any, "by_channel": False, "at_end": True, **more}
    return Kpi(key, within("cells"), measure, tables.CELLS, **given)


# How many, and what they are worth.
ACCOUNTS = _cells("accounts", lambda one: float(one.accounts))
OWNERS = Kpi(
    "segment_customers",
    within("owners"),
    lambda one: float(one.customers),
    tables.OWNERS,
    sum_if_any,
    by_channel=False,
    at_end=True,
)
KWH = _cells("kwh_year", lambda one: one.kwh_year)
FEE = _cells("fee_year", lambda one: one.fee_year)


def _thin(one: Cell) -> float:
    return float(one.accounts if one.thin else 0)


GROWTH = _cells("kwh_growth", lambda one: one.growth, total=ratio_of)
ON_TIME = _cells("on_time", lambda one: one.punctual, total=ratio_of)
CONTACTS = _cells("contacts_mean", lambda one: one.asked_often, total=ratio_of)
THIN = _cells("thin", _thin)


def _moved(one: Moved) -> float:
    """Return how many moved; who was not there before has not."""
    return float(one.accounts if one.before is not None and one.before != one.after else 0)


MOVED = Kpi("moved", within("moves"), _moved, tables.MOVES, sum_if_any, by_channel=False, at_end=True)
TAGGED = Kpi(
    "tagged", within("tags"), lambda one: float(one.accounts), tables.TAGS, sum_if_any, by_channel=False, at_end=True
)
LISTED = Kpi("listed", within("listed"), lambda _one: 1.0, tables.ACCOUNTS, by_channel=False, at_end=True)


# How good the groups are.
def _some(values: Any) -> float | None:
    return float(len(values)) if values else None


def _good(one: Tried) -> float | None:
    return ratio(one.silhouette * one.accounts, one.accounts) if one.k > 1 else None


def _steady(one: Tried) -> float | None:
    return ratio(one.stability * one.accounts, one.accounts) if one.k > 1 else None


CLUSTERS = Kpi("clusters", within("clusters"), lambda _one: 1.0, tables.CLUSTERS, _some, by_channel=False, at_end=True)
SILHOUETTE = Kpi("silhouette", within("layers"), _good, tables.TRIED, ratio_of, by_channel=False, at_end=True)
STABILITY = Kpi("stability", within("layers"), _steady, tables.TRIED, ratio_of, by_channel=False, at_end=True)
SILHOUETTE_AT = Kpi(
    "silhouette_at", within("tried"), lambda one: one.silhouette, tables.TRIED, mean, by_channel=False, at_end=True
)


class _Run:
    """The run itself, as one item."""

    def __init__(self, run: SegmentRun) -> None:
        assert run.published_at is not None
        self.at, self.key, self.as_of, self.accounts = run.published_at, str(run.id), run.as_of, run.accounts
        self.agreement: float | None = run.quality.get("tree", {}).get("agreement")


def _run(facts: CustomersFacts, span: Span) -> Iterator[_Run]:
    run = facts.run(span)
    if run is not None:
        yield _Run(run)


AGREEMENT = Kpi("tree_agreement", _run, lambda one: one.agreement, tables.RUNS, mean, by_channel=False, at_end=True)
PSI = Kpi("psi", within("psi"), lambda one: one.value, tables.FEATURES, greatest, by_channel=False, at_end=True)
DRIFTED = Kpi(
    "drifted",
    within("psi"),
    lambda one: float(one.value >= one.notable),
    tables.FEATURES,
    sum_if_any,
    by_channel=False,
    at_end=True,
)


def _later(facts: CustomersFacts, _asked: Asked, words: Words) -> str | None:
    """Say of what day it is, where there was no run yet at the end of the days asked for."""
    return None if facts.later is None else words.texts.later_run.format(day=facts.later)


SEGMENT = in_order_of(lambda words: words.values["segment"], lambda one: one.segment)
CLASS = in_order_of(lambda words: words.values["user_class"], lambda one: one.user_class)
REASON = in_order_of(lambda words: words.values["thin"], lambda one: one.thin or "enough")
TAG = as_found(lambda name, _words: name, lambda one: one.name)
FEATURE = as_found(lambda name, _words: name, lambda one: one.name)
STARTS = as_found(lambda key, _words: key, lambda one: str(one.start))
LAYER = as_found(lambda key, _words: key, lambda one: one.class_name)
THIN_ONLY = _cells("thin_accounts", lambda one: if_so(bool(one.thin)) and float(one.accounts))

CUSTOMERS = Board(
    "customers", CustomersFacts,
    (
        Group(
            "segments", (ACCOUNTS, OWNERS, KWH, FEE, GROWTH, ON_TIME, CONTACTS, THIN, MOVED),
            (
                Custom("segments", "table", segments_table, rows="accounts"),
                Breakdown("segment_sizes", "bar", (ACCOUNTS,), SEGMENT),
                Breakdown("segment_fees", "share", (FEE,), SEGMENT),
                Breakdown("segment_growth", "bar", (GROWTH,), SEGMENT),
                Breakdown("segment_on_time", "bar", (ON_TIME,), SEGMENT),
                Breakdown("segment_contacts", "bar", (CONTACTS,), SEGMENT),
                Breakdown("class_segments", "stack", (ACCOUNTS,), CLASS, SEGMENT),
                Custom("segment_moves", "sankey", moves_sankey, rows="moved"),
                Breakdown("tags", "bar", (TAGGED,), TAG),
                Breakdown("thin_reasons", "bar", (THIN_ONLY,), REASON),
            ),
        ),
        Group(
            "clustering", (CLUSTERS, SILHOUETTE, STABILITY, AGREEMENT, DRIFTED, PSI),
            (
                Custom("cluster_points", "scatter", clusters_scatter, rows="clusters"),
                Breakdown("silhouette_by_k", "line", (SILHOUETTE_AT,), STARTS, LAYER),
                Custom("rules_tree", "tree", rules_tree),
                Custom("rules", "table", rules_lines),
                Breakdown("psi_by_feature", "bar", (PSI,), FEATURE),
                Custom("drift", "table", drift_table, rows="psi"),
            ),
        ),
    ),
    more=(Breakdown("segment_accounts", "table", (LISTED,), SEGMENT),),
    note=_later,
)  # fmt: skip
