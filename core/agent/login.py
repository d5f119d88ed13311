"""Signing in: tries are counted before they are checked, per login, whether it exists or not.

An attempt is begun (counted, in a transaction), its password compared outside (that takes 50 ms of a processor), and
settled (in a second transaction). Counting first means that a hundred tries at once are still five tries. After five
failures the login is locked for 15 minutes, then 30, 60, … up to four hours; while it is locked nothing is compared.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.agent import totp
from core.agent.password import PasswordHash
from core.agent.tables import Agent, LoginGuard
from core.audit import Auditor
from core.fields import Keyring
from core.locking import one_at_a_time


@dataclass(frozen=True)
class Limits:
    """After how many failures a login is locked, for how long at first and at most, and when all is forgotten."""

    failures: int = 5
    lock: timedelta = timedelta(minutes=15)
    longest: timedelta = timedelta(hours=4)
    forget: timedelta = timedelta(hours=24)


LIMITS = Limits()


class LockedOut(Exception):
    """The login takes no attempt until `until` (in `seconds`), whatever the password."""

    def __init__(self, until: datetime, now: datetime) -> None:
        super().__init__("too many failed attempts")
        self.until, self.seconds = until, math.ceil((until - now).total_seconds())


@dataclass(frozen=True)
class Attempt:
    """An attempt that was counted; `password_hash` is what to compare with (`password.is_password`)."""

    guard: str
    agent_id: int | None
    password_hash: str | None = field(repr=False)


@dataclass(frozen=True)
class SignedIn:
    """Login, password and code are right."""

    agent: Agent


@dataclass(frozen=True)
class CodeNeeded:
    """The password is right, the code of the second factor is missing; the attempt was not counted."""


@dataclass(frozen=True)
class Refused:
    """Something is wrong; who asks is not told what."""


def begin(session: Session, login: str, *, keyring: Keyring, now: datetime, limits: Limits = LIMITS) -> Attempt:
    """Count an attempt at a login.

    Raises:
        LockedOut: if the login is locked.
    """
    folded = folded_login(login)
    row = _counted(session, guard_of(keyring, folded), now, limits)
    agent = session.scalar(select(Agent).where(Agent.login == folded))
    usable = agent is not None and agent.active
    return Attempt(row.login_hash, agent.id if agent else None, agent.password_hash if agent and usable else None)


def settle(
    session: Session, attempt: Attempt, matched: bool, *, code: str | None, rehashed: PasswordHash | None = None,
    keyring: Keyring, now: datetime,
) -> SignedIn | CodeNeeded | Refused:  # fmt: skip
    """Decide an attempt after its password was compared; what happens is in the audit log."""
    agent = _agent_of(session, attempt) if matched else None
    if agent is None:
        return _refused(session, attempt, keyring=keyring, now=now, why="password")
    if agent.totp_cipher is not None:
        if not code:
            _uncount(session, attempt)
            return CodeNeeded()
        if not totp.accept(agent, code, keyring=keyring, now=now):
            return _refused(session, attempt, keyring=keyring, now=now, why="code")
    _clear(session, attempt)
    if rehashed:
        agent.password_hash = rehashed
    Auditor.of(keyring, agent.id).note(session, "login", agent.login, now=now)
    return SignedIn(agent)


def confirm(session: Session, attempt: Attempt, matched: bool, *, keyring: Keyring, now: datetime) -> bool:
    """Decide an attempt by which somebody who is signed in proves to be the one; failures count like those of logins.

    A right password does not forget failures of the code: those are what keeps the second factor from being guessed.
    """
    if not matched or _agent_of(session, attempt) is None:
        _refused(session, attempt, keyring=keyring, now=now, why="password")
        return False
    _uncount(session, attempt)
    return True


def guard_of(keyring: Keyring, login: str) -> str:
    """Return the keyed hash under which failures of a (folded) login are counted."""
    return keyring.blind(login, "login_guards.login")


def folded_login(login: str) -> str:
    """Return a login as it is stored: lower case, without spaces around it, at most 64 characters."""
    text = unicodedata.normalize("NFKC", login).strip().lower()[:64]
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def _counted(session: Session, guard: str, now: datetime, limits: Limits) -> LoginGuard:
    one_at_a_time(session, "login_guards")
    session.execute(delete(LoginGuard).where(LoginGuard.last_failed_at < now - limits.forget))
    row = session.get(LoginGuard, guard, populate_existing=True)
    if row is None:
        row = LoginGuard(login_hash=guard, failed=0, locks=0, locked_until=None, last_failed_at=now)
        session.add(row)
    if row.locked_until is not None and now < row.locked_until:
        raise LockedOut(row.locked_until, now)
    if row.locked_until is not None:
        row.failed, row.locked_until = 0, None
    row.failed, row.last_failed_at = row.failed + 1, now
    if row.failed >= limits.failures:
        row.locked_until = now + min(limits.lock * 2**row.locks, limits.longest)
        row.locks += 1
    session.flush()
    return row


def _agent_of(session: Session, attempt: Attempt) -> Agent | None:
    """Return whom the attempt is about, unless he was barred or got another password since it began."""
    if attempt.agent_id is None:
        return None
    agent = session.get(Agent, attempt.agent_id, populate_existing=True, with_for_update=True)
    sound = agent is not None and agent.active and agent.password_hash == attempt.password_hash
    return agent if sound else None


def _refused(session: Session, attempt: Attempt, *, keyring: Keyring, now: datetime, why: str) -> Refused:
    row = session.get(LoginGuard, attempt.guard)
    agent = session.get(Agent, attempt.agent_id) if attempt.agent_id else None
    auditor = Auditor.of(keyring, agent.id if agent else None)
    # What is no login may be a password in the wrong field: the log gets a part of its hash.
    subject = agent.login if agent else f"?{attempt.guard[:12]}"
    reason = "inactive" if agent and not agent.active else why if agent else "unknown"
    auditor.note(session, "login_failed", subject, now=now, why=reason)
    if row is not None and row.locked_until is not None and now < row.locked_until:
        auditor.note(session, "login_locked", subject, now=now, until=row.locked_until.isoformat(), times=row.locks)
    return Refused()


def _uncount(session: Session, attempt: Attempt) -> None:
    """Take an attempt back that was none; if it was the last one allowed, the lock that it set goes with it."""
    one_at_a_time(session, "login_guards")
    row = session.get(LoginGuard, attempt.guard, populate_existing=True)
    if row is None or row.failed == 0:
        return
    row.failed -= 1
    if row.locked_until is not None:
        row.locked_until, row.locks = None, row.locks - 1


def _clear(session: Session, attempt: Attempt) -> None:
    one_at_a_time(session, "login_guards")
    session.execute(delete(LoginGuard).where(LoginGuard.login_hash == attempt.guard))
