"""Rows of money that the credit features stand on: payments and bills of the present holders, in fen.

Whole fen are exact on both kinds of database. A payment settles the bill that it names; what names none, or is more
than its bill, goes to the oldest open bills: the same arithmetic as `core.payment.balance_of`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, case, func, or_, select, true

from core.account import Account
from core.bill import Bill
from core.payment import Payment
from core.portrait.accounts import Step, own_bill
from core.portrait.span import Span
from core.portrait.sql import ShanghaiDay, whole

Rows = Any  # a CTE; its columns are named in the functions
_ALL: ColumnElement[bool] = true()


def payments(step: Step, span: Span, *, also: ColumnElement[bool] = _ALL) -> Rows:
    """Return what the present holders paid: account_id, bill_id, day, at, fen, channel, and `sofar` for its bill."""
    fen = fen_of(Payment.amount)
    earlier = select(Bill.id).where(
        Bill.id == Payment.bill_id, Bill.account_id == Account.id, Bill.period_first < Account.held_since
    )
    own = or_(Account.held_since.is_(None), and_(ShanghaiDay(Payment.paid_at) >= Account.held_since, ~earlier.exists()))
    of_bill = (Payment.account_id, Payment.bill_id)  # of another account's bill it is free money, as for the balance
    running = func.sum(fen).over(partition_by=of_bill, order_by=(Payment.paid_at, Payment.id))
    return (
        select(
            Payment.account_id, Payment.bill_id, Payment.paid_at.label("at"), ShanghaiDay(Payment.paid_at).label("day"),
            fen.label("fen"), Payment.channel, whole(running).label("sofar"),
        )
        .join(Account, Account.id == Payment.account_id)
        .where(
            step.is_mine, also, Payment.account_id > step.after, Payment.account_id <= step.last,
            Payment.status == "succeeded", Payment.paid_at < span.end, own,
        )
        .cte("paid")
    )  # fmt: skip


def bills(step: Step, span: Span, *, also: ColumnElement[bool] = _ALL) -> Subquery:
    """Return the bills: account_id, month, due_on, fen, and their id."""
    return (
        select(Bill.id.label("bill_id"), Bill.account_id, Bill.month, Bill.due_on, fen_of(Bill.amount).label("fen"))
        .join(Account, own_bill(span.as_of))
        .where(step.is_mine, also, Bill.account_id > step.after, Bill.account_id <= step.last)
        .subquery("bill")
    )


def settled_bills(step: Step, span: Span, paid: Rows) -> Rows:
    """Return the bills with `named` (fen paid for each) and `reached` (the day that settled it)."""
    billed = bills(step, span)
    b = billed.c
    return (
        select(
            b.account_id, b.month, b.due_on, b.fen,
            whole(func.coalesce(func.sum(paid.c.fen), 0)).label("named"),
            func.min(paid.c.day).filter(paid.c.sofar >= b.fen).label("reached"),
        )
        .join(paid, and_(paid.c.bill_id == b.bill_id, paid.c.account_id == b.account_id), isouter=True)
        .group_by(b.bill_id, b.account_id, b.month, b.due_on, b.fen)
        .cte("billed")
    )  # fmt: skip


def open_bills(billed: Rows, used: Rows, totals: Rows) -> Rows:
    """Return the bills that their own payments leave open, with `open` once free money went to the oldest.

    `totals.fen` is what the account paid in all, `used.used` what of it went to the bills that the payments name.
    """
    b = billed.c
    short = b.fen - b.named
    before = whole(func.sum(short).over(partition_by=b.account_id, order_by=b.month))
    free = whole(func.coalesce(totals.c.fen, 0)) - used.c.used
    rows = (
        select(b.account_id, b.due_on, short.label("short"), (before - free).label("beyond"))
        .join(used, used.c.account_id == b.account_id)
        .join(totals, totals.c.account_id == b.account_id, isouter=True)
        .where(short > 0)
        .subquery("short")
    )
    r = rows.c
    left = case((r.beyond <= 0, 0), (r.beyond < r.short, r.beyond), else_=r.short)
    return select(r.account_id, r.due_on, left.label("open")).subquery("opened")


def used_of(billed: Rows) -> ColumnElement[int]:
    """Return how much of what was paid for a bill went to it: no more than it asks for."""
    b = billed.c
    return case((b.named > b.fen, b.fen), else_=b.named)


def fen_of(amount: Any) -> ColumnElement[int]:
    """Return yuan as whole fen."""
    return whole(func.round(amount * 100))
