"""The sender's loops: fan out, take, send, write down; each finds its work in the database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.sender.lane import Lane
from api.sender.ways import Result, in_conversation
from core.clock import Clock
from core.db import Database
from core.proactive import fanout, picking, sends
from core.proactive.kinds import CHAT, Notices
from core.proactive.picking import Picked
from core.proactive.sends import Item

log = structlog.get_logger("api.sender")
BOOK_SECONDS, IDLE_SECONDS, FAN_SECONDS = 0.4, 0.5, 0.1
CHAT_AT_ONCE = 200
COMPLAINS_EVERY = timedelta(minutes=1)
DRAIN_SECONDS = 7.0  # longer than a call may take


@dataclass
class Page:
    """What one transaction writes and takes: results, sends that go back, how many are wanted by channel."""

    results: list[Result]
    back: list[Item]
    wanted: dict[str, int]
    queued: set[int]  # broadcasts of which something waits for its slot
    known: set[int]  # all sends that are in our hands
    taking: bool  # false at the end, when nothing is begun any more
    taken: dict[str, list[Item]] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)


class Sender:
    """Works until it is told to stop; killed at any moment, the next one goes on where it was."""

    def __init__(
        self, database: Database, notices: Notices, lanes: Mapping[str, Lane], clock: Clock, *,
        alive: Path | None = None, singles: Mapping[str, str] = picking.NO_SINGLES,
    ) -> None:  # fmt: skip
        self._database, self._notices, self._lanes, self._clock = database, notices, lanes, clock
        self._alive, self._turn, self._singles = alive, 0, singles
        self._results: list[Result] = []  # not written yet
        self._back: list[Item] = []
        self._complained_at: datetime | None = None
        self._uncertain = True  # whether sends may be marked as on their way that nobody has in hand

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; then wait for what is on its way, and leave nothing half done."""
        loops = [asyncio.create_task(lane.run()) for lane in self._lanes.values()]
        loops += [asyncio.create_task(loop) for loop in (self._keep_books(stop), self._keep_fanning(stop))]
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([*loops, stopping], return_when=asyncio.FIRST_COMPLETED)
        for loop in loops[: len(self._lanes)]:
            loop.cancel()
        stop.set()
        await asyncio.gather(*loops, stopping, return_exceptions=True)
        await asyncio.gather(*(lane.drain(DRAIN_SECONDS) for lane in self._lanes.values()))
        with contextlib.suppress(SQLAlchemyError):
            await self._book(last=True)
        for task in done - {stopping}:
            task.result()

    async def _keep_fanning(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            pause = IDLE_SECONDS
            try:
                if await asyncio.to_thread(self._fan_out):
                    pause = FAN_SECONDS  # others write too
            except SQLAlchemyError as error:
                log.error("database_unavailable", loop="fan_out", error=type(error).__name__)
            await asyncio.sleep(pause)

    def _fan_out(self) -> bool:
        """Make one step; false if there is nothing to fan out."""
        with self._database.reading() as session:
            found = fanout.unfinished(session, now=self._clock())
            if found is None:
                return False
            step = fanout.prepare(session, self._notices, found, now=self._clock())
        if step is not None:
            with self._database.transaction() as session:
                fanout.write(session, step)
        return True

    async def _keep_books(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            busy = False
            try:
                busy = await self._book()
            except SQLAlchemyError as error:
                self._uncertain = True  # whether it was committed
                log.error("database_unavailable", loop="book", error=type(error).__name__)
            if self._alive is not None:
                self._alive.touch()
            await asyncio.sleep(BOOK_SECONDS if busy else IDLE_SECONDS)

    async def _book(self, *, last: bool = False) -> bool:
        """Write down what came of sends and take the next ones, in one transaction; false if there is nothing to do.

        What the lanes hold changes here alone, on the event loop; the transaction has a page of its own in a thread.
        """
        page = self._page(last=last)
        idle = not (page.results or page.back or page.queued or self._uncertain or last)
        if idle and not await asyncio.to_thread(self._anything):
            return False
        await asyncio.to_thread(self._write, page)
        del self._results[: len(page.results)]
        del self._back[: len(page.back)]
        for channel, items in page.taken.items():
            self._lanes[channel].put(items)
        for lane in self._lanes.values():
            self._back += lane.take_back(
                page.running | {item.broadcast_id for item in page.taken.get(lane.channel, ())}
            )
        self._uncertain = False
        return True

    def _page(self, *, last: bool) -> Page:
        for lane in self._lanes.values():
            self._results += lane.done
            lane.done.clear()
            if last:
                self._back += lane.take_back(set())
        queued = [item for lane in self._lanes.values() for item in lane.queue]
        on_way = {number for lane in self._lanes.values() for number in lane.on_way}
        known = {item.id for item in (*queued, *self._back)} | {one.outcome.item.id for one in self._results} | on_way
        wanted = {} if last else {channel: lane.wanted for channel, lane in self._lanes.items() if lane.wanted}
        return Page(
            list(self._results), list(self._back), wanted, {one.broadcast_id for one in queued}, known, not last
        )

    def _anything(self) -> bool:
        with self._database.reading() as session:
            return bool(picking.running(session, now=self._clock()))

    def _write(self, page: Page) -> None:
        """Look for what goes next, which hinders nobody, and then write for as short a time as possible."""
        now = self._clock()
        picked = self._pick(page, now)
        with self._database.transaction() as session:
            if self._uncertain and (told := sends.recover(session, now=now, but=page.known)):
                log.info("taken_up", **told)
            sends.settle(session, [result.outcome for result in page.results], now=now)
            stops = {result.outcome.item.broadcast_id: result.stop for result in page.results if result.stop}
            sends.stop_all(session, stops, now=now)
            sends.give_back(session, page.back, now=now)
            page.running = sends.under_way(session, page.queued)
            for channel, one in picked.items():
                page.taken[channel] = picking.take(session, one, singles=self._singles, now=now)
            # Nothing to call: it is said when its reader writes.
            quiet = page.taken.pop(CHAT, [])
            sends.settle(session, [in_conversation(item).outcome for item in quiet], now=now)

    def _pick(self, page: Page, now: datetime) -> dict[str, Picked]:
        self._turn += 1
        wanted = {**page.wanted, **({CHAT: CHAT_AT_ONCE} if page.taking else {})}
        with self._database.reading() as session:
            picked = {
                channel: picking.pick(session, self._notices, channel=channel, limit=limit, turn=self._turn, now=now)
                for channel, limit in wanted.items()
            }
        self._complain({wording for one in picked.values() for wording in one.unsayable}, now)
        return picked

    def _complain(self, unsayable: set[str], now: datetime) -> None:
        """Say that broadcasts wait for words that are gone from the file, once a minute."""
        if unsayable and (self._complained_at is None or now - self._complained_at >= COMPLAINS_EVERY):
            self._complained_at = now
            log.error("wording_gone", wordings=sorted(unsayable))
