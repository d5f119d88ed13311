"""`dianfu agent …`: who works at the desk. Passwords are typed, read from standard input or generated: no arguments."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import agent as people
from core.agent import (
    ROLES,
    SKILLS,
    Agent,
    AgentNotFound,
    AgentTaken,
    BadAgent,
    Changes,
    LastAdministrator,
    NewAgent,
    WeakPassword,
)
from core.audit import AuditBroken, Auditor
from core.clock import SHANGHAI, system_clock
from core.settings import CoreSettings
from ops import databases
from ops.output import fail
from ops.tool import settings_of

agent_app = typer.Typer(help="The people of the desk: add, list, change, bar them.", no_args_is_help=True)
Login = Annotated[str, typer.Argument(help="The agent's login.")]
Generate = Annotated[bool, typer.Option("--generate", help="Make a random password and print it, once.")]
Keep = Annotated[bool, typer.Option("--keep", help="The password stays; without it the agent must choose his own.")]
WHY_WEAK = {
    "short": "it needs at least 10 characters", "long": "it has more than 128 characters",
    "login": "it is too near to the login", "common": "it is a common one",
    "simple": "it needs at least 5 different characters",
}  # fmt: skip


@contextmanager
def _people(settings: CoreSettings) -> Iterator[Session]:
    """Give a transaction on the bridge database; what can go wrong ends the command with a line that says it."""
    try:
        with databases.opened(settings.bridge_url) as database, database.transaction() as session:
            yield session
    except AgentNotFound as error:
        fail(f"there is no agent {error}")
    except (AgentTaken, BadAgent) as error:
        fail(str(error))
    except LastAdministrator:
        fail("this is the only administrator left; make another one first")
    except AuditBroken as error:
        fail(f"{error}; `dianfu audit verify` tells more")
    except SQLAlchemyError as error:
        fail(f"the bridge database cannot be asked (`dianfu migrate`): {error}")


@agent_app.callback()
def _group() -> None:
    """The people of the desk."""


@agent_app.command("add")
def add(
    login: Login,
    name: Annotated[str, typer.Option(help="As customers are shown it.")],
    staff_no: Annotated[str, typer.Option(help="The staff number (工号).")],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")] = "agent",
    skill: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(SKILLS)}; several times if so.")] = None,
    capacity: Annotated[int, typer.Option(help="Conversations at the same time.")] = 4,
    generate: Generate = False,
    keep: Keep = False,
) -> None:
    """Add an agent; the password is asked for, read from standard input, or generated."""
    settings, now = settings_of(CoreSettings), system_clock()
    new = NewAgent(login, name, staff_no, role, tuple(skill or ()), capacity)
    password, hashed = _password(login, generate)
    with _people(settings) as session:
        people.add_agent(session, new, hashed, auditor=_auditor(settings), now=now, must_change=not keep)
    typer.echo(f"added {login}, {role}" + _shown(password, generate))


@agent_app.command("list")
def list_all() -> None:
    """List all agents."""
    settings, now = settings_of(CoreSettings), system_clock()
    keyring = settings.keyring()
    with _people(settings) as session:
        for one in people.list_agents(session):
            until = people.locked_until(session, one.login, keyring=keyring, now=now)
            marks = [
                "" if one.active else "BARRED",
                f"locked until {until.astimezone(SHANGHAI):%H:%M}" if until else "",
                "second factor" if one.totp_cipher else "",
                "must change the password" if one.must_change else "",
            ]
            typer.echo(
                f"{one.login:<16} {one.staff_no:<8} {one.role:<13} {_presence(one)}  {one.name}  "
                f"{','.join(one.skills) or '-'} x{one.capacity}  {'; '.join(filter(None, marks))}".rstrip()
            )


@agent_app.command("passwd")
def passwd(login: Login, generate: Generate = False, keep: Keep = False) -> None:
    """Give an agent another password; all his sessions end."""
    settings, now = settings_of(CoreSettings), system_clock()
    with _people(settings) as session:
        people.agent_by_login(session, login)
    password, hashed = _password(login, generate)
    auditor = _auditor(settings)
    with _people(settings) as session:
        agent = people.agent_by_login(session, login)
        people.set_password(session, agent, hashed, auditor=auditor, now=now, must_change=not keep)
        people.unlock(session, agent, keyring=settings.keyring(), auditor=auditor, now=now)
    typer.echo(f"{login} has a new password" + _shown(password, generate))


@agent_app.command("lock")
def lock(login: Login) -> None:
    """Bar an agent: he is signed out at once and cannot sign in."""
    _change(login, Changes(active=False), "is barred")


@agent_app.command("unlock")
def unlock(login: Login) -> None:
    """Let a barred agent, or one locked out by failed attempts, sign in again."""
    settings, now = settings_of(CoreSettings), system_clock()
    auditor = _auditor(settings)
    with _people(settings) as session:
        agent = people.agent_by_login(session, login)
        people.change_agent(session, agent, Changes(active=True), auditor=auditor, now=now)
        people.unlock(session, agent, keyring=settings.keyring(), auditor=auditor, now=now)
    typer.echo(f"{login} may sign in")


@agent_app.command("role")
def role(login: Login, role: Annotated[str, typer.Argument(help=f"One of {', '.join(ROLES)}.")]) -> None:
    """Give an agent another role; he is signed out."""
    _change(login, Changes(role=role), f"is {role}")


@agent_app.command("skills")
def skills(
    login: Login,
    skill: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(SKILLS)}; none takes all away.")] = None,
) -> None:
    """Set what an agent can do."""
    _change(login, Changes(skills=tuple(skill or ())), f"can do {', '.join(skill or ()) or 'nothing'}")


@agent_app.command("totp-off")
def totp_off(login: Login) -> None:
    """Take an agent's second factor away, when the telephone with it is lost."""
    settings, now = settings_of(CoreSettings), system_clock()
    with _people(settings) as session:
        agent = people.agent_by_login(session, login)
        had = people.totp_off(session, agent, auditor=_auditor(settings), now=now)
    typer.echo(f"{login} has no second factor" + ("" if had else ", and had none"))


def _change(login: str, changes: Changes, said: str) -> None:
    settings, now = settings_of(CoreSettings), system_clock()
    with _people(settings) as session:
        agent = people.agent_by_login(session, login)
        changed = people.change_agent(session, agent, changes, auditor=_auditor(settings), now=now)
    typer.echo(f"{login} {said}" + ("" if changed else " already"))


def _auditor(settings: CoreSettings) -> Auditor:
    return Auditor.of(settings.keyring())


def _password(login: str, generate: bool) -> tuple[str, people.PasswordHash]:
    password = people.new_password() if generate else _typed()
    try:
        return password, people.hash_password(password, login=login.strip().lower())
    except WeakPassword as error:
        fail(f"the password is refused: {WHY_WEAK[error.reason]}")


def _typed() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _shown(password: str, generated: bool) -> str:
    return f"\npassword (shown once): {password}" if generated else ""


def _presence(agent: Agent) -> str:
    return f"{agent.status if people.present(agent, system_clock()) else 'not there':<9}"
