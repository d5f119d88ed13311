"""Bills that are new: their customers are told the amount and the day by which it is due.

Bills are read in the order of their numbers. Several writers may fill numbers at the same time: at a gap the reading
stops for a while. What was there before the first reading is no news.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import func, select

from core.account import Account
from core.bill import Bill
from core.clock import SHANGHAI
from core.db import Database
from core.proactive import people, waves
from core.proactive.kinds import Notices
from core.proactive.people import Owner
from core.proactive.rules import SourceRules

KIND = "bill_ready"


@dataclass(frozen=True)
class _Row:
    id: int
    account_no: str
    month: date
    kwh: Decimal
    amount: Decimal
    due_on: date
    issued_on: date
    own: bool  # of the present customer


class Bills:
    """Reads on where it was."""

    def __init__(self, billing: Database, bridge: Database, notices: Notices, rules: SourceRules) -> None:
        self._billing, self._bridge, self._notices, self._rules = billing, bridge, notices, rules

    def step(self, now: datetime) -> bool:
        """Look at the next bills; tell whether there may be more."""
        with self._bridge.reading() as session:
            mark = waves.mark_of(session, KIND)
        if not mark:
            self._begin(now)
            return False
        done = _int(mark["done"])
        rows, last = self._next(done)
        settled = _int(mark.get("settled", 0))
        if rows and settled <= done:  # how far a gap may be passed, once it has had time to be filled
            mark |= {"settled": last, "settled_at": now.isoformat()}
        patient = timedelta(minutes=self._rules.bills.settle_minutes)
        old = now - datetime.fromisoformat(str(mark.get("settled_at", now.isoformat()))) >= patient
        taken = _together(rows, done, _int(mark.get("settled", 0)) if old else 0)
        if not taken:
            self._wait(mark, now=now)
            return False
        self._tell(taken, mark, now=now)
        return len(taken) == self._rules.step

    def _begin(self, now: datetime) -> None:
        with self._billing.reading() as session:
            last = session.scalar(select(func.max(Bill.id))) or 0
        with self._bridge.transaction() as session:
            waves.move_mark(session, KIND, {"done": last}, now=now)

    def _next(self, done: int) -> tuple[list[_Row], int]:
        columns = (
            Bill.id, Account.account_no, Bill.month, Bill.kwh, Bill.amount, Bill.due_on, Bill.issued_on,
            Bill.period_first, Account.held_since,
        )  # fmt: skip
        query = select(*columns).join(Account, Account.id == Bill.account_id).where(Bill.id > done).order_by(Bill.id)
        with self._billing.reading() as session:
            found = session.execute(query.limit(self._rules.step)).all()
            last = session.scalar(select(func.max(Bill.id))) or done if found else done
        rows = [_Row(*row[:7], own=row[8] is None or row[7] >= row[8]) for row in found]
        return rows, last

    def _wait(self, mark: dict[str, object], *, now: datetime) -> None:
        with self._bridge.reading() as session:
            changed = waves.mark_of(session, KIND) != mark
            if not changed and not waves.has_open(session, KIND):
                return
        with self._bridge.transaction() as session:
            if changed:
                waves.move_mark(session, KIND, mark, now=now)
            waves.close(session, KIND)

    def _tell(self, rows: Sequence[_Row], mark: dict[str, object], *, now: datetime) -> None:
        today = now.astimezone(SHANGHAI).date()
        oldest = today - timedelta(days=self._rules.bills.old_days)
        fresh = [row for row in rows if row.own and row.issued_on >= oldest and row.amount > 0]
        with self._billing.reading() as session:
            owners: list[Owner] = people.owners_of(session, {row.account_no for row in fresh}, today=today)
        with self._bridge.transaction() as session:
            who = people.hearers(session, owners)
            news = [
                waves.News(recipient, KIND, _values(row, self._rules.bills.month))
                for row in fresh
                for recipient in who.get(row.account_no, ())
            ]
            waves.tell(session, self._notices, KIND, news, today=today, now=now)
            waves.move_mark(session, KIND, mark | {"done": rows[-1].id}, now=now)


def _together(rows: Sequence[_Row], done: int, settled: int) -> list[_Row]:
    """Return the rows up to the first gap; gaps below `settled` are no gaps any more."""
    taken: list[_Row] = []
    for row in rows:
        if row.id != done + 1 and row.id > settled:
            break
        taken.append(row)
        done = row.id
    return taken


def _values(row: _Row, month: str) -> dict[str, str]:
    due = datetime.combine(row.due_on, time(23, 59), SHANGHAI)
    return {
        "account_tail": row.account_no[-4:], "month": month.format(year=row.month.year, month=row.month.month),
        "energy": format(row.kwh.normalize(), "f"), "amount": f"{row.amount:.2f}", "due_at": due.isoformat(),
    }  # fmt: skip


def _int(value: object) -> int:
    return int(str(value))
