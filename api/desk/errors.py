"""What the desk refuses: typed errors of the core become problem documents in words for agents.

The desk's routers use `DeskRoute`; errors that all routes share (no session, wrong role) go on to `api.problems`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute

from api.deps import parts_of
from api.desk.options import options_of
from core.agent import AgentNotFound
from core.handoff.life import BadNote, BadTransfer, BadWrapUp, CustomerWaits, InDanger, NoCapacity, NotOffered
from core.handoff.tables import AlreadyTaken, CaseNotFound, NotHolder
from core.mode import WrongMode
from core.service_clock import UnknownPauseReason

# error class -> (status, what the file of options calls it)
KNOWN: dict[type[Exception], tuple[HTTPStatus, str]] = {
    NotHolder: (HTTPStatus.FORBIDDEN, "not_holder"),
    AlreadyTaken: (HTTPStatus.CONFLICT, "already_taken"),
    CaseNotFound: (HTTPStatus.CONFLICT, "no_case"),
    NoCapacity: (HTTPStatus.CONFLICT, "no_capacity"),
    NotOffered: (HTTPStatus.CONFLICT, "wrong_mode"),
    CustomerWaits: (HTTPStatus.CONFLICT, "customer_waits"),
    InDanger: (HTTPStatus.CONFLICT, "in_danger"),
    BadNote: (HTTPStatus.UNPROCESSABLE_ENTITY, "bad_note"),
    UnknownPauseReason: (HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_choice"),
    BadTransfer: (HTTPStatus.UNPROCESSABLE_ENTITY, "bad_transfer"),
    BadWrapUp: (HTTPStatus.UNPROCESSABLE_ENTITY, "bad_wrap_up"),
    AgentNotFound: (HTTPStatus.CONFLICT, "no_such_agent"),
    WrongMode: (HTTPStatus.CONFLICT, "wrong_mode"),
}


class DeskProblem(Exception):
    """A call that the desk refuses; `code` is a key of the options' problems, `more` goes into the document."""

    def __init__(self, status: HTTPStatus, code: str, **more: Any) -> None:
        super().__init__(code)
        self.status, self.code, self.more = status, code, more


class DeskRoute(APIRoute):
    """A route that answers the desk's own errors with problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of the route."""
        handle = super().get_route_handler()

        async def handling(request: Request) -> Response:
            try:
                return await handle(request)
            except DeskProblem as error:
                return _said(request, error.status, error.code, **error.more)
            except tuple(KNOWN) as error:
                status, code = KNOWN[type(error)]
                return _said(request, status, code)

        return handling


def _said(request: Request, status: HTTPStatus, code: str, **more: Any) -> JSONResponse:
    return document(request, status, code, options_of(parts_of(request).settings.data_dir).problems, **more)


def document(
    request: Request, status: HTTPStatus, code: str, problems: Mapping[str, str], **more: Any
) -> JSONResponse:  # fmt: skip
    """Return a problem document: `problems` holds what `code` reads as, `more` goes into it."""
    body = {
        "type": "about:blank", "title": status.phrase, "status": int(status), "detail": problems[code],
        "code": code, "request_id": request.scope.get("request_id"), **more,
    }  # fmt: skip
    return JSONResponse(body, status, media_type="application/problem+json")
