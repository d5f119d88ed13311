"""Demonstration customers: people of the demonstration region with a story worth trying out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from core.account import Account, Customer, as_of
from core.bill import Bill, BillLine
from core.clock import SHANGHAI
from core.db import Exact
from core.payment import Payment
from core.seed.region import DEMO_DATA, read

_HALF_A_FEN = Decimal("0.005")
_NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class DemoCustomer:
    """A customer to try; `label` and `story` are what visitors read, no personal data among it."""

    id: str
    customer_no: str
    account_nos: tuple[str, ...]
    label: str
    story: str


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Tier(_Strict):
    month: Annotated[int, Field(ge=1, le=12)]
    tier: Annotated[int, Field(ge=2)]


class _Rule(_Strict):
    """What a customer must be; the keys are explained in customers.yaml."""

    profiles: tuple[str, ...] | None = None
    accounts: int | None = None
    person: bool | None = None
    tier: _Tier | None = None
    overdue: bool | None = None
    prepaid: bool | None = None
    solvent: bool = False
    prefer: Literal["lowest_balance", "latest_opened"] | None = None


class _Story(_Strict):
    id: str
    label: str
    story: str
    rule: _Rule


class _Stories(_Strict):
    customers: tuple[_Story, ...]


@dataclass(frozen=True)
class _Candidate:
    customer: Customer
    accounts: tuple[Account, ...]
    balance: Decimal
    overdue: bool


def demo_customers(session: Session, *, directory: Path = DEMO_DATA) -> list[DemoCustomer]:
    """Return the demonstration customers that the billing database has, each with its open accounts.

    Empty for a database that was not seeded. Raises DemoDataError for a wrong customers.yaml.
    """
    stories = read(directory / "customers.yaml", _Stories).customers
    moment = as_of(session, "readings")
    if moment is None:
        return []
    candidates = _candidates(session, moment.astimezone(SHANGHAI).date())
    found: list[DemoCustomer] = []
    for story in stories:
        taken = {customer.customer_no for customer in found}
        free = [each for each in candidates if each.customer.customer_no not in taken]
        chosen = _choose(session, story.rule, free)
        if chosen is not None:
            numbers = tuple(account.account_no for account in chosen.accounts)
            found.append(DemoCustomer(story.id, chosen.customer.customer_no, numbers, story.label, story.story))
    return found


def _choose(session: Session, rule: _Rule, candidates: Sequence[_Candidate]) -> _Candidate | None:
    fits = [each for each in candidates if _fits(rule, each)]
    if rule.tier is not None:
        reached = _reached(session, rule.tier)
        fits = [each for each in fits if any(account.id in reached for account in each.accounts)]
    if rule.prefer == "lowest_balance":
        return min(fits, key=lambda each: each.balance, default=None)
    if rule.prefer == "latest_opened":
        return max(fits, key=lambda each: max(account.opened_on for account in each.accounts), default=None)
    return fits[0] if fits else None


def _fits(rule: _Rule, candidate: _Candidate) -> bool:
    accounts = candidate.accounts
    profiles = Counter(account.profile for account in accounts)
    return (
        (rule.profiles is None or profiles == Counter(rule.profiles))
        and rule.accounts in (None, len(accounts))
        and rule.person in (None, candidate.customer.kind == "person")
        and rule.overdue in (None, candidate.overdue)
        and (rule.prepaid is None or all(account.prepaid == rule.prepaid for account in accounts))
        and (not rule.solvent or candidate.balance >= 0)
    )


def _candidates(session: Session, today: date) -> list[_Candidate]:
    """Return the customers with open accounts in the order of their ids, as they stand today."""
    query = select(Customer).order_by(Customer.id).options(selectinload(Customer.accounts))
    balances, overdue = _balances(session), _overdue(session, today)
    result = []
    for customer in session.scalars(query):
        accounts = tuple(account for account in customer.accounts if account.closed_on is None)
        if accounts:
            balance = sum((balances.get(account.id, _NOTHING) for account in accounts), _NOTHING)
            late = any(account.id in overdue for account in customer.accounts)
            result.append(_Candidate(customer, accounts, balance, late))
    return result


def _balances(session: Session) -> dict[int, Decimal]:
    billed = select(Bill.account_id, func.sum(Bill.amount, type_=Exact(2))).group_by(Bill.account_id)
    paid = (
        select(Payment.account_id, func.sum(Payment.amount, type_=Exact(2)))
        .where(Payment.status == "succeeded")
        .group_by(Payment.account_id)
    )
    balances: dict[int, Decimal] = dict(session.execute(paid).all())
    for account_id, amount in session.execute(billed):
        balances[account_id] = balances.get(account_id, _NOTHING) - amount
    return balances


def _overdue(session: Session, today: date) -> set[int]:
    """Return the accounts, prepaid ones aside, that have not paid a bill that is past its due date."""
    paid = (
        select(Payment.bill_id, func.sum(Payment.amount, type_=Exact(2)).label("amount"))
        .where(Payment.status == "succeeded", Payment.bill_id.is_not(None))
        .group_by(Payment.bill_id)
        .subquery()
    )
    query = (
        select(Bill.account_id)
        .join(Account, Account.id == Bill.account_id)
        .outerjoin(paid, paid.c.bill_id == Bill.id)
        .where(Bill.due_on < today, Account.prepaid.is_(False))
        .where(Bill.amount - func.coalesce(paid.c.amount, 0) > _HALF_A_FEN)
    )
    return set(session.scalars(query))


def _reached(session: Session, tier: _Tier) -> set[int]:
    """Return the accounts whose use first passed into the tier in that month, in its latest year."""
    latest = session.scalar(select(func.max(Bill.month)).where(func.extract("month", Bill.month) == tier.month))
    if latest is None:
        return set()
    query = (
        select(Bill.account_id, func.min(Bill.month))
        .join(BillLine, BillLine.bill_id == Bill.id)
        .where(BillLine.tier == tier.tier, Bill.month >= latest.replace(month=1), Bill.month <= latest)
        .group_by(Bill.account_id)
    )
    return {account_id for account_id, month in session.execute(query) if month == latest}
