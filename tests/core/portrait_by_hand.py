"""The features of one account a second way: in plain Python from its rows, one after the other."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from statistics import fmean, pstdev

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from core.account import Account, Meter
from core.bill import Bill
from core.clock import SHANGHAI, add_months
from core.payment import Payment, balance_of
from core.usage import DailyReading

Found = dict[str, float | None]


def months(last: date, first_back: int, count: int) -> list[date]:
    return [add_months(last, -back) for back in range(first_back, first_back + count)]


def bills_by_hand(session: Session, account: Account, last: date) -> Found:
    """Return what the bills tell."""
    query = select(Bill).where(Bill.account_id == account.id).options(selectinload(Bill.lines))
    by_month = {bill.month: bill for bill in session.scalars(query)}
    year = [by_month[month] for month in months(last, 0, 12) if month in by_month]
    old = [by_month[month] for month in months(last, 12, 12) if month in by_month]
    kwh = {bill.month: float(bill.kwh) for bill in (*year, *old)}
    used, fee = sum(float(bill.kwh) for bill in year), sum(float(bill.amount) for bill in year)
    used_old = sum(float(bill.kwh) for bill in old)
    found: Found = {"history_months": len(year) + len(old)}
    if len(year) < 3:
        return found
    whole, both = len(year) == 12, len(year) == 12 and len(old) == 12
    valley, high = sum(float(one.valley_kwh) for one in year), sum(float(one.sharp_kwh + one.peak_kwh) for one in year)
    valley_old = sum(float(one.valley_kwh) for one in old)
    mean = used / len(year)
    tiered = [bill for bill in year if any(line.tier for line in bill.lines)]
    high_tier = [bill for bill in year if any((line.tier or 0) >= 2 for line in bill.lines)]
    demands = [float(bill.demand_kw) for bill in year if bill.demand_kw is not None]
    three, same = [kwh.get(month) for month in months(last, 0, 3)], [kwh.get(month) for month in months(last, 12, 3)]
    return found | {
        "kwh_year": used / len(year) * 12, "fee_year": fee / len(year) * 12, "price_mean": fee / used,
        "kwh_growth": used / used_old - 1 if both else None,
        "valley_share": valley / used if valley + high else None,
        "peak_share": high / used if valley + high else None,
        "seasonality": (max(float(b.kwh) for b in year) - min(float(b.kwh) for b in year)) / mean if whole else None,
        "summer_index": fmean(float(b.kwh) for b in year if b.month.month in (7, 8)) / mean if whole else None,
        "winter_index": fmean(float(b.kwh) for b in year if b.month.month in (12, 1)) / mean if whole else None,
        "tier_months": len(high_tier) / len(year) * 12 if tiered else None,
        "demand_use": fmean(demands) / float(account.capacity_kva) if demands and account.capacity_kva else None,
        "price_response": valley / used - valley_old / used_old if both and valley + high else None,
        "sudden_drop": max(0.0, 1 - sum(three) / sum(same)) if None not in (*three, *same) else None,
    }  # fmt: skip


def days_by_hand(session: Session, account: Account, as_of: date) -> Found:
    """Return what the daily readings of eight weeks tell."""
    query = select(DailyReading, Meter).join(Meter, Meter.id == DailyReading.meter_id)
    standing = defaultdict(dict)
    for reading, meter in session.execute(query.where(Meter.account_id == account.id)):
        total = reading.sharp + reading.peak + reading.flat + reading.valley
        standing[meter.id][reading.day] = total * meter.multiplier
    days = []
    for back in range(1, 57):
        day = as_of - timedelta(days=back)
        used = [
            of[day] - of[day - timedelta(days=1)] for of in standing.values() if {day, day - timedelta(1)} <= of.keys()
        ]
        if used:
            days.append((day, float(sum(used))))
    if len(days) < 28:
        return {}
    kwh = sorted(value for _, value in days)
    mean = fmean(kwh)
    ends = [value for day, value in days if day.weekday() >= 5]
    work = [value for day, value in days if day.weekday() < 5]
    return {
        "load_factor": mean / kwh[-1], "base_share": fmean(kwh[: math.ceil(len(kwh) / 10)]) / mean,
        "volatility": pstdev(kwh) / mean, "weekend_ratio": fmean(ends) / fmean(work),
        "idle_share": sum(value < 0.1 for value in kwh) / len(kwh),
    }  # fmt: skip


def credit_by_hand(session: Session, account: Account, as_of: date) -> Found:
    """Return what the payments tell; what is owed as `core.payment` reckons it."""
    bills = session.scalars(select(Bill).where(Bill.account_id == account.id).order_by(Bill.month)).all()
    query = select(Payment).where(Payment.account_id == account.id, Payment.status == "succeeded")
    paid = session.scalars(query.order_by(Payment.paid_at, Payment.id)).all()
    balance = balance_of(session, account=account, today=as_of, residential=True)
    year_ago = as_of.replace(year=as_of.year - 1)
    recent = [one for one in paid if _day(one) >= year_ago]
    overdue = [bill for bill in balance.unpaid if bill.due_on < as_of]
    found: Found = {
        "payments_year": len(recent),
        "online_share": fmean(one.channel in ("wechat", "alipay", "app") for one in recent) if recent else None,
        "overdue_yuan": float(sum((bill.unpaid for bill in overdue), Decimal(0))),
        "overdue_days": max((bill.overdue_days for bill in overdue), default=0),
    }  # fmt: skip
    due = [bill for bill in bills if year_ago <= bill.due_on < as_of and bill.amount > 0]
    if not due:
        return found
    if account.prepaid:
        late = [bill for bill in due if _money(bills, paid, bill.due_on) < 0]
        return found | {"late_count": len(late), "on_time_rate": 1 - len(late) / len(due), "days_late_mean": None}
    days = [_days_late(bill, paid, {one.month for one in balance.unpaid}, as_of) for bill in due]
    late = [one for one in days if one > 0]
    return found | {
        "late_count": len(late), "on_time_rate": 1 - len(late) / len(due),
        "days_late_mean": fmean(late) if late else 0, "days_late_max": max(late, default=0),
    }  # fmt: skip


def _days_late(bill: Bill, paid: list[Payment], unpaid: set[date], as_of: date) -> int:
    sofar = Decimal(0)
    for payment in paid:
        if payment.bill_id == bill.id:
            sofar += payment.amount
            if sofar >= bill.amount:
                return (_day(payment) - bill.due_on).days
    return (as_of - bill.due_on).days if bill.month in unpaid else 0


def _money(bills: list[Bill], paid: list[Payment], day: date) -> Decimal:
    in_ = sum((one.amount for one in paid if _day(one) <= day), Decimal(0))
    return in_ - sum((one.amount for one in bills if one.due_on <= day), Decimal(0))


def _day(payment: Payment) -> date:
    return payment.paid_at.astimezone(SHANGHAI).date()
