"""Who calls from the desk, and whether that one may: the session cookie, the CSRF header, the origin, the role."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request, WebSocket
from fastapi.requests import HTTPConnection
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep, parts_of
from core import desk_session
from core.agent import ADMINISTRATOR, AGENT, SUPERVISOR, Agent, at_least
from core.desk_session import SessionOver

COOKIE, CSRF_HEADER = "dianfu_desk", "X-CSRF-Token"
READING = frozenset({"GET", "HEAD", "OPTIONS"})


class NotSignedIn(Exception):
    """The caller has no session of the desk (any more)."""


class Forbidden(Exception):
    """The role of the caller does not go so far, or the page that calls is not ours."""


class CsrfFailed(Exception):
    """A call that changes something does not show the CSRF token of its session, or comes from another site."""


class MustChangePassword(Exception):
    """The caller has a password that somebody else chose, and may do nothing before changing it."""


@dataclass(frozen=True)
class Signed:
    """Somebody who has signed in."""

    agent_id: int
    login: str
    name: str
    role: str
    skills: tuple[str, ...]
    session_id: int
    csrf: str = field(repr=False, compare=False, default="")
    must_change: bool = field(compare=False, default=False)

    def may(self, role: str) -> bool:
        """Tell whether the caller's role includes `role`."""
        return at_least(self.role, role)


async def signed_in(request: Request, parts: PartsDep) -> Signed:
    """Return who calls, also one who still has to change his password; for the routes about oneself.

    Raises:
        NotSignedIn: if the session is missing or over.
        CsrfFailed: if a writing call comes from another site or without the session's token.
    """
    signed = await _signed(request, parts, active=True)
    if request.method not in READING:
        check_origin(request)
        if not desk_session.same(signed.csrf, request.headers.get(CSRF_HEADER, "")):
            raise CsrfFailed
    return signed


SignedDep = Annotated[Signed, Depends(signed_in)]


class _Role:
    """A dependency that lets a role pass, and those above it."""

    def __init__(self, role: str) -> None:
        self.role = role

    async def __call__(self, signed: SignedDep) -> Signed:
        """Return who calls; raises `MustChangePassword` or `Forbidden`."""
        _check(signed, self.role)
        return signed


AgentDep = Annotated[Signed, Depends(_Role(AGENT))]
SupervisorDep = Annotated[Signed, Depends(_Role(SUPERVISOR))]
AdministratorDep = Annotated[Signed, Depends(_Role(ADMINISTRATOR))]


async def signed_socket(socket: WebSocket, *, role: str = AGENT) -> Signed:
    """Return who opens a socket; call it before (or after) `accept`, and `still_signed` now and then.

    Raises:
        NotSignedIn: if the session is missing or over.
        CsrfFailed: if the page is another site's.
        Forbidden: if the role does not go so far.
        MustChangePassword: if the password has to be changed first.
    """
    check_origin(socket)
    signed = await _signed(socket, parts_of(socket), active=True)
    _check(signed, role)
    return signed


async def still_signed(socket: WebSocket, *, active: bool = False) -> Signed:
    """Return who holds an open socket; `active`: the agent did something, so the session is not idle.

    Raises:
        NotSignedIn: if the session is over by now.
        MustChangePassword: if the password has to be changed first.
    """
    signed = await _signed(socket, parts_of(socket), active=active)
    _check(signed, AGENT)
    return signed


def check_origin(connection: HTTPConnection) -> None:
    """Refuse what a page of another site makes a browser send; programs send no Origin.

    Pages that may hold the customers' widget (`allowed_origins`) have no business here.

    Raises:
        CsrfFailed: if the page is not ours.
    """
    origin, host = connection.headers.get("origin"), connection.headers.get("host", "")
    if origin is not None and origin not in {f"{scheme}://{host}" for scheme in ("http", "https")}:
        raise CsrfFailed
    site = connection.headers.get("sec-fetch-site", "none") if connection.scope["type"] == "http" else "none"
    if site not in ("same-origin", "none"):
        raise CsrfFailed


async def _signed(connection: HTTPConnection, parts: Parts, *, active: bool) -> Signed:
    value, now = connection.cookies.get(COOKIE, ""), parts.clock()
    if not value:
        raise NotSignedIn

    def work(session: Session) -> tuple[Signed, bool]:
        return _found(session, value, now)

    try:
        signed, due = await parts.store.read(work)
    except SessionOver as error:
        raise NotSignedIn from error
    if active and due:
        await parts.store.write(lambda session: desk_session.touch_session(session, signed.session_id, now=now))
    return signed


def _found(session: Session, value: str, now: datetime) -> tuple[Signed, bool]:
    """Return whose session it is, and whether its use should be noted."""
    row = desk_session.find_session(session, value, now=now)
    agent = session.get(Agent, row.agent_id)
    if agent is None or not agent.active:
        raise SessionOver
    signed = Signed(
        agent.id, agent.login, agent.name, agent.role, tuple(agent.skills), row.id, row.csrf, agent.must_change
    )
    return signed, desk_session.needs_touch(row, now=now)


def _check(signed: Signed, role: str) -> None:
    if signed.must_change:
        raise MustChangePassword
    if not signed.may(role):
        raise Forbidden
