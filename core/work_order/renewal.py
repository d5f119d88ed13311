"""Bringing the encrypted parts of orders under the active key."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.fields import Keyring
from core.work_order.tables import OrderEvent, WorkOrder, note_context, order_context

_PARTS = ("description", "details", "address", "contact")


def renew_orders(session: Session, *, keyring: Keyring, limit: int = 200) -> int:
    """Write the encrypted fields of some orders and events anew; return how many rows, 0 when all are current.

    Raises:
        core.fields.UnreadableField: if a field's key is no longer in the ring.
    """
    ciphers = [getattr(WorkOrder, f"{part}_cipher") for part in _PARTS]
    stale = or_(*(_is_stale(cipher, keyring) for cipher in ciphers))
    orders = session.scalars(select(WorkOrder).where(stale).order_by(WorkOrder.id).limit(limit)).all()
    for order in orders:
        for part in _PARTS:
            cipher = getattr(order, f"{part}_cipher")
            if cipher is not None:
                setattr(order, f"{part}_cipher", keyring.renew(cipher, order_context(part, order.order_no)))
    return len(orders) or _renew_notes(session, keyring, limit)


def _renew_notes(session: Session, keyring: Keyring, limit: int) -> int:
    query = select(OrderEvent, WorkOrder.order_no).join(WorkOrder, WorkOrder.id == OrderEvent.order_id)
    rows = session.execute(query.where(_is_stale(OrderEvent.note_cipher, keyring)).limit(limit)).all()
    for event, order_no in rows:
        event.note_cipher = keyring.renew(str(event.note_cipher), note_context(order_no, event.seq))
    return len(rows)


def _is_stale(cipher: InstrumentedAttribute[str | None], keyring: Keyring) -> ColumnElement[bool]:
    return ~cipher.startswith(f"v1.{keyring.active}.", autoescape=True)
