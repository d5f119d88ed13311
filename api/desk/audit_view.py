"""The administrator's page of the audit log: who did what, and whether the chain is whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AdministratorDep
from api.desk.cases import agent_names
from api.desk.orders import rules_of
from api.desk.supervision import SupervisionRoute, Words, words_of
from api.desk.views import Person
from core.audit import AuditEntry, key_of, verify
from core.clock import SHANGHAI
from core.handoff.tables import Handoff
from core.redact import Redactor

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=SupervisionRoute)
PAGE, MOST = 100, 500
_SILENT = ("login_session",)  # tells two openings apart, and nobody anything
_CONVERSATION = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d\S*[+Z]")
_redactor = Redactor()  # by form alone: reasons are written by people, who may copy a number into them


class EntryView(BaseModel):
    """One entry; `agent` None: the command line, or somebody who was not signed in."""

    id: int
    at: datetime
    agent: Person | None
    action: str
    action_text: str
    subject: str
    subject_text: str
    detail: dict[str, Any]
    detail_text: list[str]


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
            entries=[_entry(parts, one, names, _case_of(session, one)) for one in rows[:limit]], more=len(rows) > limit,
            verification=Verification(**vars(found)) if found else None,
        )  # fmt: skip

    return await parts.store.read(work)


def _entry(parts: Parts, one: AuditEntry, names: dict[int, str], case: int | None) -> EntryView:
    words = words_of(parts.settings.data_dir)
    detail = {name: _hidden(value) for name, value in one.detail.items()}
    said = detail | ({"business": _title(parts, str(detail["business"]))} if "business" in detail else {})
    return EntryView(
        id=one.id, at=one.at.astimezone(SHANGHAI), action=one.action,
        agent=None if one.agent_id is None else Person(id=one.agent_id, name=names.get(one.agent_id, "")),
        action_text=words.actions.get(one.action, one.action), subject=_redactor.text(one.subject),
        subject_text=_subject(words, one, case), detail=detail, detail_text=list(lines_of(words, said, names)),
    )  # fmt: skip


def _case_of(session: Session, one: AuditEntry) -> int | None:
    """Return the case that an entry is about: named, or the one its conversation had at that time."""
    if one.action == "quality_scored" and one.subject.isdigit():
        return int(one.subject)
    if not _CONVERSATION.fullmatch(one.subject):
        return None
    query = select(func.max(Handoff.id)).where(Handoff.conversation_id == one.subject)
    return session.scalar(query.where(Handoff.requested_at <= one.at))


def _title(parts: Parts, key: str) -> str:
    businesses = rules_of(parts).businesses
    return businesses.get(key).title if key in businesses else key


def _subject(words: Words, one: AuditEntry, case: int | None) -> str:
    if case is not None:
        return words.subjects["case"].format(id=case)
    if _CONVERSATION.fullmatch(one.subject):
        return words.subjects["conversation"].format(id=one.subject[:8])
    return words.subjects.get(one.subject, _redactor.text(one.subject))


def lines_of(words: Words, detail: dict[str, Any], names: dict[int, str]) -> Iterator[str]:
    """Yield the details in words, one thing a line; what was changed as before → after."""
    before, after = detail.get("before"), detail.get("after")
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            old, new = (_value(words, name, tree.get(name), names) for tree in (before, after))
            yield f"{_name(words, name)}：{old} → {new}"
    else:
        before = after = None
    for name, value in detail.items():
        if name not in _SILENT and (before is None or name not in ("before", "after")):
            yield f"{_name(words, name)}：{_value(words, name, value, names)}"


def _name(words: Words, name: str) -> str:
    """Return what a detail is called; of a path in the hours each part."""
    return " ".join(words.details.get(part, part) for part in name.removeprefix("schedules.").split("."))


def _value(words: Words, name: str, value: Any, names: dict[int, str]) -> str:
    if isinstance(value, dict):
        value = [f"{_name(words, key)} {_value(words, key, one, names)}" for key, one in value.items()]
    if isinstance(value, list):
        return "、".join(_value(words, name, one, names) for one in value) or _nothing(words, name)
    if value is None or isinstance(value, bool):
        return words.no_detail["absent"] if value is None else words.yes_no[value]
    if name == "to" and isinstance(value, int):
        return names.get(value, str(value))
    known = words.detail_values.get(name, {})
    if name == "field":
        return known.get(str(value).partition(":")[0], str(value))
    return known.get(str(value)) or _time(str(value)) or words.details.get(str(value), str(value))


def _nothing(words: Words, name: str) -> str:
    """Return what an empty list says: of a day of the hours, that it is closed."""
    return words.no_detail["closed" if name.startswith("schedules.") else "empty"]


def _time(value: str) -> str | None:
    """Return an instant as people read it, None if it is none."""
    if not _INSTANT.match(value):
        return None
    return datetime.fromisoformat(value).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def _hidden(value: Any) -> Any:
    """Return a detail with what looks like a customer's data masked; names of the desk's own people stay."""
    if isinstance(value, str):
        return _redactor.text(value)
    if isinstance(value, list):
        return [_hidden(one) for one in value]
    return {name: _hidden(one) for name, one in value.items()} if isinstance(value, dict) else value
