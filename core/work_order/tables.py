"""The tables of work orders, and the one table of how their state may change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.db import Instant, WorkOrderBase
from core.errors import BusinessError
from core.fields import Keyring

URGENT, NORMAL = "urgent", "normal"
STAFF, AGENT = "staff", "agent"  # who did something, and the key of his number in the values of an event
DANGER = "danger"  # the family of all orders that a danger opened

# 受理 派发 接单 到达 处理 回单 归档, and 撤销: state -> the states that may follow. A refused order goes back to
# accepted (退单), and so does one that was not mended after all.
NEXT: dict[str, frozenset[str]] = {
    "accepted": frozenset({"dispatched", "closed", "cancelled"}),
    "dispatched": frozenset({"taken", "accepted", "closed", "cancelled"}),
    "taken": frozenset({"arrived", "working", "accepted", "closed", "cancelled"}),
    "arrived": frozenset({"working", "done", "closed", "cancelled"}),
    "working": frozenset({"done", "closed"}),
    "done": frozenset({"closed", "accepted"}),
    "closed": frozenset({"accepted"}),
    "cancelled": frozenset(),
}
STATES = tuple(NEXT)
OPEN = ("accepted", "dispatched", "taken", "arrived", "working")


class OrderNotFound(BusinessError):
    """There is no such order, or it is somebody else's: the two look alike."""

    code = "order_not_found"


class OrderOver(BusinessError):
    """The order is mended, closed or cancelled; `values` has its order_no and state."""

    code = "order_over"


class WrongState(BusinessError):
    """The state of the order cannot change so; `values` has its order_no and state."""

    code = "order_wrong_state"


class WorkOrder(WorkOrderBase):
    """One work order; `cause` is what it was opened for (a message of a conversation), and is unique."""

    __tablename__ = "work_orders"
    __table_args__ = (
        UniqueConstraint("cause"),
        UniqueConstraint("order_no"),
        Index("ix_work_orders_state", "state", "priority", "opened_at"),
        Index("ix_work_orders_family", "family", "state"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    order_no: Mapped[str] = mapped_column(String(20))
    cause: Mapped[str] = mapped_column(String(80))
    category: Mapped[str] = mapped_column(String(120))  # chain of the 95598 classes: 故障报修→低压停电→一户停电
    title: Mapped[str] = mapped_column(String(60))  # what the customer calls it: 停电报修
    kind: Mapped[str] = mapped_column(String(30))  # key of the business, or of the danger
    family: Mapped[str] = mapped_column(String(30))  # orders of one family may be the same matter
    priority: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(12))
    account_no: Mapped[str | None] = mapped_column(String(13), index=True)
    customer_no: Mapped[str | None] = mapped_column(String(12), index=True)
    conversation_id: Mapped[str | None] = mapped_column(String(36), index=True)
    address_cipher: Mapped[str | None] = mapped_column(String(1200))
    address_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    contact_cipher: Mapped[str | None] = mapped_column(String(400))
    description_cipher: Mapped[str] = mapped_column(Text)
    details_cipher: Mapped[str] = mapped_column(Text)  # JSON: label -> value as the customer confirmed it
    district: Mapped[str | None] = mapped_column(String(40))
    area_class: Mapped[str | None] = mapped_column(String(8))
    place_code: Mapped[str | None] = mapped_column(String(40), index=True)  # node of the network
    urges: Mapped[int] = mapped_column(default=0)
    escalated_at: Mapped[datetime | None] = mapped_column(Instant)
    opened_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    events: Mapped[list[OrderEvent]] = relationship(order_by="OrderEvent.seq", viewonly=True)

    @property
    def is_open(self) -> bool:
        """Tell whether somebody still has to do something."""
        return self.state in OPEN


class OrderEvent(WorkOrderBase):
    """Something that happened to an order, in sequence; the customer's own words are encrypted."""

    __tablename__ = "order_events"
    __table_args__ = (UniqueConstraint("cause"),)
    order_id: Mapped[int] = mapped_column(ForeignKey("work_orders.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    # filed joined note state urged raised escalated cancelled confirmed reopened left
    kind: Mapped[str] = mapped_column(String(12))
    by: Mapped[str] = mapped_column(String(10))  # customer | staff | system; `values` may have which agent
    conversation_id: Mapped[str | None] = mapped_column(String(36), index=True)
    cause: Mapped[str | None] = mapped_column(String(80))  # the message it came with: once
    values: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    note_cipher: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True)
class OrderText:
    """The encrypted parts of an order in clear."""

    description: str
    details: Mapping[str, str]
    address: str | None
    contact: str | None


def reveal(order: WorkOrder, *, keyring: Keyring) -> OrderText:
    """Return what of an order is encrypted; only for whom it concerns.

    Raises:
        core.fields.UnreadableField: if a key is gone.
    """

    def opened(cipher: str, part: str) -> str:
        return keyring.decrypt(cipher, order_context(part, order.order_no))

    return OrderText(
        description=opened(order.description_cipher, "description"),
        details=json.loads(opened(order.details_cipher, "details")),
        address=opened(order.address_cipher, "address") if order.address_cipher else None,
        contact=opened(order.contact_cipher, "contact") if order.contact_cipher else None,
    )


def order_context(part: str, order_no: str) -> str:
    """Return what binds an encrypted part (description, details, address, contact) to its order."""
    return f"work_orders.{part}:{order_no}"


def note_context(order_no: str, seq: int) -> str:
    """Return what binds an encrypted note to its event."""
    return f"order_events.note:{order_no}:{seq}"
