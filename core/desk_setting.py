"""Settings of the desk that an administrator changes while it runs (hours, limits); the newest row of a key holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import BridgeBase, Instant


class DeskSetting(BridgeBase):
    """One change of one setting: who, when, and the value that holds since."""

    __tablename__ = "desk_settings"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(20), index=True)
    value: Mapped[Any] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(Instant)
    agent_id: Mapped[int | None]


def setting(session: Session, key: str) -> Any:
    """Return the value that holds for a key, None if nobody has changed it."""
    query = select(DeskSetting).where(DeskSetting.key == key).order_by(DeskSetting.id.desc()).limit(1)
    found = session.scalar(query)
    return None if found is None else found.value


def change_setting(session: Session, key: str, value: Any, *, agent_id: int | None, now: datetime) -> None:
    """Let another value hold from now on."""
    session.add(DeskSetting(key=key, value=value, at=now, agent_id=agent_id))
    session.flush()
