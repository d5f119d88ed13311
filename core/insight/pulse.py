"""Whether anything that the dashboards show may have changed: the heads of all logs, and every few minutes the time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.conversation import Message
from core.handoff.tables import HandoffEvent
from core.insight.kpi import Sources
from core.promise import Promise
from core.recommend.tables import CallBack
from core.segment.tables import PUBLISHED, SegmentRun
from core.work_order import WorkOrder

EVERY = timedelta(minutes=5)  # clocks run out without anybody writing anything

Mark = Callable[[Session], Any]
# Each of these is one step into an index. What is closed or mended without a new row is seen at the next EVERY.
BRIDGE: tuple[Mark, ...] = (
    lambda session: session.scalar(select(func.max(Message.at)).where(Message.turn == "done")),
    lambda session: session.scalar(select(func.max(Message.at)).where(Message.turn == "open")),
    lambda session: session.scalar(select(func.max(HandoffEvent.id))),
    lambda session: session.scalar(select(func.max(CallBack.id))),
    lambda session: session.scalar(select(func.max(SegmentRun.id)).where(SegmentRun.state == PUBLISHED)),
)
WORK_ORDER: tuple[Mark, ...] = (
    lambda session: session.scalar(select(func.max(WorkOrder.id))),
    lambda session: session.scalar(select(func.max(Promise.id))),
)


def version(sources: Sources, *, now: datetime) -> str:
    """Return a text that changes when anything shown may have changed; it tells nothing else."""
    marks: list[Any] = [int(now.timestamp() // EVERY.total_seconds())]
    for database, read in ((sources.bridge, BRIDGE), (sources.workorder, WORK_ORDER)):
        with database.reading() as session:
            marks += [mark(session) for mark in read]
    return hashlib.sha256(repr(marks).encode()).hexdigest()[:16]
