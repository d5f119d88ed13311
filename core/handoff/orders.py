"""What the work-order system knows that matters to a handoff."""

from __future__ import annotations

import re

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.work_order import DANGER, OPEN, OrderEvent, WorkOrder


def categories_of(session: Session, customer_no: str) -> list[str]:
    """Return the categories of a customer's work orders that hold: all but those taken back."""
    query = select(WorkOrder.category).where(WorkOrder.customer_no == customer_no, WorkOrder.state != "cancelled")
    return list(session.scalars(query.distinct()))


def danger_open(session: Session, conversation_id: str, customer_no: str | None) -> bool:
    """Tell whether an urgent order for a danger, of this conversation or of this customer, is not over."""
    joined = select(OrderEvent.order_id).where(OrderEvent.conversation_id == conversation_id)
    mine = or_(WorkOrder.conversation_id == conversation_id, WorkOrder.id.in_(joined))
    if customer_no is not None:
        mine = or_(mine, WorkOrder.customer_no == customer_no)
    query = select(WorkOrder.id).where(mine, WorkOrder.family == DANGER, WorkOrder.state.in_(OPEN))
    return session.scalar(query.limit(1)) is not None


def trouble_open(session: Session, conversation_id: str, *, pattern: str) -> bool:
    """Tell whether an outage or danger that this conversation reported or joined is not over.

    `pattern` fits the categories of outages and faults; what a danger opened counts whatever its category.
    """
    joined = select(OrderEvent.order_id).where(OrderEvent.conversation_id == conversation_id)
    mine = or_(WorkOrder.conversation_id == conversation_id, WorkOrder.id.in_(joined))
    query = select(WorkOrder.category, WorkOrder.family).where(mine, WorkOrder.state.in_(OPEN))
    found = session.execute(query)
    return any(family == DANGER or re.search(pattern, category) for category, family in found)
