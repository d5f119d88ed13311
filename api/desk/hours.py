"""The supervisor's page of hours: the week, special days, promises, reasons for a pause."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import SupervisorDep
from api.desk.cases import agent_names
from api.desk.supervision import Refusal, SupervisionRoute, auditor, wake
from core.clock import SHANGHAI
from core.desk_setting import DeskSetting, change_setting, setting
from core.handoff.figures import HOURS
from core.locking import one_at_a_time
from core.service_clock import Calendar, DeskHours

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=SupervisionRoute)
MOST_CHANGES = 20  # told of


class Change(BaseModel):
    """Somebody changed the hours."""

    at: datetime
    by: str | None


class SkillNow(BaseModel):
    """Whether a skill works at present, and when next."""

    skill: str
    open: bool
    next_opening: datetime
    answer_by: datetime
    certain: bool


class HoursView(BaseModel):
    """The hours that hold, in the form of data/desk/hours.yaml, and what they come to at present."""

    hours: dict[str, Any]
    changed: bool
    changes: list[Change]
    skills: list[SkillNow]


class HoursBody(BaseModel):
    """The hours as they are to hold from now on, in the form of data/desk/hours.yaml."""

    model_config = ConfigDict(extra="forbid")

    hours: dict[str, Any]


@router.get("/hours")
async def hours(parts: PartsDep, _signed: SupervisorDep) -> HoursView:
    """Return the hours that hold."""
    return await parts.store.read(lambda session: _view(session, parts))


@router.put("/hours")
async def change_hours(body: HoursBody, parts: PartsDep, signed: SupervisorDep) -> HoursView:
    """Let other hours hold from now on; cases that were requested before keep theirs.

    A reason for a pause may be renamed but not dropped: clocks of the past are computed with it.
    """
    checked, now = DeskHours.read(body.hours), parts.clock()

    def work(session: Session) -> HoursView:
        one_at_a_time(session, "desk_settings")
        before = _present(session, parts)
        dropped = set(before["pause_reasons"]) - set(checked.pause_reasons)
        if dropped:
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "reason_in_use", reasons=sorted(dropped))
        if body.hours != before:
            change_setting(session, HOURS, body.hours, agent_id=signed.agent_id, now=now)
            old, new = different(before, body.hours)
            auditor(parts, signed).note(session, "hours_changed", HOURS, now=now, before=old, after=new)
        return _view(session, parts)

    view = await parts.store.write(work)
    await wake(parts)
    return view


def _view(session: Session, parts: Parts) -> HoursView:
    present, now = _present(session, parts), parts.clock()
    calendar = Calendar(DeskHours.read(present))
    names = agent_names(session)
    query = select(DeskSetting).where(DeskSetting.key == HOURS).order_by(DeskSetting.id.desc())
    changes = [
        Change(at=one.at.astimezone(SHANGHAI), by=names.get(one.agent_id or 0))
        for one in session.scalars(query.limit(MOST_CHANGES))
    ]
    return HoursView(
        hours=present, changed=bool(changes), changes=changes,
        skills=[_skill(calendar, skill, now) for skill in calendar.desk.skills],
    )  # fmt: skip


def _skill(calendar: Calendar, skill: str, now: datetime) -> SkillNow:
    due = calendar.answer_by(now, skill)
    return SkillNow(
        skill=skill, open=calendar.open_at(now, skill), next_opening=calendar.next_opening(now, skill),
        answer_by=due.at, certain=due.certain,
    )  # fmt: skip


def _present(session: Session, parts: Parts) -> dict[str, Any]:
    changed: dict[str, Any] | None = setting(session, HOURS)
    return changed if changed is not None else hours_of_file(parts.settings.data_dir / "desk" / "hours.yaml")


def different(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what differs, before and after, by the path to it (`schedules.desk.workday`); what is not there is not."""
    old, new = _leaves(before), _leaves(after)
    paths = [path for path in sorted({*old, *new}) if old.get(path) != new.get(path)]
    return {path: old[path] for path in paths if path in old}, {path: new[path] for path in paths if path in new}


def _leaves(tree: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= _leaves(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
    return found


def hours_of_file(path: Path) -> dict[str, Any]:
    """Return the file as JSON would hold it: special days are named by strings."""
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for one in content["schedules"].values():
        one["days"] = {str(day): windows for day, windows in one.get("days", {}).items()}
    return content
