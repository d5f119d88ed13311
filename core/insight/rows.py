"""The rows behind a figure or a point of a chart: the very items that were counted, newest first, page by page."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.csv_cell import BOM, plain
from core.insight.boards import BOARDS
from core.insight.kpi import Asked, Board, Breakdown, Cell, Kpi, Sources, UnknownRows
from core.insight.laying import behind
from core.insight.words import Words

VALUE = "value"  # the column of what a row adds to its figure


class BadCursor(ValueError):
    """What is asked for is the page after a row that no page has shown."""


@dataclass(frozen=True)
class Point:
    """Which rows: of a figure or chart, and of a chart at which point."""

    key: str
    pick: str | None = None
    series: str | None = None


@dataclass(frozen=True)
class Found:
    """All rows behind a point, the newest first."""

    key: str
    name: str
    definition: str
    kpi: Kpi
    pairs: tuple[tuple[Any, float], ...]
    figure: float | None  # what they come to

    def columns(self, words: Words) -> list[dict[str, str]]:
        """Return key and name of each column."""
        names = [*self.kpi.table.columns, VALUE]
        return [{"key": name, "name": words.columns[name]} for name in names]

    def page(self, after: str | None, limit: int) -> tuple[tuple[tuple[Any, float], ...], str | None]:
        """Return the rows after a cursor, and the cursor of the next page.

        Raises:
            BadCursor: if the cursor is none of ours.
        """
        rest = self.pairs if after is None else _after(self.pairs, after)
        shown = rest[:limit]
        return shown, _cursor(shown[-1][0]) if len(rest) > limit else None


def rows(point: Point, sources: Sources, asked: Asked, words: Words) -> Found:
    """Return the rows behind a point.

    Raises:
        UnknownRows: if there is no such figure, chart or series.
    """
    for board in BOARDS.values():
        found = _of_board(board, point, sources, asked, words)
        if found is not None:
            return found
    raise UnknownRows(point.key)


def cells(kpi: Kpi, item: Any, value: float, words: Words) -> dict[str, Cell]:
    """Return one row; `link` opens what it is about."""
    shown = {name: cell(item, words) for name, cell in kpi.table.columns.items()}
    return {**shown, VALUE: value, "link": kpi.table.link(item)}


def csv_text(found: Found, words: Words) -> str:
    """Return all rows as a table in which no spreadsheet finds a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    columns = found.columns(words)
    writer.writerow([one["name"] for one in columns])
    for item, value in found.pairs:
        row = cells(found.kpi, item, value, words)
        writer.writerow([plain(row[one["key"]]) for one in columns])
    return BOM + out.getvalue()


def _of_board(board: Board, point: Point, sources: Sources, asked: Asked, words: Words) -> Found | None:
    kpi = next((one for one in board.kpis if one.key == point.key), None)
    chart = next((one for one in board.charts if one.key == point.key and isinstance(one, Breakdown)), None)
    if kpi is None and chart is None:
        return None
    facts = board.facts(sources, asked, words)
    if kpi is not None:
        told = asked.channel is None or kpi.by_channel
        pairs = kpi.counted(facts, asked.span) if told else []
        said = words.figures[point.key]
        return _found(point.key, said.name, said.definition, kpi, pairs, facts, asked)
    assert isinstance(chart, Breakdown)
    kpi, pairs = behind(chart, facts, asked, words, point.pick, point.series)
    drawn = words.charts[point.key]
    return _found(point.key, drawn.name, drawn.definition, kpi, pairs, facts, asked)


def _found(
    key: str, name: str, definition: str, kpi: Kpi, pairs: Sequence[tuple[Any, float]], facts: Any, asked: Asked
) -> Found:
    ordered = tuple(sorted(pairs, key=lambda pair: (pair[0].at, pair[0].key), reverse=True))
    return Found(key, name, definition, kpi, ordered, kpi.of(pairs, facts, asked.span))


def _cursor(item: Any) -> str:
    return f"{item.at.isoformat()}|{item.key}"


def _after(pairs: tuple[tuple[Any, float], ...], cursor: str) -> tuple[tuple[Any, float], ...]:
    at, _, key = cursor.partition("|")
    try:
        last = (datetime.fromisoformat(at), key)
        return tuple(pair for pair in pairs if (pair[0].at, pair[0].key) < last)
    except (ValueError, TypeError) as error:
        raise BadCursor(cursor) from error
