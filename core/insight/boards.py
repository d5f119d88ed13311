"""The boards, told: each as the JSON that the page draws."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.exc import SQLAlchemyError

from core.clock import SHANGHAI
from core.insight.customers import CUSTOMERS
from core.insight.kpi import Asked, Board, Breakdown, Custom, Kpi, Sources
from core.insight.laying import lay
from core.insight.model import MODEL_BOARD
from core.insight.network import NETWORK
from core.insight.service import SERVICE
from core.insight.spans import Span, day_of
from core.insight.telling import figure_json
from core.insight.words import Words

BOARDS: dict[str, Board] = {board.key: board for board in (SERVICE, CUSTOMERS, NETWORK, MODEL_BOARD)}
ROWS = "/v1/insight/rows"
log = logging.getLogger("core.insight")


class UnknownBoard(LookupError):
    """There is no such board."""


class BadWords(ValueError):
    """A figure or chart has no definition, or a definition has no figure."""


def check(words: Words, boards: dict[str, Board] = BOARDS) -> None:
    """Let no figure be shown without a definition.

    Raises:
        BadWords: naming what is missing, or has an unknown unit.
    """
    figures = {kpi.key for board in boards.values() for kpi in board.kpis}
    charts = {chart.key for board in boards.values() for chart in board.charts}
    groups = {group.key for board in boards.values() for group in board.groups}
    wrong = (figures - set(words.figures)) | (charts - set(words.charts)) | (groups - set(words.groups))
    told = {one.unit for one in words.figures.values()} | {one.unit for one in words.charts.values()}
    units = told - set(words.units)
    if wrong or units or set(boards) - set(words.boards):
        raise BadWords(f"not defined: {', '.join(sorted(wrong | units | (set(boards) - set(words.boards))))}")


def board_json(key: str, sources: Sources, asked: Asked, words: Words) -> dict[str, Any]:
    """Return a board: its groups with their figures and charts.

    What stands in a database that does not answer is told to be away; the bridge's own must answer.

    Raises:
        UnknownBoard: if there is none.
    """
    if key not in BOARDS:
        raise UnknownBoard(key)
    board = BOARDS[key]
    facts = board.facts(sources, asked, words)
    return {
        "board": key, "name": words.boards[key], "from": asked.span.first.isoformat(),
        "to": asked.span.last.isoformat(), "as_of": asked.now.astimezone(SHANGHAI).isoformat(),
        "note": board.note(facts, asked, words),
        "groups": [
            {
                "key": group.key, "name": words.groups[group.key],
                "figures": [_figure(kpi, board, facts, asked, words) for kpi in group.kpis],
                "charts": [_chart(chart, facts, asked, words) for chart in group.charts],
            }
            for group in board.groups
        ],
    }  # fmt: skip


def rows_url(key: str, asked: Asked) -> str:
    """Return where the rows behind a figure or chart are; `pick` and `series` may be added."""
    query = {"from": asked.span.first.isoformat(), "to": asked.span.last.isoformat()}
    return f"{ROWS}/{key}?{urlencode(query | ({'channel': asked.channel} if asked.channel else {}))}"


def _figure(kpi: Kpi, board: Board, facts: Any, asked: Asked, words: Words) -> dict[str, Any]:
    figure = words.figures[kpi.key]
    if asked.channel is not None and not kpi.by_channel:
        return figure_json(kpi.key, None, None, figure, words, rows=None, instead=words.texts.not_by_channel)
    try:
        value, previous = kpi.value(facts, asked.span), kpi.value(facts, asked.span.previous)
        young = kpi.by_channel and _began_after(board.since(facts), asked.span.previous)
    except SQLAlchemyError as error:
        log.error("figure %s unavailable: %s", kpi.key, type(error).__name__)
        return figure_json(kpi.key, None, None, figure, words, rows=None, instead=words.texts.away)
    return figure_json(
        kpi.key, value, previous, figure, words, rows=rows_url(kpi.key, asked),
        unfinished=asked.is_unfinished and not kpi.at_end, counts=kpi.counts, young=young,
    )  # fmt: skip


def _began_after(since: datetime | None, span: Span) -> bool:
    """Tell whether something began only after the first of some days."""
    return since is not None and day_of(since) > span.first


def _chart(chart: Breakdown | Custom, facts: Any, asked: Asked, words: Words) -> dict[str, Any]:
    said = words.charts[chart.key]
    head: dict[str, Any] = {
        "key": chart.key, "name": said.name, "definition": said.definition, "kind": chart.kind, "unit": said.unit,
        "empty": None, "x": [], "series": [], "rows": None,
    }  # fmt: skip
    try:
        body = chart.build(facts, asked, words) if isinstance(chart, Custom) else lay(chart, facts, asked, words)
    except SQLAlchemyError as error:
        log.error("chart %s unavailable: %s", chart.key, type(error).__name__)
        return head | {"empty": words.texts.away}
    rows = chart.rows if isinstance(chart, Custom) else chart.key
    nothing = body.pop("none", not any(body.get(name) for name in ("series", "lines", "links", "root", "areas")))
    empty = (said.empty or words.texts.empty) if nothing else None
    return head | {"rows": rows_url(rows, asked) if rows else None, "empty": empty} | body
