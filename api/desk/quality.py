"""The supervisor's page of quality: a random sample of closed cases, read again and scored item by item."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AgentDep, SupervisorDep
from api.desk.cases import agent_names
from api.desk.figures import clocks_of
from api.desk.options import calendars_of, options_of
from api.desk.redaction import redactor_for
from api.desk.supervision import SpanDep, SupervisionRoute, auditor, no_such_case
from api.desk.views import ClockView, DeskMessage, NoteView, Person, Viewer
from core.clock import SHANGHAI
from core.conversation import Conversation, Message, find_conversation
from core.desk_note import DeskNote, notes_of
from core.handoff.figures import CaseFigures, case_figures
from core.handoff.tables import CaseNotFound, Handoff
from core.quality import (
    MAX_COMMENT,
    MAX_SAMPLE,
    Item,
    QualityScore,
    Sheet,
    answered_by,
    give_score,
    sample,
    scores_for,
    scores_of,
)
from core.redact import Redactor

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=SupervisionRoute)
MOST_MESSAGES, MOST_MINE = 500, 50


class DrawnView(BaseModel):
    """One case of a sample; `total` is the caller's own score, None if there is none yet."""

    handoff_id: int
    conversation_id: str
    agent: Person
    ended_at: datetime
    category: str | None
    outcome: str | None
    reason: str
    total: int | None
    checks: int


class ScoreView(BaseModel):
    """One check of a case."""

    handoff_id: int
    reviewer: Person
    at: datetime
    scores: dict[str, int]
    total: int
    comment: str


class PromisedView(BaseModel):
    """What was promised, and by when."""

    text: str
    due_at: datetime | None


class WrapUpView(BaseModel):
    """What the agent wrote down at the end."""

    done: list[str]
    open: list[str]
    promised: list[PromisedView]


class QualityCase(BaseModel):
    """A closed case with all that a reviewer reads: masked messages, notes, clocks, and the checks so far."""

    handoff_id: int
    conversation_id: str
    agent: Person | None
    reason: str
    category: str | None
    outcome: str | None
    requested_at: datetime
    ended_at: datetime | None
    clocks: dict[str, ClockView]
    messages: list[DeskMessage]
    notes: list[NoteView]
    wrap_up: WrapUpView
    scores: list[ScoreView]


class ScoreBody(BaseModel):
    """Points by item, and what there is to say."""

    model_config = ConfigDict(extra="forbid")

    scores: dict[Annotated[str, Field(max_length=40)], Annotated[int, Field(strict=True)]]
    comment: Annotated[str, Field(max_length=MAX_COMMENT)] = ""


class SheetView(BaseModel):
    """What is scored."""

    steps: int
    items: list[Item]


@router.get("/options/quality")
async def options(parts: PartsDep, _signed: AgentDep) -> SheetView:
    """Return the items of a check with their weights; agents read them too, to know what they are judged by."""
    sheet = sheet_of(parts)
    return SheetView(steps=sheet.steps, items=list(sheet.items))


