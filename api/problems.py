"""Errors as problem documents (RFC 9457): Chinese `detail` for customers, English `title` for programs."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from api.desk.access import CsrfFailed, Forbidden, MustChangePassword, NotSignedIn
from api.desk.login import LoginFailed, WrongPassword
from api.wording import Wording
from core.agent import BadCode, LockedOut, NoSecondFactor, WeakPassword
from core.conversation import ButtonNotFound, ConversationClosed, ConversationNotFound
from core.identity import BadToken
from core.upload import BrokenImage, NotAnImage, TooManyUploads, UploadNotFound, UploadTooLarge

log = structlog.get_logger("api")

# error class -> (status, what the wording file calls it)
KNOWN: dict[type[Exception], tuple[HTTPStatus, str]] = {
    BadToken: (HTTPStatus.UNAUTHORIZED, "unauthorized"),
    ConversationNotFound: (HTTPStatus.UNAUTHORIZED, "unauthorized"),
    ConversationClosed: (HTTPStatus.CONFLICT, "closed"),
    ButtonNotFound: (HTTPStatus.NOT_FOUND, "unknown_button"),
    UploadNotFound: (HTTPStatus.NOT_FOUND, "unknown_image"),
    UploadTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "image_too_large"),
    NotAnImage: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "image_type"),
    BrokenImage: (HTTPStatus.UNPROCESSABLE_ENTITY, "image_broken"),
    TooManyUploads: (HTTPStatus.TOO_MANY_REQUESTS, "too_many_images"),
    NotSignedIn: (HTTPStatus.UNAUTHORIZED, "not_signed_in"),
    LoginFailed: (HTTPStatus.UNAUTHORIZED, "login_failed"),
    Forbidden: (HTTPStatus.FORBIDDEN, "forbidden"),
    CsrfFailed: (HTTPStatus.FORBIDDEN, "csrf_failed"),
    MustChangePassword: (HTTPStatus.FORBIDDEN, "must_change_password"),
    WrongPassword: (HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_password"),
    BadCode: (HTTPStatus.UNPROCESSABLE_ENTITY, "bad_code"),
    NoSecondFactor: (HTTPStatus.CONFLICT, "no_second_factor"),
}


HTTP_CODES = {HTTPStatus.NOT_FOUND: "not_found", HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_long"}
MAX_ERRORS = 10


class BadMessage(Exception):
    """A message that cannot be taken: `reason` is a key of the wording's problems."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# error class -> the database does not answer, or not in time
AWAY: tuple[type[Exception], ...] = (OperationalError, InterfaceError, PoolTimeout, TimeoutError)


def problem(
    wording: Wording, request_id: str | None, status: HTTPStatus, code: str, headers: Mapping[str, str] | None = None,
    **more: object,
) -> JSONResponse:  # fmt: skip
    """Return a problem document; `code` is a key of the wording's problems."""
    body = {
        "type": "about:blank", "title": status.phrase, "status": int(status), "detail": wording.problems[code],
        "code": code, "request_id": request_id, **more,
    }  # fmt: skip
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def install(app: FastAPI, wording: Wording) -> None:
    """Answer every expected error of the application with a problem document."""

    def answer(request: Request, status: HTTPStatus, code: str, **more: Any) -> JSONResponse:
        return problem(wording, request.scope.get("request_id"), status, code, **more)

    async def known(request: Request, error: Exception) -> JSONResponse:
        status, code = KNOWN[type(error)]
        headers = {"WWW-Authenticate": "Bearer"} if code == "unauthorized" else None
        return answer(request, status, code, headers=headers)

    async def bad_message(request: Request, error: Exception) -> JSONResponse:
        return answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    async def locked_out(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, LockedOut)
        headers = {"Retry-After": str(error.seconds)}
        return answer(request, HTTPStatus.TOO_MANY_REQUESTS, "login_locked", headers=headers)

    async def weak_password(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, WeakPassword)
        return answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, f"password_{error.reason}")

    async def malformed(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        where = [{"at": [_printable(step) for step in one["loc"]], "what": one["msg"]} for one in error.errors()]
        return answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", errors=where[:MAX_ERRORS])

    async def database_away(request: Request, error: Exception) -> JSONResponse:
        log.error("database_unavailable", error=type(error).__name__)
        return answer(request, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", headers={"Retry-After": "2"})

    async def http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        return answer(request, status, HTTP_CODES.get(status, "invalid"), headers=error.headers)

    handlers = {
        **dict.fromkeys(KNOWN, known), **dict.fromkeys(AWAY, database_away), BadMessage: bad_message,
        LockedOut: locked_out, WeakPassword: weak_password, RequestValidationError: malformed,
        HTTPException: http_error,
    }  # fmt: skip
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _printable(step: object) -> str:
    """Return a step of a path into the request; a name that the caller made up may be long, or no text at all."""
    return str(step)[:60].encode("utf-8", "replace").decode()
