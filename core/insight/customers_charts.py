"""Charts of the customers' board that are no breakdown: the table of segments, moves, clusters as points, the tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from core.insight.customers_facts import CustomersFacts
from core.insight.customers_tables import class_name, segment_name
from core.insight.kpi import Asked
from core.insight.weighing import ratio_of, total
from core.insight.words import Words
from core.segment.classify import CLASS
from core.segment.tables import SEGMENTS

Json = dict[str, Any]
# Two features that are read without their unit and differ between the groups of all classes.
ACROSS, UP = "summer_index", "weekend_ratio"
_LARGE = 300  # the size of a point that stands for everybody


def segments_table(facts: CustomersFacts, asked: Asked, words: Words) -> Json:
    """Return a line for each segment; it opens the list of its accounts."""
    cells, owners = facts.cells(asked.span), {one.segment: one.customers for one in facts.owners(asked.span)}
    everybody = sum(one.accounts for one in cells)
    days = {"from": asked.span.first, "to": asked.span.last}
    names = (
        "segment", "accounts", "account_share", "customers", "kwh_year", "fee_year", "growth_share", "on_time_share",
        "contacts_mean", "thin_accounts",
    )  # fmt: skip
    lines = []
    for segment in SEGMENTS:
        mine = [one for one in cells if one.segment == segment]
        growth, on_time, contacts = (
            ratio_of([value for one in mine if (value := getattr(one, name)) is not None])
            for name in ("growth", "punctual", "asked_often")
        )
        count = sum(one.accounts for one in mine)
        lines.append({
            "key": segment, "segment": segment_name(segment, words), "accounts": count,
            "account_share": count / everybody if everybody else None, "customers": owners.get(segment, 0),
            "kwh_year": round(total(one.kwh_year for one in mine)),
            "fee_year": round(total(one.fee_year for one in mine)), "growth_share": growth,
            "on_time_share": on_time, "contacts_mean": None if contacts is None else round(contacts, 2),
            "thin_accounts": sum(one.accounts for one in mine if one.thin),
            "rows": f"/v1/insight/rows/segment_accounts?{urlencode({**days, 'pick': segment})}",
        })  # fmt: skip
    return {"columns": _columns(names, words), "lines": lines if cells else []}


def moves_sankey(facts: CustomersFacts, asked: Asked, words: Words) -> Json:
    """Return the moves between the last two runs, from left to right."""
    found = facts.moves(asked.span)
    sides: Mapping[str, list[str | None]] = {
        "before": [one.before for one in found],
        "after": [one.after for one in found],
    }
    nodes = [
        {"key": f"{side}:{key or 'none'}", "name": segment_name(key, words), "depth": depth}
        for depth, (side, keys) in enumerate(sides.items())
        for key in (*SEGMENTS, None) if key in keys
    ]  # fmt: skip
    links = [
        {"source": f"before:{one.before or 'none'}", "target": f"after:{one.after or 'none'}", "value": one.accounts}
        for one in found
    ]  # fmt: skip
    return {"nodes": nodes, "links": links}


def clusters_scatter(facts: CustomersFacts, asked: Asked, _words: Words) -> Json:
    """Return each cluster as a point at the means of two features, as large as its share of accounts."""
    found = facts.clusters(asked.span)
    everybody = sum(one.size for one in found)
    series: dict[str, list[list[Any]]] = {}
    for one in found:
        x, y = one.means.get(ACROSS), one.means.get(UP)
        if x is not None and y is not None:
            point = [x, y, round(_LARGE * one.size / everybody, 1), one.name]
            series.setdefault(one.class_name, []).append(point)
    return {
        "x_name": facts.feature_name(ACROSS), "y_name": facts.feature_name(UP), "x_unit": "",
        "series": [{"key": name, "name": name, "data": data} for name, data in series.items()],
    }  # fmt: skip


def rules_tree(facts: CustomersFacts, asked: Asked, words: Words) -> Json:
    """Return the decision tree; what stands at a node is the condition that leads there, and of how many."""
    run = facts.run(asked.span)
    tree = run.model.get("tree") if run is not None else None
    if run is None or not tree:
        return {"root": None}
    children = [
        _node(facts, run.model["names"], node, class_name(name, words)) for name, node in tree["classes"].items()
    ]
    everybody = sum(one["value"] for one in children)
    return {"root": {"name": words.value("tree", CLASS), "value": everybody, "children": children}}


def rules_lines(facts: CustomersFacts, asked: Asked, words: Words) -> Json:
    """Return the tree as sentences, one a leaf."""
    run = facts.run(asked.span)
    lines = [{"key": str(place), "rank": place, "rule": rule} for place, rule in enumerate(run.rules, 1)] if run else []
    return {"columns": _columns(("rank", "rule"), words), "lines": lines}


def drift_table(facts: CustomersFacts, asked: Asked, words: Words) -> Json:
    """Return how far each feature has moved, in a word."""
    lines = [
        {"key": one.feature, "feature": one.name, "psi": one.value, "drift_word": words.value("psi", one.word)}
        for one in facts.psi(asked.span)
    ]
    return {"columns": _columns(("feature", "psi", "drift_word"), words), "lines": lines}


def _node(facts: CustomersFacts, names: list[str], node: Mapping[str, Any], condition: str) -> Json:
    if "cluster" in node:
        label = facts.words.value("tree", "leaf").format(condition=condition, cluster=names[node["cluster"]])
        purity = facts.words.value("tree", "purity").format(purity=node["purity"])
        return {"name": label, "value": node["accounts"], "note": purity}
    sides = [_node(facts, names, node[side], _condition(facts, node, side)) for side in ("left", "right")]
    return {"name": condition, "value": sum(one["value"] for one in sides), "children": sides}


def _condition(facts: CustomersFacts, node: Mapping[str, Any], side: str) -> str:
    said, name, limit = facts.known.words, facts.feature_name(node["feature"]), node["at_most"]
    unit = facts.feature_unit(node["feature"])
    if limit is None:
        return (said.known if side == "left" else said.not_known).format(name=name)
    value = f"{limit:,.0f}" if abs(limit) >= 100 else f"{limit:.3g}"
    return (said.at_most if side == "left" else said.over).format(name=name, value=value, unit=unit)


def _columns(names: tuple[str, ...], words: Words) -> list[dict[str, str]]:
    return [{"key": name, "name": words.columns[name]} for name in names]
