"""Power cut off for arrears (欠费停电): whether that may be so, and how much brings the balance above zero.

The trap: a customer pays the sum of the first message while more has been used since; the balance stays below zero and
the power off. So what was used after the last bill is counted in, at the average price of that bill, as an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal

from sqlalchemy.orm import Session

from core.account import Account
from core.bill import NoBill, bills_between, latest_month
from core.payment import Balance, balance_of

# Overdue for more than this, an account may be cut off after it was urged (domain facts: a provincial rule).
CUT_AFTER_DAYS = 30
_YUAN = Decimal(1)


@dataclass(frozen=True)
class Shortfall:
    """Where an account stands with regard to being cut off, in yuan.

    `unbilled` is the estimated price of what was used since the last bill, None if that is not known. `needed` brings
    the balance above zero: owed, late fees and the estimate, rounded up to whole yuan where there is an estimate.
    """

    balance: Balance
    unbilled: Decimal | None
    needed: Decimal
    may_be_cut_off: bool

    @property
    def overdue_days(self) -> int:
        """How long the oldest open bill is overdue."""
        return max((bill.overdue_days for bill in self.balance.unpaid), default=0)


def shortfall_of(session: Session, *, account: Account, today: date) -> Shortfall:
    """Return where the account stands."""
    personal = account.customer.kind == "person"
    balance = balance_of(session, account=account, today=today, residential=personal)
    unbilled = _price_of_unbilled(session, account, balance)
    left = balance.balance - balance.late_fee - (unbilled or Decimal(0))
    needed = max(-left, Decimal("0.00"))
    if unbilled and needed:
        # Above zero, not at zero; the estimate is no sum to the fen.
        needed = needed.quantize(_YUAN, ROUND_CEILING) + (_YUAN if needed == needed.to_integral_value() else 0)
    overdue = any(bill.overdue_days > CUT_AFTER_DAYS for bill in balance.unpaid)
    return Shortfall(balance, unbilled, needed, overdue or (account.prepaid and left <= 0))


def _price_of_unbilled(session: Session, account: Account, balance: Balance) -> Decimal | None:
    if not balance.unbilled_kwh:
        return None
    try:
        month = latest_month(session, account=account)
        (bill,) = bills_between(session, account=account, first=month, last=month)
    except NoBill:
        return None
    if not bill.kwh:
        return None
    return (balance.unbilled_kwh * bill.amount / bill.kwh).quantize(Decimal("0.01"))
