"""Sessions of the desk, kept by the server: the browser holds a random value of which only the hash is stored.

A session ends 12 hours after its login, after 60 minutes without a request, and at once with a logout, a new password,
another role, or when its agent is barred.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ForeignKey, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import BridgeBase, Instant

LIFETIME, IDLE = timedelta(hours=12), timedelta(minutes=60)
TOUCH_EVERY = timedelta(minutes=1)  # a request writes no more often than that
ENDINGS = ("logout", "password", "role", "inactive")


class DeskSession(BridgeBase):
    """One login of one agent."""

    __tablename__ = "desk_sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))  # what a writing request shows besides, which only our page knows
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_seen_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_by: Mapped[str | None] = mapped_column(String(12))  # one of ENDINGS


class SessionOver(Exception):
    """There is no such session (any more)."""


def open_session(session: Session, agent_id: int, *, now: datetime) -> tuple[str, DeskSession]:
    """Return the value for the cookie (256 random bits), which is stored nowhere, and the session."""
    value = secrets.token_urlsafe(32)
    row = DeskSession(
        token_hash=_hash(value), agent_id=agent_id, csrf=secrets.token_urlsafe(32), created_at=now, last_seen_at=now,
        expires_at=now + LIFETIME,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return value, row


def find_session(session: Session, value: str, *, now: datetime) -> DeskSession:
    """Return the session of a cookie.

    Raises:
        SessionOver: if there is none, or it has ended, expired or was idle for too long.
    """
    row = session.scalar(select(DeskSession).where(DeskSession.token_hash == _hash(value)))
    if row is None or row.ended_at is not None or now >= row.expires_at or now >= row.last_seen_at + IDLE:
        raise SessionOver
    return row


def needs_touch(row: DeskSession, *, now: datetime) -> bool:
    """Tell whether `touch_session` should be called for a request made now."""
    return now - row.last_seen_at >= TOUCH_EVERY


def touch_session(session: Session, session_id: int, *, now: datetime) -> None:
    """Note that the session was used; one that has ended meanwhile stays so."""
    session.execute(
        update(DeskSession)
        .where(DeskSession.id == session_id, DeskSession.ended_at.is_(None), DeskSession.last_seen_at < now)
        .values(last_seen_at=now)
    )


def end_session(session: Session, session_id: int, *, why: str, now: datetime) -> None:
    """End one session; one that has ended already stays as it ended."""
    _end(session, DeskSession.id == session_id, why, now)


def end_sessions(session: Session, agent_id: int, *, why: str, now: datetime) -> None:
    """End all sessions of an agent."""
    _end(session, DeskSession.agent_id == agent_id, why, now)


def same(token: str, shown: str) -> bool:
    """Compare a session's CSRF token with what a caller shows, in a time that tells nothing."""
    return hmac.compare_digest(token.encode(), shown.encode("utf-8", "replace"))


def _end(session: Session, which: ColumnElement[bool], why: str, now: datetime) -> None:
    if why not in ENDINGS:
        raise ValueError(f"a session does not end by {why}")
    session.execute(update(DeskSession).where(which, DeskSession.ended_at.is_(None)).values(ended_at=now, ended_by=why))


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
