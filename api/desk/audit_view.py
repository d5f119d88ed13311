"""The administrator's page of the audit log: who did what, and whether the chain is whole."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AdministratorDep
from api.desk.cases import agent_names
from api.desk.supervision import SupervisionRoute, words_of
from api.desk.views import Person
from core.audit import AuditEntry, key_of, verify
from core.clock import SHANGHAI
from core.redact import Redactor

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=SupervisionRoute)
PAGE, MOST = 100, 500
_redactor = Redactor()  # by form alone: reasons are written by people, who may copy a number into them


class EntryView(BaseModel):
    """One entry; `agent` None: the command line, or somebody who was not signed in."""

    id: int
    at: datetime
    agent: Person | None
    action: str
    action_text: str
    subject: str
    detail: dict[str, Any]


class Verification(BaseModel):
    """What a check of the whole chain found; `first_bad` is the first row that is not as it was written."""

    ok: bool
    rows: int
    first_bad: int | None
    why: str
    head: str


class AuditPage(BaseModel):
    """Entries, the newest first; `verification` where it was asked for; `more`: there are older ones."""

    entries: list[EntryView]
    more: bool
    verification: Verification | None


@router.get("/audit")
async def audit(
    parts: PartsDep, _signed: AdministratorDep,
    after: Annotated[int, Query(ge=0)] = 0,
    before: Annotated[int | None, Query(gt=0)] = None,
    agent_id: int | None = None,
    action: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(gt=0, le=MOST)] = PAGE,
    check: bool = True,
) -> AuditPage:  # fmt: skip
    """Return the newest entries above `after` (and below `before`), and with `check` whether the chain is whole."""
    query = select(AuditEntry).where(AuditEntry.id > after).order_by(AuditEntry.id.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    if agent_id is not None:
        query = query.where(AuditEntry.agent_id == agent_id)
    if action is not None:
        query = query.where(AuditEntry.action == action)
    key = key_of(parts.settings.keyring())

    def work(session: Session) -> AuditPage:
        rows, names = list(session.scalars(query)), agent_names(session)
        found = verify(session, key) if check else None
        return AuditPage(
            entries=[_entry(parts, one, names) for one in rows[:limit]], more=len(rows) > limit,
            verification=Verification(**vars(found)) if found else None,
        )  # fmt: skip

    return await parts.store.read(work)


def _entry(parts: Parts, one: AuditEntry, names: dict[int, str]) -> EntryView:
    words = words_of(parts.settings.data_dir)
    return EntryView(
        id=one.id, at=one.at.astimezone(SHANGHAI), action=one.action,
        agent=None if one.agent_id is None else Person(id=one.agent_id, name=names.get(one.agent_id, "")),
        action_text=words.actions.get(one.action, one.action), subject=_redactor.text(one.subject),
        detail={name: _hidden(value) for name, value in one.detail.items()},
    )  # fmt: skip


def _hidden(value: Any) -> Any:
    """Return a detail with what looks like a customer's data masked; names of the desk's own people stay."""
    if isinstance(value, str):
        return _redactor.text(value)
    if isinstance(value, list):
        return [_hidden(one) for one in value]
    return {name: _hidden(one) for name, one in value.items()} if isinstance(value, dict) else value
