"""Whether anything that the dashboards show may have changed: the heads of all logs, and every few minutes the time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Executable, Text, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.conversation import Message
from core.desk_setting import DeskSetting
from core.handoff.tables import HandoffEvent
from core.insight.kpi import Sources
from core.learning.tables import LearnedFaq, LearningGroup, LearningItem, ModelVersion
from core.notice import Notice
from core.outage import Outage, OutageReport, OutageSubscriber
from core.portrait.tables import PortraitEvent
from core.promise import Promise
from core.recommend.tables import CallBack, Campaign, Recommendation
from core.segment.tables import SegmentRun
from core.work_order import OPEN, WorkOrder

EVERY = timedelta(minutes=5)  # clocks run out without anybody writing anything

_GOING_ON = ("suspected", "confirmed", "planned", "active")
Mark = Callable[[Session], Any]


def _scalar(query: Executable) -> Mark:
    return lambda session: session.scalar(query)


def _rows(query: Executable) -> Mark:
    return lambda session: [tuple(row) for row in session.execute(query)]


def _length(value: InstrumentedAttribute[Any]) -> ColumnElement[int]:
    return func.length(cast(value, Text))


# Each of these is a step or two into an index, a count along one of what is still open, or a table of few rows.
BRIDGE: tuple[Mark, ...] = (
    _scalar(select(func.max(Message.at)).where(Message.turn == "done")),
    _scalar(select(func.max(Message.at)).where(Message.turn == "open")),
    _scalar(select(func.max(HandoffEvent.id))),
    _scalar(select(func.max(CallBack.id))),
    _rows(select(CallBack.state, func.count()).where(CallBack.state.in_(("open", "dropped"))).group_by(CallBack.state)),
    _rows(select(SegmentRun.id, SegmentRun.state).order_by(SegmentRun.id.desc()).limit(5)),
    _scalar(select(func.max(PortraitEvent.id))),
    _scalar(select(func.max(Recommendation.id))),  # what becomes of one comes with a message
    _rows(select(Campaign.id, Campaign.state, Campaign.audience, Campaign.consenting, Campaign.held_out)),
    _scalar(select(func.max(LearningItem.id))),
    _rows(select(func.count(), func.sum(LearningGroup.size), func.max(LearningGroup.made_at))),
    _rows(select(func.count(), func.sum(LearnedFaq.version)).select_from(LearnedFaq)),
    _rows(
        select(
            ModelVersion.id,
            ModelVersion.state,
            ModelVersion.promoted_at,
            _length(ModelVersion.compared),
        )
    ),
    _scalar(select(func.max(DeskSetting.at))),
)
WORK_ORDER: tuple[Mark, ...] = (
    _scalar(select(func.max(WorkOrder.id))),
    _rows(select(WorkOrder.state, func.count()).where(WorkOrder.state.in_(OPEN)).group_by(WorkOrder.state)),
    _scalar(select(func.max(Promise.id))),
    _scalar(select(func.count()).select_from(Promise).where(Promise.kept_at.is_(None), Promise.moved_to.is_(None))),
    _scalar(select(func.max(Outage.id))),
    _rows(select(Outage.id, Outage.state, Outage.expected_at).where(Outage.state.in_(_GOING_ON)).order_by(Outage.id)),
    _scalar(select(func.max(OutageReport.id))),
    _scalar(select(func.max(OutageSubscriber.id))),
    _scalar(select(func.max(Notice.delivered_at))),  # who asked to be told has been
)


def version(sources: Sources, *, now: datetime) -> str:
    """Return a text that changes when anything shown may have changed; it tells nothing else."""
    marks: list[Any] = [int(now.timestamp() // EVERY.total_seconds())]
    for database, read in ((sources.bridge, BRIDGE), (sources.workorder, WORK_ORDER)):
        with database.reading() as session:
            marks += [mark(session) for mark in read]
    return hashlib.sha256(repr(marks).encode()).hexdigest()[:16]
