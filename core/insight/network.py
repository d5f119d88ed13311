"""The board of the network: outages and where, who reported and who was told, return times against what was said."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from core.insight import network_tables as tables
from core.insight.kpi import Asked, Board, Breakdown, Custom, Group, Kpi, by_day, in_order_of
from core.insight.network_facts import NetworkFacts, within
from core.insight.network_items import UNPLANNED, Dark, OutageItem
from core.insight.spans import Span
from core.insight.totals import count, mean, median, sum_of
from core.insight.weighing import heaviest_first, if_so, share_of
from core.insight.words import Words
from core.outage import PLANNED


class Place(BaseModel):
    """Where an area stands on the schematic map: columns from left to right, rows from top to bottom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    x: float
    y: float


def _outage(key: str, measure: Any, **more: Any) -> Kpi:
    return Kpi(key, within("outages"), measure, tables.OUTAGES, by_channel=False, **more)


def _unplanned(one: OutageItem) -> bool:
    return one.begun and one.kind in UNPLANNED


def _repeated(one: OutageItem) -> float | None:
    return float(one.again) if _unplanned(one) else None


def _lasted(one: OutageItem) -> float | None:
    return one.lasted if _unplanned(one) else None


def _late(one: OutageItem) -> float | None:
    return one.late_minutes if one.begun else None


# What is out.
OUTAGES = _outage("outages", lambda one: if_so(one.begun))
FAULTS = _outage("outage_faults", lambda one: if_so(_unplanned(one)))
REPEATED = _outage("outages_again", _repeated, total=mean)
AGAIN = _outage("outages_again_count", lambda one: if_so(one.again))


def _under_way(facts: NetworkFacts, span: Span) -> Iterator[OutageItem]:
    return iter(facts.under_way(span))


def _dark(facts: NetworkFacts, span: Span) -> Iterator[Dark]:
    return iter(facts.dark(span))


def _suspected(facts: NetworkFacts, span: Span) -> Iterator[OutageItem]:
    return (one for one in within("outages")(facts, span) if one.state == "suspected")


NOW = Kpi("outages_now", _under_way, lambda _one: 1.0, tables.OUTAGES, count, by_channel=False, at_end=True)
OUT = Kpi("accounts_out", _dark, lambda one: float(one.accounts), tables.DARK, sum_of, by_channel=False, at_end=True)
SUSPECTED = Kpi("outages_suspected", _suspected, lambda _one: 1.0, tables.OUTAGES, count, by_channel=False)

# Who said so, and who was told.
REPORTS = Kpi("outage_reports", within("reports"), lambda _one: 1.0, tables.REPORTS, by_channel=False)
SUBSCRIBERS = Kpi("outage_subscribers", within("subscribers"), lambda _one: 1.0, tables.SUBSCRIBERS, by_channel=False)
TOLD = Kpi(
    "outage_told", within("subscribers"), lambda one: share_of(one.heard), tables.SUBSCRIBERS, mean, by_channel=False
)

# What was said, and what came of it.
KEPT = _outage("restore_kept", lambda one: share_of(one.kept), total=mean)
LATE = _outage("restore_late", _late, total=median)
LASTED = _outage("outage_lasted", _lasted, total=median)
PLANS = _outage("outages_planned", lambda one: if_so(one.kind == PLANNED and one.state != "cancelled"))
ANNOUNCED = _outage("planned_notice", lambda one: share_of(one.announced), total=mean)
ARRIVED = Kpi(
    "field_arrival", within("arrivals"), lambda one: share_of(one.kept), tables.ARRIVALS, mean, by_channel=False
)
MINUTES = Kpi("arrival_minutes", within("arrivals"), lambda one: one.minutes, tables.ARRIVALS, median, by_channel=False)

KIND = in_order_of(lambda words: words.values["outage_kind"], lambda one: one.kind)
STATE = in_order_of(lambda words: words.values["outage_state"], lambda one: one.state)
CAUSE = heaviest_first(lambda key, words: words.value("cause", key), lambda one: one.cause or "unknown")
AREA_CLASS = in_order_of(lambda words: words.values["area_class"], lambda one: one.area_class)
DISTRICT = heaviest_first(
    lambda key, words: key or words.value("area_class", "unknown"), lambda one: one.district or ""
)


def areas_map(facts: NetworkFacts, asked: Asked, words: Words) -> dict[str, Any]:
    """Return the areas where they lie to each other: how many accounts are out, and in words what is reported."""
    dark, span = facts.dark(asked.span), asked.span
    under_way = facts.under_way(span)
    reports = [one for one in facts.reports if span.holds(one.at)]
    known = places_of(facts.sources.data_dir)
    found = {one.district for one in facts.grid.nodes.values()} | {one.district for one in under_way}
    names = [*(name for name in known if name in found), *sorted(found - set(known))]
    below = max((one.y for one in known.values()), default=-1.0) + 1
    areas = []
    for place, name in enumerate(names):
        at = known.get(name) or Place(x=float(place - len(known)), y=below)
        note = words.value("map", "note").format(
            outages=sum(one.district == name for one in under_way), reports=sum(one.district == name for one in reports)
        )
        accounts = sum(one.accounts for one in dark if one.district == name)
        areas.append({"key": name, "name": name, "x": at.x, "y": at.y, "value": accounts, "note": note})
    return {"areas": areas}


@cache
def places_of(data_dir: Path) -> dict[str, Place]:
    """Read where areas stand (data/insight/areas.yaml); raises pydantic.ValidationError."""
    found = yaml.safe_load((data_dir / "insight" / "areas.yaml").read_text(encoding="utf-8"))
    return {name: Place.model_validate(place) for name, place in found["areas"].items()}


NETWORK = Board(
    "network", NetworkFacts,
    (
        Group(
            "outages", (OUTAGES, FAULTS, NOW, OUT, SUSPECTED, REPEATED),
            (
                Custom("areas", "map", areas_map, rows="out_by_area"),
                Breakdown("outages_by_day", "stack", (OUTAGES,), by_day(), KIND),
                Breakdown("outages_by_state", "bar", (OUTAGES,), STATE),
                Breakdown("outages_by_cause", "bar", (OUTAGES,), CAUSE),
                Breakdown("again_by_area", "bar", (AGAIN,), DISTRICT),
            ),
        ),
        Group(
            "reports", (REPORTS, SUBSCRIBERS, TOLD),
            (
                Breakdown("reports_by_day", "line", (REPORTS, SUBSCRIBERS), by_day()),
                Breakdown("reports_by_area", "bar", (REPORTS,), DISTRICT),
            ),
        ),
        Group(
            "returns", (KEPT, LATE, LASTED, PLANS, ANNOUNCED, ARRIVED),
            (
                Breakdown("restore_by_kind", "bar", (KEPT,), KIND),
                Breakdown("restore_late_by_class", "bar", (LATE,), AREA_CLASS),
                Breakdown("arrival_by_class", "bar", (ARRIVED,), AREA_CLASS),
                Breakdown("arrival_minutes_by_class", "bar", (MINUTES,), AREA_CLASS),
            ),
        ),
    ),
    more=(Breakdown("out_by_area", "bar", (OUT,), DISTRICT),),
)  # fmt: skip
