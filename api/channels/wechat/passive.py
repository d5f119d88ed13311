"""The five-second rule: the answer goes back with the push if it is there in 4.2 seconds, else the courier brings it.

A push that comes again waits for the same answer. What is claimed for a connection that has gone is given back; what
was written in time counts as received, for Tencent asks again for what it has not got.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api import papers
from api.channels import links
from api.channels.wechat import arrival, photos
from api.channels.wechat.arrival import Arrived
from api.channels.wechat.channel import WeChat
from api.channels.wechat.intake import is_event, said_of
from api.channels.wechat.render import split
from api.channels.wechat.reply import SUCCESS
from api.channels.wechat.wire import Received
from core.channel import passive
from core.channel.passive import Replayed, StillSending
from core.channel.tables import WECHAT
from core.conversation import ButtonNotFound, ConversationClosed
from core.upload import UploadNotFound

if TYPE_CHECKING:
    from api.deps import Parts

log = structlog.get_logger("api.wechat")
ANSWER_WITHIN = 4.2  # seconds; Tencent hangs up after five
HUNG_UP_AFTER = 5.0
RECORD_WITHIN, LOG_WITHIN = 2.2, 1.8  # seconds for the two transactions before anybody can be asked
CLAIM_WITHIN = 0.5
REFUSED = 403
_LOOK_AGAIN = 0.05
Result = TypeVar("Result")


class Answering(Response):
    """The response to a push, which settles the log with what became of it."""

    def __init__(self, parts: Parts, wechat: WeChat, received: Received, *, started: float) -> None:
        super().__init__()
        self._parts, self._wechat, self._received, self._started = parts, wechat, received, started

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer: at once, with what is found in time, or with `success`; never with a failure."""
        begun = False

        async def sending(frame: Message) -> None:
            nonlocal begun
            begun = True
            await send(frame)

        try:
            await self._serve(scope, receive, sending)
        except Exception as error:
            log.error("wechat_failed", exc_info=error)
            if not begun:
                await self._write(None, scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            arrived = await self._arrive()
        except Replayed:
            log.warning("wechat_replayed")
            await Response(status_code=REFUSED, media_type="text/plain")(scope, receive, send)
            return
        except Exception as error:
            await self._write(self._without_log(error), scope, receive, send)
            return
        if arrived is None:
            await self._write(None, scope, receive, send)
            return
        with self._wechat.holds.hold(arrived.user_id):
            said = await self._wait(arrived)
            async with self._wechat.holds.answering(arrived.user_id):
                await self._answer(arrived, said, scope, receive, send)
        self._parts.bus.publish(arrived.conversation_id)  # what did not fit, or comes later, is the courier's

    async def _arrive(self) -> Arrived | None:
        if not is_event(self._received.fields):
            await links.look_before(self._parts, WECHAT, self._received.fields["FromUserName"])
        now = self._parts.clock()
        recording = self._parts.store.write(
            lambda session: arrival.arrive(session, self._parts, self._wechat, self._received, now=now)
        )
        return await _within(RECORD_WITHIN, recording)

    async def _wait(self, arrived: Arrived) -> str | None:
        """Wait for the turn as long as there is time; return what has to be said although the log does not have it."""
        if arrived.inbound is None:
            return None
        task = self._wechat.flights.join(arrived.external_id, lambda: run(self._parts, self._wechat, arrived))
        await asyncio.wait({task}, timeout=max(0.0, ANSWER_WITHIN - self._elapsed()))
        if not task.done() or task.cancelled():
            return None
        error = task.exception()
        return self._without_log(error) if isinstance(error, Exception) else task.result()

    async def _answer(self, arrived: Arrived, said: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        claimed = None
        if said is None and not await _gone(receive):
            claimed = await self._claim(arrived)
        if claimed is not None and await _gone(receive):
            await self._settle(arrived, passive.give_back)
            return
        await self._write(said or claimed, scope, receive, send)
        if claimed is not None:
            in_time = self._elapsed() < HUNG_UP_AFTER
            if in_time:
                self._wechat.written.note(arrived.external_id)
            await self._settle(arrived, passive.passed if in_time else passive.give_back)
        elif arrived.inbound is None:
            await self._settle(arrived, _release)

    async def _claim(self, arrived: Arrived) -> str | None:
        """Claim what waits; None if there is nothing, or it cannot be had in time."""
        until = max(self._elapsed(), ANSWER_WITHIN) + CLAIM_WITHIN / 2
        while True:
            with suppress(StillSending):
                return await self._claimed(arrived)
            if self._elapsed() + _LOOK_AGAIN > until:
                return None
            await asyncio.sleep(_LOOK_AGAIN)

    async def _claimed(self, arrived: Arrived) -> str | None:
        now, wechat = self._parts.clock(), self._wechat
        claiming = self._parts.store.write(
            lambda session: passive.claim(
                session, WECHAT, arrived.external_id, fit=wechat.render.fit, boot=wechat.boot, now=now
            )
        )
        try:
            patience = max(CLAIM_WITHIN, ANSWER_WITHIN - self._elapsed())
            return await _within(patience, claiming, late=lambda: self._settle(arrived, passive.give_back))
        except (SQLAlchemyError, TimeoutError) as error:
            log.error("wechat_not_claimed", error=type(error).__name__)
            return None

    async def _settle(self, arrived: Arrived, how: Callable[..., None]) -> None:
        now = self._parts.clock()
        try:
            await self._parts.store.write(lambda session: how(session, WECHAT, arrived.external_id, now=now))
        except SQLAlchemyError as error:  # it stays as it was claimed, and is decided about later (`settle_lost`)
            log.error("wechat_not_settled", error=type(error).__name__)

    def _without_log(self, error: Exception) -> str | None:
        """Return what is said when nothing can be written: a warning about danger, or the request to send it again."""
        wechat, fields = self._wechat, self._received.fields
        log.error("wechat_without_log", error=type(error).__name__,
                  exc_info=None if isinstance(error, SQLAlchemyError | TimeoutError) else error)  # fmt: skip
        if is_event(fields):
            return None
        said = said_of(fields, words=wechat.words, photo=self._parts.wording.photo)
        outcome = self._parts.dialogue.warn(said.text, error)
        return wechat.render.as_text(outcome.messages) if outcome else wechat.words.busy

    async def _write(self, text: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        replies, received = self._wechat.replies, self._received
        pieces = split(text or "")
        if not pieces:
            response = Response(SUCCESS, media_type="text/plain")
        else:
            body = replies.text(received, pieces[0], now=self._parts.clock())
            response = Response(body, media_type=replies.media_type(received))
        with suppress(OSError):  # the other side has gone; Tencent will ask again
            await response(scope, receive, send)

    def _elapsed(self) -> float:
        return asyncio.get_running_loop().time() - self._started


async def run(parts: Parts, wechat: WeChat, arrived: Arrived) -> str | None:
    """Put a message into the log and see its turn through; return what is said without a log."""
    inbound, conversation_id = arrived.inbound, arrived.conversation_id
    assert inbound is not None
    if arrived.media_id is not None:
        inbound = await photos.with_photo(parts, wechat, conversation_id, arrived.media_id, inbound)
    if arrived.paper is not None:
        said = await papers.opened(parts, conversation_id, arrived.paper)
        inbound = replace(said, channel=inbound.channel, channel_user_id=inbound.channel_user_id)
    try:
        question, outcome = await parts.dialogue.take(conversation_id, inbound, within=LOG_WITHIN)
    except (ButtonNotFound, UploadNotFound, ConversationClosed) as error:
        log.warning("wechat_overtaken", error=type(error).__name__)
        return wechat.words.busy
    if question is None:
        return wechat.render.as_text(outcome.messages) if outcome else None
    if arrived.media_id is not None:
        with suppress(SQLAlchemyError):  # then it is taken up once more, which changes nothing
            await parts.store.write(lambda session: arrival.done(session, arrived.external_id))
    if outcome is None:
        await asyncio.wait({parts.dialogue.turns.start(question)})
    return None


async def _within(seconds: float, work: Awaitable[Result], late: Callable[[], Awaitable[None]] | None = None) -> Result:
    """Return what comes within so many seconds; what comes later is undone by `late`.

    Raises:
        TimeoutError: if it does not.
    """
    working = asyncio.ensure_future(work)

    def undo(done: asyncio.Future[Result]) -> None:
        if not done.cancelled() and done.exception() is None and late is not None and done.result() is not None:
            _undoing.add(task := asyncio.ensure_future(late()))
            task.add_done_callback(_undoing.discard)

    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(working)
    except TimeoutError:
        working.add_done_callback(undo)
        raise


_undoing: set[asyncio.Future[None]] = set()  # what nobody waits for must not be forgotten by Python either


def _release(session: Session, channel: str, external_id: str, **_: object) -> None:
    passive.release(session, channel, external_id)


async def _gone(receive: Receive) -> bool:
    """Tell whether the other side has hung up; the body was read before."""
    asking = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    if asking.done():
        return asking.exception() is None and asking.result()["type"] == "http.disconnect"
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    return False
