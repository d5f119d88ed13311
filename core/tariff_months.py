"""The last twelve whole months of an account as a tariff needs them: registers, kWh of the year before, demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy.orm import Session

from core.account import Account
from core.bill import Bill, NoBill, bills_between
from core.bill_basis import demand_billed
from core.clock import add_months, first_of_month
from core.tariff import Demand, Registers, TariffBook
from core.usage import monthly_usage

ZERO = Decimal(0)
MONTHS = 12


@dataclass(frozen=True)
class MonthRead:
    """What the meter counted in a month; `cum` are the year's kWh before it.

    The highest demand, the kvarh, and how the basic charge was counted (`billed`) are those of its bill.
    """

    month: date
    usage: Registers
    cum: Decimal
    demand_kw: Decimal | None
    kvarh: Decimal | None
    billed: Demand | None


def months_read(session: Session, *, account: Account, book: TariffBook, today: date) -> tuple[MonthRead, ...]:
    """Return the last twelve whole months, oldest first; fewer for a new account.

    Months of a two-part customer without a bill are left out: their demand is not known. Raises NoReading,
    NoPlanInForce.
    """
    last = add_months(first_of_month(today), -1)
    first = max(add_months(last, 1 - MONTHS), first_of_month(account.opened_on))
    if last < first:
        return ()
    january = date(first.year, 1, 1)
    usage = {
        one.month: one.usage
        for one in monthly_usage(session, account=account, first=january, last=last)
        if not one.partial
    }
    bills = _bills(session, account, first, last)
    two_part = book.plan(account.plan_code, last).basic is not None
    months, cum = [], ZERO
    for month, used in usage.items():
        cum = ZERO if month.month == 1 else cum
        bill = bills.get(month)
        if bill is not None and bill.cum_before is not None:
            # Also right where the readings do not reach back to January.
            cum = bill.cum_before
        if month >= first and (bill is not None or not two_part):
            demand, kvarh = (bill.demand_kw, bill.kvarh) if bill else (None, None)
            billed = demand_billed(bill, account.capacity_kva) if bill and two_part else None
            months.append(MonthRead(month, used.registers, cum, demand, kvarh, billed))
        cum += used.total
    return tuple(months)


def add_registers(usages: Sequence[Registers]) -> Registers:
    """Return the sum of several usages, register by register."""
    return Registers(
        sharp=sum((one.sharp for one in usages), ZERO),
        peak=sum((one.peak for one in usages), ZERO),
        flat=sum((one.flat for one in usages), ZERO),
        valley=sum((one.valley for one in usages), ZERO),
    )


def _bills(session: Session, account: Account, first: date, last: date) -> dict[date, Bill]:
    try:
        return {bill.month: bill for bill in bills_between(session, account=account, first=first, last=last)}
    except NoBill:
        return {}
