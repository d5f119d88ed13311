"""Breakdowns laid out as charts, and the items behind one point of them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from core.insight.kpi import Asked, Axis, Breakdown, Kpi, Labelled, UnknownRows
from core.insight.words import Words

Pairs = list[tuple[Any, float]]


def lay(chart: Breakdown, facts: Any, asked: Asked, words: Words) -> dict[str, Any]:
    """Return x, series (heat: y too) and, beside, the keys that `pick` and `series` of its rows take (`picks`)."""
    counted = {kpi.key: kpi.counted(facts, asked.span) for kpi in chart.kpis if _told(kpi, asked)}
    x = _places(chart.x, [pair for pairs in counted.values() for pair in pairs], asked, words)
    if chart.kind == "heat":
        return _heat(chart, counted[chart.kpis[0].key], x, facts, asked, words)
    if chart.series is None:
        columns = [
            (kpi, kpi.key, words.figures[kpi.key].name, counted[kpi.key]) for kpi in chart.kpis if kpi.key in counted
        ]
    else:
        columns = _split(chart, counted, asked, words)
    series = [
        {
            "key": key, "name": name, "unit": words.figures[kpi.key].unit,
            "data": _along(chart.x, kpi, pairs, x, facts, asked),
        }
        for kpi, key, name, pairs in columns
    ]  # fmt: skip
    return {"x": [name for _, name in x], "picks": [key for key, _ in x], "series": series, "none": not any(
        one["data"] and any(value is not None for value in one["data"]) for one in series
    ) or not any(counted.values())}  # fmt: skip


def behind(
    chart: Breakdown, facts: Any, asked: Asked, words: Words, pick: str | None, series: str | None
) -> tuple[Kpi, Pairs]:
    """Return the figure and the items at a point; `pick` and `series` are keys, or what is read there.

    Raises:
        UnknownRows: if the chart has no such series.
    """
    kpi = _kpi_of(chart, series, words)
    pairs = kpi.counted(facts, asked.span) if _told(kpi, asked) else []
    if pick is not None:
        pairs = _at(chart.x, pick, pairs, asked, words)
    if series is not None and chart.series is not None:
        pairs = _at(chart.series, series, pairs, asked, words)
    return kpi, pairs


def _kpi_of(chart: Breakdown, series: str | None, words: Words) -> Kpi:
    if chart.series is not None or series is None:
        return chart.kpis[0]
    for kpi in chart.kpis:
        if series in (kpi.key, words.figures[kpi.key].name):
            return kpi
    raise UnknownRows(series)


def _at(axis: Axis, place: str, pairs: Pairs, asked: Asked, words: Words) -> Pairs:
    known = _places(axis, pairs, asked, words)
    wanted = {place} | {key for key, name in known if name == place}
    if any(key == place for key, _ in known):
        wanted = {place}
    return [(item, value) for item, value in pairs if axis.of(item) in wanted]


def _split(
    chart: Breakdown, counted: dict[str, Pairs], asked: Asked, words: Words
) -> list[tuple[Kpi, str, str, Pairs]]:
    assert chart.series is not None
    kpi = chart.kpis[0]
    pairs = counted.get(kpi.key, [])
    parts: defaultdict[str, Pairs] = defaultdict(list)
    for item, value in pairs:
        parts[chart.series.of(item)].append((item, value))
    return [(kpi, key, name, parts[key]) for key, name in _places(chart.series, pairs, asked, words)]


def _heat(chart: Breakdown, pairs: Pairs, x: Labelled, facts: Any, asked: Asked, words: Words) -> dict[str, Any]:
    assert chart.series is not None
    y, kpi = _places(chart.series, pairs, asked, words), chart.kpis[0]
    parts: defaultdict[tuple[str, str], Pairs] = defaultdict(list)
    for item, value in pairs:
        parts[chart.x.of(item), chart.series.of(item)].append((item, value))
    data = [
        [column, row, kpi.of(parts[x_key, y_key], facts, asked.span)]
        for row, (y_key, _) in enumerate(y) for column, (x_key, _) in enumerate(x)
    ]  # fmt: skip
    figure = words.figures[kpi.key]
    return {
        "x": [name for _, name in x], "y": [name for _, name in y], "picks": [key for key, _ in x],
        "y_picks": [key for key, _ in y], "none": not pairs,
        "series": [{"key": kpi.key, "name": figure.name, "unit": figure.unit, "data": data}],
    }  # fmt: skip


def _along(axis: Axis, kpi: Kpi, pairs: Pairs, x: Labelled, facts: Any, asked: Asked) -> list[float | None]:
    parts: defaultdict[str, Pairs] = defaultdict(list)
    for item, value in pairs:
        parts[axis.of(item)].append((item, value))
    return [kpi.of(parts[key], facts, asked.span) for key, _ in x]


def _places(axis: Axis, pairs: Pairs, asked: Asked, words: Words) -> Labelled:
    found = [axis.of(item) for item, _ in pairs]
    if axis.heaviest:
        sums: defaultdict[str, float] = defaultdict(float)
        for key, (_, value) in zip(found, pairs, strict=True):
            sums[key] += value
        found.sort(key=lambda key: (-sums[key], key))
    return axis.places(found, asked.span, words)


def _told(kpi: Kpi, asked: Asked) -> bool:
    return asked.channel is None or kpi.by_channel
