"""The desk's stream: one socket a console, which goes on where the last one ended.

It reads the desk's feed from a number on, whenever the bus hints at a change and every two seconds besides, and sends
only what its agent may see. Feed events are hints: what is sent is looked up when it is sent, and of several changes of
one conversation only the last state. Messages follow the log's own numbers, so none is missed and none comes twice.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from functools import partial
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.bus import Frame
from api.deps import Parts, parts_of
from api.desk.access import CsrfFailed, Forbidden, MustChangePassword, NotSignedIn, Signed, signed_socket, still_signed
from api.desk.cases import agent_names
from api.desk.news import News, Reading, frames_of, read_news, visible_conversations
from api.desk.scope import sight_of
from api.desk.steps import publish, touch_presence
from api.desk.talk import lookers, show_typing
from api.desk.watch import DESK, watch_of
from core.agent import SUPERVISOR
from core.desk_feed import last_seq
from core.handoff.help import look_at_calls, open_calls

log = structlog.get_logger("api.desk")
router = APIRouter(prefix="/v1/desk", tags=["desk"])
SIGNED_OUT, REFUSED, TRY_LATER = 4401, 4403, 1013
POLL_SECONDS, CHECK_SECONDS, SEND_SECONDS = 2.0, 5.0, 20.0
TOGETHER_SECONDS = 0.2
MAX_ID, MOST = 36, 2**31 - 1
After = Annotated[int | None, Query(ge=0, le=MOST, description="the last number that the console has")]


@router.websocket("/stream")
async def stream(socket: WebSocket, after: After = None) -> None:
    """Send what happens at the desk after a number (without one: from now on)."""
    await socket.accept()
    try:
        signed = await signed_socket(socket)
    except (NotSignedIn, MustChangePassword):
        await _end(socket, SIGNED_OUT)
        return
    except (CsrfFailed, Forbidden):
        await _end(socket, REFUSED)
        return
    except SQLAlchemyError:
        await _end(socket, TRY_LATER)
        return
    parts = parts_of(socket)
    with parts.metrics.sockets.track_inprogress():
        code = await Console(socket, parts, signed, after).serve()
    await _end(socket, code)


async def _end(socket: WebSocket, code: int) -> None:
    with suppress(RuntimeError, WebSocketDisconnect):  # the console has closed it already
        if code == SIGNED_OUT:
            await socket.send_json({"kind": "signed_out"})
        await socket.close(code)


class Console:
    """One open socket: what was sent over it, and what its agent looks at."""

    def __init__(self, socket: WebSocket, parts: Parts, signed: Signed, after: int | None) -> None:
        self._socket, self._parts, self._signed = socket, parts, signed
        self._news = News(after)
        self._wake = asyncio.Event()
        self._viewing: str | None = None
        self._pump: asyncio.Task[None] | None = None
        self._looks: dict[int, bool] = {}  # who looked at the same when it was last told, and whether he typed
        self._active = False  # the agent did something since the session was last checked

    async def serve(self) -> int:
        """Run the directions of the socket until one ends; return the code to close it with."""
        tasks = [asyncio.create_task(one) for one in (self._show(), self._listen(), self._hear_desk())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._look_away()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        errors = [task.exception() for task in tasks if not task.cancelled()]
        return _code([error for error in errors if error is not None])

    # -- what is sent

    async def _show(self) -> None:
        parts, signed = self._parts, self._signed
        await touch_presence(parts, signed.agent_id)
        await parts.store.read(self._begin)
        checked = asyncio.get_running_loop().time()
        while True:
            self._wake.clear()
            if asyncio.get_running_loop().time() - checked >= CHECK_SECONDS:
                self._signed = await still_signed(self._socket, active=self._active)
                self._active, checked = False, asyncio.get_running_loop().time()
            await self._catch_up()
            await self._show_lookers()
            read = asyncio.get_running_loop().time()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
            # The first change is shown at once, those right behind it together: every console reads every change.
            await asyncio.sleep(max(0.0, read + TOGETHER_SECONDS - asyncio.get_running_loop().time()))

    def _begin(self, session: Session) -> None:
        newest = last_seq(session)
        after = newest if self._news.seq is None else min(self._news.seq, newest)
        self._news.begin(after, newest, visible_conversations(session, self._signed))

    async def _catch_up(self) -> None:
        whole = False
        while not whole:
            viewing = self._viewing
            work = partial(read_news, signed=self._signed, news=self._news, viewing=viewing)
            reading: Reading = await self._parts.store.read(work)
            for frame in await frames_of(self._parts, self._signed, self._news, reading):
                await self._send(frame)
            self._news.advance(reading)
            whole = reading.whole

    async def _show_lookers(self) -> None:
        """Tell who else looks at the same conversation, and who began or stopped to type."""
        if self._viewing is None:
            return
        parts, viewing = self._parts, self._viewing
        looks = watch_of(parts).viewers(viewing)
        if looks == self._looks:
            return
        names = await parts.store.read(agent_names)
        viewers = [one.model_dump() for one in lookers(parts, viewing, names)]
        await self._send({"kind": "presence", "conversation_id": viewing, "viewers": viewers})
        for agent_id in sorted(set(looks) | set(self._looks)):
            on = looks.get(agent_id, False)
            if agent_id != self._signed.agent_id and on != self._looks.get(agent_id, False):
                who = {"id": agent_id, "name": names.get(agent_id, "")}
                await self._send(
                    {"kind": "typing", "conversation_id": viewing, "author": "agent", "agent": who, "on": on}
                )
        self._looks = looks

    async def _send(self, frame: Frame) -> None:
        async with asyncio.timeout(SEND_SECONDS):  # a console that takes nothing any more has to come again
            await self._socket.send_json(frame)

    # -- what wakes it

    async def _hear_desk(self) -> None:
        with self._parts.bus.listen(DESK) as hints:
            while True:
                await hints.get()
                self._wake.set()

    async def _hear_conversation(self, conversation_id: str) -> None:
        """Pass on that the customer or the bot types; whatever else happens there is looked up."""
        with self._parts.bus.listen(conversation_id) as hints:
            while True:
                frame = await hints.get()
                if frame is None:
                    self._wake.set()
                elif frame.get("kind") == "typing" and frame.get("author") != "agent":
                    with suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
                        await self._send({**frame, "conversation_id": conversation_id})

    # -- what the console sends

    async def _listen(self) -> None:
        while True:
            received = await self._socket.receive()
            if received["type"] == "websocket.disconnect":
                return
            frame: Any = None
            with suppress(ValueError, TypeError, RecursionError):
                frame = json.loads(received.get("text") or "")
            if isinstance(frame, dict):
                await self._take(frame)

    async def _take(self, frame: dict[str, Any]) -> None:
        """Do what a frame asks for; what is no frame of ours is ignored."""
        kind, target = frame.get("kind"), frame.get("conversation_id")
        if kind == "ping":
            await touch_presence(self._parts, self._signed.agent_id)
            if self._viewing is not None:
                watch_of(self._parts).looks(self._viewing, self._signed.agent_id)
            await self._send({"kind": "pong", "seq": self._news.seq or 0})
        elif kind == "view" and (target is None or isinstance(target, str)):
            await self._view(target, frame.get("after"))
        elif kind == "typing" and isinstance(target, str) and isinstance(frame.get("on"), bool):
            await self._type(target, on=frame["on"])

    async def _view(self, conversation_id: str | None, after: Any) -> None:
        self._active = True
        if conversation_id != self._viewing:
            self._look_away()
        if conversation_id is None or not await self._may_see(conversation_id):
            return
        if conversation_id != self._viewing:
            self._viewing, self._looks = conversation_id, {}
            self._pump = asyncio.create_task(self._hear_conversation(conversation_id))
        if isinstance(after, int) and not isinstance(after, bool) and 0 <= after <= MOST:
            self._news.sent[conversation_id] = after
        news = watch_of(self._parts).looks(conversation_id, self._signed.agent_id)
        if self._signed.may(SUPERVISOR):
            news = await self._hears_calls(conversation_id) or news
        if news:
            publish(self._parts)
        self._wake.set()

    async def _hears_calls(self, conversation_id: str) -> bool:
        """Settle the agent's calls for help, as a supervisor has opened the conversation; false if there is none."""
        parts, agent_id, now = self._parts, self._signed.agent_id, self._parts.clock()
        if not await parts.store.read(lambda session: open_calls(session, conversation_id)):
            return False
        return await parts.store.write(
            lambda session: look_at_calls(session, conversation_id, agent_id=agent_id, now=now)
        )

    async def _type(self, conversation_id: str, *, on: bool) -> None:
        self._active = True
        try:
            sight = await self._parts.store.read(
                lambda session: sight_of(session, self._signed, conversation_id[: MAX_ID + 1])
            )
        except Forbidden:
            return
        show_typing(self._parts, self._signed, conversation_id, on=on, holds=sight.holds)

    async def _may_see(self, conversation_id: str) -> bool:
        try:
            await self._parts.store.read(lambda session: sight_of(session, self._signed, conversation_id[: MAX_ID + 1]))
        except Forbidden:
            return False
        return True

    def _look_away(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
            self._pump = None
        if self._viewing is not None and watch_of(self._parts).leaves(self._viewing, self._signed.agent_id):
            publish(self._parts)
        self._viewing, self._looks = None, {}


def _code(errors: list[BaseException]) -> int:
    for error in errors:
        if isinstance(error, NotSignedIn | MustChangePassword | Forbidden):
            return SIGNED_OUT
        if not isinstance(error, WebSocketDisconnect | RuntimeError | TimeoutError):
            shown = None if isinstance(error, SQLAlchemyError) else error
            log.error("desk_stream_failed", error=type(error).__name__, exc_info=shown)
            return TRY_LATER
    return 1000
