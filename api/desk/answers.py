"""The supervisor's page of canned answers: added, changed, and taken out of use."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deps import PartsDep
from api.desk.access import SupervisorDep
from api.desk.supervision import Refusal, SupervisionRoute, auditor
from core.canned import CannedAnswer, FirstAnswer, load_canned, placeholders_in, seed_canned
from core.clock import SHANGHAI
from core.locking import one_at_a_time

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=SupervisionRoute)


class AnswerBody(FirstAnswer):
    """An answer as it is to stand."""

    active: bool = True


class AnswerRow(BaseModel):
    """An answer with its placeholders unfilled."""

    id: int
    shortcut: str
    title: str
    text: str
    skill: str | None
    active: bool
    updated_at: datetime


class Answers(BaseModel):
    """All answers, and the placeholders that one may hold (key -> Chinese name)."""

    answers: list[AnswerRow]
    placeholders: dict[str, str]


@router.get("/canned/all")
async def all_answers(parts: PartsDep, _signed: SupervisorDep) -> Answers:
    """Return all answers, those out of use too, by shortcut."""
    path = _path(parts.settings.data_dir)
    placeholders = dict(load_canned(path).placeholders)
    now = parts.clock()

    def work(session: Session) -> list[AnswerRow]:
        seed_canned(session, path, now=now)
        return [_row(one) for one in session.scalars(select(CannedAnswer).order_by(CannedAnswer.shortcut))]

    return Answers(answers=await parts.store.write(work), placeholders=placeholders)


@router.post("/canned/all", status_code=HTTPStatus.CREATED)
async def add_answer(body: AnswerBody, parts: PartsDep, signed: SupervisorDep) -> AnswerRow:
    """Add an answer."""
    _check_placeholders(parts.settings.data_dir, body)
    now = parts.clock()

    def work(session: Session) -> AnswerRow:
        one_at_a_time(session, "canned_answers")
        _refuse_taken(session, body.shortcut, None)
        row = CannedAnswer(**body.model_dump(), updated_at=now)
        session.add(row)
        session.flush()
        auditor(parts, signed).note(session, "canned_added", row.shortcut, now=now, title=row.title)
        return _row(row)

    return await parts.store.write(work)


@router.put("/canned/{answer_id}")
async def change_answer(answer_id: int, body: AnswerBody, parts: PartsDep, signed: SupervisorDep) -> AnswerRow:
    """Change an answer, or put one that was out of use back."""
    _check_placeholders(parts.settings.data_dir, body)
    return await _changed(parts, signed, answer_id, body.model_dump(), "canned_changed")


@router.delete("/canned/{answer_id}")
async def remove_answer(answer_id: int, parts: PartsDep, signed: SupervisorDep) -> AnswerRow:
    """Take an answer out of use; it is kept, for an empty table would be filled with the first answers again."""
    return await _changed(parts, signed, answer_id, {"active": False}, "canned_removed")


async def _changed(
    parts: PartsDep, signed: SupervisorDep, answer_id: int, values: dict[str, Any], action: str
) -> AnswerRow:  # fmt: skip
    now = parts.clock()

    def work(session: Session) -> AnswerRow:
        one_at_a_time(session, "canned_answers")
        row = session.get(CannedAnswer, answer_id)
        if row is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "no_such_answer")
        _refuse_taken(session, values.get("shortcut", row.shortcut), row.id)
        different = sorted(name for name, value in values.items() if getattr(row, name) != value)
        for name in different:
            setattr(row, name, values[name])
        if different:
            row.updated_at = now
            auditor(parts, signed).note(session, action, row.shortcut, now=now, changed=different)
        return _row(row)

    return await parts.store.write(work)


def _check_placeholders(data_dir: Path, body: AnswerBody) -> None:
    unknown = placeholders_in(body.text) - set(load_canned(_path(data_dir)).placeholders)
    if unknown:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_placeholder", unknown=sorted(unknown))


def _refuse_taken(session: Session, shortcut: str, own: int | None) -> None:
    found = session.scalar(select(CannedAnswer.id).where(CannedAnswer.shortcut == shortcut))
    if found is not None and found != own:
        raise Refusal(HTTPStatus.CONFLICT, "shortcut_taken")


def _path(data_dir: Path) -> Path:
    return data_dir / "desk" / "canned.yaml"


def _row(one: CannedAnswer) -> AnswerRow:
    return AnswerRow(
        id=one.id, shortcut=one.shortcut, title=one.title, text=one.text, skill=one.skill, active=one.active,
        updated_at=one.updated_at.astimezone(SHANGHAI),
    )  # fmt: skip
