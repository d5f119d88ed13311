"""The courier's loops: who is served next, what other processes left behind, and typing signals."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.channels.wechat.channel import WeChat
from api.channels.wechat.courier_callback import Callback
from api.channels.wechat.courier_carrier import Carrier
from api.channels.wechat.courier_metrics import courier_metrics
from api.channels.wechat.typing import Typing
from api.deps import Parts
from core.channel import deliveries

log = structlog.get_logger("api.wechat.courier")
AT_ONCE = 8  # users
POLL_SECONDS, SWEEP_SECONDS, DRAIN_SECONDS = 0.5, 2.0, 6.0
BREATH_SECONDS = 0.05  # between two rounds, however many hints there are


async def deliver(parts: Parts) -> None:
    """Deliver to WeChat users until cancelled; what is on its way then is brought to its end."""
    if parts.wechat is None:
        return
    courier = Courier(parts, parts.wechat)
    try:
        await courier.run()
    finally:
        await courier.drain(DRAIN_SECONDS)


class Courier:
    """The deliveries of one process: in order, one at a time to each user, several users at once."""

    def __init__(self, parts: Parts, wechat: WeChat) -> None:
        self._parts, self._wechat, self._store, self._clock = parts, wechat, parts.store, parts.clock
        self._metrics = courier_metrics(parts.metrics)
        self._typing = Typing(parts.store, wechat.client, parts.clock)
        self._carrier = Carrier(parts, wechat, self._metrics, self._typing)
        self._callback = Callback(parts.store, wechat, self._metrics, parts.clock, parts.settings.public_url)
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Do rounds, sweep, and pass typing signals on, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat("rounds", self._wait_and_round))
            group.create_task(self._repeat("sweep", self._sweep_and_wait))
            group.create_task(self._hear())

    async def drain(self, seconds: float) -> None:
        """Let what is on its way end, for at most so long."""
        await self._typing.close()
        if self._busy:
            await asyncio.wait(set(self._busy.values()), timeout=seconds)

    async def round(self) -> int:
        """Begin to serve users for whom something is due; return how many."""
        free = AT_ONCE - len(self._busy)
        if free <= 0 or self._carrier.paused:
            return 0
        now, busy = self._clock(), list(self._busy)
        due = await self._store.read(lambda session: deliveries.users_due(session, now=now, but=busy))
        chosen = [one for one in due if not self._wechat.holds.held(one)][:free]
        for channel_user_id in chosen:
            self._busy[channel_user_id] = asyncio.create_task(self._serve(channel_user_id))
        return len(chosen)

    async def sweep(self) -> None:
        """Settle what another process was about to send, call users back, and set the gauges."""
        now, busy = self._clock(), list(self._busy)

        def work(session: Session) -> dict[str, int]:
            deliveries.recover(session, now=now, but=busy)
            deliveries.wake(session, now=now)
            return deliveries.tallies(session)

        self._metrics.stands(await self._store.write(work))
        await self._callback.call()

    async def _serve(self, channel_user_id: int) -> None:
        try:
            await self._carrier.serve(channel_user_id)
        except SQLAlchemyError as error:
            log.error("database_unavailable", loop="courier", error=type(error).__name__)
        except Exception as error:
            log.error("delivery_failed", channel_user=channel_user_id, exc_info=error)
        finally:
            del self._busy[channel_user_id]
            if len(self._busy) == AT_ONCE - 1:
                self._wake.set()  # somebody may have waited for a place

    async def _wait_and_round(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        self._wake.clear()
        await self.round()

    async def _sweep_and_wait(self) -> None:
        await self.sweep()
        await asyncio.sleep(SWEEP_SECONDS)

    async def _hear(self) -> None:
        with self._parts.bus.watch() as heard:
            while True:
                conversation_id, frame = await heard.get()
                self._typing.hear(conversation_id, frame)
                if frame is None:
                    self._wake.set()

    async def _repeat(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except SQLAlchemyError as error:
                log.error("database_unavailable", loop=name, error=type(error).__name__)
                await asyncio.sleep(POLL_SECONDS)
            except Exception as error:
                log.error("loop_failed", loop=name, exc_info=error)
                await asyncio.sleep(POLL_SECONDS)
            await asyncio.sleep(BREATH_SECONDS)
