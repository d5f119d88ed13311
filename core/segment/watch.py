"""Watches orders and payments for what changes a portrait at once, and says when the next run is due.

One step is one short transaction of the bridge with both what came of it and how far the source was read. The first
look takes in all since the run in use; a payment means nothing without a run, and waits for one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.account import Account, Customer
from core.clock import SHANGHAI
from core.db import Database
from core.payment import Payment, balance_of
from core.portrait.tables import FEATURES, Portrait, PortraitEvent
from core.proactive.waves import mark_of, move_mark
from core.segment.events import cause_of_order, cause_of_payment, note, take_back
from core.segment.rules import CLASSES, EventKind, Rules
from core.segment.runs import published, unfinished
from core.segment.second_look import BEHIND, Holders, Late, PaidBack
from core.segment.standing import counts_from
from core.segment.tables import HIGH_RISK, SegmentRun
from core.work_order import WorkOrder

ORDERS, PAYMENTS = "segment_orders", "segment_payments"
CANCELLED, CLEARED = "cancelled", "cleared"
STEP = 200
DUE_DAY, DUE_HOUR = 2, 3  # of the month: the bills of the month before are out on the first
SEED = 1


@dataclass(frozen=True)
class Due:
    """The run that should be made now."""

    as_of: date
    seed: int


def due(session: Session, now: datetime, *, resume_hours: float) -> Due | None:
    """Return the run to be made: one that was cut off, the first one, or the one of the month."""
    cut_off, last, local = unfinished(session), published(session), now.astimezone(SHANGHAI)
    is_fresh = cut_off is not None and cut_off.heartbeat_at >= now - timedelta(hours=resume_hours)
    if cut_off is not None and is_fresh and cut_off.as_of <= local.date():  # a clock may have been set back
        return Due(cut_off.as_of, cut_off.seed)
    if last is None:
        return Due(local.date(), SEED)
    moment = local.replace(day=DUE_DAY, hour=DUE_HOUR, minute=0, second=0, microsecond=0)
    if local >= moment and last.as_of < moment.date():
        return Due(local.date(), last.seed)
    return None


class Watch:
    """Reads orders and payments in small steps."""

    def __init__(self, billing: Database, workorder: Database, bridge: Database, rules: Rules) -> None:
        self._billing, self._workorder, self._bridge, self._rules = billing, workorder, bridge, rules
        self._kinds: dict[str, EventKind] = {
            kind: event for event, rule in rules.events.items() for kind in rule.kinds
        }  # fmt: skip
        self._taken_back: set[str] = set()  # orders; after a start all of the run are looked at once more
        self._late_orders, self._late_payments = Late(), Late()
        self._hands, self._paid_back = Holders(billing, bridge, rules), PaidBack(billing, bridge)

    def step(self, now: datetime) -> bool:
        """Look at the next orders and payments; tell whether there may be more."""
        more = self._orders(now)
        self._cancelled(now)
        more |= self._payments(now)
        self._paid_back.look()
        self._hands.look(now)
        return more

    def _orders(self, now: datetime) -> bool:
        with self._bridge.reading() as session:
            mark, since = mark_of(session, ORDERS), _since(session, now)
        columns = (
            WorkOrder.id, WorkOrder.order_no, WorkOrder.kind, WorkOrder.account_no, WorkOrder.customer_no,
            WorkOrder.opened_at, WorkOrder.state,
        )  # fmt: skip
        with self._workorder.reading() as session:
            cursor = int(str(mark["cursor"])) if mark else _first(session, WorkOrder.id, WorkOrder.opened_at >= since)
            late = select(*columns).where(*_behind(WorkOrder.id, cursor), WorkOrder.opened_at >= since)
            missed = self._late_orders.missed(session.execute(late.where(WorkOrder.kind.in_(sorted(self._kinds)))))
            new = select(*columns).where(WorkOrder.id > cursor).order_by(WorkOrder.id).limit(STEP)
            rows = session.execute(new).all()
        if not rows and not missed and mark:
            return False
        last = rows[-1][0] if rows else cursor
        with self._bridge.transaction() as session:
            for row in (*missed, *rows):
                self._note_order(session, *row[1:])
            move_mark(session, ORDERS, {"cursor": last}, now=now)
        self._late_orders.saw((*missed, *rows), last)
        return len(rows) == STEP

    def _note_order(
        self, session: Session, order_no: str, kind: str, account_no: str | None, customer_no: str | None,
        at: datetime, state: str,
    ) -> None:  # fmt: skip
        if kind not in self._kinds or state == CANCELLED:
            return
        for number, whose in _accounts(session, account_no, customer_no):
            note(
                session, account_no=number, customer_no=whose, kind=self._kinds[kind],
                cause=cause_of_order(order_no, number), at=at, data={"kind": kind}, rules=self._rules,
            )  # fmt: skip

    def _cancelled(self, now: datetime) -> None:
        """Take back what orders brought about that have been cancelled since."""
        with self._bridge.reading() as session:
            since = _since(session, now)
        with self._workorder.reading() as session:
            query = select(WorkOrder.order_no, WorkOrder.account_no, WorkOrder.customer_no).where(
                WorkOrder.state == CANCELLED, WorkOrder.opened_at >= since, WorkOrder.kind.in_(sorted(self._kinds))
            )
            rows = [row for row in session.execute(query) if row[0] not in self._taken_back]
        for start in range(0, len(rows), STEP):
            with self._bridge.transaction() as session:
                for order_no, account_no, customer_no in rows[start : start + STEP]:
                    take_back(session, order_no=order_no, account_no=account_no, customer_no=customer_no)
        self._taken_back.update(row[0] for row in rows)

    def _payments(self, now: datetime) -> bool:
        with self._bridge.reading() as session:
            mark, run = mark_of(session, PAYMENTS), published(session)
        if run is None:
            return False
        since = counts_from(run.as_of)  # the run knows of those before
        columns = (Payment.id, Payment.account_id, Payment.amount, Payment.paid_at, Payment.status)
        wanted = select(*columns).where(Payment.paid_at >= since)
        with self._billing.reading() as session:
            cursor = int(str(mark["cursor"])) if mark else _first(session, Payment.id, Payment.paid_at >= since)
            missed = self._late_payments.missed(session.execute(wanted.where(*_behind(Payment.id, cursor))))
            rows = session.execute(wanted.where(Payment.id > cursor).order_by(Payment.id).limit(STEP)).all()
        if not rows and not missed and mark:
            return False
        last = rows[-1][0] if rows else cursor
        news = self._news(run, [row for row in (*missed, *rows) if row[4] == "succeeded"], now)
        with self._bridge.transaction() as session:
            for one in news:
                note(session, **one, rules=self._rules)
            move_mark(session, PAYMENTS, {"cursor": last}, now=now)
        self._late_payments.saw((*missed, *rows), last)
        return len(rows) == STEP

    def _news(self, run: SegmentRun, rows: Sequence[Any], now: datetime) -> list[dict[str, Any]]:
        """Return the events that payments are: a large one, and one that leaves nothing overdue of whoever owed."""
        with self._bridge.reading() as session:
            ids = {row[1] for row in rows}
            query = select(Portrait).where(Portrait.run_id == run.id, Portrait.account_id.in_(ids))
            portraits = {one.account_id: one for one in session.scalars(query)}
        holders = self._holders(ids)
        found = []
        for number, account_id, amount, paid_at, _ in rows:
            portrait = portraits.get(account_id)
            if portrait is None or portrait.customer_no != holders.get(account_id):
                continue  # it is not in the run, or was somebody else's then
            base = {
                "account_no": portrait.account_no, "customer_no": portrait.customer_no, "at": paid_at,
                "data": {"yuan": float(amount)},
            }  # fmt: skip
            months = self._rules.events["large_payment"].months
            if months and portrait.fee_year and float(amount) >= months * portrait.fee_year / 12:
                found.append(base | {"kind": "large_payment", "cause": cause_of_payment(number, "large")})
            falls_to = self._settled(run, portrait, account_id, now)
            if falls_to is not None:
                cause = cause_of_payment(number, "cleared")
                found.append(base | {"kind": CLEARED, "cause": cause, "segment": falls_to})
        return found

    def _holders(self, ids: Collection[int]) -> dict[int, str]:
        """Return whose the accounts are now."""
        query = select(Account.id, Customer.customer_no).join(Customer, Customer.id == Account.customer_id)
        with self._billing.reading() as session:
            rows = session.execute(query.where(Account.id.in_(ids))).all()
        return {row[0]: row[1] for row in rows}

    def _settled(self, run: SegmentRun, portrait: Portrait, account_id: int, now: datetime) -> str | None:
        """Return what an account at high risk for arrears becomes now that nothing is overdue, else None."""
        if portrait.segment != HIGH_RISK or self._is_cleared(run, portrait.account_no):
            return None
        values = values_of(portrait)
        segment, _ = self._rules.segment_of(values, run.model.get("thresholds", {}), settled=True)
        if segment == HIGH_RISK:  # for another reason than money
            return None
        with self._billing.reading() as session:
            account = session.get_one(Account, account_id)
            today = now.astimezone(SHANGHAI).date()
            owed = balance_of(session, account=account, today=today, residential=account.user_class == "residential")
        return None if any(bill.overdue_days > 0 for bill in owed.unpaid) else segment

    def _is_cleared(self, run: SegmentRun, account_no: str) -> bool:
        query = select(PortraitEvent.id).where(
            PortraitEvent.account_no == account_no, PortraitEvent.at >= counts_from(run.as_of),
            PortraitEvent.kind == CLEARED,
        )  # fmt: skip
        with self._bridge.reading() as session:
            return session.scalar(query.limit(1)) is not None


def values_of(portrait: Portrait) -> dict[str, Any]:
    """Return what conditions ask of one portrait."""
    return {name: getattr(portrait, name) for name in (*FEATURES, *CLASSES)}


def _since(session: Session, now: datetime) -> datetime:
    run = published(session)
    return counts_from(run.as_of) if run is not None else now - timedelta(days=1)


def _behind(key: InstrumentedAttribute[int], cursor: int) -> tuple[ColumnElement[bool], ...]:
    return key > cursor - BEHIND, key <= cursor


def _first(session: Session, key: InstrumentedAttribute[int], wanted: ColumnElement[bool]) -> int:
    """Return the number after which the first wanted row comes; there are some that came in another order."""
    found = session.scalar(select(func.min(key)).where(wanted))
    return found - 1 if found is not None else session.scalar(select(func.max(key))) or 0


def _accounts(session: Session, account_no: str | None, customer_no: str | None) -> list[tuple[str, str | None]]:
    """Return the accounts that an order is about: the one it names, else all of the customer's in the published run."""
    if account_no is not None:
        return [(account_no, customer_no)]
    run = published(session)
    if run is None or customer_no is None:
        return []
    query = select(Portrait.account_no).where(Portrait.run_id == run.id, Portrait.customer_no == customer_no)
    return [(number, customer_no) for number in session.scalars(query.order_by(Portrait.account_id))]
