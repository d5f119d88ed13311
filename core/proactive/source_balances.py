"""Who has to top up soon, or to pay: looked at once a day; an account is reminded once in some days.

What is left of a prepaid account is what was paid less what was billed. What was used since the last bill is not priced
yet: how long the money lasts is reckoned with the daily cost of the last bill, from that bill's end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from core.account import Account, Customer
from core.bill import Bill
from core.clock import SHANGHAI
from core.db import Database, Exact
from core.payment import Payment, balance_of
from core.proactive import people, waves
from core.proactive.kinds import Notices
from core.proactive.people import Owner
from core.proactive.rules import BalanceRules, SourceRules

KIND = "balance_low"


@dataclass(frozen=True)
class Standing:
    """How an account stands: the balance in yuan, and what the last bill says of its use and of the day to pay."""

    account_no: str
    prepaid: bool
    balance: Decimal
    daily: Decimal | None
    billed_to: date | None
    due_on: date | None


class Balances:
    """Goes through the accounts once a day."""

    def __init__(self, billing: Database, bridge: Database, notices: Notices, rules: SourceRules) -> None:
        self._billing, self._bridge, self._notices, self._rules = billing, bridge, notices, rules

    def step(self, now: datetime) -> bool:
        """Look at the next accounts; tell whether there may be more."""
        local = now.astimezone(SHANGHAI)
        if local.hour < self._rules.balances.hour:
            return False
        with self._bridge.reading() as session:
            mark = waves.mark_of(session, KIND)
        if mark.get("day") != f"{local.date()}":
            mark = {"day": f"{local.date()}", "cursor": 0, "over": False}
        if mark["over"]:
            return False
        owners, last = self._next(int(str(mark["cursor"])), local.date())
        over = last is None
        with self._bridge.reading() as session:
            who = people.hearers(session, owners)
        with self._billing.reading() as session:
            found = standings(session, sorted(who), today=local.date()) if who else []
        with self._bridge.transaction() as session:
            self._tell(session, found, who, today=local.date(), now=now)
            waves.move_mark(session, KIND, mark | {"over": over, "cursor": last or mark["cursor"]}, now=now)
            if over:
                waves.close(session, KIND)
        return not over

    def _next(self, cursor: int, today: date) -> tuple[list[Owner], int | None]:
        """Return the owners of the next accounts, and the number of the last; None: there are no more."""
        query = select(Account.id, Account.account_no, Customer.customer_no).join(
            Customer, Customer.id == Account.customer_id
        )
        open_ones = (Account.closed_on.is_(None)) | (Account.closed_on > today)
        query = query.where(Account.id > cursor, open_ones).order_by(Account.id).limit(self._rules.step)
        with self._billing.reading() as session:
            rows = session.execute(query).all()
        return [Owner(row[1], row[2]) for row in rows], rows[-1][0] if rows else None

    def _tell(
        self, session: Session, found: Sequence[Standing], who: dict[str, list[str]], *, today: date, now: datetime
    ) -> None:
        rules, news = self._rules.balances, []
        for one in found:
            said = _news(one, rules, today)
            if said is not None:
                news += [waves.News(recipient, *said) for recipient in who[one.account_no]]
        if not news:
            return
        since = now - timedelta(days=rules.again_days)
        before = waves.told_since(session, KIND, {one.recipient for one in news}, since)
        fresh = [one for one in news if (one.recipient, one.values["account_tail"]) not in before]
        waves.tell(session, self._notices, KIND, fresh, today=today, now=now)


def standings(billing: Session, accounts: Sequence[str], *, today: date) -> list[Standing]:
    """Return how accounts stand, some hundred at a time."""
    rows = billing.scalars(select(Account).where(Account.account_no.in_(accounts)).order_by(Account.id)).all()
    ids = [row.id for row in rows]
    billed = _sums(billing, Bill.account_id, Bill.amount, Bill.account_id.in_(ids))
    paid_ones = and_(Payment.account_id.in_(ids), Payment.status == "succeeded")
    paid = _sums(billing, Payment.account_id, Payment.amount, paid_ones)
    last = _last_bills(billing, ids)
    found = []
    for row in rows:
        bill, balance = last.get(row.id), paid.get(row.id, Decimal(0)) - billed.get(row.id, Decimal(0))
        if row.held_since is not None:  # a few: what was before is somebody else's
            balance = balance_of(billing, account=row, today=today, residential=True).balance
            bill = bill if bill is not None and bill.period_first >= row.held_since else None
        days = (bill.period_last - bill.period_first).days + 1 if bill else 0
        daily = bill.amount / days if bill and bill.amount > 0 else None
        found.append(
            Standing(
                row.account_no, row.prepaid, balance, daily, bill.period_last if bill else None,
                bill.due_on if bill else None,
            )
        )  # fmt: skip
    return found


def days_left(one: Standing, today: date) -> int | None:
    """Return for how many days the money of a prepaid account lasts, None if its use is not known."""
    if one.daily is None or one.billed_to is None:
        return None
    used = one.daily * max((today - one.billed_to).days, 0)
    return max(0, int((one.balance - used) / one.daily))


def _news(one: Standing, rules: BalanceRules, today: date) -> tuple[str, dict[str, str]] | None:
    values = {"account_tail": one.account_no[-4:], "balance": f"{one.balance:.2f}"}
    if one.prepaid:
        if one.balance <= 0:
            return "balance_out", values
        days = days_left(one, today)
        if not days:
            return ("balance_few", values) if days == 0 or one.balance < rules.yuan else None
        return ("balance_low", values | {"days": str(days)}) if days < rules.days else None
    soon = one.due_on is not None and today <= one.due_on <= today + timedelta(days=rules.due_days)
    if one.due_on is None or not soon or one.balance >= 0:
        return None
    due = datetime.combine(one.due_on, time(23, 59), SHANGHAI)
    return "bill_unpaid", values | {"amount": f"{-one.balance:.2f}", "due_at": due.isoformat()}


def _sums(billing: Session, by: object, amount: object, where: object) -> dict[int, Decimal]:
    query = select(by, func.sum(amount, type_=Exact(2))).where(where).group_by(by)  # type: ignore[call-overload]
    return {row[0]: row[1] or Decimal(0) for row in billing.execute(query)}


def _last_bills(billing: Session, ids: Sequence[int]) -> dict[int, Bill]:
    latest = select(Bill.account_id, func.max(Bill.month).label("month")).where(Bill.account_id.in_(ids))
    newest = latest.group_by(Bill.account_id).subquery()
    same = and_(Bill.account_id == newest.c.account_id, Bill.month == newest.c.month)
    return {bill.account_id: bill for bill in billing.scalars(select(Bill).join(newest, same))}
