"""Structured logs without personal data: ids, counts and times, never what a customer wrote."""

from __future__ import annotations

import logging
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict

from api.metrics import Metrics

log = structlog.get_logger("api.http")
REQUEST_ID_HEADER = b"x-request-id"
_QUIET = {"/healthz", "/readyz", "/metrics"}
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

OnError = Callable[[str], ASGIApp]


def configure(level: str) -> None:
    """Write one JSON object a line to standard output, for our own loggers and for the libraries' warnings."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_values,
    ]
    as_json = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[*shared, as_json],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, first_line], processors=[remove, without_values, as_json]
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def first_line(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Keep the first line of a library's message: the others quote what it worked on."""
    event["event"] = str(event["event"]).partition("\n")[0]
    return event


def without_values(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and the places it passed.

    Messages of exceptions and local variables quote what was being worked on: a customer's words, a token, a key.
    """
    error = event.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["exception"] = type(error).__name__
        event["frames"] = [
            f"{frame.name} ({frame.filename.rpartition('site-packages/')[2]}:{frame.lineno})"
            for frame in traceback.extract_tb(error.__traceback__)[-12:]
        ]
    return event


class RequestLog:
    """Gives each request an id (its own `X-Request-Id` if it is a plain one), logs its end and counts it.

    `on_error` answers in place of a route that broke, so that this answer too carries the id and is counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, on_error: OnError) -> None:
        self._app, self._metrics, self._on_error = app, metrics, on_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = _request_id(scope)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        if scope["type"] == "http":
            await self._serve(scope, receive, send, request_id)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        status, started = 0, time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (REQUEST_ID_HEADER, request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            log.error("unhandled", exc_info=error)
            if not status:
                await self._on_error(request_id)(scope, receive, sending)
        finally:
            self._note(scope, status or 499, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        path = getattr(scope.get("route"), "path", "unknown")  # the pattern, never the path itself: it may carry an id
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, path, str(status)).inc()
        if path not in _QUIET:
            log.info("request", method=method, route=path, status=status, ms=round(seconds * 1000, 1))


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        if name == REQUEST_ID_HEADER and 8 <= len(text) <= 64 and text.isascii() and text.replace("-", "").isalnum():
            return str(text)
    return uuid.uuid4().hex
