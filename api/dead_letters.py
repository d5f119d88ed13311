"""Deliveries that were given up: noted, said aloud and counted; `dianfu outbox` shows them and has them sent again."""

from __future__ import annotations

import structlog

from api.deps import Parts
from core import outbox
from core.proactive import broadcast

log = structlog.get_logger("api.dead_letters")


def settle(
    parts: Parts, item_id: int, kind: str, key: str, wrong: str | None = None, *, hopeless: bool = False
) -> bool:
    """Note that an item was delivered, or what went wrong; one that is given up is said aloud, once."""
    with parts.bridge.transaction() as session:
        item = outbox.settle(
            session, item_id, now=parts.clock(), delivered=wrong is None, error=wrong, hopeless=hopeless
        )
        dead, overdue = item.dead_at is not None, item.attempts == outbox.MAX_ATTEMPTS and wrong is not None
    if dead or overdue:
        event = "delivery_dead" if dead else "delivery_overdue"
        log.critical(event, item=item_id, kind=kind, key=key, error=wrong)
    parts.metrics.deliveries.labels(kind, "dead" if dead else "failed" if wrong else "delivered").inc()
    return wrong is None


def count(parts: Parts) -> int:
    """Set the figures of what waits for an operator, and of messages that we send first."""
    with parts.bridge.reading() as session:
        outbox_ = outbox.standing(session)
        under_way, sends = broadcast.figures(session, now=parts.clock())
    parts.metrics.outbox.labels("dead").set(outbox_.dead)
    parts.metrics.outbox.labels("overdue").set(outbox_.overdue)
    parts.metrics.broadcasts.set(under_way)
    for state, number in sends.items():
        parts.metrics.sends.labels(state).set(number)
    return outbox_.dead
