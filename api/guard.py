"""What holds for every request: a limit on its body, and headers that keep browsers from guessing."""

from __future__ import annotations

import re
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# 20,000 characters, each written as two escapes of six bytes, and the rest of the document.
MAX_BODY = 256 * 1024
# The route counts for itself and says what is wrong; this is for who goes on sending nevertheless.
UPLOADS, MAX_UPLOAD_BODY = re.compile(r"/v1/(desk/conversations/[^/]+/)?uploads"), 12 * 1024 * 1024
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}


class Guard:
    """Refuses bodies above `MAX_BODY`, of photos above `MAX_UPLOAD_BODY`, and adds `HEADERS`.

    What `/v1` answers is never kept by a cache.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        private = scope["path"].startswith(("/v1/", "/demo/"))

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if private:
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, _limited(scope, receive), sending)


def _limited(scope: Scope, receive: Receive) -> Receive:
    declared = Headers(scope=scope).get("content-length", "0")
    most = MAX_UPLOAD_BODY if UPLOADS.fullmatch(scope["path"]) else MAX_BODY
    size = 0

    async def receiving() -> Message:
        nonlocal size
        if declared.isdecimal() and int(declared) > most:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return receiving
