"""Payments (缴费), and what is owed (欠费): the sum of bills less the sum of payments that went through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, ForeignKey, Index, String, and_, func, or_, select, true
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.account import Account, shown_from
from core.bill import Bill
from core.clock import SHANGHAI
from core.db import BillingBase, Exact, Instant
from core.errors import BusinessError
from core.tariff import late_fee
from core.usage import NoReading, meter_view, usage_between

_LONG_AGO = date(1900, 1, 1)  # an instant before the year 1 cannot be told
CHANNELS = ("wechat", "alipay", "app", "bank", "hall")


class Payment(BillingBase):
    """One payment; `bill_id` is the bill it settles, or none for a top-up of a prepaid account."""

    __tablename__ = "payments"
    __table_args__ = (Index("ix_payments_account_paid", "account_id", "paid_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(24), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    bill_id: Mapped[int | None] = mapped_column(ForeignKey("bills.id"))
    paid_at: Mapped[datetime] = mapped_column(Instant)
    amount: Mapped[Decimal] = mapped_column(Exact(2))
    channel: Mapped[str] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(10))  # succeeded | failed | refunded


class NoPayment(BusinessError):
    """There is no payment on the days asked for."""

    code = "no_payment"


@dataclass(frozen=True)
class UnpaidBill:
    """A bill that is still open: `unpaid` of its `amount` (yuan); `late_fee` is what today adds to it."""

    month: date
    amount: Decimal
    unpaid: Decimal
    due_on: date
    overdue_days: int
    late_fee: Decimal


@dataclass(frozen=True)
class Balance:
    """Where an account stands, in yuan: `balance` is below zero when something is owed.

    Late fees are not in `balance` and `owed`; they are charged with the payment. `unbilled_kwh` is what a
    prepaid account used since its last bill, None for others and without readings; no price is put on it.
    """

    balance: Decimal
    unpaid: tuple[UnpaidBill, ...]
    prepaid: bool
    unbilled_kwh: Decimal | None

    @property
    def owed(self) -> Decimal:
        """What brings the balance up to zero."""
        return max(Decimal("0.00"), -self.balance)

    @property
    def late_fee(self) -> Decimal:
        """The late fees of all open bills up to today."""
        return sum((bill.late_fee for bill in self.unpaid), Decimal("0.00"))


def payments_between(session: Session, *, account: Account, first: date, last: date) -> list[Payment]:
    """Return all payments, failed ones too, from `first` to `last` (days in Shanghai), oldest first.

    Raises:
        NoPayment: if there is none.
        ValueError: if `last` is before `first`.
    """
    if last < first:
        raise ValueError("the last day is before the first")
    query = (
        select(Payment)
        .where(
            Payment.account_id == account.id,
            Payment.paid_at >= _midnight(max(first, shown_from(account))),
            _own(account),
            Payment.paid_at < _midnight(last + timedelta(days=1)),
        )
        .order_by(Payment.paid_at, Payment.id)
    )
    payments = list(session.scalars(query))
    if not payments:
        raise NoPayment
    return payments


def balance_of(session: Session, *, account: Account, today: date, residential: bool) -> Balance:
    """Return what an account has paid less what it was billed, and its open bills, oldest first.

    A payment settles the bill that it names; money that names none (top-ups), or is more than its bill, goes
    to the oldest open bills. Only payments that succeeded count. `residential` decides on the late fee.
    """
    own = select(Bill).where(Bill.account_id == account.id, Bill.period_first >= shown_from(account))
    bills = session.scalars(own.order_by(Bill.month)).all()
    paid = _paid_by_bill(session, account)
    open_amounts = _open_amounts(bills, paid)
    return Balance(
        balance=sum(paid.values(), Decimal("0.00")) - sum((bill.amount for bill in bills), Decimal("0.00")),
        unpaid=tuple(
            _unpaid(bill, amount, today, residential=residential)
            for bill, amount in zip(bills, open_amounts, strict=True)
            if amount
        ),
        prepaid=account.prepaid,
        unbilled_kwh=_unbilled(session, account, bills) if account.prepaid else None,
    )


def _paid_by_bill(session: Session, account: Account) -> dict[int | None, Decimal]:
    query = (
        select(Payment.bill_id, func.sum(Payment.amount, type_=Exact(2)))
        .where(Payment.account_id == account.id, Payment.status == "succeeded", _own(account))
        .group_by(Payment.bill_id)
    )
    return dict(session.execute(query).all())


def _own(account: Account) -> ColumnElement[bool]:
    """Return that a payment is the present customer's: made since then, and not for an earlier bill."""
    if account.held_since is None:
        return true()
    earlier = select(Bill.id).where(Bill.account_id == account.id, Bill.period_first < account.held_since)
    for_own = or_(Payment.bill_id.is_(None), Payment.bill_id.not_in(earlier))
    return and_(Payment.paid_at >= _midnight(account.held_since), for_own)


def _open_amounts(bills: Sequence[Bill], paid: dict[int | None, Decimal]) -> list[Decimal]:
    """Return what is left open of each bill, once money without a bill of its own has gone to the oldest."""
    left = [bill.amount - paid.get(bill.id, Decimal(0)) for bill in bills]
    known = {bill.id for bill in bills}
    free = sum((amount for bill_id, amount in paid.items() if bill_id not in known), Decimal(0))
    free -= sum((amount for amount in left if amount < 0), Decimal(0))
    result = []
    for amount in left:
        settled = min(free, max(amount, Decimal(0)))
        free -= settled
        result.append(max(amount, Decimal(0)) - settled)
    return result


def _unpaid(bill: Bill, amount: Decimal, today: date, *, residential: bool) -> UnpaidBill:
    fee = late_fee(amount, due=bill.due_on, paid_on=today, residential=residential)
    return UnpaidBill(bill.month, bill.amount, amount, bill.due_on, fee.days, fee.total)


def _unbilled(session: Session, account: Account, bills: Sequence[Bill]) -> Decimal | None:
    try:
        latest = meter_view(session, account=account).day
        first = bills[-1].period_last + timedelta(days=1) if bills else account.opened_on
        if latest < first:
            return Decimal(0)
        return usage_between(session, account=account, first=first, last=latest).total
    except NoReading:
        return None


def _midnight(day: date) -> datetime:
    return datetime.combine(max(day, _LONG_AGO), time(), SHANGHAI)
