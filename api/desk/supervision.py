"""What the supervisor's routes share: their words, what they refuse, and the days that figures are asked for."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import date, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import yaml
from fastapi import Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep, parts_of
from api.desk.access import Signed
from api.desk.errors import DeskRoute, document
from api.desk.steps import publish
from core.agent import AgentNotFound, AgentTaken, BadAgent, LastAdministrator
from core.audit import Auditor
from core.clock import SHANGHAI
from core.desk_feed import announce
from core.handoff.figures import BadSpan, span_of
from core.quality import BadScores, CaseNotOver, OwnCase
from core.service_clock import BadHours


class Words(BaseModel):
    """The file `data/desk/supervisor.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    problems: dict[str, str]
    columns: dict[str, str]
    clock_states: dict[str, str]
    yes_no: dict[bool, str]
    actions: dict[str, str]
    subjects: dict[str, str]
    details: dict[str, str]
    detail_values: dict[str, dict[str, str]]
    no_detail: dict[str, str]


class Refusal(Exception):
    """A call that is refused; `code` is a key of the problems, `more` goes into the document."""

    def __init__(self, status: HTTPStatus, code: str, **more: Any) -> None:
        super().__init__(code)
        self.status, self.code, self.more = status, code, more


# error class -> (status, key of the problems)
KNOWN: Mapping[type[Exception], tuple[HTTPStatus, str]] = {
    CaseNotOver: (HTTPStatus.CONFLICT, "case_not_over"),
    OwnCase: (HTTPStatus.FORBIDDEN, "own_case"),
    BadScores: (HTTPStatus.UNPROCESSABLE_ENTITY, "bad_scores"),
    BadSpan: (HTTPStatus.UNPROCESSABLE_ENTITY, "bad_span"),
    BadHours: (HTTPStatus.UNPROCESSABLE_ENTITY, "bad_hours"),
    AgentNotFound: (HTTPStatus.NOT_FOUND, "no_such_agent"),
    AgentTaken: (HTTPStatus.CONFLICT, "agent_taken"),
    BadAgent: (HTTPStatus.UNPROCESSABLE_ENTITY, "bad_agent"),
    LastAdministrator: (HTTPStatus.CONFLICT, "last_administrator"),
}
_SAYS_WHY = (BadHours, BadAgent, BadScores)  # their text names a field and a rule, nothing of a person


@cache
def words_of(data_dir: Path) -> Words:
    """Read the words.

    Raises:
        pydantic.ValidationError: if some are missing or unknown.
    """
    path = data_dir / "desk" / "supervisor.yaml"
    return Words.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


class _OwnErrors(APIRoute):
    """A route that answers the errors of KNOWN with problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of the route."""
        handle = super().get_route_handler()

        async def handling(request: Request) -> Response:
            try:
                return await handle(request)
            except Refusal as error:
                return _document(request, error)
            except tuple(KNOWN) as error:
                status, code = next(found for kind, found in KNOWN.items() if isinstance(error, kind))
                more = {"why": str(error)} if isinstance(error, _SAYS_WHY) else {}
                return _document(request, Refusal(status, code, **more))

        return handling


class SupervisionRoute(DeskRoute, _OwnErrors):
    """A route of the supervisor's: our own errors first, then those that all of the desk shares."""


def no_such_case() -> Refusal:
    """Return what is said of a case that does not exist."""
    return Refusal(HTTPStatus.NOT_FOUND, "no_such_case")


async def span(
    parts: PartsDep, first: Annotated[date | None, Query(alias="from")] = None,
    last: Annotated[date | None, Query(alias="to")] = None,
) -> tuple[datetime, datetime]:  # fmt: skip
    """Return the instants that bound the days asked for; without any, today.

    Raises:
        BadSpan: as `span_of`.
    """
    today = parts.clock().astimezone(SHANGHAI).date()
    return span_of(first or last or today, last or first or today)


SpanDep = Annotated[tuple[datetime, datetime], Depends(span)]


def auditor(parts: Parts, signed: Signed) -> Auditor:
    """Return who writes the caller's deeds down."""
    return Auditor.of(parts.settings.keyring(), signed.agent_id)


async def wake(parts: Parts, kind: str = "agents") -> None:
    """Tell all consoles that something about the desk itself has changed.

    In a transaction of its own, for whoever writes both to the audit log and to the feed would hold two locks that
    others take the other way round.
    """
    now = parts.clock()

    def work(session: Session) -> None:
        announce(session, kind, now=now)

    await parts.store.write(work)
    publish(parts)


def _document(request: Request, error: Refusal) -> JSONResponse:
    words = words_of(parts_of(request).settings.data_dir)
    return document(request, error.status, error.code, words.problems, **error.more)
