"""Agents: added, changed, found, and whether they are there."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from core import desk_session
from core.agent.login import folded_login, guard_of
from core.agent.password import PasswordHash
from core.agent.tables import ADMINISTRATOR, AGENT, PRESENT_FOR, ROLES, SKILLS, STATUSES, Agent, LoginGuard
from core.audit import Auditor
from core.fields import Keyring
from core.locking import one_at_a_time

_LOGIN = re.compile(r"[a-z][a-z0-9._-]{1,31}", re.ASCII)
_STAFF_NO = re.compile(r"[A-Za-z0-9-]{1,20}", re.ASCII)
MOST_AT_ONCE, LONGEST_NAME = 20, 40


class AgentNotFound(LookupError):
    """There is no such agent."""


class AgentTaken(ValueError):
    """Another agent has this login or staff number; `what` tells which."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the {what} is another agent's")
        self.what = what


class BadAgent(ValueError):
    """A value that no agent can have; `what` is the field."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")
        self.what = what


class LastAdministrator(Exception):
    """The only administrator left can neither be barred nor given another role."""


@dataclass(frozen=True)
class NewAgent:
    """Somebody to add."""

    login: str
    name: str
    staff_no: str
    role: str = AGENT
    skills: tuple[str, ...] = ()
    capacity: int = 4


@dataclass(frozen=True)
class Changes:
    """What to change of an agent; None leaves it as it is."""

    name: str | None = None
    staff_no: str | None = None
    role: str | None = None
    skills: tuple[str, ...] | None = None
    capacity: int | None = None
    active: bool | None = None


def add_agent(
    session: Session, new: NewAgent, password_hash: PasswordHash, *, auditor: Auditor, now: datetime,
    must_change: bool = False,
) -> Agent:  # fmt: skip
    """Add an agent; `must_change`: he has to choose a password of his own before anything else.

    Raises:
        BadAgent: if a value is none that an agent can have.
        AgentTaken: if login or staff number are another agent's.
    """
    login, given = folded_login(new.login), {name: value for name, value in asdict(new).items() if name != "login"}
    if not _LOGIN.fullmatch(login):
        raise BadAgent("login", "2 to 32 small letters, digits, . _ or -, a letter first")
    values = _checked(given)
    one_at_a_time(session, "agents")
    _refuse_taken(session, login=login, staff_no=values["staff_no"])
    agent = Agent(
        login=login, password_hash=password_hash, password_set_at=now, must_change=must_change, active=True,
        status="offline", created_at=now, **values,
    )  # fmt: skip
    session.add(agent)
    session.flush()
    auditor.note(session, "agent_added", login, now=now, **values)
    return agent


def change_agent(session: Session, agent: Agent, changes: Changes, *, auditor: Auditor, now: datetime) -> bool:
    """Change what is given; another role or being barred ends the agent's sessions. False if nothing is different.

    Raises:
        BadAgent: if a value is none that an agent can have.
        AgentTaken: if the staff number is another agent's.
        LastAdministrator: if nobody would be left who can set agents up.
    """
    given = _checked({name: value for name, value in asdict(changes).items() if value is not None})
    one_at_a_time(session, "agents")
    different = {name: value for name, value in given.items() if getattr(agent, name) != value}
    if not different:
        return False
    if "staff_no" in different:
        _refuse_taken(session, staff_no=different["staff_no"])
    _refuse_last_administrator(session, agent, different)
    before = {name: getattr(agent, name) for name in different}
    for name, value in different.items():
        setattr(agent, name, value)
    if "role" in different or different.get("active") is False:
        why = "inactive" if different.get("active") is False else "role"
        desk_session.end_sessions(session, agent.id, why=why, now=now)
        agent.status = "offline"
    auditor.note(session, "agent_changed", agent.login, now=now, before=before, after=different)
    return True


def set_password(
    session: Session, agent: Agent, password_hash: PasswordHash, *, auditor: Auditor, now: datetime,
    must_change: bool = False,
) -> None:  # fmt: skip
    """Give an agent a password (`password.hash_password`); all sessions end."""
    agent.password_hash, agent.password_set_at, agent.must_change = password_hash, now, must_change
    desk_session.end_sessions(session, agent.id, why="password", now=now)
    auditor.note(session, "password_set", agent.login, now=now, must_change=must_change)


def find_agent(session: Session, agent_id: int) -> Agent:
    """Return an agent.

    Raises:
        AgentNotFound: if there is none with this id.
    """
    agent = session.get(Agent, agent_id)
    if agent is None:
        raise AgentNotFound(agent_id)
    return agent


def agent_by_login(session: Session, login: str) -> Agent:
    """Return an agent.

    Raises:
        AgentNotFound: if there is none with this login.
    """
    agent = session.scalar(select(Agent).where(Agent.login == folded_login(login)))
    if agent is None:
        raise AgentNotFound(login)
    return agent


def list_agents(session: Session, *, active: bool | None = None) -> list[Agent]:
    """Return all agents by login, or only the active or the barred ones."""
    query = select(Agent).order_by(Agent.login)
    return list(session.scalars(query if active is None else query.where(Agent.active.is_(active))))


def set_status(agent: Agent, status: str) -> None:
    """Note what the agent wishes: online, away or offline.

    Raises:
        BadAgent: if it is none of them.
    """
    if status not in STATUSES:
        raise BadAgent("status", f"one of {', '.join(STATUSES)}")
    agent.status = status


def touch(session: Session, agent_id: int, *, now: datetime) -> None:
    """Note a sign of life of the agent's console; an older one than the last changes nothing."""
    earlier = or_(Agent.last_seen_at.is_(None), Agent.last_seen_at < now)
    session.execute(update(Agent).where(Agent.id == agent_id, earlier).values(last_seen_at=now))


