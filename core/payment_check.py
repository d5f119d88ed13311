"""What the payments of an account show about a payment problem: failed, returned or doubled ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.account import Account
from core.bill import Bill
from core.payment import NoPayment, Payment, payments_between

# Two payments of one amount within these days look like one that was made twice.
DOUBLED_WITHIN = timedelta(days=3)
# A failed payment that was made again this soon was put right by the customer.
RETRIED_WITHIN = timedelta(days=1)


@dataclass(frozen=True)
class PaymentCheck:
    """The payments of some days, newest first in every list; `arrived` are those that succeeded.

    `doubled` are pairs (earlier, later) that both succeeded, `failed` those that did not, each with whether the same
    amount went through soon after, `refunded` those that were paid back.
    """

    arrived: tuple[Payment, ...]
    doubled: tuple[tuple[Payment, Payment], ...]
    failed: tuple[tuple[Payment, bool], ...]
    refunded: tuple[Payment, ...]

    @property
    def troubled(self) -> bool:
        """Whether a payment failed, was doubled or was paid back."""
        return bool(self.doubled or self.failed or self.refunded)

    @property
    def empty(self) -> bool:
        """Whether there was no payment at all."""
        return not (self.arrived or self.failed or self.refunded)


def check_payments(
    session: Session, *, account: Account, first: date, last: date, amount: Decimal | None = None,
    months: tuple[date, date] | None = None,
) -> PaymentCheck:  # fmt: skip
    """Return what the payments from `first` to `last` (days in Shanghai) show.

    With `amount` those of that amount only, with `months` (first and last) those for the bills of these months only.
    """
    try:
        payments = payments_between(session, account=account, first=first, last=last)
    except NoPayment:
        payments = []
    if amount is not None:
        payments = [one for one in payments if one.amount == amount]
    if months is not None:
        bills = select(Bill.id).where(Bill.account_id == account.id, Bill.month.between(*months))
        billed = set(session.scalars(bills))
        payments = [one for one in payments if one.bill_id in billed]
    arrived = [one for one in payments if one.status == "succeeded"]
    failed = [one for one in payments if one.status == "failed"]
    return PaymentCheck(
        arrived=tuple(reversed(arrived)),
        doubled=tuple(reversed(_doubled(arrived))),
        failed=tuple((one, _retried(one, arrived)) for one in reversed(failed)),
        refunded=tuple(one for one in reversed(payments) if one.status == "refunded"),
    )


def _doubled(arrived: Sequence[Payment]) -> list[tuple[Payment, Payment]]:
    """Return pairs of the same amount within three days, each payment in one pair; two bills of one amount are none."""
    pairs: list[tuple[Payment, Payment]] = []
    paired: set[int] = set()
    for place, earlier in enumerate(arrived):
        if earlier.id in paired:
            continue
        later = next((one for one in arrived[place + 1 :] if one.id not in paired and _same(earlier, one)), None)
        if later is not None:
            pairs.append((earlier, later))
            paired |= {earlier.id, later.id}
    return pairs


def _same(earlier: Payment, later: Payment) -> bool:
    settle_two_bills = None not in (earlier.bill_id, later.bill_id) and earlier.bill_id != later.bill_id
    return (
        earlier.amount == later.amount
        and later.paid_at - earlier.paid_at <= DOUBLED_WITHIN
        and not settle_two_bills
    )  # fmt: skip


def _retried(failed: Payment, arrived: Sequence[Payment]) -> bool:
    soon = [one for one in arrived if timedelta(0) <= one.paid_at - failed.paid_at <= RETRIED_WITHIN]
    return any(one.amount == failed.amount for one in soon)
