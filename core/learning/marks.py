"""Marks of the work of learning: how far the log was read, and what the last run did; one row each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.desk_setting import DeskSetting

CURSOR, RUN, EXPORT, REFUSED = "learning_cursor", "learning_run", "learning_export", "learning_refused"
RUNNING, DONE, FAILED = "running", "done", "failed"  # `state` of what RUN says


def mark(session: Session, key: str) -> dict[str, Any]:
    """Return what a mark says, nothing if there is none."""
    row = _row(session, key)
    return dict(row.value) if row is not None else {}


def marked_at(session: Session, key: str) -> datetime | None:
    """Return when a mark was set last, None if there is none."""
    row = _row(session, key)
    return row.at if row is not None else None


def put_mark(session: Session, key: str, value: dict[str, Any], *, now: datetime, agent_id: int | None = None) -> None:
    """Let a mark say something else; unlike a setting of the desk it has no history."""
    row = _row(session, key)
    if row is None:
        session.add(DeskSetting(key=key, value=value, at=now, agent_id=agent_id))
    else:
        row.value, row.at, row.agent_id = value, now, agent_id
    session.flush()


def _row(session: Session, key: str) -> DeskSetting | None:
    query = select(DeskSetting).where(DeskSetting.key == key).order_by(DeskSetting.id.desc()).limit(1)
    return session.scalar(query)