def present(agent: Agent, now: datetime) -> bool:
    """Tell whether an agent can be given a conversation: active, online, and seen within 45 s."""
    seen = agent.last_seen_at is not None and now - agent.last_seen_at <= PRESENT_FOR
    return agent.active and agent.status == "online" and seen


def locked_until(session: Session, login: str, *, keyring: Keyring, now: datetime) -> datetime | None:
    """Return until when a login is locked after failures, None if it is not."""
    row = session.get(LoginGuard, guard_of(keyring, folded_login(login)))
    return row.locked_until if row and row.locked_until and now < row.locked_until else None


def unlock(session: Session, agent: Agent, *, keyring: Keyring, auditor: Auditor, now: datetime) -> bool:
    """Forget the failures of an agent's login; false if there were none."""
    one_at_a_time(session, "login_guards")
    guard = guard_of(keyring, agent.login)
    there = session.scalar(select(func.count()).where(LoginGuard.login_hash == guard))
    session.execute(delete(LoginGuard).where(LoginGuard.login_hash == guard))
    if there:
        auditor.note(session, "login_unlocked", agent.login, now=now)
    return bool(there)


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Return the values as they are stored."""
    values = dict(given)
    if "name" in values:
        values["name"] = values["name"].strip()
        if not values["name"] or len(values["name"]) > LONGEST_NAME or not values["name"].isprintable():
            raise BadAgent("name", f"1 to {LONGEST_NAME} characters")
    if "staff_no" in values and not _STAFF_NO.fullmatch(values["staff_no"]):
        raise BadAgent("staff_no", "1 to 20 letters, digits or -")
    if "role" in values and values["role"] not in ROLES:
        raise BadAgent("role", f"one of {', '.join(ROLES)}")
    if "skills" in values:
        if unknown := set(values["skills"]) - set(SKILLS):
            raise BadAgent("skills", f"no skill is called {', '.join(sorted(unknown))}; there are {', '.join(SKILLS)}")
        values["skills"] = [skill for skill in SKILLS if skill in values["skills"]]
    if "capacity" in values and not 0 <= values["capacity"] <= MOST_AT_ONCE:
        raise BadAgent("capacity", f"0 to {MOST_AT_ONCE} conversations")
    return values


def _refuse_taken(session: Session, *, staff_no: str, login: str | None = None) -> None:
    if login is not None and session.scalar(select(Agent.id).where(Agent.login == login)) is not None:
        raise AgentTaken("login")
    if session.scalar(select(Agent.id).where(Agent.staff_no == staff_no)) is not None:
        raise AgentTaken("staff number")


def _refuse_last_administrator(session: Session, agent: Agent, different: dict[str, Any]) -> None:
    was = agent.role == ADMINISTRATOR and agent.active
    stays = different.get("role", ADMINISTRATOR) == ADMINISTRATOR and different.get("active", True)
    if was and not stays:
        others = select(func.count()).where(Agent.role == ADMINISTRATOR, Agent.active.is_(True), Agent.id != agent.id)
        if not session.scalar(others):
            raise LastAdministrator
