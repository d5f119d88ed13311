"""The accounts of one step: whose portrait is reckoned, and what the contract itself says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, or_, select
from sqlalchemy.orm import Session

from core.account import Account, Customer
from core.bill import Bill

LONG_AGO = date(1900, 1, 1)
Values = dict[str, Any]  # features of one account by their keys
Portion = dict[int, Values]  # by account id


@dataclass(frozen=True)
class One:
    """An account whose portrait is reckoned."""

    id: int
    account_no: str
    customer_id: int
    customer_no: str
    customer_kind: str
    district: str
    area_class: str
    user_class: str
    plan_code: str
    prepaid: bool
    capacity_kva: float | None
    large_family: bool
    low_income: bool
    held_from: date  # the first day of the present holder


@dataclass(frozen=True)
class Step:
    """Accounts with ids above `after` up to `last`, those that were open at `as_of`."""

    after: int
    as_of: date
    accounts: tuple[One, ...]

    @property
    def last(self) -> int:
        """The id up to which the step goes."""
        return self.accounts[-1].id

    @property
    def is_mine(self) -> ColumnElement[bool]:
        """The condition that an account belongs to the step."""
        return and_(Account.id > self.after, Account.id <= self.last, is_open(self.as_of))


def is_open(as_of: date) -> ColumnElement[bool]:
    """Return the condition that an account was there at the end of the day before."""
    return and_(Account.opened_on < as_of, or_(Account.closed_on.is_(None), Account.closed_on >= as_of))


def held_from() -> ColumnElement[date]:
    """Return since when an account is its present holder's, as far as it is known (see `core.account.shown_from`)."""
    return func.coalesce(Account.held_since, literal(LONG_AGO))


def own_bill(as_of: date) -> ColumnElement[bool]:
    """Return the condition that a bill is the present holder's and was out before `as_of`."""
    return and_(Bill.account_id == Account.id, Bill.period_first >= held_from(), Bill.issued_on < as_of)


def count_open(session: Session, as_of: date, after: int) -> int:
    """Return how many accounts there are to reckon with ids above `after`."""
    query = select(func.count()).select_from(Account).where(is_open(as_of), Account.id > after)
    return session.scalar(query) or 0


def step_of(session: Session, as_of: date, after: int, size: int) -> Step | None:
    """Return the next accounts after an id, None when all are done."""
    query = (
        select(
            Account.id, Account.account_no, Account.customer_id, Customer.customer_no, Customer.kind, Account.district,
            Account.area_class, Account.user_class, Account.plan_code, Account.prepaid, Account.capacity_kva,
            Account.large_family_kwh, Account.free_kwh, Account.opened_on, Account.held_since,
        )
        .join(Customer, Customer.id == Account.customer_id)
        .where(Account.id > after, is_open(as_of))
        .order_by(Account.id)
        .limit(size)
    )  # fmt: skip
    accounts = tuple(_one(*row) for row in session.execute(query))
    return Step(after, as_of, accounts) if accounts else None


def _one(*row: Any) -> One:
    *contract, capacity, family, free, opened, held = row
    kva = None if capacity is None else float(capacity)
    return One(*(*contract, kva, family > 0, free > 0, max(opened, held or opened)))
