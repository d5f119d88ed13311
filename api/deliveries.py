"""The loops that deliver the outbox and take up cut-off turns; both find their work in the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.deps import Parts
from core import outbox, work_order

log = structlog.get_logger("api.deliveries")
PAUSE_SECONDS = 1.0


async def deliver(parts: Parts) -> None:
    """Deliver the outbox until cancelled."""
    await _repeat("deliver", lambda: asyncio.to_thread(deliver_due, parts))


async def sweep(parts: Parts) -> None:
    """Take up cut-off turns until cancelled; apart from deliveries, which may wait long for another database."""
    await _repeat("sweep", parts.dialogue.turns.sweep)


async def _repeat(name: str, work: Callable[[], Awaitable[int]]) -> None:
    """Do the work again and again; no failure ends the loop, or nothing would be delivered until the next start."""
    while True:
        try:
            await work()
        except SQLAlchemyError as error:
            log.error("database_unavailable", loop=name, error=type(error).__name__)
        except Exception as error:
            log.error("loop_failed", loop=name, exc_info=error)
        await asyncio.sleep(PAUSE_SECONDS)


def deliver_due(parts: Parts) -> int:
    """Deliver what is due and return how many deliveries went well."""
    with parts.bridge.reading() as session:
        items = [(item.id, item.kind, item.key, item.payload) for item in outbox.due(session, now=parts.clock())]
    return sum(_deliver(parts, *item) for item in items)


def _deliver(parts: Parts, item_id: int, kind: str, key: str, payload: dict[str, Any]) -> bool:
    delivered = True
    try:
        if kind != "urgent_order":
            raise ValueError(f"no way to deliver {kind!r}")
        with parts.workorder.transaction() as session:
            work_order.open_urgent(session, cause=key, now=parts.clock(), **payload)
    except (SQLAlchemyError, ValueError) as error:
        delivered = False
        log.error("delivery_failed", kind=kind, key=key, error=type(error).__name__)
    with parts.bridge.transaction() as session:
        outbox.settle(session, item_id, now=parts.clock(), delivered=delivered)
    parts.metrics.deliveries.labels(kind, "delivered" if delivered else "failed").inc()
    return delivered