@router.get("/quality/sample")
async def draw(
    parts: PartsDep, signed: SupervisorDep, span: SpanDep,
    n: Annotated[int, Query(gt=0, le=MAX_SAMPLE)] = 20, seed: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> list[DrawnView]:  # fmt: skip
    """Return cases that ended from `from` to `to`, drawn at random; the same seed draws the same."""
    start, end = span

    def work(session: Session) -> list[DrawnView]:
        drawn = sample(session, start, end, n, seed=seed)
        names, checks = agent_names(session), scores_of(session, [one.handoff_id for one in drawn])
        found = []
        for one in drawn:
            given = checks.get(one.handoff_id, [])
            mine = next((check.total for check in given if check.reviewer_id == signed.agent_id), None)
            row = session.get_one(Handoff, one.handoff_id)
            shown = DrawnView(
                handoff_id=one.handoff_id, conversation_id=one.conversation_id, agent=_person(one.agent_id, names),
                ended_at=one.ended_at.astimezone(SHANGHAI), total=mine, checks=len(given), **_labels(parts, row),
            )  # fmt: skip
            found.append(shown)
        return found

    return await parts.store.read(work)


@router.get("/quality/mine")
async def mine(parts: PartsDep, signed: AgentDep) -> list[ScoreView]:
    """Return the checks of the caller's own work, the newest first."""

    def work(session: Session) -> tuple[list[tuple[QualityScore, Conversation]], dict[int, str]]:
        found = scores_for(session, signed.agent_id, limit=MOST_MINE)
        cases = [session.get_one(Handoff, one.handoff_id) for one in found]
        told = [find_conversation(session, one.conversation_id) for one in cases]
        return list(zip(found, told, strict=True)), agent_names(session)

    checks, names = await parts.store.read(work)
    return [_score(one, names, await redactor_for(parts, conversation)) for one, conversation in checks]


@router.get("/quality/{handoff_id}")
async def case(handoff_id: int, parts: PartsDep, _signed: SupervisorDep) -> QualityCase:
    """Return a case with what was said in it."""
    now = parts.clock()

    def work(session: Session) -> _Read:
        calendars = calendars_of(session, parts.settings.data_dir)
        try:
            found = case_figures(session, calendars, handoff_id, now=now)
        except CaseNotFound as error:
            raise no_such_case() from error
        conversation = find_conversation(session, found.conversation_id)
        rows = _said(session, conversation, found.ended_at)
        return _Read(
            found, session.get_one(Handoff, handoff_id), conversation, rows,
            [note for note in notes_of(session, conversation.id) if note.handoff_id == handoff_id],
            scores_of(session, [handoff_id]).get(handoff_id, []), agent_names(session), clocks_of(found, calendars),
            answered_by(session, [handoff_id]).get(handoff_id),
        )  # fmt: skip

    read = await parts.store.read(work)
    return read.view(parts, await redactor_for(parts, read.conversation))


@router.post("/quality/{handoff_id}")
async def give(handoff_id: int, body: ScoreBody, parts: PartsDep, signed: SupervisorDep) -> ScoreView:
    """Keep the caller's scores for a case; a second time they take the place of the first."""
    now = parts.clock()

    def work(session: Session) -> tuple[QualityScore, Conversation, dict[int, str]]:
        try:
            row = give_score(
                session, sheet_of(parts), handoff_id=handoff_id, reviewer_id=signed.agent_id, scores=body.scores,
                comment=body.comment, now=now,
            )  # fmt: skip
        except CaseNotFound as error:
            raise no_such_case() from error
        auditor(parts, signed).note(session, "quality_scored", str(handoff_id), now=now, total=row.total)
        scored = session.get_one(Handoff, handoff_id)
        return row, find_conversation(session, scored.conversation_id), agent_names(session)

    row, conversation, names = await parts.store.write(work)
    return _score(row, names, await redactor_for(parts, conversation))


def sheet_of(parts: Parts) -> Sheet:
    """Return the items of a check."""
    return Sheet.load(parts.settings.data_dir / "desk" / "quality.yaml")


@dataclass(frozen=True)
class _Read:
    """What one transaction has read of a case."""

    figures: CaseFigures
    row: Handoff
    conversation: Conversation
    messages: list[Message]
    notes: list[DeskNote]
    checks: list[QualityScore]
    names: dict[int, str]
    clocks: dict[str, ClockView]
    agent_id: int | None

    def view(self, parts: Parts, redactor: Redactor) -> QualityCase:
        viewer = Viewer(options_of(parts.settings.data_dir), self.names)
        ended = self.figures.ended_at
        return QualityCase(
            handoff_id=self.row.id, conversation_id=self.conversation.id, agent=viewer.person(self.agent_id),
            requested_at=self.figures.requested_at.astimezone(SHANGHAI),
            ended_at=ended.astimezone(SHANGHAI) if ended else None, clocks=self.clocks,
            messages=viewer.messages(self.messages, redactor),
            notes=[viewer.note(one, redactor) for one in self.notes],
            wrap_up=_wrap_up(self.row, redactor, self.names),
            scores=[_score(one, self.names, redactor) for one in self.checks], **_labels(parts, self.row),
        )  # fmt: skip


def _said(session: Session, conversation: Conversation, ended_at: datetime | None) -> list[Message]:
    """Return what was said until the end of the service; what came behind it is nobody's work."""
    query = select(Message).where(Message.conversation_id == conversation.id)
    if ended_at is not None:
        query = query.where(Message.at <= ended_at)
    return list(session.scalars(query.order_by(Message.seq.desc()).limit(MOST_MESSAGES)))[::-1]


def _wrap_up(row: Handoff, redactor: Redactor, names: dict[int, str]) -> WrapUpView:
    def text(given: str) -> str:
        return redactor.text(given, staff=names.values())

    return WrapUpView(
        done=[text(one) for one in row.note.get("done", ())], open=[text(one) for one in row.note.get("open", ())],
        promised=[
            PromisedView(text=text(one["text"]), due_at=one.get("due_at")) for one in row.note.get("promised", ())
        ],
    )  # fmt: skip


def _labels(parts: Parts, row: Handoff) -> dict[str, Any]:
    """Return reason, category and outcome of a case in Chinese."""
    labels = options_of(parts.settings.data_dir)
    return {
        "reason": labels.reasons.get(row.reason, row.reason),
        "category": labels.categories.get(row.category or "", row.category),
        "outcome": labels.outcomes.get(row.outcome or "", row.outcome),
    }


def _score(row: QualityScore, names: dict[int, str], redactor: Redactor) -> ScoreView:
    return ScoreView(
        handoff_id=row.handoff_id, reviewer=_person(row.reviewer_id, names), at=row.at.astimezone(SHANGHAI),
        scores=row.scores, total=row.total, comment=redactor.text(row.comment),
    )  # fmt: skip


def _person(agent_id: int, names: dict[int, str]) -> Person:
    return Person(id=agent_id, name=names.get(agent_id, ""))
