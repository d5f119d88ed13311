"""Chatwoot as the desk: cases become conversations of its API inbox, what its agents write comes back by webhook.

Nothing is sent where a customer waits for it. `work` looks through the log every second and delivers what is missing
(`chatwoot_line`), each case in its order and apart from the others; what webhooks did not bring (the bridge was away)
is fetched every half minute. While Chatwoot cannot be reached, customers are told so and their wish is kept.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.deps import Parts
from api.desks import chatwoot_line as lines
from api.desks.base import OUTSIDE, Case, DeskInbound
from api.desks.chatwoot_client import ChatwootAway, ChatwootClient, ChatwootRefused
from api.desks.chatwoot_inbox import Inbox
from api.desks.chatwoot_line import Task
from api.desks.chatwoot_notes import Notes
from api.desks.chatwoot_sender import Sender
from api.desks.chatwoot_truth import tell_truth
from api.settings import ApiSettings
from core.conversation import Conversation, Message
from core.handoff.tables import SKILLS, Handoff
from core.roster import Worker

log = structlog.get_logger("api.chatwoot")
AT_ONCE, MOST_STEPS = 8, 50  # cases worked on at the same time; steps of one case in a round
POLL = timedelta(seconds=30)


class ChatwootDesk:
    """See `HandoffDesk`; it belongs to a bridge once `join` was called."""

    name = "chatwoot"
    routes = False

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._client, self._notes = ChatwootClient(settings), Notes.load(settings.data_dir)
        self._parts: Parts | None = None
        self._working = asyncio.Lock()
        self._away_since: datetime | None = None
        self._failed = False  # in this round
        self._polled: datetime | None = None
        self._staff: list[int] = []

    @property
    def secret(self) -> str:
        """What webhooks are signed with."""
        return self._settings.chatwoot_webhook_secret.get_secret_value()

    @property
    def account(self) -> int:
        """The account there."""
        return self._settings.chatwoot_account

    @property
    def inbox_id(self) -> int:
        """The inbox there."""
        return self._settings.chatwoot_inbox

    def join(self, parts: Parts) -> None:
        """Take the parts of the bridge, which hold the desk itself."""
        self._parts = parts
        self._sender = Sender(parts, self._client, self._notes)
        inbound = DeskInbound(store=parts.store, bus=parts.bus, clock=parts.clock, book=parts.book)
        self.inbox = Inbox(parts, inbound, self._client, self._notes)

    @property
    def parts(self) -> Parts:
        """The parts of the bridge that this desk belongs to."""
        assert self._parts is not None, "the desk belongs to no bridge yet"
        return self._parts

    async def opened(self, case: Case) -> None:
        """See `HandoffDesk.opened`: a second sooner than `work` would see it."""
        await self._soon(case.conversation_id)

    async def customer_said(self, conversation: Conversation, message: Message) -> None:  # noqa: ARG002 - the log has it
        """See `HandoffDesk.customer_said`; again only a second sooner."""
        await self._soon(conversation.id)

    async def ended(self, case: Case) -> None:
        """See `HandoffDesk.ended`: nobody waits for Chatwoot to hear of it, `work` tells it."""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def staff(self, session: Session, *, now: datetime) -> list[Worker]:
        """Return who is online there; what people there have of our conversations is shared out among them.

        Nobody is, as far as anybody knows, while Chatwoot does not answer.
        """
        fresh = self._polled is not None and now - self._polled < 3 * POLL and self._away_since is None
        ids = self._staff if fresh else []
        mine = select(func.count()).select_from(Handoff).where(Handoff.agent_id == OUTSIDE, Handoff.ended_at.is_(None))
        load = session.scalar(mine) or 0
        return [
            Worker(
                agent_id, frozenset(SKILLS), self._settings.chatwoot_capacity,
                load // len(ids) + (place < load % len(ids)), None,
            )
            for place, agent_id in enumerate(ids)
        ]  # fmt: skip

    async def work(self) -> int:
        """Deliver what is missing, fetch what was missed, and tell who waits where neither can be done."""
        async with self._working:
            now, store = self.parts.clock(), self.parts.store
            await self._poll(now)
            if await store.read(lines.any_new):
                await store.write(lambda session: lines.begin_new(session, now=now))
            due = await store.read(lambda session: lines.with_work(session, now=now))
            self._failed = False
            gate = asyncio.Semaphore(AT_ONCE)
            done = sum(await asyncio.gather(*(self._deliver(item_id, gate) for item_id in due)))
            return done + await tell_truth(self.parts, self._notes, away_since=self._away_since)

    # -- out

    async def _soon(self, conversation_id: str) -> None:
        """Do the steps of one case now; what fails is done by a later round."""
        if self._away_since is None and not self._working.locked():
            async with self._working:
                now = self.parts.clock()
                await self.parts.store.write(lambda session: lines.begin_new(session, now=now))
                found = await self.parts.store.read(lambda session: lines.line_of(session, conversation_id))
                self._failed = False
                if found is not None:
                    await self._deliver(found, asyncio.Semaphore())

    async def _deliver(self, item_id: int, gate: asyncio.Semaphore) -> int:
        """Do the steps of one case until there is none, or one fails; return how many were done."""
        async with gate:
            for done in range(MOST_STEPS):
                if self._failed:
                    return done  # the others need not find out for themselves
                take = partial(lines.take, item_id=item_id, now=self.parts.clock())
                task = await self.parts.store.write(take)
                if task is None or not await self._done(item_id, task):
                    return done
        return MOST_STEPS

    async def _done(self, item_id: int, task: Task) -> bool:
        """Do one step; false if it failed."""
        step, handoff_id = task.step, task.progress.handoff_id
        try:
            changes = await self._sender.perform(task)
        except ChatwootAway as error:
            self._failed, self._away_since = True, self._away_since or self.parts.clock()
            log.warning("chatwoot_away", handoff=handoff_id, step=step.kind, error=str(error))
            await self._settle(item_id, done=False)
            return False
        except SQLAlchemyError:
            raise  # the database is away: so it is for all others
        except Exception as error:  # a fault of ours in one case must not stop the others
            status = error.status if isinstance(error, ChatwootRefused) else None
            log.error("chatwoot_refused", handoff=handoff_id, step=step.kind, status=status, error=type(error).__name__,
                      exc_info=None if status else error)  # fmt: skip
            given_up = task.progress.refused + 1 >= lines.MAX_REFUSALS and step.kind == "resolve"
            await self._settle(item_id, done=False, over=given_up, **lines.refused(task))
            return False
        self._away_since = None
        await self._settle(item_id, done=True, over=step.kind == "resolve", refused=0, told=False, **changes)
        return True

    async def _settle(self, item_id: int, *, done: bool, over: bool = False, **changes: Any) -> None:
        now = self.parts.clock()

        def work(session: Session) -> None:
            progress = lines.settle(session, item_id, now=now, done=done, **changes)
            if "remote" in changes:
                lines.keep_remote(session, progress, now=now)
            if over:
                lines.close(session, item_id, now=now)

        await self.parts.store.write(work)

    # -- in

    async def _poll(self, now: datetime) -> None:
        """Every half minute, ask who is online and fetch what webhooks did not bring."""
        if self._polled is not None and now - self._polled < POLL:
            return
        try:
            self._staff = await self._client.online()
            await self.inbox.fetch()
        except ChatwootAway as error:
            self._away_since = self._away_since or now
            log.warning("chatwoot_away", step="poll", error=str(error))
        except ChatwootRefused as error:
            log.error("chatwoot_refused", step="poll", status=error.status)
        else:
            self._away_since = None
        self._polled = now
