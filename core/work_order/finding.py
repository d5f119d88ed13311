"""Whose orders are whose: what a conversation may see."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from core.work_order.events import conversations_of
from core.work_order.tables import OPEN, OrderEvent, OrderNotFound, WorkOrder


def orders_of(
    session: Session,
    *,
    conversation_id: str,
    conversations: Sequence[str] = (),
    customer_no: str | None = None,
    accounts: Sequence[str] = (),
    order_no: str | None = None,
    limit: int = 5,
) -> list[WorkOrder]:
    """Return the orders of this conversation, customer or bound accounts: open ones first, newest first.

    `conversations` were joined to this one. Of an account only what somebody filed who had proved to hold it: a
    stranger's report that names the account (of theft, say) is not shown to its holder. With `order_no`, that order
    alone.

    Raises:
        OrderNotFound: if `order_no` names none of them, whether it is somebody else's or does not exist.
    """
    query = select(WorkOrder).where(_theirs((conversation_id, *conversations), customer_no, accounts))
    if order_no is not None:
        found = list(session.scalars(query.where(WorkOrder.order_no == re.sub(r"\D", "", order_no))))
        if not found:
            raise OrderNotFound(order_no=order_no)
        return found
    ordered = query.order_by(WorkOrder.state.not_in(OPEN), WorkOrder.opened_at.desc(), WorkOrder.id.desc())
    return list(session.scalars(ordered.limit(limit)))


def order_by_no(session: Session, order_no: str) -> WorkOrder:
    """Return any order, for staff.

    Raises:
        OrderNotFound: if there is none of this number.
    """
    found = session.scalar(select(WorkOrder).where(WorkOrder.order_no == order_no))
    if found is None:
        raise OrderNotFound(order_no=order_no)
    return found


def is_own(
    session: Session, order: WorkOrder, *, conversation_id: str, customer_no: str | None,
    conversations: Sequence[str] = (),
) -> bool:  # fmt: skip
    """Tell whether this conversation or customer filed the order; others that see it only joined it.

    `conversations` were joined to this one.
    """
    talks = {conversation_id, *conversations}
    if customer_no is not None and order.customer_no == customer_no:
        return True
    if order.conversation_id in talks:
        return True
    return order.customer_no is not None and talks.isdisjoint(conversations_of(session, order))


def _theirs(talks: Sequence[str], customer_no: str | None, accounts: Sequence[str]) -> ColumnElement[bool]:
    joined = select(OrderEvent.order_id).where(OrderEvent.conversation_id.in_(talks), OrderEvent.kind == "joined")
    ways: list[ColumnElement[bool]] = [WorkOrder.conversation_id.in_(talks), WorkOrder.id.in_(joined)]
    if customer_no is not None:
        ways.append(WorkOrder.customer_no == customer_no)
    if accounts:
        ways.append(and_(WorkOrder.account_no.in_(list(accounts)), WorkOrder.customer_no.is_not(None)))
    return or_(*ways)
