"""Monthly bills (账单) with their printed lines."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import ForeignKey, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship, selectinload

from core.account import Account, shown_from
from core.db import BillingBase, Exact
from core.errors import BusinessError


class Bill(BillingBase):
    """The bill of one account for one month; the amount is the sum of its lines."""

    __tablename__ = "bills"
    __table_args__ = (UniqueConstraint("account_id", "month"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    month: Mapped[date]  # first day
    period_first: Mapped[date]
    period_last: Mapped[date]
    kwh: Mapped[Decimal] = mapped_column(Exact(2))
    sharp_kwh: Mapped[Decimal] = mapped_column(Exact(2))
    peak_kwh: Mapped[Decimal] = mapped_column(Exact(2))
    flat_kwh: Mapped[Decimal] = mapped_column(Exact(2))
    valley_kwh: Mapped[Decimal] = mapped_column(Exact(2))
    cum_before: Mapped[Decimal | None] = mapped_column(Exact(2))  # of the tier year, before this bill
    demand_kw: Mapped[Decimal | None] = mapped_column(Exact(2))
    kvarh: Mapped[Decimal | None] = mapped_column(Exact(2))
    plan_code: Mapped[str] = mapped_column(String(60))
    estimated: Mapped[bool] = mapped_column(default=False)
    amount: Mapped[Decimal] = mapped_column(Exact(2))
    issued_on: Mapped[date]
    due_on: Mapped[date]  # the last day to pay without a late fee
    account: Mapped[Account] = relationship()
    lines: Mapped[list[BillLine]] = relationship(order_by="BillLine.seq")


class BillLine(BillingBase):
    """One printed line: quantity × unit price = amount, rounded half up to the fen (tariff spec 1.2, R1)."""

    __tablename__ = "bill_lines"
    bill_id: Mapped[int] = mapped_column(ForeignKey("bills.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(20))
    tier: Mapped[int | None]
    period: Mapped[str | None] = mapped_column(String(8))
    quantity: Mapped[Decimal] = mapped_column(Exact(4))
    unit: Mapped[str] = mapped_column(String(4))
    unit_price: Mapped[Decimal] = mapped_column(Exact(6))
    amount: Mapped[Decimal] = mapped_column(Exact(2))


class NoBill(BusinessError):
    """There is no bill in the months asked for: too early, before the account was opened, or lost."""

    code = "no_bill"


def bills_between(session: Session, *, account: Account, first: date, last: date) -> list[Bill]:
    """Return the bills of the months `first` to `last`, oldest first, with their lines.

    Raises:
        NoBill: if there is none.
    """
    query = (
        select(Bill)
        .where(Bill.account_id == account.id, Bill.month >= first.replace(day=1), Bill.month <= last)
        .where(Bill.period_first >= shown_from(account))
        .order_by(Bill.month)
        .options(selectinload(Bill.lines))
    )
    bills = list(session.scalars(query))
    if not bills:
        raise NoBill
    return bills


def latest_month(session: Session, *, account: Account) -> date:
    """Return the first day of the latest month that has a bill.

    Raises:
        NoBill: if the account has no bill at all.
    """
    query = select(func.max(Bill.month)).where(Bill.account_id == account.id)
    month = session.scalar(query.where(Bill.period_first >= shown_from(account)))
    if month is None:
        raise NoBill
    return month
