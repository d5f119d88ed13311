"""The loops that keep links true: whose an account is says the billing system, which no transaction of ours waits for.

What was bound or let go is looked at every second, all that is bound every ten minutes; what was erased in the log is
erased on disk and in the dialogue model's memory too.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import structlog
import yaml
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deliveries import repeat
from api.deps import Parts
from api.rasa import RasaFailed
from core import outbox
from core.channel import link, tenancy
from core.channel.erase import FORGET, RETRIED_FOR, forget_pushes
from core.channel.tables import ChannelUser
from core.channel.tenancy import Bound
from core.conversation import find_conversation
from core.outbox import OutboxItem
from core.upload import erase_uploads

log = structlog.get_logger("api.links")
EVERY, NEWS_EVERY = 600.0, 1.0  # seconds
FRESH = timedelta(minutes=10)  # so long nobody looks again whose the accounts of a conversation are
PATIENCE = 0.5  # seconds that a message waits for that
Page = dict[str, str]


class Words(BaseModel):
    """What is said about links (data/one_conversation.yaml)."""

    model_config = ConfigDict(extra="forbid")

    void: str
    h5: Page
    agree: Page


@lru_cache(maxsize=4)
def words(data_dir: Path) -> Words:
    """Return the words."""
    return Words.model_validate(yaml.safe_load((data_dir / "one_conversation.yaml").read_text("utf-8")))


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run the loops while the application runs."""
    parts: Parts = app.state.parts
    loops = [
        asyncio.create_task(repeat("links", lambda: settle_news(parts), pause=NEWS_EVERY)),
        asyncio.create_task(repeat("forget", lambda: forget_due(parts), pause=NEWS_EVERY)),
        asyncio.create_task(repeat("tenancy", lambda: look_through(parts), pause=EVERY)),
    ]
    yield
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


async def settle_news(parts: Parts) -> int:
    """Link, unlink and join as what was bound and let go says; return how many bindings were looked at."""
    news = await parts.store.read(link.news)
    if not news:
        return 0
    owner_of = await asyncio.to_thread(_owners, parts, {one.account_no for one in news})
    for one in news:
        changed = await parts.store.write(_settling(parts, one.binding_id, owner_of.get(one.account_no)))
        for conversation_id in changed:
            parts.bus.publish(conversation_id)
    return len(news)


async def look_through(parts: Parts) -> int:
    """End what is bound to accounts that have another customer now; return how many."""
    last, ended = 0, 0
    while bound := await parts.store.read(lambda session: tenancy.bound_after(session, last)):  # noqa: B023 - at once
        ended += await _check(parts, bound)
        last = bound[-1].binding_id
    return ended


async def look_at(parts: Parts, conversation_id: str) -> int:
    """Do the same for what is bound in one conversation. Raises SQLAlchemyError if the billing system is away."""

    def bound(session: Session) -> list[Bound]:
        return tenancy.bound_in(session, find_conversation(session, conversation_id))

    return await _check(parts, await parts.store.read(bound))


async def look_before(parts: Parts, channel: str, user_id: str) -> None:
    """Do the same before a channel's user is heard who was silent for ten minutes, for half a second at most.

    What takes longer goes on by itself; what fails is left to the loop.
    """

    def bound(session: Session) -> list[Bound]:
        query = select(ChannelUser).where(ChannelUser.channel == channel, ChannelUser.user_id == user_id)
        user = session.scalar(query)
        conversation = find_conversation(session, user.conversation_id) if user is not None else None
        quiet = conversation is not None and parts.clock() - conversation.last_at > FRESH
        return tenancy.bound_in(session, conversation) if conversation is not None and quiet else []

    async def work() -> int:
        return await _check(parts, await parts.store.read(bound))

    looking = asyncio.ensure_future(work())
    _looking.add(looking)
    looking.add_done_callback(_looked)
    await asyncio.wait({looking}, timeout=PATIENCE)


_looking: set[asyncio.Future[int]] = set()  # what nobody waits for must not be forgotten by Python either


def _looked(done: asyncio.Future[int]) -> None:
    _looking.discard(done)
    if not done.cancelled() and (error := done.exception()) is not None:
        log.warning("tenancy_not_looked_at", error=type(error).__name__)


async def forget_due(parts: Parts) -> int:
    """Erase photos and the dialogue model's memory of who has left; what cannot be done now is tried again."""

    def due(session: Session) -> list[tuple[int, dict[str, Any]]]:
        query = select(OutboxItem).where(OutboxItem.kind == FORGET, OutboxItem.done_at.is_(None))
        ripe = query.where(OutboxItem.created_at <= parts.clock() - RETRIED_FOR).order_by(OutboxItem.id).limit(20)
        return [(one.id, one.payload) for one in session.scalars(ripe)]

    items = await parts.store.read(due)
    for item_id, payload in items:
        delivered = await _forget(parts, payload)
        await parts.store.write(_settled(parts, item_id, delivered))
    return len(items)


async def _forget(parts: Parts, payload: dict[str, Any]) -> bool:
    conversations: list[str] = payload["conversations"]
    directory = parts.settings.upload_dir

    def work(session: Session) -> None:
        for conversation_id in conversations:
            erase_uploads(session, conversation_id=conversation_id, directory=directory)
        forget_pushes(session, payload["user"])

    await parts.store.write(work)
    for conversation_id in conversations:
        if await asyncio.to_thread((directory / conversation_id).exists):
            await asyncio.to_thread(shutil.rmtree, directory / conversation_id)
    try:
        await parts.rasa.forget(conversations)
    except RasaFailed as error:
        log.warning("forget_waits", error=str(error))
        return False
    return True


def _settled(parts: Parts, item_id: int, delivered: bool) -> Any:
    return lambda session: outbox.settle(session, item_id, now=parts.clock(), delivered=delivered, error="RasaFailed")


def _settling(parts: Parts, binding_id: int, owner_no: str | None) -> Any:
    open_for = timedelta(hours=parts.settings.session_hours)
    return lambda session: link.settle(session, binding_id, owner_no, open_for=open_for, now=parts.clock())


async def _check(parts: Parts, bound: list[Bound]) -> int:
    if not bound:
        return 0
    owner_of = await asyncio.to_thread(_owners, parts, {one.account_no for one in bound})
    ended = 0
    for one in bound:
        owner_no = owner_of.get(one.account_no, one.owner_no)
        if owner_no != one.owner_no:
            changed = await parts.store.write(_voiding(parts, one.binding_id, owner_no))
            ended += bool(changed)
            for conversation_id in changed:
                parts.bus.publish(conversation_id)
    return ended


def _voiding(parts: Parts, binding_id: int, owner_no: str) -> Any:
    text, open_for = words(parts.settings.data_dir).void, timedelta(hours=parts.settings.session_hours)
    return lambda session: tenancy.void(session, binding_id, owner_no, text=text, open_for=open_for, now=parts.clock())


def _owners(parts: Parts, numbers: set[str]) -> dict[str, str]:
    with parts.billing.reading() as session:
        return tenancy.owners(session, numbers)
