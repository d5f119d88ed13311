"""Signing in and out at the desk, and what agents do about themselves: password and second factor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import COOKIE, SignedDep, check_origin
from api.desk.steps import publish
from core import agent as people
from core import desk_session
from core.agent import Agent, Attempt, PasswordHash, Refused, SignedIn, hash_password, is_password
from core.audit import Auditor
from core.clock import SHANGHAI
from core.desk_feed import announce
from core.desk_session import LIFETIME
from core.fields import Keyring

router = APIRouter(prefix="/v1/desk", tags=["desk"])
# Passwords are compared two at a time: each takes 46 MiB and a processor, and the bridge has other things to do.
_comparing = ThreadPoolExecutor(2, "desk-password")

Result = TypeVar("Result")
Secret = Annotated[SecretStr, Field(max_length=256)]
Code = Annotated[SecretStr, Field(max_length=16)]


class LoginFailed(Exception):
    """Login, password or code are wrong; which one is not told."""


class WrongPassword(Exception):
    """Somebody who is signed in did not give his own password."""


class LoginBody(BaseModel):
    """Login and password; `code` where the answer asked for it."""

    model_config = ConfigDict(extra="forbid")

    login: Annotated[str, Field(max_length=64)]
    password: Secret
    code: Code | None = None


class PasswordBody(BaseModel):
    """A change of one's password."""

    model_config = ConfigDict(extra="forbid")

    current: Secret
    new: Secret


class ProofBody(BaseModel):
    """The password of somebody who is signed in already."""

    model_config = ConfigDict(extra="forbid")

    password: Secret


class TotpBody(BaseModel):
    """Either the password, to begin with a second factor, or the first code, to confirm it."""

    model_config = ConfigDict(extra="forbid")

    password: Secret | None = None
    code: Code | None = None


class AgentView(BaseModel):
    """An agent as he sees himself."""

    id: int
    login: str
    name: str
    staff_no: str
    role: str
    skills: list[str]
    capacity: int
    status: str
    must_change: bool
    second_factor: bool
    password_set_at: datetime

    @classmethod
    def of(cls, agent: Agent) -> Self:
        """Return the view of a row."""
        return cls(
            id=agent.id, login=agent.login, name=agent.name, staff_no=agent.staff_no, role=agent.role,
            skills=list(agent.skills), capacity=agent.capacity, status=agent.status, must_change=agent.must_change,
            second_factor=agent.totp_cipher is not None, password_set_at=agent.password_set_at.astimezone(SHANGHAI),
        )  # fmt: skip


class SessionView(BaseModel):
    """A session of the desk; `csrf_token` goes with every call that changes something, as `X-CSRF-Token`."""

    agent: AgentView
    csrf_token: str


class SecondFactor(BaseModel):
    """The password is right; the same call is to be made again with a code."""

    second_factor: bool = True


class TotpView(BaseModel):
    """What an authenticator app is given (`secret` to type, `uri` as a QR code), or that it is in use now."""

    enabled: bool
    secret: str | None = None
    uri: str | None = None


@router.post("/login")
async def login(body: LoginBody, request: Request, response: Response, parts: PartsDep) -> SessionView | SecondFactor:
    """Open a session; every failure is answered alike, whether the login exists or not."""
    check_origin(request)
    keyring, now = parts.settings.keyring(), parts.clock()
    attempt, matched, rehashed = await _compared(parts, keyring, body.login, body.password)
    code = body.code.get_secret_value().strip() if body.code else None

    def work(session: Session) -> tuple[str, SessionView] | SecondFactor | None:
        decided = people.settle(
            session, attempt, matched, code=code, rehashed=rehashed, keyring=keyring, now=now,
        )  # fmt: skip
        if isinstance(decided, SignedIn):
            return _opened(session, decided.agent, now)
        return None if isinstance(decided, Refused) else SecondFactor()

    outcome = await parts.store.write(work)
    if outcome is None:
        raise LoginFailed
    if isinstance(outcome, SecondFactor):
        return outcome
    _give_cookie(response, parts, outcome[0])
    return outcome[1]


@router.post("/logout", status_code=HTTPStatus.NO_CONTENT)
async def logout(signed: SignedDep, response: Response, parts: PartsDep) -> None:
    """End this session; the agent is offline, so that no conversation is offered to nobody."""
    keyring, now = parts.settings.keyring(), parts.clock()

    def work(session: Session) -> None:
        desk_session.end_session(session, signed.session_id, why="logout", now=now)
        people.set_status(people.find_agent(session, signed.agent_id), "offline")
        Auditor.of(keyring, signed.agent_id).note(session, "logout", signed.login, now=now)

    await parts.store.write(work)
    data = {"agent": signed.agent_id, "status": "offline"}
    # In a transaction of its own: the audit log and the feed are two locks that nobody should hold together.
    await parts.store.write(lambda session: announce(session, "agents", now=now, data=data))
    publish(parts)
    response.delete_cookie(COOKIE, path="/", secure=not parts.settings.development, httponly=True, samesite="strict")


