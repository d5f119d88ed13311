"""Whose conversations the history of the demonstration holds, where they live, and what their bills say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.account import Account, Customer
from core.bill import Bill
from core.clock import add_months, first_of_month
from core.db import Database
from core.demo import demo_customers
from core.network import TRANSFORMER, NetworkNode, SupplyPoint

_OFTEN = 1.7  # some write more often than others: the place in line is a share to this power


@dataclass(frozen=True)
class BillSaid:
    """What a bill says to its customer."""

    month: date
    issued_on: date
    kwh: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Home:
    """An account with what an order or an outage needs of it."""

    account_no: str
    district: str
    area_class: str
    transformer: str | None
    bills: tuple[BillSaid, ...] = field(default=(), repr=False)

    def bill(self, day: date) -> BillSaid | None:
        """Return the latest bill that there was on a day."""
        return next((one for one in reversed(self.bills) if one.issued_on <= day), None)


@dataclass(frozen=True)
class Person:
    """A customer with open accounts; `kind` is person or organisation."""

    customer_no: str
    kind: str
    homes: tuple[Home, ...]

    @property
    def accounts(self) -> list[str]:
        """The numbers of the accounts."""
        return [one.account_no for one in self.homes]


@dataclass(frozen=True)
class People:
    """All who may have written, those who write most first; and the transformers where the power may have gone."""

    line: tuple[Person, ...]
    nodes: Mapping[str, NetworkNode]
    free: tuple[str, ...]  # transformers that supply nobody of the demonstration's choice

    def draw(self, rng: Random) -> Person | None:
        """Return somebody, None if there is nobody."""
        return self.line[int(len(self.line) * rng.random() ** _OFTEN)] if self.line else None

    def at(self, transformer: str) -> list[tuple[Person, Home]]:
        """Return who lives below a transformer."""
        return [(one, home) for one in self.line for home in one.homes if home.transformer == transformer]


def people_of(billing: Database, workorder: Database, *, today: date, directory: Path) -> People:
    """Read them; the customers that visitors try out have no history, so that their stories stay as they are told."""
    with billing.reading() as session:
        tried = {number for one in demo_customers(session, directory=directory) for number in one.account_nos}
        rows = session.execute(
            select(Customer.customer_no, Customer.kind, Account).join(Account, Account.customer_id == Customer.id)
            .where(Account.closed_on.is_(None)).order_by(Account.id)
        ).all()  # fmt: skip
        bills = _bills(session, add_months(first_of_month(today), -4))
    with workorder.reading() as session:
        points = select(SupplyPoint.account_no, SupplyPoint.transformer_code)
        where = {account_no: code for account_no, code in session.execute(points)}  # noqa: C416 - rows are no pairs
        query = select(NetworkNode).where(NetworkNode.kind == TRANSFORMER).order_by(NetworkNode.code)
        nodes = {one.code: one for one in session.scalars(query)}
    homes: dict[tuple[str, str], list[Home]] = defaultdict(list)
    for customer_no, kind, account in rows:
        found = tuple(bills.get(account.id, ()))
        homes[customer_no, kind].append(
            Home(account.account_no, account.district, account.area_class, where.get(account.account_no), found)
        )
    return People(_line(homes, tried), nodes, _free(nodes, where, tried))


def _line(homes: Mapping[tuple[str, str], Sequence[Home]], tried: set[str]) -> tuple[Person, ...]:
    people = [Person(number, kind, tuple(rows)) for (number, kind), rows in homes.items()]
    others = [one for one in people if not tried & set(one.accounts)]
    Random("history:people").shuffle(others)
    return tuple(others)


def _free(nodes: Mapping[str, NetworkNode], where: Mapping[str | None, str], tried: set[str]) -> tuple[str, ...]:
    kept = {where[number] for number in tried if number in where}
    return tuple(code for code in nodes if code not in kept)


def _bills(session: Session, since: date) -> dict[int, list[BillSaid]]:
    found: dict[int, list[BillSaid]] = defaultdict(list)
    query = select(Bill.account_id, Bill.month, Bill.issued_on, Bill.kwh, Bill.amount).where(Bill.month >= since)
    for account_id, month, issued_on, kwh, amount in session.execute(query.order_by(Bill.account_id, Bill.month)):
        found[account_id].append(BillSaid(month, issued_on, kwh, amount))
    return found
