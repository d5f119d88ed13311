"""All features of an account a second way: plain Python and exact fractions over raw rows, none of the product's sums.

Rounding: a figure is the double nearest to the exact value; `price_response` is the difference of two such doubles, and
`volatility` has the root of a double.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from core.account import Account, Customer, Meter
from core.bill import Bill
from core.clock import SHANGHAI, add_months, first_of_month
from core.conversation import Conversation
from core.conversation.tables import Message
from core.handoff.tables import Handoff
from core.network import NetworkNode, SupplyPoint
from core.outage import Outage, OutageReport
from core.payment import Payment
from core.portrait.build import Sources
from core.usage import DailyReading
from core.work_order import WorkOrder

Found = dict[str, Any]
COMPLAINTS, OUTAGES = ("投诉→",), ("故障报修→低压停电", "故障报修→高压停电")
APPLICATIONS = ("服务申请→业扩报装", "服务申请→特殊服务", "业务咨询→新能源并网")
BILLING, REPAIR, BUSINESS, SAVING = {"query_bill"}, {"report_outage"}, {"apply_capacity"}, {"advise_saving"}


def ratio(part: Any, whole: Any) -> float | None:
    return float(Fraction(part) / Fraction(whole)) if whole > 0 else None


def local(moment: datetime) -> date:
    return moment.astimezone(SHANGHAI).date()


class Region:
    """All rows of the three databases, read as they are."""

    def __init__(self, sources: Sources, as_of: date) -> None:
        self.as_of = as_of
        leap = (as_of.month, as_of.day) == (2, 29)
        self.year_ago = date(as_of.year - 1, 2, 28) if leap else date(as_of.year - 1, as_of.month, as_of.day)
        with sources.billing.reading() as session:
            self.accounts = self._all(session, Account)
            self.bills = list(session.scalars(select(Bill).options(selectinload(Bill.lines)).order_by(Bill.month)))
            self.payments = sorted(self._all(session, Payment), key=lambda one: (one.paid_at, one.id))
            self.meters, self.readings = self._all(session, Meter), self._all(session, DailyReading)
            self.customer_no = {one.id: one.customer_no for one in self._all(session, Customer)}
        with sources.workorder.reading() as session:
            self.orders, self.reports = self._all(session, WorkOrder), self._all(session, OutageReport)
            self.parent = {one.code: one.parent_code for one in self._all(session, NetworkNode)}
            self.transformer = {one.account_no: one.transformer_code for one in self._all(session, SupplyPoint)}
            outages = session.scalars(select(Outage).options(selectinload(Outage.nodes)))
            self.outages = [(one, {node.node_code for node in one.nodes}) for one in outages]
        with sources.bridge.reading() as session:
            self.talks = {one.id: one.customer_no for one in self._all(session, Conversation)}
            self.messages, self.cases = self._all(session, Message), self._all(session, Handoff)
        self.last = self._last()

    @staticmethod
    def _all(session: Session, kind: Any) -> list[Any]:
        return list(session.scalars(select(kind)))

    def _last(self) -> date:
        counts = Counter(bill.month for bill in self.bills if bill.issued_on < self.as_of)
        newest = add_months(first_of_month(self.as_of), -1)
        months = [add_months(newest, -back) for back in range(3)]
        return next((one for one in months if counts[one] and counts[one] * 2 >= counts[add_months(one, -1)]), newest)

    def in_year(self, moment: datetime) -> bool:
        return datetime.combine(self.year_ago, time(), SHANGHAI) <= moment < self.end

    @property
    def end(self) -> datetime:
        return datetime.combine(self.as_of, time(), SHANGHAI)

    def is_open(self, account: Account) -> bool:
        return account.opened_on < self.as_of and (account.closed_on is None or account.closed_on >= self.as_of)

    def portrait(self, account: Account) -> Found:
        """Return all that a portrait holds of an account."""
        held = account.held_since or date.min
        own = [
            one for one in self.bills
            if one.account_id == account.id and one.issued_on < self.as_of and one.period_first >= held
        ]  # fmt: skip
        found = use(account, own, self.last) | self.days(account) | self.credit(account, own) | self.needs(account)
        found |= self.contacts(account) | {
            "prepaid": float(account.prepaid), "large_family": float(account.large_family_kwh > 0),
            "low_income": float(account.free_kwh > 0), "violations": None,
            "capacity_kva": None if account.capacity_kva is None else float(account.capacity_kva),
        }  # fmt: skip
        return found | {"thin": self.thin(account, own)}

    def thin(self, account: Account, own: list[Bill]) -> str | None:
        months = {one.month for one in own if add_months(self.last, -23) <= one.month <= self.last}
        year = [add_months(self.last, -back) for back in range(12)]
        since = first_of_month(max(account.opened_on, account.held_since or date.min))
        if len(months) < 3:
            return "new"
        have = [one for one in own if one.month in year]
        if have and sum(one.kwh for one in have) < len(have):
            return "vacant"
        return "gaps" if sum(month >= since for month in year) - len(have) > 3 else None

    def days(self, account: Account) -> Found:
        use: dict[date, Fraction] = {}
        for meter in (one for one in self.meters if one.account_id == account.id):
            rows = [one for one in self.readings if one.meter_id == meter.id]
            stood = {row.day: Fraction(row.sharp + row.peak + row.flat + row.valley) for row in rows}
            for back in range(1, 57):
                day = self.as_of - timedelta(days=back)
                if {day, day - timedelta(days=1)} <= stood.keys() and day >= (account.held_since or date.min):
                    kwh = (stood[day] - stood[day - timedelta(days=1)]) * meter.multiplier
                    if kwh >= 0:
                        use[day] = use.get(day, Fraction(0)) + kwh
        kwh, total = sorted(use.values()), sum(use.values())
        names = ("load_factor", "base_share", "volatility", "weekend_ratio", "idle_share")
        found: Found = dict.fromkeys(names)
        if len(kwh) < 28:
            return found
        found["idle_share"] = ratio(sum(one < Fraction(1, 10) for one in kwh), len(kwh))
        if not total:
            return found
        mean, tenth = total / len(kwh), math.ceil(len(kwh) / 10)
        ends = [one for day, one in use.items() if day.weekday() >= 5]
        work = [one for day, one in use.items() if day.weekday() < 5]
        squares = sum((one - mean) ** 2 for one in kwh) / len(kwh)
        if ends and sum(work):
            found["weekend_ratio"] = ratio(sum(ends) * len(work), len(ends) * sum(work))
        return found | {
            "load_factor": ratio(mean, kwh[-1]), "base_share": ratio(sum(kwh[:tenth]) / tenth, mean),
            "volatility": math.sqrt(squares) / float(mean),
        }  # fmt: skip

    def credit(self, account: Account, own: list[Bill]) -> Found:
        held = account.held_since or date.min
        before = {one.id for one in self.bills if one.account_id == account.id and one.period_first < held}
        paid = [
            one for one in self.payments
            if one.account_id == account.id and one.status == "succeeded" and held <= local(one.paid_at) < self.as_of
            and (one.bill_id not in before)
        ]  # fmt: skip
        recent = [one for one in paid if self.in_year(one.paid_at)]
        ways = Counter(one.channel for one in recent)
        online = sum(ways[name] for name in ("wechat", "alipay", "app"))
        open_ = unpaid(own, paid)
        overdue = [(own[place], left) for place, left in open_.items() if own[place].due_on < self.as_of]
        found: Found = {
            "payments_year": float(len(recent)), "online_share": ratio(online, len(recent)),
            "pay_channel": max(("wechat", "alipay", "app", "bank", "hall"), key=ways.__getitem__) if recent else None,
            "overdue_yuan": float(sum(left for _, left in overdue)),
            "overdue_days": float(max(((self.as_of - bill.due_on).days for bill, _ in overdue), default=0)),
        }  # fmt: skip
        due = [
            (place, one) for place, one in enumerate(own) if self.year_ago <= one.due_on < self.as_of and one.amount > 0
        ]
        found |= dict.fromkeys(("on_time_rate", "late_count", "days_late_mean", "days_late_max"))
        if not due:
            return found
        late = [days for place, bill in due if (days := self._late(bill, paid, place in open_)) > 0]
        if account.prepaid:
            late = [0 for _, bill in due if money(own, paid, bill.due_on) < 0]
        found |= {"on_time_rate": ratio(len(due) - len(late), len(due)), "late_count": float(len(late))}
        if not account.prepaid:
            found |= {
                "days_late_mean": ratio(sum(late), len(late)) or 0.0,
                "days_late_max": float(max(late, default=0)),
            }
        return found

    def _late(self, bill: Bill, paid: list[Payment], is_open: bool) -> int:
        sofar = 0
        for one in paid:
            if one.bill_id == bill.id:
                sofar += one.amount
                if sofar >= bill.amount:
                    return (local(one.paid_at) - bill.due_on).days
        return (self.as_of - bill.due_on).days if is_open else 0

    def needs(self, account: Account) -> Found:
        customer, held = self.customer_no[account.customer_id], max(account.opened_on, account.held_since or date.min)
        mine = [one for one in self.orders if one.state != "cancelled" and one.opened_at < self.end and (
            (one.account_no is None and one.customer_no == customer)
            or (one.account_no == account.account_no and (
                one.customer_no == customer if one.customer_no is not None else local(one.opened_at) >= held
            ))
        )]  # fmt: skip
        year = [one for one in mine if self.in_year(one.opened_at)]
        reports = [one for one in self.reports if one.account_no == account.account_no and self.in_year(one.at)]
        told = {one.order_no or one.id for one in reports if local(one.at) >= held}
        told |= {one.order_no for one in year if one.category.startswith(OUTAGES)}
        touched = sum(
            self.in_year(one.started_at) and one.state not in ("cancelled", "suspected")
            and bool(nodes & set(self._above(self.transformer.get(account.account_no))))
            for one, nodes in self.outages
        )  # fmt: skip
        others = [one for one in self.accounts if one.customer_id == account.customer_id and self.is_open(one)]
        kinds = {one.kind for one in mine}
        cars = kinds & {"charging_pile", "charging_tou_on", "charging_tou_off"}
        return {
            "complaints_year": float(sum(one.category.startswith(COMPLAINTS) for one in year)),
            "applications_year": float(sum(one.category.startswith(APPLICATIONS) for one in year)),
            "special_need": float(any(one.category.startswith("服务申请→特殊服务") for one in mine)),
            "has_pv": float(bool(kinds & {"solar", "solar_settlement"})),
            "has_ev": float(bool(cars) or any(".charging." in one.plan_code for one in others)),
            "outage_reports_year": float(len(told)), "outage_sensitivity": ratio(len(told), touched),
        }  # fmt: skip

    def _above(self, code: str | None) -> list[str]:
        return [code, *self._above(self.parent[code])] if code is not None else []

    def contacts(self, account: Account) -> Found:
        customer = self.customer_no[account.customer_id]
        days: dict[tuple[str, date], set[str]] = {}
        for one in self.messages:
            if self.talks[one.conversation_id] == customer and one.author == "customer" and self.in_year(one.at):
                meant = (one.understood or {}).get("intent") or ""
                days.setdefault((one.conversation_id, local(one.at)), set()).update(meant.split("+"))
        cases = {(one.conversation_id, local(one.requested_at)) for one in self.cases if self.in_year(one.requested_at)}
        topics = {"billing": BILLING, "outage": REPAIR, "business": BUSINESS, "saving": SAVING}
        return {"contacts_year": float(len(days)), "person_share": ratio(len(cases & days.keys()), len(days))} | {
            f"contacts_{name}": float(sum(bool(said & of) for said in days.values())) for name, of in topics.items()
        }


def use(account: Account, own: list[Bill], last: date) -> Found:
    """Return what the bills tell of use and money."""
    by_month = {one.month: one for one in own}
    year, old = ([by_month.get(add_months(last, -back)) for back in some] for some in (range(12), range(12, 24)))
    have, had = [one for one in year if one], [one for one in old if one]
    kwh, fee, kwh_old = (sum(Fraction(value) for value in some) for some in (
        (one.kwh for one in have), (one.amount for one in have), (one.kwh for one in had),
    ))  # fmt: skip
    clocks = [sum(Fraction(one.sharp_kwh + one.peak_kwh + one.valley_kwh) for one in some) for some in (have, had)]
    valley, valley_old = (sum(Fraction(one.valley_kwh) for one in some) for some in (have, had))
    enough, whole = len(have) >= 3, len(have) == 12
    both, six = whole and len(had) == 12, [*year[:3], *old[:3]]
    demands = [Fraction(one.demand_kw) for one in have if one.demand_kw is not None]
    tiers = [max((line.tier or 0 for line in one.lines if line.quantity > 0), default=0)
             for one in have if one.cum_before is not None]  # fmt: skip
    found: Found = {"history_months": len(have) + len(had)}
    names = (
        "kwh_year", "fee_year", "price_mean", "kwh_growth", "peak_share", "valley_share", "seasonality", "summer_index",
        "winter_index", "tier_months", "demand_use", "price_response", "sudden_drop",
    )  # fmt: skip
    found |= dict.fromkeys(names)
    if enough:
        found |= {"kwh_year": float(kwh * 12 / len(have)), "fee_year": float(fee * 12 / len(have))}
        found["price_mean"] = ratio(fee, kwh)
        if clocks[0] > 0:
            found |= {"peak_share": ratio(clocks[0] - valley, kwh), "valley_share": ratio(valley, kwh)}
        if demands and account.capacity_kva:
            found["demand_use"] = ratio(sum(demands) / len(demands), account.capacity_kva)
    if enough and len(tiers) >= 3 and any(tiers):
        found["tier_months"] = sum(one >= 2 for one in tiers) * 12 / len(tiers)
    if whole:
        most, least = (of(Fraction(one.kwh) for one in have) for of in (max, min))
        found["seasonality"] = ratio(most - least, kwh / 12)
        for name, season in (("summer_index", (7, 8)), ("winter_index", (12, 1))):
            found[name] = ratio(sum(Fraction(one.kwh) for one in have if one.month.month in season) / 2, kwh / 12)
    if both:
        found["kwh_growth"] = ratio(kwh - kwh_old, kwh_old)
        if clocks[0] > 0 and clocks[1] > 0 and kwh > 0 and kwh_old > 0:
            found["price_response"] = float(valley / kwh) - float(valley_old / kwh_old)
    if all(six):
        three, before = (sum(Fraction(one.kwh) for one in some) for some in (six[:3], six[3:]))
        drop = ratio(before - three, before)
        found["sudden_drop"] = None if drop is None else max(drop, 0.0)
    return found


def unpaid(own: list[Bill], paid: list[Payment]) -> dict[int, Any]:
    """Return what is open of which bill (by its place), once free money went to the oldest."""
    named = [sum(one.amount for one in paid if one.bill_id == bill.id) for bill in own]
    free = sum(one.amount for one in paid) - sum(min(of, bill.amount) for of, bill in zip(named, own, strict=True))
    found = {}
    for place, (of, bill) in enumerate(zip(named, own, strict=True)):
        short = max(bill.amount - of, 0)
        taken = min(short, free)
        free -= taken
        if short > taken:
            found[place] = short - taken
    return found


def money(own: list[Bill], paid: list[Payment], day: date) -> Any:
    """Return what a prepaid account has left at the end of a day."""
    came = sum(one.amount for one in paid if local(one.paid_at) <= day)
    return came - sum(one.amount for one in own if one.due_on <= day)
