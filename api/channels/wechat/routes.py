"""Where Tencent's server calls: `GET /wechat` proves that the address is ours, `POST /wechat` brings what users do."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.channels.wechat.channel import WeChat
from api.channels.wechat.passive import Answering
from api.channels.wechat.wire import MAX_BODY, WireError
from api.deps import PartsDep

log = structlog.get_logger("api.wechat")
router = APIRouter(tags=["wechat"])
_PLAIN = "text/plain"


@router.get("/wechat", response_class=Response)
async def verify(request: Request, parts: PartsDep) -> Response:
    """Answer the check of the address with what it brings, if it is signed."""
    if parts.wechat is None:
        return _refused(HTTPStatus.NOT_FOUND)
    try:
        parts.wechat.gate.check(request.query_params, now=parts.clock())
    except WireError as error:
        log.warning("wechat_refused", error=type(error).__name__)
        return _refused(HTTPStatus.FORBIDDEN)
    return Response(request.query_params.get("echostr", ""), media_type=_PLAIN)


@router.post("/wechat", response_class=Response)
async def receive(request: Request, parts: PartsDep) -> Response:
    """Take a push of a message or an event, and answer it within five seconds."""
    started = asyncio.get_running_loop().time()
    if parts.wechat is None:
        return _refused(HTTPStatus.NOT_FOUND)
    body = await _body(request)
    if body is None:
        return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return _answering(request, parts.wechat, parts, body, started)


def _answering(request: Request, wechat: WeChat, parts: PartsDep, body: bytes, started: float) -> Response:
    try:
        received = wechat.gate.open(request.query_params, body, now=parts.clock())
    except WireError as error:
        log.warning("wechat_refused", error=type(error).__name__)
        return _refused(HTTPStatus.FORBIDDEN)
    return Answering(parts, wechat, received, started=started)


async def _body(request: Request) -> bytes | None:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > MAX_BODY:
            return None
    return bytes(content)


def _refused(status: HTTPStatus) -> Response:
    return Response(status_code=status, media_type=_PLAIN)
