"""Work orders of the demonstration region: some in every state, for the customers to try and for others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, selectinload

from core.account import Account, Customer, address_context, phone_context
from core.business import Business, BusinessTable
from core.db import Database
from core.demo import demo_customers
from core.fields import Keyring
from core.promise import ARRIVAL, Commitments, Promise
from core.seed.region import DEMO_DATA, DemoDataError, read
from core.work_order import STATES, Filing, OrderEvent, WorkOrder, file_order, progress
from core.working_time import deadline

_CAUSE = "seed:"
_REPAIRED = timedelta(minutes=55)  # from the call to the end of a repair: who comes, comes within the promised 45
# The way to each state; only a repair has an arrival.
_WAYS: dict[str, tuple[str, ...]] = {
    "accepted": (),
    "dispatched": ("dispatched",),
    "taken": ("dispatched", "taken"),
    "arrived": ("dispatched", "taken", "arrived"),
    "working": ("dispatched", "taken", "working"),
    "done": ("dispatched", "taken", "working", "done"),
    "closed": ("dispatched", "taken", "working", "done", "closed"),
    "cancelled": ("cancelled",),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Story(_Strict):
    customer: str | None = None
    kind: str
    state: str
    hours: Annotated[float, Field(gt=0)]
    description: str
    category: str | None = None


class _Stories(_Strict):
    orders: tuple[_Story, ...]


@dataclass(frozen=True)
class OrderSummary:
    """How many orders there are in each state."""

    states: Mapping[str, int]

    @property
    def orders(self) -> int:
        """Return how many there are."""
        return sum(self.states.values())


def seed_orders(
    workorder: Database,
    billing: Database,
    *,
    keyring: Keyring,
    businesses: BusinessTable,
    commitments: Commitments,
    now: datetime,
    directory: Path = DEMO_DATA,
) -> OrderSummary:
    """File the orders of orders.yaml for customers of the (seeded) billing database; those filed before go first.

    The same `now` gives the same content, but for the random part of ciphertexts. Raises DemoDataError for a kind or
    a state that there is not.
    """
    stories = read(directory / "orders.yaml", _Stories).orders
    for story in stories:
        if story.kind not in businesses or story.state not in STATES:
            raise DemoDataError("orders.yaml", story.kind, f"no such kind, or no state {story.state}")
        if "{" in (story.category or businesses.get(story.kind).category):
            raise DemoDataError("orders.yaml", story.kind, "its category depends on an answer: name one")
    with billing.reading() as session:
        accounts = _accounts(session, stories, directory)
        filings = [
            _filing(number, story, businesses.get(story.kind), account, keyring, commitments, now)
            for number, (story, account) in enumerate(zip(stories, accounts, strict=True))
        ]
    counts: Counter[str] = Counter()
    with workorder.transaction() as session:
        _take_away(session)
        for story, filing in zip(stories, filings, strict=True):
            opened = now - timedelta(hours=story.hours)
            order = file_order(session, filing, keyring=keyring, now=opened, joins=False).order
            counts[story.state] += 1
            way = _WAYS[story.state]
            lasted = now - opened
            if businesses.get(story.kind).promise == ARRIVAL:
                lasted = min(lasted, _REPAIRED)
            for place, state in enumerate(way, 1):
                progress(
                    session, order, state, now=opened + lasted * place / (len(way) + 1),
                    by="customer" if state == "cancelled" else "staff", commitments=commitments,
                )  # fmt: skip
    return OrderSummary(dict(counts))


def _take_away(session: Session) -> None:
    old = select(WorkOrder.id).where(WorkOrder.cause.startswith(_CAUSE))
    session.execute(delete(Promise).where(Promise.subject_kind == "order", Promise.subject_id.in_(old)))
    session.execute(delete(OrderEvent).where(OrderEvent.order_id.in_(old)))
    session.execute(delete(WorkOrder).where(WorkOrder.cause.startswith(_CAUSE)))


def _accounts(session: Session, stories: tuple[_Story, ...], directory: Path) -> list[Account]:
    """Return the account of each story: one of its customer's in turn, or somebody's who is not to be tried out."""
    named = {one.id: one for one in demo_customers(session, directory=directory)}
    taken = {number for one in named.values() for number in one.account_nos}
    query = select(Account).where(Account.closed_on.is_(None)).order_by(Account.id)
    rows = list(session.scalars(query.options(selectinload(Account.customer))))
    by_no = {row.account_no: row for row in rows}
    others = [row for row in rows if row.account_no not in taken] or rows
    if not others:
        raise DemoDataError("orders.yaml", "orders", "the billing database has no account")
    Random("orders").shuffle(others)
    turn: Counter[str] = Counter()
    found = []
    for number, story in enumerate(stories):
        customer = named.get(story.customer or "")
        if customer is None:
            found.append(others[number % len(others)])
            continue
        turn[customer.id] += 1
        found.append(by_no[customer.account_nos[turn[customer.id] % len(customer.account_nos)]])
    return found


def _filing(
    number: int, story: _Story, business: Business, account: Account, keyring: Keyring, commitments: Commitments,
    now: datetime,
) -> Filing:  # fmt: skip
    customer: Customer = account.customer
    opened = now - timedelta(hours=story.hours)
    return Filing(
        cause=f"{_CAUSE}{number}", kind=business.key, title=business.title,
        category=story.category or business.category,
        priority=business.priority, account_no=account.account_no, customer_no=customer.customer_no,
        address=keyring.decrypt(account.address_cipher, address_context(account.account_no)),
        contact=keyring.decrypt(customer.phone_cipher, phone_context(customer.customer_no)),
        district=account.district, area_class=account.area_class, description=story.description,
        promises=_promises(business, account, commitments, opened),
    )  # fmt: skip


def _promises(
    business: Business, account: Account, commitments: Commitments, opened: datetime
) -> list[tuple[str, datetime]]:  # fmt: skip
    if business.promise == ARRIVAL:
        due_at = commitments.arrival(account.area_class, opened)
    elif business.promise and business.limit:
        due_at = deadline(opened, business.limit.amount, business.limit.unit).at
    else:
        due_at = None
    return [(business.promise, due_at)] if business.promise and due_at else []
