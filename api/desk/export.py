"""The export of cases as CSV: the same figures as the page's, one row a case, and nothing that names a customer."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deps import PartsDep
from api.desk.access import SupervisorDep
from api.desk.cases import agent_names
from api.desk.figures import cases_between
from api.desk.options import DeskOptions, options_of
from api.desk.supervision import SpanDep, SupervisionRoute, Words, auditor, words_of
from core.clock import SHANGHAI
from core.csv_cell import BOM, plain
from core.handoff.figures import CaseFigures, within_aim
from core.quality import scores_of
from core.service_clock import Figure
from core.survey import Survey

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=SupervisionRoute)


@dataclass(frozen=True)
class Beside:
    """What a row says beside the figures: names, satisfaction and quality by case."""

    names: Mapping[int, str]
    satisfaction: Mapping[int, int]
    quality: Mapping[int, int]


@router.get("/export/cases.csv")
async def export(parts: PartsDep, signed: SupervisorDep, span: SpanDep) -> Response:
    """Return the cases requested from `from` to `to` as a table; who took it away stands in the audit log."""
    start, end = span
    cases, now = await cases_between(parts, start, end), parts.clock()
    last = end.date().isoformat()

    def work(session: Session) -> Beside:
        auditor(parts, signed).note(
            session, "cases_exported", start.date().isoformat(), now=now, until=last, cases=len(cases)
        )  # fmt: skip
        return _beside(session, [one.handoff_id for one in cases])

    beside = await parts.store.write(work)
    data_dir = parts.settings.data_dir
    text = table(cases, beside, words_of(data_dir), options_of(data_dir))
    headers = {
        "Content-Disposition": f'attachment; filename="cases-{start:%Y%m%d}.csv"', "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    return Response(BOM + text, media_type="text/csv; charset=utf-8", headers=headers)


def table(cases: Iterable[CaseFigures], beside: Beside, words: Words, labels: DeskOptions) -> str:
    """Return the rows under their Chinese headings."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(words.columns.values())
    for one in cases:
        row = _row(one, beside, words, labels)
        writer.writerow([plain(row[name]) for name in words.columns])
    return out.getvalue()


def _row(one: CaseFigures, beside: Beside, words: Words, labels: DeskOptions) -> dict[str, Any]:
    first, closure, yes_no = one.first_response, one.closure, words.yes_no
    return {
        "handoff_id": one.handoff_id, "conversation_id": one.conversation_id, "requested_at": _time(one.requested_at),
        "reason": labels.reasons.get(one.reason, one.reason), "skill": labels.skills.get(one.skill, one.skill),
        "priority": labels.priority(one.priority), "agent": beside.names.get(one.answered_by or 0, ""),
        "replies": one.replies, "first_response_state": words.clock_states[first.state],
        "first_response_seconds": _seconds(first), "first_response_due": _time(first.due_at),
        "within_aim": yes_no[within_aim(first)], "closure_state": words.clock_states[closure.state],
        "closure_seconds": _seconds(closure), "closure_due": _time(closure.due_at), "ended_at": _time(one.ended_at),
        "left_queue": yes_no[one.left_queue], "left_message": yes_no[one.left_message], "transfers": one.transfers,
        "reopened": one.reopened, "category": labels.categories.get(one.category or "", one.category or ""),
        "outcome": labels.outcomes.get(one.outcome or "", one.outcome or ""),
        "satisfaction": beside.satisfaction.get(one.handoff_id, ""), "quality": beside.quality.get(one.handoff_id, ""),
    }  # fmt: skip


def _beside(session: Session, handoff_ids: list[int]) -> Beside:
    query = select(Survey.handoff_id, Survey.score).where(Survey.handoff_id.in_(handoff_ids), Survey.score.is_not(None))
    satisfaction = {case: score for case, score in session.execute(query) if score is not None}
    checks = scores_of(session, handoff_ids)
    quality = {case: round(sum(one.total for one in found) / len(found)) for case, found in checks.items()}
    return Beside(agent_names(session), satisfaction, quality)


def _seconds(figure: Figure) -> int | str:
    """Return the counted seconds of a clock that has stopped."""
    return round(figure.elapsed.total_seconds()) if figure.state != "none" and figure.stopped_at else ""


def _time(at: datetime | None) -> str:
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S") if at else ""
