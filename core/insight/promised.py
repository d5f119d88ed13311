"""What was promised and what became of it: times told to customers, field arrivals, complaints, contacts owed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, distinct, func, or_, select
from sqlalchemy.orm import Session

from core.account import Account
from core.handoff.figures import Calendars, arrivals
from core.insight.spans import Span
from core.outage import Outage
from core.promise import Commitments, Promise
from core.recommend.tables import CallBack
from core.service_clock import Figure
from core.work_order import WorkOrder

COMPLAINT = "complaint"  # key of the business
CANCELLED = "cancelled"  # state of an order or an outage


@dataclass(frozen=True)
class Told:
    """One time that customers were told for one thing (however many were told): when due, when kept."""

    subject_kind: str
    subject_id: int
    kind: str
    at: datetime  # when it is due
    kept_at: datetime | None
    moved: bool
    conversation_id: str
    times: int  # conversations that were told it
    order_no: str | None
    now: datetime
    ended_at: datetime | None = None  # when what it was promised for was withdrawn

    @property
    def key(self) -> str:
        """What it is about."""
        return f"{self.subject_kind}:{self.subject_id:012d}:{self.kind}:{self.moved}"

    @property
    def kept(self) -> bool | None:
        """Whether it was kept in time; None while it still may be, and where what it was for was withdrawn before."""
        if self.ended_at is not None and self.ended_at <= self.at:
            return None
        if self.kept_at is not None:
            return self.kept_at <= self.at
        return False if self.at < self.now else None


@dataclass(frozen=True)
class Arrival:
    """The arrival clock of one order."""

    order_no: str
    at: datetime
    figure: Figure

    @property
    def key(self) -> str:
        """The number of the order."""
        return self.order_no


@dataclass(frozen=True)
class Complaint:
    """One order about a complaint."""

    order_no: str
    at: datetime
    state: str
    category: str
    district: str | None
    conversation_id: str | None

    @property
    def key(self) -> str:
        """The number of the order."""
        return self.order_no


@dataclass(frozen=True)
class Owed:
    """One contact that is owed after a case (回访)."""

    number: int
    handoff_id: int
    conversation_id: str
    at: datetime  # when it is due
    state: str
    done_at: datetime | None
    now: datetime

    @property
    def key(self) -> str:
        """Its number, so that numbers sort as they grow."""
        return f"{self.number:012d}"

    @property
    def kept(self) -> bool | None:
        """Whether it was made in time, None while it still may be."""
        if self.done_at is not None:
            return self.done_at <= self.at
        return False if self.at < self.now else None


def told_promises(session: Session, start: datetime, end: datetime, *, now: datetime) -> list[Told]:
    """Return the times that customers were told and that are due in some time, those that moved apart, by due time.

    Of one thing told to several the earliest time and the latest keeping count. Withdrawing an order or an outage ends
    its promises at that moment (`core.promise.keep`), which keeps none of them.
    """
    moved = Promise.moved_to.is_not(None)
    query = (
        select(
            Promise.subject_kind, Promise.subject_id, Promise.kind, func.min(Promise.due_at).label("at"),
            func.max(Promise.kept_at).label("kept_at"), func.count(Promise.kept_at).label("kept"),
            moved.label("moved"), func.count().label("rows"), func.min(Promise.conversation_id).label("talk"),
            func.count(distinct(Promise.conversation_id)).label("times"), func.min(WorkOrder.order_no).label("order"),
            func.min(WorkOrder.closed_at).label("closed"), func.min(WorkOrder.state).label("order_state"),
            func.min(Outage.state).label("outage_state"),
        )
        .outerjoin(WorkOrder, (Promise.subject_kind == "order") & (WorkOrder.id == Promise.subject_id))
        .outerjoin(Outage, (Promise.subject_kind == "outage") & (Outage.id == Promise.subject_id))
        .where(Promise.conversation_id.is_not(None), Promise.due_at >= start, Promise.due_at < end)
        .group_by(Promise.subject_kind, Promise.subject_id, Promise.kind, moved)
    )  # fmt: skip
    rows = [_told(row, now) for row in session.execute(query)]
    return sorted(rows, key=lambda one: (one.at, one.key))


def _told(row: Row[*tuple[Any, ...]], now: datetime) -> Told:
    kept_at: datetime | None = row.kept_at if row.kept == row.rows else None
    ended = row.outage_state == CANCELLED
    if row.order_state == CANCELLED:  # what was kept before the order was cancelled, was kept
        ended = None not in (kept_at, row.closed) and kept_at >= row.closed
    return Told(
        row.subject_kind, row.subject_id, row.kind, row.at, kept_at, bool(row.moved), row.talk, row.times, row.order,
        now, kept_at if ended else None,
    )  # fmt: skip


def arrivals_of(
    session: Session, commitments: Commitments, calendars: Calendars, span: Span, *, now: datetime
) -> list[Arrival]:
    """Return the arrival clocks of the orders opened in these days for which one was promised."""
    found = arrivals(session, commitments, calendars, span.start, span.end, now=now)
    opened = select(WorkOrder.order_no, WorkOrder.opened_at).where(
        WorkOrder.opened_at >= span.start, WorkOrder.opened_at < span.end
    )
    return [Arrival(number, at, found[number]) for number, at in session.execute(opened) if number in found]


def complaints(session: Session, start: datetime, end: datetime) -> list[Complaint]:
    """Return the orders about complaints opened in some time, cancelled ones too: somebody did complain."""
    query = select(
        WorkOrder.order_no, WorkOrder.opened_at, WorkOrder.state, WorkOrder.category, WorkOrder.district,
        WorkOrder.conversation_id,
    ).where(WorkOrder.kind == COMPLAINT, WorkOrder.opened_at >= start, WorkOrder.opened_at < end)  # fmt: skip
    return [Complaint(*row) for row in session.execute(query.order_by(WorkOrder.opened_at, WorkOrder.id))]


def customers_at(session: Session, day: date) -> int:
    """Return how many customers have an account open on a day."""
    query = select(func.count(distinct(Account.customer_id))).where(
        Account.opened_on <= day, or_(Account.closed_on.is_(None), Account.closed_on >= day)
    )
    return session.scalar(query) or 0


def call_backs(session: Session, start: datetime, end: datetime, *, now: datetime) -> list[Owed]:
    """Return the contacts that are due in some time and were not dropped."""
    query = select(
        CallBack.id, CallBack.handoff_id, CallBack.conversation_id, CallBack.due_at, CallBack.state, CallBack.done_at
    ).where(CallBack.state != "dropped", CallBack.due_at >= start, CallBack.due_at < end)
    return [Owed(*row, now) for row in session.execute(query.order_by(CallBack.due_at, CallBack.id))]
