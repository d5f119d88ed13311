"""The stream: a socket that shows the log from a sequence number on, the mode, and who is typing.

It reads the log whenever the bus hints at a change and every two seconds besides, so it never depends on a hint.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Annotated
from weakref import WeakKeyDictionary

import structlog
from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from sqlalchemy.exc import SQLAlchemyError

from api.bus import Frame, MemoryBus
from api.channels.seats import look
from api.channels.web import read_history, read_queue
from api.deps import Parts, parts_of
from api.schemas import After
from core.conversation import PAGE, ConversationNotFound
from core.handoff.queue import Lines
from core.identity import BadToken, Seat, read_seat

log = structlog.get_logger("api.stream")
router = APIRouter(prefix="/v1", tags=["web"])
PROTOCOL, BEARER = "dianfu.v1", "bearer."
BAD_TOKEN, WRONG_ORIGIN, MOVED, TRY_LATER = 4401, 4403, 4410, 1013
POLL_SECONDS = 2.0
_lines: WeakKeyDictionary[MemoryBus, Lines] = WeakKeyDictionary()  # of each application


class Moved(Exception):
    """The conversation was joined to another one: the client has to read that from its beginning."""


@router.websocket("/stream")
async def stream(socket: WebSocket, after: After = 0, conversation: Annotated[str, Query(max_length=36)] = "") -> None:
    """Send the messages after `after`, and then each new one; the client may send `{"kind": "ping"}`.

    `conversation`: which one the client has read up to `after`; if the session goes on in another one, it is told so.
    """
    parts = parts_of(socket)
    offered = [part.strip() for part in socket.headers.get("sec-websocket-protocol", "").split(",")]
    await socket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
    if not _origin_allowed(socket, parts):
        await socket.close(WRONG_ORIGIN)
        return
    with parts.metrics.sockets.track_inprogress():
        code = await _serve(socket, parts, _token(socket, offered), after, conversation)
    with suppress(RuntimeError, WebSocketDisconnect):  # the client has closed it already, or is cut off
        await socket.close(code)


async def _serve(socket: WebSocket, parts: Parts, token: str, after: int, known: str) -> int:
    """Run the two directions of the socket until either ends; return the code to close it with."""
    showing = asyncio.create_task(_show(socket, parts, token, after, known))
    listening = asyncio.create_task(_listen(socket))
    try:
        await asyncio.wait({showing, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (showing, listening):
            task.cancel()
        await asyncio.gather(showing, listening, return_exceptions=True)
    error = None if showing.cancelled() else showing.exception()
    if isinstance(error, BadToken | ConversationNotFound):
        return BAD_TOKEN
    if isinstance(error, Moved):
        return MOVED
    if error and not isinstance(error, WebSocketDisconnect | RuntimeError):
        log.error("stream_failed", error=type(error).__name__,
                  exc_info=None if isinstance(error, SQLAlchemyError) else error)  # fmt: skip
        return TRY_LATER
    return 1000


async def _show(socket: WebSocket, parts: Parts, token: str, after: int, known: str) -> None:
    """Send what the log has, as long as the token is good; raises Moved when it goes on in another conversation."""
    key, mode, place = parts.settings.session_key.get_secret_value(), "", ""
    seat = read_seat(key, token, now=parts.clock())
    at = known or (await parts.store.read(lambda session: look(session, seat))).id
    with parts.bus.listen(at) as hints:
        while read_seat(key, token, now=parts.clock()) == seat:
            found = await read_history(parts, seat, after)
            if found.conversation_id != at:
                await socket.send_json({"kind": "moved", "conversation_id": found.conversation_id})
                raise Moved
            for message in found.messages:
                await socket.send_json({"kind": "message", "message": message.model_dump(mode="json")})
            after = found.last_seq
            if found.mode != mode:
                mode = found.mode
                await socket.send_json({"kind": "mode", "mode": mode})
            place = await _show_place(socket, parts, seat, place) if mode == "queued" else ""
            if len(found.messages) < PAGE:
                await _forward(socket, hints)


async def _show_place(socket: WebSocket, parts: Parts, seat: Seat, known: str) -> str:
    """Send the place in the queue where it has changed; return what is known of it now."""
    view = await read_queue(parts, seat, lines=_lines.setdefault(parts.bus, Lines()))
    frame = {
        "kind": "queue", "place": view.place, "expected_wait_seconds": view.expected_wait_seconds,
        "on_duty": view.on_duty, "text": view.text,
    }  # fmt: skip
    if view.place is not None and view.text != known:
        await socket.send_json(frame)
    return view.text


async def _forward(socket: WebSocket, hints: asyncio.Queue[Frame | None]) -> None:
    """Send the frames of the bus until it hints at a change of the log, or for `POLL_SECONDS`."""
    with suppress(TimeoutError):
        while True:
            frame = await asyncio.wait_for(hints.get(), POLL_SECONDS)
            if frame is None:
                return
            await socket.send_json(frame)


async def _listen(socket: WebSocket) -> None:
    """Answer pings; what is no frame of ours is ignored."""
    while True:
        received = await socket.receive()
        if received["type"] == "websocket.disconnect":
            return
        with suppress(ValueError, TypeError, RecursionError):
            frame = json.loads(received.get("text") or "")
            if isinstance(frame, dict) and frame.get("kind") == "ping":
                await socket.send_json({"kind": "pong"})


def _token(socket: WebSocket, offered: list[str]) -> str:
    """Return the session token: from the Authorization header, or as the subprotocol a browser can send."""
    scheme, _, token = socket.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return next((part.removeprefix(BEARER) for part in offered if part.startswith(BEARER)), "")


def _origin_allowed(socket: WebSocket, parts: Parts) -> bool:
    """Tell whether a browser's page may connect: our own, or one that the settings name; programs send no Origin."""
    origin = socket.headers.get("origin")
    own = {f"{scheme}://{socket.headers.get('host', '')}" for scheme in ("http", "https")}
    return origin is None or origin in own or origin in parts.settings.allowed_origins
