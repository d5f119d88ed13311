"""Writing down what happens to an order, one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.fields import Keyring
from core.work_order.tables import AGENT, STAFF, OrderEvent, WorkOrder, note_context


def hold(session: Session, order: WorkOrder) -> None:
    """Lock the order's row until the transaction ends and read it anew."""
    session.flush()
    session.refresh(order, with_for_update=True)


def happened(
    session: Session,
    order: WorkOrder,
    kind: str,
    *,
    by: str,
    now: datetime,
    values: Mapping[str, str] | None = None,
    note: str = "",
    keyring: Keyring | None = None,
    conversation_id: str | None = None,
    cause: str | None = None,
    agent_id: int | None = None,
) -> OrderEvent:
    """Append an event to an order that is held; a note needs the keys.

    `agent_id`: who of the desk did it, whatever `by` says otherwise.
    """
    seq = (session.scalar(select(func.max(OrderEvent.seq)).where(OrderEvent.order_id == order.id)) or 0) + 1
    if note and keyring is None:
        raise ValueError("a note is encrypted, which needs the keys")
    event = OrderEvent(
        order_id=order.id, seq=seq, at=now, kind=kind, by=by if agent_id is None else STAFF,
        conversation_id=conversation_id, cause=cause,
        values=dict(values or {}) | ({} if agent_id is None else {AGENT: str(agent_id)}),
        note_cipher=keyring.encrypt(note, note_context(order.order_no, seq)) if note and keyring else None,
    )  # fmt: skip
    session.add(event)
    order.updated_at = now
    session.flush()
    return event


def of_cause(session: Session, cause: str) -> OrderEvent | None:
    """Return the event that came with a message, if there is one."""
    return session.scalar(select(OrderEvent).where(OrderEvent.cause == cause))


def conversations_of(session: Session, order: WorkOrder) -> list[str]:
    """Return the conversations that wait for this order: its own and those that joined it and did not leave."""
    waiting: dict[str, None] = {order.conversation_id: None} if order.conversation_id else {}
    query = select(OrderEvent).where(OrderEvent.order_id == order.id, OrderEvent.kind.in_(("joined", "left")))
    for event in session.scalars(query.order_by(OrderEvent.seq)):
        if event.conversation_id and event.kind == "joined":
            waiting[event.conversation_id] = None
        elif event.conversation_id:
            waiting.pop(event.conversation_id, None)
    return list(waiting)
