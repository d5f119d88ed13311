"""Payments of the demonstration region: people pay their bills by habit, or top up before use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from random import Random

from core.clock import SHANGHAI, add_months
from core.payment import CHANNELS
from core.seed.accounts import AccountSpec
from core.seed.billing import BillDraft

TOP_UP_STEP = Decimal(50)
PART_STEP = Decimal(10)
FAILED, REFUNDED = 0.02, 0.035
_OPENS, _MINUTES = 8, 14 * 60 - 1
_HALL_OPENS, _HALL_MINUTES = 9, 8 * 60 - 1
_AUTOPAY_DAY = 10
# In which month the money for a month's use is paid in, counted from that month.
_TOP_UP_MONTHS = {"ahead": -1, "forgetful": 1, "behind": 2}


@dataclass(frozen=True)
class PaymentRow:
    """A payment before it is written."""

    id: int
    reference: str
    account_id: int
    bill_id: int | None
    paid_at: datetime
    amount: Decimal
    channel: str
    status: str


def payments_of(account: AccountSpec, bills: Sequence[BillDraft], *, first: date) -> Iterator[PaymentRow]:
    """Yield all payments for bills of months from `first` on, those of the days to come among them.

    Prepaid accounts need the bills of the first year from January on.
    """
    if account.prepaid:
        yield from _top_ups(account, bills, first)
        return
    for bill in bills:
        if bill.month >= first and bill.charge.total > 0:
            yield from _settlement(account, bill)


def _top_ups(account: AccountSpec, bills: Sequence[BillDraft], first: date) -> Iterator[PaymentRow]:
    """Top up in steps so that the sum since January covers the bills since January; start anew each year."""
    used = topped = Decimal(0)
    for bill in bills:
        if bill.month.month == 1:
            used = topped = Decimal(0)
        used += bill.charge.total
        needed = (used / TOP_UP_STEP).to_integral_value(ROUND_CEILING) * TOP_UP_STEP - topped
        topped += needed
        if needed and bill.month >= first:
            rng = Random(f"{bill.id}:payment")
            month = add_months(bill.month, _TOP_UP_MONTHS[account.habit])
            day = month.replace(day=rng.randint(6, 27))
            yield _row(account, bill, 0, _moment(day, rng), needed, rng, bill_id=None)


def _settlement(account: AccountSpec, bill: BillDraft) -> Iterator[PaymentRow]:
    rng = Random(f"{bill.id}:payment")
    day = _day(account.habit, bill, rng)
    paid_at = _hall_moment(day, rng) if account.habit == "hall" else _moment(day, rng)
    chance, amount = rng.random(), bill.charge.total
    if account.habit == "debtor" and chance < 0.3:
        part = (amount / 2 / PART_STEP).to_integral_value(ROUND_HALF_UP) * PART_STEP
        if 0 < part < amount:
            yield _row(account, bill, 1, _moment(bill.due_on, rng), part, rng)
            amount -= part
    elif chance < FAILED:
        yield _row(account, bill, 1, paid_at - timedelta(minutes=7), amount, rng, status="failed")
    elif chance < REFUNDED:
        yield _row(account, bill, 1, paid_at + timedelta(minutes=3), amount, rng, status="refunded")
    yield _row(account, bill, 0, paid_at, amount, rng)


def _day(habit: str, bill: BillDraft, rng: Random) -> date:
    """Return the day on which a bill is paid."""
    issued, due = bill.issued_on, bill.due_on
    if habit == "autopay":
        return issued.replace(day=_AUTOPAY_DAY)
    if habit == "last_day":
        return due - timedelta(days=rng.randint(0, 1))
    if habit == "hall":
        day = issued.replace(day=rng.randint(6, 16))
        return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() >= 5 else 0)
    if habit == "late":
        return due + timedelta(days=rng.randint(2, 20))
    if habit == "gaps" and bill.month.month % 2:
        # This one waits for the next bill and is paid with it.
        return add_months(issued, 1).replace(day=rng.randint(3, 10))
    if habit == "debtor":
        return add_months(issued, 2).replace(day=rng.randint(10, 20))
    return issued.replace(day=rng.randint(2, 7))


def _moment(day: date, rng: Random) -> datetime:
    start = datetime.combine(day, time(_OPENS, 10), SHANGHAI)
    return start + timedelta(minutes=rng.randint(0, _MINUTES - 20), seconds=rng.randint(0, 59))


def _hall_moment(day: date, rng: Random) -> datetime:
    start = datetime.combine(day, time(_HALL_OPENS, 10), SHANGHAI)
    return start + timedelta(minutes=rng.randint(0, _HALL_MINUTES - 20), seconds=rng.randint(0, 59))


def _row(
    account: AccountSpec, bill: BillDraft, attempt: int, paid_at: datetime, amount: Decimal, rng: Random,
    *, status: str = "succeeded", bill_id: int | None = -1,
) -> PaymentRow:  # fmt: skip
    number = bill.id * 10 + attempt
    return PaymentRow(
        id=number,
        reference=f"{paid_at:%Y%m%d}{number:012}",
        account_id=account.id,
        bill_id=bill.id if bill_id == -1 else bill_id,
        paid_at=paid_at,
        amount=amount,
        channel=_channel(account, rng),
        status=status,
    )


def _channel(account: AccountSpec, rng: Random) -> str:
    if account.habit in ("autopay", "hall"):
        return "bank" if account.habit == "autopay" else "hall"
    if not account.person:
        return "bank" if rng.random() < 0.8 else "app"
    online = [channel for channel in CHANNELS if channel != "hall"]
    favourite = online[account.customer_id % len(online)]
    return favourite if rng.random() < 0.85 else rng.choice(online)
