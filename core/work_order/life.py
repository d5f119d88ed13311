"""What becomes of an order: its stages, and what its customer can do to it. Every stage is told to who waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core import notice, promise
from core.fields import Keyring
from core.promise import Commitments, Subject
from core.work_order.events import conversations_of, happened, hold, of_cause
from core.work_order.filing import place_at
from core.work_order.tables import (
    DANGER,
    NEXT,
    OPEN,
    URGENT,
    OrderEvent,
    OrderNotFound,
    OrderOver,
    WorkOrder,
    WrongState,
)

URGE_PAUSE = timedelta(minutes=10)  # within it, a click that is repeated counts once
# Which promises are kept when a state is reached; the end keeps all.
_KEEPS: dict[str, tuple[str | None, ...]] = {
    "taken": (promise.CONTACT,),
    "arrived": (promise.CONTACT, promise.ARRIVAL),
    "done": (None,),
    "closed": (None,),
    "cancelled": (None,),
}


@dataclass(frozen=True)
class Urged:
    """Whether the click was counted, raised the priority, and whether the order is escalated."""

    counted: bool
    raised: bool
    escalated: bool


def progress(
    session: Session,
    order: WorkOrder,
    state: str,
    *,
    now: datetime,
    note: str = "",
    by: str = "staff",
    commitments: Commitments | None = None,
    agent_id: int | None = None,
) -> bool:
    """Move the order to a state and tell its conversations; tell whether anything changed (the same state: no).

    `note` is a word to the customers and holds no personal data. With `commitments`, arrival gives the average time
    until power is back as a new promise.

    Raises:
        WrongState: if the table `NEXT` has no such step.
    """
    hold(session, order)
    if order.state == state:
        return False
    event = _step(session, order, state, now=now, by=by, note=note, agent_id=agent_id)
    due_at = commitments.restore(order.area_class, now) if commitments and state == "arrived" else None
    if due_at is not None:
        subject = Subject("order", order.id)
        promise.record(session, subject, promise.RESTORE, due_at, now=now)
        for waiting in conversations_of(session, order):
            promise.tell(session, subject, promise.RESTORE, due_at, conversation_id=waiting, now=now)
    _tell(session, order, event, now=now, note=note)
    return True


def urge(
    session: Session, order: WorkOrder, *, now: datetime, conversation_id: str | None = None,
    agent_id: int | None = None,
) -> Urged:  # fmt: skip
    """Count an urging (once in ten minutes); the first makes the order urgent, one past a promise escalates it.

    `agent_id`: who of the desk urged on the customer's behalf.

    Raises:
        OrderOver: if nothing is left to be hurried.
    """
    hold(session, order)
    if not order.is_open:
        raise OrderOver(order_no=order.order_no, state=order.state)
    last = session.scalar(
        select(OrderEvent.at).where(OrderEvent.order_id == order.id, OrderEvent.kind == "urged")
        .order_by(OrderEvent.seq.desc()).limit(1)
    )  # fmt: skip
    if last is not None and now - last < URGE_PAUSE:
        return Urged(counted=False, raised=False, escalated=order.escalated_at is not None)
    order.urges += 1
    happened(session, order, "urged", by="customer", now=now, conversation_id=conversation_id, agent_id=agent_id)
    raised = order.priority != URGENT
    if raised:
        order.priority = URGENT
        happened(session, order, "raised", by="system", now=now)
    overdue = [one for one in promise.standing(session, Subject("order", order.id)) if one.due_at < now]
    if overdue and order.escalated_at is None:
        order.escalated_at = now
        happened(session, order, "escalated", by="system", now=now, values={"kind": overdue[0].kind})
    return Urged(counted=True, raised=raised, escalated=order.escalated_at is not None)


def cancel(session: Session, order: WorkOrder, *, now: datetime, conversation_id: str | None = None) -> None:
    """Withdraw the order on its customer's wish; others who wait for it are told.

    Raises:
        OrderOver: if it is over already.
        WrongState: if work has begun, or it is about a danger, which nobody withdraws by a click.
    """
    hold(session, order)
    if not order.is_open:
        raise OrderOver(order_no=order.order_no, state=order.state)
    if order.family == DANGER:
        raise WrongState(order_no=order.order_no, state=order.state)
    event = _step(session, order, "cancelled", now=now, by="customer", conversation_id=conversation_id)
    _tell(session, order, event, now=now, besides=conversation_id)


def leave(session: Session, order: WorkOrder, *, conversation_id: str, now: datetime) -> None:
    """Let a conversation that only joined the order hear no more of it; the order goes on for the others."""
    hold(session, order)
    happened(session, order, "left", by="customer", now=now, conversation_id=conversation_id)


def confirm(
    session: Session, order: WorkOrder, *, mended: bool, now: datetime, conversation_id: str | None = None
) -> None:
    """Note that the customer finds the matter mended (the order closes) or, after it was done, not (it reopens).

    Saying the same twice changes nothing. An open order that is not mended stays as it is: that is an urging.

    Raises:
        OrderOver: if the order was cancelled.
        WrongState: if it is open and about a danger, which a person has to have seen gone.
    """
    hold(session, order)
    if order.state == "cancelled":
        raise OrderOver(order_no=order.order_no, state=order.state)
    if mended and order.is_open and order.family == DANGER:
        raise WrongState(order_no=order.order_no, state=order.state)
    if order.state == "closed" if mended else order.is_open:
        return
    if mended:
        happened(session, order, "confirmed", by="customer", now=now, conversation_id=conversation_id)
    else:
        happened(session, order, "reopened", by="customer", now=now, conversation_id=conversation_id)
    event = _step(session, order, "closed" if mended else "accepted", now=now, by="customer")
    _tell(session, order, event, now=now, besides=conversation_id)


def add_note(
    session: Session, order: WorkOrder, text: str, *, keyring: Keyring, now: datetime,
    conversation_id: str | None = None, cause: str | None = None,
) -> bool:  # fmt: skip
    """Add what the customer said to the order, once per cause; tell whether it is new."""
    hold(session, order)
    if cause is not None and of_cause(session, cause) is not None:
        return False
    happened(
        session, order, "note", by="customer", now=now, note=text, keyring=keyring,
        conversation_id=conversation_id, cause=cause,
    )  # fmt: skip
    return True


def add_danger_note(
    session: Session, *, conversation_id: str, cause: str, text: str, keyring: Keyring, now: datetime,
    address: str | None = None,
) -> None:  # fmt: skip
    """Add what a conversation said after its danger to the urgent order, once per cause; also an `address` it lacks.

    Raises:
        OrderNotFound: if the conversation has no order of a danger.
    """
    order = danger_order_of(session, conversation_id)
    if order is None:
        raise OrderNotFound
    add_note(session, order, text, keyring=keyring, now=now, conversation_id=conversation_id, cause=cause)
    if address:
        place_at(order, address, keyring=keyring)


def danger_order_of(session: Session, conversation_id: str) -> WorkOrder | None:
    """Return the newest order of a danger that this conversation reported or joined, an open one before others."""
    joined = select(OrderEvent.order_id).where(
        OrderEvent.conversation_id == conversation_id, OrderEvent.kind == "joined"
    )
    query = select(WorkOrder).where(
        WorkOrder.family == DANGER,
        or_(WorkOrder.conversation_id == conversation_id, WorkOrder.id.in_(joined)),
    )
    newest = query.order_by(WorkOrder.state.not_in(OPEN), WorkOrder.opened_at.desc(), WorkOrder.id.desc())
    return session.scalar(newest.limit(1))


def _step(
    session: Session, order: WorkOrder, state: str, *, now: datetime, by: str, note: str = "",
    conversation_id: str | None = None, agent_id: int | None = None,
) -> OrderEvent:  # fmt: skip
    """Change the state by the table and write it down."""
    if state not in NEXT.get(order.state, frozenset()):
        raise WrongState(order_no=order.order_no, state=order.state)
    values = {"from": order.state, "to": state} | ({"note": note} if note else {})
    order.state = state
    order.closed_at = now if state in ("closed", "cancelled") else None
    for kind in _KEEPS.get(state, ()):
        promise.keep(session, Subject("order", order.id), kind, now=now)
    kind = "cancelled" if state == "cancelled" else "state"
    return happened(
        session, order, kind, by=by, now=now, values=values, conversation_id=conversation_id, agent_id=agent_id
    )


def _tell(
    session: Session, order: WorkOrder, event: OrderEvent, *, now: datetime, note: str = "",
    besides: str | None = None,
) -> None:  # fmt: skip
    """Put a notice `order_<state>` for each conversation that waits, but for the one that did it itself."""
    values = {"order_no": order.order_no, "title": order.title, "reason": note}
    for conversation_id in conversations_of(session, order):
        if conversation_id != besides:
            notice.put(
                session, key=f"order:{order.id}:{event.seq}:{conversation_id}", conversation_id=conversation_id,
                wording=f"order_{order.state}", values=values, now=now,
            )  # fmt: skip
