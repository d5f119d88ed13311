"""What a reader of new rows alone would miss: accounts that changed hands, payments paid back, rows committed late.

Billing does not say when a contract changes hands, so that it is looked at now and then; a payment that an event stands
on is looked at again until the next run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session

from core.account import Account, Customer
from core.clock import SHANGHAI
from core.db import Database
from core.payment import Payment
from core.portrait.tables import Portrait, PortraitEvent
from core.segment.events import note, payment_of, take_back_payment
from core.segment.rules import EventKind, Rules
from core.segment.runs import published
from core.segment.standing import counts_from

GIVEN_UP: EventKind = "given_up"
EVERY = timedelta(minutes=15)  # a look at the accounts: there is no index of who changed
BACK = timedelta(days=60)  # a change of hands may be entered that much later than it holds from
BEHIND = 500  # numbers: more are not given out before the first of them is committed
STEP = 200


class Late:
    """Rows with a lower number than the last one read: numbers are given out before rows are committed."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def missed(self, rows: Iterable[Any]) -> list[Any]:
        """Return the rows, whose first value is their number, that were not there when others were read."""
        return [row for row in rows if row[0] not in self._seen]

    def saw(self, rows: Iterable[Any], cursor: int) -> None:
        """Remember that these rows were dealt with."""
        self._seen = {number for number in self._seen | {row[0] for row in rows} if number > cursor - BEHIND}


@dataclass(frozen=True)
class _Gone:
    """An account that the customer of its portrait holds no more."""

    account_no: str
    customer_no: str
    account_id: int

    @property
    def cause(self) -> str:
        return f"{GIVEN_UP}:{self.account_id}:{self.customer_no}"


class Holders:
    """Looks now and then whose the accounts are, and notes who holds one of the run no more."""

    def __init__(self, billing: Database, bridge: Database, rules: Rules) -> None:
        self._billing, self._bridge, self._rules = billing, bridge, rules
        self._looked: tuple[int, datetime] | None = None  # for which run, and when

    def look(self, now: datetime) -> None:
        """Note what changed, and take back what was changed back; nothing if it was looked at lately."""
        with self._bridge.reading() as session:
            run = published(session)
        if run is None or (self._looked is not None and self._looked[0] == run.id and self._is_fresh(now)):
            return
        gone = {one.cause: one for one in self._gone(run.id, run.as_of, now)}
        with self._bridge.reading() as session:
            since = counts_from(run.as_of)
            told = select(PortraitEvent.cause).where(PortraitEvent.kind == GIVEN_UP, PortraitEvent.at >= since)
            known = set(session.scalars(told))
        for some in _parts(sorted(set(gone) - known)):
            with self._bridge.transaction() as session:
                for cause in some:
                    self._note(session, gone[cause], now)
        for some in _parts(sorted(known - set(gone))):
            with self._bridge.transaction() as session:
                session.execute(delete(PortraitEvent).where(PortraitEvent.cause.in_(some)))
        self._looked = run.id, now

    def _is_fresh(self, now: datetime) -> bool:
        # A clock that was set back must not keep it from looking.
        return self._looked is not None and timedelta(0) <= now - self._looked[1] < EVERY

    def _note(self, session: Session, one: _Gone, now: datetime) -> None:
        # What was noted for an earlier run counts no more: it is the same customer who has the account no more.
        session.execute(delete(PortraitEvent).where(PortraitEvent.cause == one.cause))
        note(
            session, account_no=one.account_no, customer_no=one.customer_no, kind=GIVEN_UP, cause=one.cause, at=now,
            rules=self._rules,
        )  # fmt: skip

    def _gone(self, run_id: int, as_of: date, now: datetime) -> list[_Gone]:
        today, since = now.astimezone(SHANGHAI).date(), as_of - BACK
        closed = and_(Account.closed_on >= since, Account.closed_on < today)
        query = (
            select(Account.id, Customer.customer_no, Account.closed_on)
            .join(Customer, Customer.id == Account.customer_id)
            .where(or_(Account.held_since >= since, closed))
            .order_by(Account.id)
        )
        with self._billing.reading() as session:
            changed = session.execute(query).all()
        found: list[_Gone] = []
        for rows in _parts(changed):
            holders = {row[0]: None if row[2] is not None and row[2] < today else row[1] for row in rows}
            found += self._others(run_id, holders)
        return found

    def _others(self, run_id: int, holders: dict[int, str | None]) -> list[_Gone]:
        query = select(Portrait.account_no, Portrait.customer_no, Portrait.account_id)
        with self._bridge.reading() as session:
            rows = session.execute(query.where(Portrait.run_id == run_id, Portrait.account_id.in_(holders))).all()
        return [_Gone(*row) for row in rows if row[1] != holders[row[2]]]


class PaidBack:
    """Looks again, some at a time, at the payments that events stand on: what was paid back brought nothing about."""

    def __init__(self, billing: Database, bridge: Database) -> None:
        self._billing, self._bridge, self._after = billing, bridge, 0

    def look(self) -> None:
        """Look at the next events, from the first again after the last, and take back what no payment stands behind."""
        with self._bridge.reading() as session:
            run = published(session)
            if run is None:
                return
            query = select(PortraitEvent.id, PortraitEvent.cause).where(
                PortraitEvent.id > self._after, PortraitEvent.at >= counts_from(run.as_of),
                PortraitEvent.kind.in_(("cleared", "large_payment")),
            )  # fmt: skip
            rows = session.execute(query.order_by(PortraitEvent.id).limit(STEP)).all()
        self._after = rows[-1][0] if len(rows) == STEP else 0
        payments = {number for _, cause in rows if (number := payment_of(cause)) is not None}
        if not payments:
            return
        with self._billing.reading() as session:
            good = select(Payment.id).where(Payment.id.in_(payments), Payment.status == "succeeded")
            back = payments - set(session.scalars(good))
        if back:
            with self._bridge.transaction() as session:
                for payment in back:
                    take_back_payment(session, payment)


def _parts(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + STEP] for start in range(0, len(values), STEP))