@router.get("/me")
async def me(signed: SignedDep, parts: PartsDep) -> SessionView:
    """Return who is signed in, and the CSRF token for a page that was loaded anew."""
    view = await parts.store.read(lambda session: AgentView.of(people.find_agent(session, signed.agent_id)))
    return SessionView(agent=view, csrf_token=signed.csrf)


@router.post("/me/password")
async def change_password(body: PasswordBody, signed: SignedDep, response: Response, parts: PartsDep) -> SessionView:
    """Change one's password; all sessions end, and the caller gets a new one."""
    keyring, now = parts.settings.keyring(), parts.clock()
    chosen = body.new.get_secret_value()
    if chosen == body.current.get_secret_value():
        raise people.WeakPassword("same")
    new = await _in_thread(lambda: hash_password(chosen, login=signed.login))
    attempt, matched, _ = await _compared(parts, keyring, signed.login, body.current)

    def work(session: Session) -> tuple[str, SessionView] | None:
        if not people.confirm(session, attempt, matched, keyring=keyring, now=now):
            return None
        agent = people.find_agent(session, signed.agent_id)
        people.set_password(session, agent, new, auditor=Auditor.of(keyring, agent.id), now=now)
        return _opened(session, agent, now)

    outcome = await parts.store.write(work)
    if outcome is None:
        raise WrongPassword
    _give_cookie(response, parts, outcome[0])
    return outcome[1]


@router.post("/me/totp")
async def second_factor(body: TotpBody, signed: SignedDep, parts: PartsDep) -> TotpView:
    """Begin with a second factor (with one's password), or confirm it (with its first code)."""
    keyring, now = parts.settings.keyring(), parts.clock()
    if body.password is not None and body.code is None:
        await _prove(parts, keyring, signed.login, body.password)

        def begin(session: Session) -> TotpView:
            made = people.begin_totp(session, people.find_agent(session, signed.agent_id), keyring=keyring)
            return TotpView(enabled=False, secret=made.secret, uri=made.uri)

        return await parts.store.write(begin)
    if body.code is None or body.password is not None:
        raise people.BadCode
    code = body.code.get_secret_value()

    def confirm(session: Session) -> TotpView:
        agent = people.find_agent(session, signed.agent_id)
        people.confirm_totp(session, agent, code, keyring=keyring, now=now)
        return TotpView(enabled=True)

    return await parts.store.write(confirm)


@router.delete("/me/totp")
async def no_second_factor(body: ProofBody, signed: SignedDep, parts: PartsDep) -> TotpView:
    """Give the second factor up, with one's password."""
    keyring, now = parts.settings.keyring(), parts.clock()
    await _prove(parts, keyring, signed.login, body.password)

    def work(session: Session) -> None:
        agent = people.find_agent(session, signed.agent_id)
        people.totp_off(session, agent, auditor=Auditor.of(keyring, agent.id), now=now)

    await parts.store.write(work)
    return TotpView(enabled=False)


async def _compared(
    parts: Parts, keyring: Keyring, login: str, password: SecretStr
) -> tuple[Attempt, bool, PasswordHash | None]:
    """Count an attempt and compare its password, off the event loop and outside of any transaction."""
    now = parts.clock()
    attempt = await parts.store.write(lambda session: people.begin(session, login, keyring=keyring, now=now))
    matched, rehashed = await _in_thread(lambda: is_password(attempt.password_hash, password.get_secret_value()))
    return attempt, matched, rehashed


async def _prove(parts: Parts, keyring: Keyring, login: str, password: SecretStr) -> None:
    now = parts.clock()
    attempt, matched, _ = await _compared(parts, keyring, login, password)
    right = await parts.store.write(
        lambda session: people.confirm(session, attempt, matched, keyring=keyring, now=now)
    )  # fmt: skip
    if not right:
        raise WrongPassword


async def _in_thread(work: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(_comparing, work)


def _opened(session: Session, agent: Agent, now: datetime) -> tuple[str, SessionView]:
    value, row = desk_session.open_session(session, agent.id, now=now)
    return value, SessionView(agent=AgentView.of(agent), csrf_token=row.csrf)


def _give_cookie(response: Response, parts: Parts, value: str) -> None:
    response.set_cookie(
        COOKIE, value, max_age=int(LIFETIME.total_seconds()), path="/", httponly=True, samesite="strict",
        secure=not parts.settings.development,
    )  # fmt: skip
