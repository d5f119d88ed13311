"""What was promised and what became of it: times told to customers, complaints, contacts owed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, distinct, func, or_, select
from sqlalchemy.orm import Session, aliased

from core.account import Account
from core.outage import PLANNED, Outage
from core.promise import Promise
from core.recommend.tables import CallBack
from core.work_order import WorkOrder

COMPLAINT = "complaint"  # key of the business
CANCELLED, RESTORED = "cancelled", "restored"  # states of an order or an outage


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
    number: str | None  # of the order or the outage
    now: datetime
    ended_at: datetime | None = None  # when what it was promised for was withdrawn
    planned: bool = False  # works of which nobody has said that they went on for longer than planned

    @property
    def key(self) -> str:
        """What it is about."""
        return f"{self.subject_kind}:{self.subject_id:012d}:{self.kind}:{self.moved}"

    @property
    def kept(self) -> bool | None:
        """Whether it was kept in time; None while it still may be, where it moved, where what it was for was withdrawn
        before, and of planned works of which nobody has said when they ended.
        """
        if self.moved or (self.ended_at is not None and self.ended_at <= self.at):
            return None
        if self.kept_at is not None:
            return self.kept_at <= self.at
        return False if self.at < self.now and not self.planned else None


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
    its promises at that moment (`core.promise.keep`), which keeps none of them. A time that was changed before it came
    has moved (who was told it heard of the other one); one changed afterwards was broken, whatever was said then.
    """
    due = _due(start, end).subquery()
    query = (
        select(
            due.c.subject_kind, due.c.subject_id, due.c.kind, due.c.moved, func.min(due.c.due_at).label("at"),
            func.max(due.c.kept_at).label("kept_at"), func.count(due.c.kept_at).label("kept"),
            func.count().label("rows"), func.min(due.c.conversation_id).label("talk"),
            func.count(distinct(due.c.conversation_id)).label("times"), func.min(due.c.number).label("number"),
            func.min(due.c.closed_at).label("closed"), func.min(due.c.order_state).label("order_state"),
            func.min(due.c.outage_state).label("outage_state"),
        )
        .group_by(due.c.subject_kind, due.c.subject_id, due.c.kind, due.c.moved)
    )  # fmt: skip
    rows = [_told(row, now) for row in session.execute(query)]
    return sorted(rows, key=lambda one: (one.at, one.key))


def _due(start: datetime, end: datetime) -> Select[Any]:
    """Return what customers were told that is due in some time, one a row, each with what it is about."""
    other = aliased(Promise)
    return (
        select(
            Promise.subject_kind, Promise.subject_id, Promise.kind, Promise.due_at, Promise.kept_at,
            Promise.conversation_id, case((_moved(other), 1), else_=0).label("moved"),
            func.coalesce(WorkOrder.order_no, Outage.outage_no).label("number"),
            WorkOrder.closed_at, WorkOrder.state.label("order_state"), Outage.state.label("outage_state"),
        )
        .outerjoin(other, other.id == Promise.moved_to)
        .outerjoin(WorkOrder, (Promise.subject_kind == "order") & (WorkOrder.id == Promise.subject_id))
        .outerjoin(Outage, (Promise.subject_kind == "outage") & (Outage.id == Promise.subject_id))
        .where(Promise.conversation_id.is_not(None), Promise.due_at >= start, Promise.due_at < end)
    )  # fmt: skip


def _moved(other: type[Promise]) -> ColumnElement[bool]:
    """Tell that a time was changed before it came: `other` took its place, or planned works were put off.

    Putting works off (`core.outage_control.reschedule`) ends the times told before, as restoring and withdrawing do;
    but those end the last of them.
    """
    later = aliased(Promise)
    last = (
        select(func.max(later.kept_at))
        .where(later.subject_kind == Promise.subject_kind, later.subject_id == Promise.subject_id)
        .scalar_subquery()
    )
    put_off = or_(
        and_(Outage.state.not_in((RESTORED, CANCELLED)), Promise.kept_at.is_not(None)),
        and_(Outage.state == RESTORED, Promise.kept_at < Outage.restored_at),
        and_(Outage.state == CANCELLED, Promise.kept_at < last),
    )  # where it is about no outage, there is no state
    return or_(other.told_at <= Promise.due_at, put_off)


def _told(row: Row[*tuple[Any, ...]], now: datetime) -> Told:
    kept_at: datetime | None = row.kept_at if row.kept == row.rows else None
    ended = row.outage_state == CANCELLED
    if row.order_state == CANCELLED:  # what was kept before the order was cancelled, was kept
        ended = None not in (kept_at, row.closed) and kept_at >= row.closed
    return Told(
        row.subject_kind, row.subject_id, row.kind, row.at, kept_at, bool(row.moved), row.talk, row.times, row.number,
        now, kept_at if ended else None, row.outage_state == PLANNED,
    )  # fmt: skip


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
