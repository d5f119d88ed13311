"""The weekly report: the boards of a week as one page to print; of the bridge, or a file that needs nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import escape
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.deps import PartsDep
from api.desk.supervision import auditor
from api.insight.access import InsightRoute, SupervisorDep, in_thread, sources_of
from api.insight.page import CONTENT_SECURITY_POLICY, ECHARTS, content
from api.insight.report_words import ReportWords, figures_of, report_words, sentences_of
from core.clock import SHANGHAI
from core.insight.boards import BOARDS, board_json
from core.insight.kpi import Asked, Sources
from core.insight.spans import BadSpan, Span
from core.insight.words import words_of

router = APIRouter(prefix="/v1/insight", tags=["insight"], route_class=InsightRoute)
_WEEK = re.compile(r"(\d{4})-W(\d{2})")
_FILES = (ECHARTS, "report.js")


@dataclass(frozen=True)
class Week:
    """A week of the calendar, from Monday to Sunday."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Week:
        """Return the week that `2026-W47` names.

        Raises:
            BadSpan: if there is no such week.
        """
        found = _WEEK.fullmatch(text)
        if found is None:
            raise BadSpan(f"{text[:20]!r} is no week")
        try:
            date.fromisocalendar(int(found[1]), int(found[2]), 1)
        except ValueError as error:
            raise BadSpan(f"{text!r} is no week") from error
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def before(cls, today: date) -> Week:
        """Return the last week that is over."""
        year, number, _ = (today - timedelta(days=7)).isocalendar()
        return cls(year, number)

    @property
    def span(self) -> Span:
        """Its seven days."""
        first = date.fromisocalendar(self.year, self.number, 1)
        return Span.of(first, first + timedelta(days=6))

    def __str__(self) -> str:
        return f"{self.year}-W{self.number:02d}"


def report_data(sources: Sources, week: Week, *, now: datetime) -> dict[str, Any]:
    """Return what the report shows: every board of the week with what is to be said of it.

    Raises:
        BadSpan: if no calendar of ours reaches so far.
    """
    words, said = words_of(sources.data_dir), report_words(sources.data_dir)
    asked = Asked(week.span, None, now)
    boards = [board_json(key, sources, asked, words) for key in BOARDS]
    return {
        "title": said.title, "lead": said.lead, "definitions": said.definitions, "week": _week_words(week, said),
        "notes": _notes(week, said, now), "headline": _headline(boards, said),
        "boards": [
            {**board, "name": words.boards[board["board"]], "sentences": sentences_of(board, said)} for board in boards
        ],
    }  # fmt: skip


def report_html(data: dict[str, Any], *, inline: bool = False, read: Callable[[str], str] = content) -> str:
    """Return the page; `inline`: scripts and styles stand in it, so that the file needs nothing else."""
    if inline:
        style = f"<style>{read('report.css')}</style>"
        script = "\n".join(f"<script>{read(name)}</script>" for name in _FILES)
    else:
        style = '<link rel="stylesheet" href="/insight/static/report.css">'
        script = "\n".join(f'<script src="/insight/static/{name}"></script>' for name in _FILES)
    # Inside a script element nothing but "<" can end it.
    inlined = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="zh-CN">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(data["title"])} {escape(data["week"])}</title>\n<link rel="icon" href="data:,">\n{style}\n'
        f'</head>\n<body>\n<div id="report"></div>\n<script type="application/json" id="report-data">'
        f"{inlined}</script>\n"
        f"{script}\n</body>\n</html>\n"
    )


@router.get("/report", response_class=Response)
async def report(
    parts: PartsDep, signed: SupervisorDep, week: Annotated[str | None, Query(max_length=10)] = None
) -> Response:
    """Return the report of a week (`2026-W47`; without one, the last that is over) as a page to print."""
    now, sources = parts.clock(), sources_of(parts)
    chosen = Week.parse(week) if week else Week.before(now.astimezone(SHANGHAI).date())
    data = await in_thread(lambda: report_data(sources, chosen, now=now))
    await parts.store.write(
        lambda session: auditor(parts, signed).note(session, "insight_report", str(chosen), now=now)
    )  # fmt: skip
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-store"}
    return Response(report_html(data), HTTPStatus.OK, headers, "text/html; charset=utf-8")


def _week_words(week: Week, words: ReportWords) -> str:
    span = week.span
    return words.week.format(year=week.year, week=week.number, first=span.first, last=span.last)


def _notes(week: Week, words: ReportWords, now: datetime) -> list[str]:
    as_of = f"{now.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
    part = [words.part.format(as_of=as_of)] if now < week.span.end else []
    return [*part, words.made.format(as_of=as_of)]


def _headline(boards: list[dict[str, Any]], words: ReportWords) -> list[dict[str, Any]]:
    found = {one["key"]: dict(one) for board in boards for one in figures_of(board)}
    return [found[key] for key in words.headline if key in found]
