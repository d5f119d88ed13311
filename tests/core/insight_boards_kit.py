"""What the tests of the boards of customers, network and model share: asking, and adding rows up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from dialects import DIALECTS, NewUrl
from insight_kit import DATA, NOW, databases

from core.insight.boards import BOARDS, board_json
from core.insight.kpi import Asked, Breakdown, Sources
from core.insight.laying import behind, lay
from core.insight.rows import Point, cells, rows
from core.insight.spans import Span
from core.insight.words import words_of

TODAY = NOW.date()
WORDS = words_of(DATA)


@contextmanager
def opened(new_url: NewUrl, dialect: str, folder: Path) -> Iterator[Sources]:
    made = databases(new_url, dialect, folder)
    yield made
    for database in (made.bridge, made.workorder, made.billing):
        database.dispose()


def world_of(make: Callable[[Sources, int], Any]) -> Any:
    """Return the fixture of a board's tests: what `make` makes up by chance, in each database, twice."""

    @pytest.fixture(params=[(dialect, seed) for dialect in DIALECTS for seed in (1, 2)], ids=str)
    def world(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Any]:
        dialect, seed = request.param
        with opened(new_url, dialect, tmp_path) as sources:
            yield make(sources, seed)

    return world


def agrees(
    key: str, sources: Sources, by_hand: Callable[[Span], dict[str, float | None]], *days: tuple[int, int]
) -> None:  # fmt: skip
    """Every figure, and the one of the days before, is what was reckoned by hand."""
    for first, last in days:
        what = asked(first, last)
        shown = figures(board(key, sources, what))
        assert {name: one["value"] for name, one in shown.items()} == by_hand(what.span)
        assert {name: one["previous"] for name, one in shown.items()} == by_hand(what.span.previous)


def asked(first: int, last: int, channel: str | None = None) -> Asked:
    """Ask for the days so many days ago."""
    return Asked(Span.of(TODAY - timedelta(days=first), TODAY - timedelta(days=last)), channel, NOW)


def ago(days: float) -> Any:
    return NOW - timedelta(days=days)


def board(key: str, sources: Sources, what: Asked) -> dict[str, Any]:
    return board_json(key, sources, what, WORDS)


def figures(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for group in found["groups"] for one in group["figures"]}


def charts(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for group in found["groups"] for one in group["charts"]}


def rows_come_to_figures(key: str, sources: Sources, what: Asked) -> None:
    """Every figure is what its rows come to, each row once and with all its cells; so are points of charts."""
    shown = figures(board(key, sources, what))
    for kpi in BOARDS[key].kpis:
        found = rows(Point(kpi.key), sources, what, WORDS)
        for item, value in found.pairs:
            assert set(cells(kpi, item, value, WORDS)) == {*kpi.table.columns, "value", "link"}
        assert {one["key"] for one in found.columns(WORDS)} == {*kpi.table.columns, "value"}
        assert found.figure == shown[kpi.key]["value"], kpi.key
        assert len({item.key for item, _ in found.pairs}) == len(found.pairs), kpi.key


def points_are_figures_of_rows(key: str, sources: Sources, what: Asked) -> int:
    """Every point of a chart is the figure of the rows behind it; return how many points there were."""
    facts, seen = BOARDS[key].facts(sources, what, WORDS), 0
    for chart in (one for one in BOARDS[key].charts if isinstance(one, Breakdown)):
        drawn = lay(chart, facts, what, WORDS)
        for series in drawn["series"]:
            for place, pick in enumerate(drawn["picks"]):
                kpi, pairs = behind(chart, facts, what, WORDS, pick, series["key"])
                assert kpi.of(pairs, facts, what.span) == series["data"][place], (chart.key, pick)
                seen += 1
    return seen


def series_of(chart: dict[str, Any], key: str | None = None) -> dict[str, Any]:
    """Return what a chart shows at each key."""
    one = next(one for one in chart["series"] if key in (None, one["key"]))
    return dict(zip(chart["picks"], one["data"], strict=True))


def every_definition_is_documented(key: str) -> None:
    text = (DATA.parent / "docs" / "insight.md").read_text("utf-8")
    for kpi in BOARDS[key].kpis:
        said = WORDS.figures[kpi.key]
        assert f"| `{kpi.key}` | {said.name} | {WORDS.units[said.unit].name} |" in text, kpi.key
        assert f"| {said.definition} |" in text, kpi.key
    for chart in (chart for group in BOARDS[key].groups for chart in group.charts):
        said_of = WORDS.charts[chart.key]
        assert f"| `{chart.key}` | {said_of.name} | {chart.kind} | {said_of.definition} |" in text, chart.key


def day(back: int) -> date:
    return TODAY - timedelta(days=back)
