"""A region by chance: whatever may happen to an account, and some of it to nearly every one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random

from sqlalchemy.orm import Session

from core.account import Account, Customer, Meter
from core.bill import Bill, BillLine
from core.clock import SHANGHAI, add_months, first_of_month
from core.conversation import Conversation
from core.conversation.tables import Message
from core.handoff.tables import Handoff
from core.network import NetworkNode, SupplyPoint
from core.outage import Outage, OutageNode, OutageReport
from core.payment import CHANNELS, Payment
from core.portrait.build import Sources
from core.usage import DailyReading
from core.work_order import WorkOrder

FATES = ("early", "late", "parts", "twice", "back", "failed", "nothing", "unnamed", "too_much", "other")
ORDERS = (
    ("投诉→停电问题", "complaint"), ("服务申请→业扩报装→居民增容", "capacity_up_home"), ("业务咨询→电费", "ask"),
    ("服务申请→特殊服务→居家医疗设备", "special_life_support"), ("故障报修→低压停电→一户停电", "repair"),
    ("业务咨询→新能源并网", "solar"), ("服务申请→业扩报装→充电桩", "charging_pile"),
)  # fmt: skip
INTENTS = ("query_bill", "report_outage", "advise_saving+query_bill", "apply_capacity", "greet", None)


@dataclass
class Chance:
    """Fills the three databases; the same seed gives the same rows."""

    sources: Sources
    as_of: date
    accounts: int
    random: Random

    def fill(self) -> None:
        numbers = range(1, self.accounts + 1)
        with self.sources.billing.transaction() as session:
            for number in range(1, self.accounts * 2 // 3 + 1):
                session.add(Customer(
                    id=number, customer_no=f"C{number}", kind="person", name_cipher="", phone_cipher="", phone_hash="",
                ))  # fmt: skip
            session.flush()
            made = [self._account(number) for number in numbers]
            session.add_all(made)
            session.flush()
            for account in made:
                self._bills(session, account)
                self._readings(session, account)
        with self.sources.workorder.transaction() as session:
            self._network(session)
            self._orders(session, made)
        with self.sources.bridge.transaction() as session:
            self._talks(session)

    def often(self, share: float) -> bool:
        return self.random.random() < share

    def day(self, most_back: int, least_back: int = -3) -> date:
        return self.as_of - timedelta(days=self.random.randint(least_back, most_back))

    def at(self, day: date) -> datetime:
        hour = self.random.choice((0, 7, 12, 23))  # also just after and before midnight in Shanghai
        return datetime.combine(day, time(hour, 5), SHANGHAI)

    def _account(self, number: int) -> Account:
        opened = self.day(4000, 900) if self.often(0.8) else self.day(400, -5)
        held = self.day(900, 1) if self.often(0.35) else None
        owner = self.random.randint(1, self.accounts * 2 // 3)
        return Account(
            id=number, account_no=f"42{number:08}", customer_id=owner, address_cipher="", district="江岸区",
            area_class="city", region="hubei", user_class="residential", profile="", opened_on=opened,
            plan_code="hubei.charging.tou" if self.often(0.1) else "hubei.residential.tier", prepaid=self.often(0.25),
            capacity_kva=self.random.choice((None, Decimal(8), Decimal("31.5"), Decimal(400))),
            large_family_kwh=100 if self.often(0.1) else 0, free_kwh=10 if self.often(0.1) else 0,
            held_since=held if held is not None and held > opened else None,
            closed_on=self.day(20) if self.often(0.08) else None,
        )  # fmt: skip

    def _bills(self, session: Session, account: Account) -> None:
        newest, size = add_months(first_of_month(self.as_of), -1), self.random.choice((0, 3, 150, 150, 150, 90_000))
        clocked, gaps = self.often(0.5), self.random.choice((0, 0, 0.1, 0.4))
        last: Bill | None = None
        for back in reversed(range(self.random.choice((1, 2, 9, 30, 30, 30, 30)))):
            month = add_months(newest, -back)
            if month < first_of_month(account.opened_on) or self.often(gaps) or (back == 0 and self.often(0.1)):
                continue
            bill = self._bill(account, month, size, clocked=clocked)
            session.add(bill)
            session.flush()
            self._paid(session, bill, last)
            last = bill

    def _bill(self, account: Account, month: date, size: int, *, clocked: bool) -> Bill:
        random, zero = self.random, Decimal(0)
        kwh = Decimal(random.randint(0, size * 100)) / 100 * (-1 if self.often(0.04) else 1)  # fed in, or put right
        high = (kwh / 3).quantize(Decimal("0.01")) if clocked else zero
        valley = (kwh / 4).quantize(Decimal("0.01")) if clocked else zero
        issued = add_months(month, 1) + timedelta(days=random.randint(0, 4))
        tiers = random.choice(((), (1,), (1, 2), (1, 2, 3)))
        return Bill(
            account_id=account.id, month=month, period_first=month,
            period_last=add_months(month, 1) - timedelta(days=1),
            kwh=kwh, sharp_kwh=high // 2, peak_kwh=high - high // 2, valley_kwh=valley, flat_kwh=kwh - high - valley,
            cum_before=zero if tiers else None, plan_code="p", amount=(kwh * Decimal("0.57")).quantize(Decimal("0.01")),
            demand_kw=Decimal(random.randint(1, 4000)) / 100 if self.often(0.3) else None, issued_on=issued,
            due_on=issued.replace(day=25),
            lines=[
                BillLine(seq=seq, code="energy", tier=tier, quantity=self.random.choice((0, 1)), unit="kWh",
                         unit_price=1, amount=1)
                for seq, tier in enumerate((*tiers, None), 1)
            ],
        )  # fmt: skip

    def _paid(self, session: Session, bill: Bill, last: Bill | None) -> None:
        fate, due, amount = self.random.choice(FATES), bill.due_on, max(bill.amount, Decimal("1.00"))
        early, late = due - timedelta(days=self.random.randint(0, 9)), due + timedelta(days=self.random.randint(1, 60))
        half = (amount / 2).quantize(Decimal("0.01"))
        done = {
            "early": [(early, amount, bill.id)], "late": [(late, amount, bill.id)], "nothing": [], "failed": [],
            "parts": [(early, half, bill.id), (late, amount - half, bill.id)],
            "twice": [(early, amount, bill.id), (late, amount, bill.id)], "back": [(late, amount, bill.id)],
            "unnamed": [(early, amount, None)], "too_much": [(early, amount * 3, bill.id)],
            "other": [(late, amount, last.id if last is not None else None)],
        }[fate]  # fmt: skip
        for day, yuan, of in done:
            session.add(self._payment(bill.account_id, day, yuan, of))
        if fate in ("back", "failed"):
            session.add(self._payment(bill.account_id, early, amount, bill.id, fate.replace("back", "refunded")))
        if self.often(0.03):  # somebody's money that names a bill of somebody else
            session.add(self._payment(bill.account_id % self.accounts + 1, early, amount, bill.id))

    def _payment(self, account: int, day: date, yuan: Decimal, of: int | None, status: str = "succeeded") -> Payment:
        return Payment(
            reference=f"{self.random.getrandbits(60)}", account_id=account, bill_id=of, paid_at=self.at(day),
            amount=yuan,
            channel=self.random.choice(CHANNELS), status=status,
        )  # fmt: skip

    def _readings(self, session: Session, account: Account) -> None:
        first, exchange = self.as_of - timedelta(days=75), self.random.choice((None, None, 30))
        for place, (begin, end) in enumerate(((0, exchange or 78), (exchange, 78) if exchange else (0, 0))):
            if begin == end or begin is None:
                continue
            number = account.id * 2 + place
            session.add(Meter(
                id=number, meter_no=f"M{number}", account_id=account.id, multiplier=self.random.choice((1, 1, 40)),
                installed_on=first + timedelta(days=begin),
            ))  # fmt: skip
            session.flush()
            missing = self.random.choice((0, 0.05, 0.4))
            for back, (standing, sharp) in enumerate(self._standing(end - begin + 1)):
                if not self.often(missing):
                    session.add(DailyReading(
                        meter_id=number, day=first + timedelta(days=begin + back), sharp=sharp, peak=0, valley=0,
                        flat=standing,
                    ))  # fmt: skip

    def _standing(self, days: int) -> Iterator[tuple[Decimal, Decimal]]:
        flat, sharp, most = (
            Decimal(self.random.randint(0, 10**8)) / 100,
            Decimal("0.07"),
            self.random.choice((0, 9, 900)),
        )
        for _ in range(days):
            yield flat, sharp
            flat = Decimal(0) if self.often(0.01) else flat + Decimal(self.random.randint(0, most)) / 100
            sharp += Decimal(self.random.randint(0, most)) / 100

    def _network(self, session: Session) -> None:
        def node(code: str, kind: str, parent: str | None) -> NetworkNode:
            return NetworkNode(
                code=code, kind=kind, name=code, parent_code=parent, district="江岸区", area_class="city"
            )  # fmt: skip

        codes = ("S", "F1", "F2", *(f"T{number}" for number in range(8)))
        parents = (None, "S", "S", *(f"F{number % 2 + 1}" for number in range(8)))
        for code, parent in zip(codes, parents, strict=True):
            session.add(node(code, "feeder" if parent in (None, "S") else "transformer", parent))
            session.flush()
        session.add_all(
            SupplyPoint(account_no=f"42{number:08}", transformer_code=f"T{number % 9}")
            for number in range(1, self.accounts + 1)
            if number % 9 < 8
        )
        for number in range(30):
            nodes = self.random.sample(codes[1:], 2)
            session.add(Outage(
                outage_no=f"T{number}", kind="fault", state=self.random.choice(("restored", "suspected", "cancelled")),
                area="x", district="江岸区", area_class="city", started_at=self.at(self.day(600)),
                nodes=[OutageNode(node_code=code) for code in nodes],
            ))  # fmt: skip

    def _orders(self, session: Session, accounts: list[Account]) -> None:
        for number in range(self.accounts * 4):
            of, at = self.random.choice(accounts), self.at(self.day(600))
            category, kind = self.random.choice(ORDERS)
            names, whose = self.random.choice(((True, True), (True, False), (False, True), (True, None)))
            customer = f"C{of.customer_id}" if whose else None if whose is None else "C1"
            session.add(WorkOrder(
                order_no=f"O{number}", cause=f"c{number}", category=category, title="", kind=kind, family="f",
                priority="normal", state=self.random.choice(("closed", "accepted", "cancelled")),
                account_no=of.account_no if names else None, customer_no=customer, description_cipher="",
                details_cipher="", opened_at=at, updated_at=at,
            ))  # fmt: skip
            if self.often(0.3):
                session.add(OutageReport(
                    conversation_id="c", premises="x", account_no=of.account_no,
                    order_no=f"O{number}" if self.often(0.6) else None, at=at,
                ))  # fmt: skip

    def _talks(self, session: Session) -> None:
        begun = self.at(self.as_of)
        for number in range(self.accounts):
            customer = f"C{self.random.randint(1, self.accounts)}" if self.often(0.9) else None
            session.add(Conversation(
                id=f"t{number}", channel="web", customer_no=customer, mode_since=begun, created_at=begun, last_at=begun,
            ))  # fmt: skip
            session.flush()
            for seq in range(1, self.random.randint(2, 9)):
                at, intent = self.at(self.day(500)), self.random.choice(INTENTS)
                session.add(Message(
                    conversation_id=f"t{number}", seq=seq, at=at, author="customer" if self.often(0.8) else "bot",
                    type="text", text="x", channel="web", understood={"intent": intent} if intent else None,
                ))  # fmt: skip
                if self.often(0.2):
                    session.add(Handoff(
                        conversation_id=f"t{number}", reason="asked", skill="billing", requested_at=at, rank_at=at,
                    ))  # fmt: skip
