"""Takes the history of the demonstration away again, so that it can be made anew; all else stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.conversation import Button, Conversation, Message
from core.db import Database
from core.desk_note import DeskNote
from core.handoff.tables import Handoff, HandoffEvent
from core.learning.tables import LearningItem
from core.notice import Notice
from core.promise import Promise
from core.quality import QualityScore
from core.seed.history_log import MARK
from core.survey import Survey
from core.work_order.tables import OrderEvent, WorkOrder

_CHUNK = 500
_OF_A_TALK: tuple[Any, ...] = (LearningItem, DeskNote, Survey, HandoffEvent, Handoff, Button, Message)


def take_away(bridge: Database, workorder: Database) -> int:
    """Delete the conversations of the history with all that belongs to them; return how many there were.

    Its outages go with the network, which is made anew by whoever takes the history away.
    """
    with bridge.reading() as session:
        query = select(Message.conversation_id).where(Message.external_id.startswith(MARK, autoescape=True))
        talks = list(session.scalars(query.distinct()))
    with workorder.transaction() as session:
        mine = select(WorkOrder.id).where(WorkOrder.cause.startswith(MARK, autoescape=True))
        session.execute(delete(OrderEvent).where(OrderEvent.order_id.in_(mine)))
        for some in _chunks(talks):
            session.execute(delete(Promise).where(Promise.conversation_id.in_(some), Promise.moved_to.is_not(None)))
            session.execute(delete(Promise).where(Promise.conversation_id.in_(some)))
            session.execute(delete(Notice).where(Notice.conversation_id.in_(some)))
        session.execute(delete(WorkOrder).where(WorkOrder.cause.startswith(MARK, autoescape=True)))
    with bridge.transaction() as session:
        for some in _chunks(talks):
            _forget(session, some)
    return len(talks)


def _forget(session: Session, talks: Sequence[str]) -> None:
    cases = select(Handoff.id).where(Handoff.conversation_id.in_(talks))
    session.execute(delete(QualityScore).where(QualityScore.handoff_id.in_(cases)))
    for table in _OF_A_TALK:
        session.execute(delete(table).where(table.conversation_id.in_(talks)))
    session.execute(delete(Conversation).where(Conversation.id.in_(talks)))


def _chunks(rows: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(rows), _CHUNK):
        yield rows[first : first + _CHUNK]
