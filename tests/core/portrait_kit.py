"""Databases for tests of portraits: a seeded region with two whole years, and small ones made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from sqlalchemy import func, select

from core.account import Account, Customer, Meter
from core.bill import Bill, BillLine
from core.clock import SHANGHAI, add_months
from core.conversation import Conversation
from core.conversation.tables import Message
from core.db import Database
from core.handoff.tables import Handoff
from core.migrations import upgrade
from core.network import NetworkNode, SupplyPoint
from core.outage import Outage, OutageNode, OutageReport
from core.payment import Payment
from core.portrait.build import Sources, build
from core.portrait.tables import Portrait
from core.segment.tables import RUNNING, SegmentRun
from core.usage import DailyReading
from core.work_order import WorkOrder
from tests.dialects import NewUrl

AS_OF = date(2026, 11, 22)
LAST = date(2026, 10, 1)  # the newest month with bills
NOW = datetime(2026, 11, 22, 3, tzinfo=SHANGHAI)


def noon(day: date) -> datetime:
    """Return noon of a day in Shanghai."""
    return datetime.combine(day, time(12), SHANGHAI)


@contextmanager
def empty_sources(new_url: NewUrl, dialect: str, folder: Path, billing: Database | None = None) -> Iterator[Sources]:
    """Give migrated databases, with another billing database if one is given."""
    made = {}
    for name in ("billing", "workorder", "bridge"):
        if name == "billing" and billing is not None:
            continue
        made[name] = Database(new_url(dialect, folder))
        upgrade(name, made[name])
    yield Sources(billing or made["billing"], made["workorder"], made["bridge"])
    for database in made.values():
        database.dispose()


def new_run(bridge: Database, as_of: date = AS_OF) -> int:
    """Write a run that has begun; return its id."""
    with bridge.transaction() as session:
        run = SegmentRun(as_of=as_of, state=RUNNING, seed=1, started_at=NOW, heartbeat_at=NOW)
        session.add(run)
        session.flush()
        return run.id


def portraits(bridge: Database, run_id: int) -> dict[str, Portrait]:
    """Return the portraits of a run by account number."""
    with bridge.reading() as session:
        rows = session.scalars(select(Portrait).where(Portrait.run_id == run_id)).all()
    return {row.account_no: row for row in rows}


def built(sources: Sources, as_of: date = AS_OF) -> dict[str, Portrait]:
    """Build the portraits of all accounts in a new run; return them by account number."""
    run_id = new_run(sources.bridge, as_of)
    build(sources, run_id, as_of=as_of, clock=lambda: NOW)
    return portraits(sources.bridge, run_id)


@dataclass
class Hand:
    """Writes rows by hand; accounts are A1, A2 …, padded to ten digits."""

    sources: Sources
    _count: dict[str, int] = field(default_factory=dict)

    def _next(self, what: str) -> int:
        self._count[what] = self._count.get(what, 0) + 1
        return self._count[what]

    def account(self, *, customer: str | None = None, opened: date = date(2015, 1, 1), **more: object) -> str:
        """Add an account (and its customer, unless he is there); return its number."""
        number = self._next("account")
        with self.sources.billing.transaction() as session:
            found = session.scalar(select(Customer).where(Customer.customer_no == (customer or "")))
            owner = found or Customer(
                customer_no=customer or f"C{number}", kind="person", name_cipher="", phone_cipher="", phone_hash=""
            )
            session.add(owner)
            session.flush()
            values = {
                "user_class": "residential", "plan_code": "hubei.residential.tier", "profile": "flat", **more,
            }  # fmt: skip
            session.add(Account(
                id=number, account_no=f"42{number:08}", customer_id=owner.id, address_cipher="", district="江岸区",
                area_class="city", region="hubei", opened_on=opened, **values,
            ))  # fmt: skip
        return f"42{number:08}"

    def bill(
        self, account_no: str, month: date, kwh: int = 100, *, amount: str = "60.00", valley: int = 0, peak: int = 0,
        tiers: tuple[int, ...] = (),
    ) -> int:  # fmt: skip
        """Add a bill, issued on the next 1st and due on the 25th; return its id."""
        issued = add_months(month, 1)
        with self.sources.billing.transaction() as session:
            row = Bill(
                account_id=int(account_no[2:]), month=month, period_first=month, period_last=issued - timedelta(days=1),
                kwh=kwh, sharp_kwh=0, peak_kwh=peak, flat_kwh=kwh - valley - peak, valley_kwh=valley,
                cum_before=0 if tiers else None, plan_code="p", amount=Decimal(amount), issued_on=issued,
                due_on=issued.replace(day=25),
                lines=[
                    BillLine(seq=seq, code="energy", tier=tier, quantity=1, unit="kWh", unit_price=1, amount=1)
                    for seq, tier in enumerate(tiers, 1)
                ],
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id

    def bills(self, account_no: str, kwh: list[int], *, last: date = LAST) -> None:
        """Add bills of the months up to `last`, a month each."""
        for back, used in enumerate(reversed(kwh)):
            self.bill(account_no, add_months(last, -back), used)

    def pay(
        self, account_no: str, day: date, amount: str, *, bill: int | None = None, channel: str = "app",
        status: str = "succeeded",
    ) -> None:  # fmt: skip
        """Add a payment at noon of a day."""
        with self.sources.billing.transaction() as session:
            number = session.scalar(select(func.count()).select_from(Payment))
            session.add(Payment(
                reference=f"P{number}", account_id=int(account_no[2:]), bill_id=bill, paid_at=noon(day),
                amount=Decimal(amount), channel=channel, status=status,
            ))  # fmt: skip

    def meter(
        self, account_no: str, first: date, standing: list[float], *, multiplier: int = 1, removed: date | None = None
    ) -> None:
        """Add a meter whose flat register stands so at the end of `first` and of the days after it."""
        number = self._next("meter")
        with self.sources.billing.transaction() as session:
            session.add(Meter(
                id=number, meter_no=f"M{number}", account_id=int(account_no[2:]), multiplier=multiplier,
                installed_on=first, removed_on=removed,
            ))  # fmt: skip
            session.flush()
            for place, value in enumerate(standing):
                session.add(DailyReading(
                    meter_id=number, day=first + timedelta(days=place), sharp=0, peak=0,
                    flat=Decimal(str(round(value, 2))), valley=0,
                ))  # fmt: skip

    def order(
        self, category: str, *, account: str | None = None, customer: str | None = None, day: date = AS_OF,
        kind: str = "k", state: str = "closed",
    ) -> str:  # fmt: skip
        """Add a work order of the day before `day`; return its number."""
        number, at = f"O{self._next('order')}", noon(day - timedelta(days=1))
        with self.sources.workorder.transaction() as session:
            session.add(WorkOrder(
                order_no=number, cause=number, category=category, title="", kind=kind, family="f", priority="normal",
                state=state, account_no=account, customer_no=customer, description_cipher="", details_cipher="",
                opened_at=at, updated_at=at,
            ))  # fmt: skip
        return number

    def network(self, **accounts: str) -> None:
        """Add a feeder `F` and a transformer for each account (code=account number)."""
        with self.sources.workorder.transaction() as session:
            session.add(_node("F", "feeder", None))
            session.flush()
            for code, account_no in accounts.items():
                session.add(_node(code, "transformer", "F"))
                session.flush()
                session.add(SupplyPoint(account_no=account_no, transformer_code=code))

    def outage(self, code: str, day: date, *, state: str = "restored") -> None:
        """Add an outage of a node."""
        with self.sources.workorder.transaction() as session:
            session.add(Outage(
                outage_no=f"T{self._next('outage')}", kind="fault", state=state, area="x", district="江岸区",
                area_class="city", started_at=noon(day), nodes=[OutageNode(node_code=code)],
            ))  # fmt: skip

    def report(self, account_no: str, day: date, *, order_no: str | None = None) -> None:
        """Add a customer's report of an outage."""
        with self.sources.workorder.transaction() as session:
            session.add(OutageReport(
                conversation_id="c", premises="x", account_no=account_no, order_no=order_no, at=noon(day)
            ))  # fmt: skip

    def talk(self, customer: str, said: list[tuple[date, str | None]], *, cases: tuple[date, ...] = ()) -> None:
        """Add a conversation in which the customer wrote on these days, understood so; `cases` came to a person."""
        name = f"talk-{self._next('talk')}"
        with self.sources.bridge.transaction() as session:
            session.add(Conversation(
                id=name, channel="web", customer_no=customer, mode_since=NOW, created_at=NOW, last_at=NOW
            ))  # fmt: skip
            session.flush()
            for seq, (day, intent) in enumerate(said, 1):
                session.add(Message(
                    conversation_id=name, seq=seq, at=noon(day), author="customer", type="text", text="x",
                    channel="web", understood={"intent": intent, "confidence": 0.9} if intent else None,
                ))  # fmt: skip
            session.add(Message(
                conversation_id=name, seq=99, at=noon(AS_OF - timedelta(days=9)), author="bot", type="text", text="x",
                channel="web",
            ))  # fmt: skip
            for day in cases:
                session.add(Handoff(
                    conversation_id=name, reason="asked", skill="billing", requested_at=noon(day), rank_at=noon(day)
                ))  # fmt: skip


def _node(code: str, kind: str, parent: str | None) -> NetworkNode:
    return NetworkNode(code=code, kind=kind, name=code, parent_code=parent, district="江岸区", area_class="city")
