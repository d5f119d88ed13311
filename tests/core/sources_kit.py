"""A small world of customers, nodes and followers, for tests of what stirs messages that we send first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from proactive_kit import NOTICES, NOW, follower
from sqlalchemy import func, select

from core.account import Account, Customer
from core.bill import Bill
from core.db import Database
from core.migrations import upgrade
from core.network import FEEDER, SUBSTATION, TRANSFORMER, NetworkNode, SupplyPoint
from core.outage import FAULT, Outage, open_outage
from core.outage_control import outage_of
from core.payment import Payment
from core.proactive.choices import customer
from core.proactive.rules import SourceRules
from core.proactive.sources import Step, sources
from core.proactive.tables import Broadcast, Send

ROOT = Path(__file__).parents[2]
RULES = SourceRules.load(ROOT / "data" / "notice_sources.yaml")
CAUSES = {"maintenance": "设备检修", "cable": "电缆故障"}
TODAY = NOW.date()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class World:
    """The three databases, and the sources over them."""

    billing: Database
    workorder: Database
    bridge: Database
    rules: SourceRules = RULES
    next_id: int = 1
    steps: dict[str, Step] = field(default_factory=dict)

    def start(self) -> None:
        """Begin as a process that has just been started."""
        self.steps = sources(
            billing=self.billing, workorder=self.workorder, bridge=self.bridge, notices=NOTICES, rules=self.rules,
            causes=CAUSES,
        )  # fmt: skip

    def look(self, source: str, now: datetime = NOW) -> int:
        """Let a source read to its end; return how many steps it took."""
        for count in range(1, 500):
            if not self.steps[source](now):
                return count
        raise AssertionError("it never ends")

    def account(self, customer_no: str, *, at: str = "T1", **more: object) -> str:
        """Add an account with its customer and its place in the network; return its number."""
        number = f"42{self.next_id:08d}"
        self.next_id += 1
        with self.billing.transaction() as session:
            owner = session.scalar(select(Customer).where(Customer.customer_no == customer_no))
            if owner is None:
                owner = Customer(
                    customer_no=customer_no, kind="person", name_cipher="", phone_cipher="", phone_hash=""
                )  # fmt: skip
                session.add(owner)
                session.flush()
            values = {
                "account_no": number, "customer_id": owner.id, "address_cipher": "", "district": "江岸区",
                "area_class": "city", "region": "hubei", "user_class": "residential", "plan_code": "x", "profile": "",
                "opened_on": date(2020, 1, 1),
            } | more  # fmt: skip
            session.add(Account(**values))
        with self.workorder.transaction() as session:
            session.add(SupplyPoint(account_no=number, transformer_code=at))
        return number

    def bill(self, account_no: str, *, id: int | None = None, **more: object) -> int:
        """Add October's bill of an account, issued today."""
        with self.billing.transaction() as session:
            account = session.scalars(select(Account).where(Account.account_no == account_no)).one()
            zero = Decimal(0)
            values = {
                "id": id, "account_id": account.id, "month": date(2026, 10, 1), "period_first": date(2026, 10, 1),
                "period_last": date(2026, 10, 31), "kwh": Decimal(200), "sharp_kwh": zero, "peak_kwh": zero,
                "flat_kwh": Decimal(200), "valley_kwh": zero, "plan_code": "x", "amount": Decimal("124.00"),
                "issued_on": TODAY, "due_on": TODAY + timedelta(days=20),
            } | more  # fmt: skip
            row = Bill(**values)
            session.add(row)
            session.flush()
            return row.id

    def pay(self, account_no: str, amount: str) -> None:
        with self.billing.transaction() as session:
            account = session.scalars(select(Account).where(Account.account_no == account_no)).one()
            count = session.scalar(select(func.count()).select_from(Payment)) or 0
            session.add(
                Payment(
                    reference=f"P{count}", account_id=account.id, bill_id=None, paid_at=NOW - DAY,
                    amount=Decimal(amount), channel="wechat", status="succeeded",
                )
            )  # fmt: skip

    def follower(self, name: str, customer_no: str | None = None, accounts: tuple[str, ...] = ()) -> str:
        """Add somebody who follows us; return what they are called as a recipient."""
        with self.bridge.transaction() as session:
            user = follower(session, name, customer_no=customer_no, accounts=accounts)
            return customer(customer_no) if customer_no else f"user:{user.id}"

    def outage(self, *codes: str, started_at: datetime = NOW, **more: object) -> Outage:
        values: dict[str, object] = {"kind": FAULT, "state": "active", "now": NOW} | more
        with self.workorder.transaction() as session:
            return open_outage(session, codes, started_at=started_at, **values)  # type: ignore[arg-type]

    def change(self, outage: Outage, work: Callable[..., int], *values: object, now: datetime = NOW) -> None:
        with self.workorder.transaction() as session:
            work(session, outage_of(session, outage.outage_no), *values, now=now)

    def told(self) -> dict[str, dict[str, str]]:
        """Return the recipients of each broadcast by its wording, and over which channel each is told."""
        found: dict[str, dict[str, str]] = {}
        with self.bridge.reading() as session:
            rows = session.execute(
                select(Broadcast, Send).join(Send, Send.broadcast_id == Broadcast.id).order_by(Send.id)
            )  # fmt: skip
            for broadcast, send in rows:
                found.setdefault(broadcast.wording, {})[send.recipient] = send.channel
        return found

    def sends(self) -> list[tuple[str, dict[str, str]]]:
        with self.bridge.reading() as session:
            rows = session.execute(select(Send, Broadcast).join(Broadcast, Broadcast.id == Send.broadcast_id))
            return [(send.recipient, {**broadcast.values, **send.values}) for send, broadcast in rows]

    def broadcasts(self) -> list[Broadcast]:
        with self.bridge.reading() as session:
            return list(session.scalars(select(Broadcast).order_by(Broadcast.id)))


@contextmanager
def worlds(make: Callable[[str], str]) -> Iterator[World]:
    """Give a world of a substation, a feeder and two transformers; `make` returns the URL of an empty database."""
    databases = {}
    for name in ("billing", "workorder", "bridge"):
        databases[name] = Database(make(name))
        upgrade(name, databases[name])
    found = World(**databases)
    with found.workorder.transaction() as session:
        for code, kind, above in (
            ("S1", SUBSTATION, None), ("F1", FEEDER, "S1"), ("T1", TRANSFORMER, "F1"), ("T2", TRANSFORMER, "F1"),
        ):  # fmt: skip
            session.add(
                NetworkNode(
                    code=code, kind=kind, name=code, parent_code=above, district="江岸区", road="解放大道",
                    place="听涛苑", area_class="city",
                )
            )  # fmt: skip
            session.flush()
    found.start()
    yield found
    for database in databases.values():
        database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[World]:
    """A world in each dialect."""
    with worlds(lambda _name: new_url(request.param, tmp_path)) as found:
        yield found
