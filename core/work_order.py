"""Work orders (工单). So far only the urgent one that a danger opens; filing is idempotent by its cause."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.clock import SHANGHAI
from core.db import Instant, WorkOrderBase

URGENT, NORMAL = "urgent", "normal"


class WorkOrder(WorkOrderBase):
    """One work order; `cause` is what it was opened for (a message of a conversation), and is unique."""

    __tablename__ = "work_orders"
    __table_args__ = (
        UniqueConstraint("cause"),
        Index("ix_work_orders_state", "state", "priority", "opened_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    order_no: Mapped[str] = mapped_column(String(20), unique=True)
    cause: Mapped[str] = mapped_column(String(80))
    category: Mapped[str] = mapped_column(String(40))  # of the 95598 chain, e.g. 故障报修
    kind: Mapped[str] = mapped_column(String(30))  # of danger: wire, shock, fire, flood, pole, …
    priority: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(12))  # accepted, and from the work-order issue on the whole cycle
    account_no: Mapped[str | None] = mapped_column(String(13), index=True)
    description: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(Instant)


def open_urgent(
    session: Session,
    *,
    cause: str,
    category: str,
    kind: str,
    account_no: str | None,
    description: str,
    now: datetime,
) -> WorkOrder:
    """Open an urgent order for `cause` and return it; the same cause again returns the same order."""
    known = session.scalar(select(WorkOrder).where(WorkOrder.cause == cause))
    if known is not None:
        return known
    order = WorkOrder(
        order_no=_next_order_no(session, now), cause=cause, category=category, kind=kind, priority=URGENT,
        state="accepted", account_no=account_no, description=description, opened_at=now,
    )  # fmt: skip
    session.add(order)
    session.flush()
    return order


def _next_order_no(session: Session, now: datetime) -> str:
    """Return the next number of the day: eight digits of the date in Shanghai and six that count up."""
    day = now.astimezone(SHANGHAI).strftime("%Y%m%d")
    last = session.scalar(select(func.max(WorkOrder.order_no)).where(WorkOrder.order_no.like(f"{day}%")))
    return f"{day}{int(last[8:]) + 1 if last else 1:06d}"
