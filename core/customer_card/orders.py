"""What the work-order system says of a customer: orders, promises, registrations; no text that the customer wrote."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from core import promise
from core.clock import SHANGHAI
from core.conversation import Conversation
from core.fields import Keyring
from core.masking import mask_account_no, mask_address, mask_phone
from core.outage import Outage
from core.promise import Promise, Standing, Subject
from core.redact import Redactor
from core.work_order import AGENT, DANGER, NEXT, OPEN, STATES, OrderEvent, WorkOrder, note_context, orders_of, reveal

MOST_ORDERS, MOST_PROMISES = 12, 12
# Keys of the businesses (data/business) whose orders are registrations of what a household needs.
LIFE_SUPPORT, SPECIAL = "special_life_support", "special_"
COMPLAINT = "complaint"


def orders_for(
    session: Session, conversation: Conversation, *, talks: Sequence[str] = (), limit: int = MOST_ORDERS
) -> list[WorkOrder]:
    """Return the orders that belong to the customer of a conversation, open ones first, newest first.

    `talks` were joined to it.
    """
    return orders_of(
        session, conversation_id=conversation.id, conversations=talks, customer_no=conversation.customer_no,
        accounts=conversation.accounts, limit=limit,
    )  # fmt: skip


def order_line(session: Session, order: WorkOrder, *, now: datetime) -> dict[str, Any]:
    """Return what one line tells of an order; `state_key` names its wording in data/phrases/work_order.yaml."""
    standing = promise.standing(session, Subject("order", order.id)) if order.is_open else []
    return {
        "order_no": order.order_no, "title": order.title, "kind": order.kind, "category": order.category,
        "state": order.state, "state_key": f"work_order.state.{order.state}", "open": order.is_open,
        "priority": order.priority, "danger": order.family == DANGER, "urges": order.urges,
        "escalated": order.escalated_at is not None, "opened_at": _instant(order.opened_at),
        "updated_at": _instant(order.updated_at), "closed_at": _instant(order.closed_at),
        "promise": _promise(standing[0], now) if standing else None,
    }  # fmt: skip


def promises_told(
    session: Session, conversation_id: str, *, talks: Sequence[str] = (), now: datetime
) -> list[dict[str, Any]]:
    """Return the times that stand of those this conversation was told, the ones still to be kept first.

    `talks` were joined to it.
    """
    query = (
        select(Promise)
        .where(Promise.conversation_id.in_((conversation_id, *talks)), Promise.moved_to.is_(None))
        .order_by(Promise.kept_at.is_not(None), Promise.due_at)
        .limit(MOST_PROMISES)
    )
    return [_told(session, one, now) for one in session.scalars(query)]


def flags_of(session: Session, conversation: Conversation, *, talks: Sequence[str] = ()) -> list[str]:
    """Return what an agent has to know first: danger, life_support, special_service, complaint.

    A registration counts unless it was withdrawn; a danger or a complaint while its order is open. `talks` were joined
    to the conversation.
    """
    theirs: list[ColumnElement[bool]] = [WorkOrder.conversation_id.in_((conversation.id, *talks))]
    if conversation.customer_no is not None:
        theirs.append(WorkOrder.customer_no == conversation.customer_no)
    if conversation.accounts:
        theirs.append(WorkOrder.account_no.in_(list(conversation.accounts)) & WorkOrder.customer_no.is_not(None))
    query = select(WorkOrder.kind, WorkOrder.family, WorkOrder.state).where(
        or_(*theirs), WorkOrder.state != "cancelled",
        or_(WorkOrder.kind.startswith(SPECIAL, autoescape=True), WorkOrder.kind == COMPLAINT,
            WorkOrder.family == DANGER),
    )  # fmt: skip
    found = session.execute(query).all()
    kinds = {row.kind for row in found}
    still_open = {row.family if row.family == DANGER else row.kind for row in found if row.state in OPEN}
    tests = {
        DANGER: DANGER in still_open, "life_support": LIFE_SUPPORT in kinds,
        "special_service": any(kind.startswith(SPECIAL) for kind in kinds), COMPLAINT: COMPLAINT in still_open,
    }  # fmt: skip
    return [name for name, holds in tests.items() if holds]


def _promise(one: Standing, now: datetime) -> dict[str, Any]:
    return {"kind": one.kind, "due_at": _instant(one.due_at), "overdue": one.due_at < now, "moved": one.moved}


def _told(session: Session, one: Promise, now: datetime) -> dict[str, Any]:
    order = session.get(WorkOrder, one.subject_id) if one.subject_kind == "order" else None
    outage = session.get(Outage, one.subject_id) if one.subject_kind == "outage" else None
    return {
        "kind": one.kind, "due_at": _instant(one.due_at), "told_at": _instant(one.told_at),
        "kept_at": _instant(one.kept_at), "overdue": one.kept_at is None and one.due_at < now,
        "order_no": order.order_no if order else None, "title": order.title if order else None,
        "area": outage.area if outage else None,
        "handoff_id": one.subject_id if one.subject_kind == "case" else None,
    }  # fmt: skip


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(SHANGHAI).isoformat() if at else None


def order_detail(
    session: Session, order: WorkOrder, *, keyring: Keyring, redactor: Redactor, now: datetime
) -> dict[str, Any]:  # fmt: skip
    """Return all of an order with its history, masked, and the states that may follow."""
    text = reveal(order, keyring=keyring)
    return {
        **order_line(session, order, now=now),
        "district": order.district, "area_class": order.area_class,
        "description": redactor.text(text.description), "details": redactor.tree(dict(text.details)),
        "address": redactor.text(mask_address(text.address)) if text.address else None,
        "contact": mask_phone(text.contact) if text.contact else None,
        "account_no": mask_account_no(order.account_no) if order.account_no else None,
        "next": _next(order),
        "history": [_event(order, event, keyring=keyring, redactor=redactor) for event in order.events],
    }  # fmt: skip


def _next(order: WorkOrder) -> list[str]:
    """Return the states that an agent may set; what is dangerous is not withdrawn at a desk."""
    return [
        state for state in STATES
        if state in NEXT[order.state] and not (state == "cancelled" and order.family == DANGER)
    ]  # fmt: skip


def _event(order: WorkOrder, event: OrderEvent, *, keyring: Keyring, redactor: Redactor) -> dict[str, Any]:
    note = keyring.decrypt(event.note_cipher, note_context(order.order_no, event.seq)) if event.note_cipher else ""
    return {
        "seq": event.seq, "at": _instant(event.at), "kind": event.kind, "by": event.by,
        "agent_id": int(event.values[AGENT]) if AGENT in event.values else None,
        "to": event.values.get("to"), "reason": redactor.text(event.values.get("note", "")),
        "note": redactor.text(note),
    }  # fmt: skip
