"""The loop that looks after pushes: answers of which nobody knows, photos not fetched, what may be forgotten."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.channels.wechat import passive as answers
from api.channels.wechat.arrival import Arrived
from api.channels.wechat.channel import WeChat
from api.inbound import Inbound
from core.channel import erase, passive
from core.channel.tables import WECHAT, Push

if TYPE_CHECKING:
    from api.deps import Parts

log = structlog.get_logger("api.wechat.sweep")
PAUSE_SECONDS, ROUNDS_TO_PRUNE = 5.0, 12
MEDIA_KEPT = timedelta(days=3)  # by Tencent
LATELY = timedelta(minutes=15)
FLIGHT = timedelta(minutes=3)  # longer than any try to fetch a photo takes


async def sweep(parts: Parts) -> None:
    """Look after the pushes of the channel until cancelled; without an official account there are none."""
    wechat = parts.wechat
    if wechat is None:
        return
    since, rounds = MEDIA_KEPT, 0
    while True:
        try:
            await parts.store.write(
                partial(
                    passive.settle_lost,
                    up_since=wechat.up_since,
                    written=wechat.written,
                    now=parts.clock(),
                    within=since,
                )  # fmt: skip
            )
            if rounds % ROUNDS_TO_PRUNE == 0:
                await parts.store.write(lambda session: _forget(session, now=parts.clock()))
                await resume(parts, wechat, since=since)
                since = LATELY
            rounds += 1
        except SQLAlchemyError as error:
            log.error("database_unavailable", loop="wechat", error=type(error).__name__)
        except Exception as error:
            log.error("loop_failed", loop="wechat", exc_info=error)
        await asyncio.sleep(PAUSE_SECONDS)


def _forget(session: Session, *, now: datetime) -> None:
    passive.prune(session, now=now)
    erase.forget_traces(session, now=now)


async def resume(parts: Parts, wechat: WeChat, *, since: timedelta = MEDIA_KEPT) -> int:
    """Take up photos whose fetching was cut off; return how many."""
    waiting = await parts.store.read(lambda session: _unfinished(session, parts, wechat, since))
    for arrived in waiting:
        wechat.flights.join(arrived.external_id, partial(answers.run, parts, wechat, arrived))
    return len(waiting)


def _unfinished(session: Session, parts: Parts, wechat: WeChat, since: timedelta) -> list[Arrived]:
    now = parts.clock()
    started = Push.received_at < max(wechat.up_since, now - FLIGHT)  # what this process has in hand is not cut off
    query = select(Push).where(Push.received_at > now - since, started, Push.todo.is_not(None))
    return [
        Arrived(
            push.external_id, push.channel_user_id, str(push.conversation_id),
            Inbound(push.external_id, parts.wording.photo, channel=WECHAT, channel_user_id=push.channel_user_id),
            str((push.todo or {})["media_id"]),
        )
        for push in session.scalars(query)
        if push.conversation_id
    ]  # fmt: skip
