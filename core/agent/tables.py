"""The tables of the desk's people."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import BridgeBase, Instant

AGENT, SUPERVISOR, ADMINISTRATOR = "agent", "supervisor", "administrator"
ROLES = (AGENT, SUPERVISOR, ADMINISTRATOR)  # each may do what those before it may
SKILLS = ("repair", "billing", "business", "complaint")
STATUSES = ("online", "away", "offline")
PRESENT_FOR = timedelta(seconds=45)  # three missed signs of life of a console


class Agent(BridgeBase):
    """Somebody who works at the desk."""

    __tablename__ = "agents"
    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(32), unique=True)  # lower case
    name: Mapped[str] = mapped_column(String(40))  # as customers are shown it: a working name (花名) or the real one
    staff_no: Mapped[str] = mapped_column(String(20), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    skills: Mapped[list[str]] = mapped_column(JSON, default=list)
    capacity: Mapped[int] = mapped_column(default=4)  # conversations at the same time
    password_hash: Mapped[str] = mapped_column(String(200))
    password_set_at: Mapped[datetime] = mapped_column(Instant)
    must_change: Mapped[bool] = mapped_column(default=False)  # somebody else chose the password
    totp_cipher: Mapped[str | None] = mapped_column(String(300))  # the secret of the second factor
    totp_pending: Mapped[str | None] = mapped_column(String(300))  # the same, until a code has confirmed it
    totp_step: Mapped[int | None]  # the half minute of the last code used: none counts twice
    active: Mapped[bool] = mapped_column(default=True)
    status: Mapped[str] = mapped_column(String(8), default="offline")  # as the agent wishes
    last_seen_at: Mapped[datetime | None] = mapped_column(Instant)  # last sign of life of the console
    created_at: Mapped[datetime] = mapped_column(Instant)


class LoginGuard(BridgeBase):
    """Failed attempts at one login, which may exist or not: both must be met with the same words at the same time.

    The login is a keyed hash, as people type their password into that field by mistake.
    """

    __tablename__ = "login_guards"
    login_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    failed: Mapped[int] = mapped_column(default=0)  # since the last success or lock
    locks: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None] = mapped_column(Instant)
    last_failed_at: Mapped[datetime] = mapped_column(Instant, index=True)


def at_least(role: str, wanted: str) -> bool:
    """Tell whether a role may do what `wanted` may; an unknown role may nothing."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(wanted)
