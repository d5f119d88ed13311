"""Features from payments: by which way, how punctual, and what is overdue."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Date, Integer, and_, func, literal, select, union_all
from sqlalchemy.orm import Session

from core.account import Account
from core.payment import CHANNELS
from core.portrait.accounts import Portion, Step, Values
from core.portrait.money import Rows, bills, open_bills, payments, settled_bills, used_of
from core.portrait.span import Span
from core.portrait.sql import DaysBetween, whole

ONLINE = ("wechat", "alipay", "app")


def credit_features(session: Session, step: Step, span: Span) -> Portion:
    """Return pay_channel, online_share, payments_year and the features of the dimension credit (none of violations)."""
    portion = {int(row["id"]): _features(dict(row)) for row in session.execute(_figures(step, span)).mappings()}
    for account_id, due, late in session.execute(_prepaid(step, span)):
        # Their money names no bill, so that there is no day on which it settled one.
        portion[account_id].update(_punctual(due, late), days_late_mean=None, days_late_max=None)
    return portion


def _figures(step: Step, span: Span) -> Any:
    paid = payments(step, span)
    billed = settled_bills(step, span, paid)
    totals, settled = _totals(paid, span), _settled(billed, span)
    parts = (totals, settled, _unsettled(open_bills(billed, settled, totals), span))
    query = select(Account.id, *(column for part in parts for column in part.c if column.name != "account_id"))
    for part in parts:
        query = query.join(part, part.c.account_id == Account.id, isouter=True)
    return query.where(step.is_mine)


def _totals(paid: Rows, span: Span) -> Rows:
    """Return what each account paid: fen in all, and how many payments of the last year by each way."""
    recent = paid.c.at >= span.year_begin
    by_channel = [func.count().filter(recent, paid.c.channel == name).label(name) for name in CHANNELS]
    fen, count = func.sum(paid.c.fen).label("fen"), func.count().filter(recent).label("recent")
    return select(paid.c.account_id, fen, count, *by_channel).group_by(paid.c.account_id).cte("totals")


def _settled(billed: Rows, span: Span) -> Rows:
    """Return of the bills due in the last year that their own payments settled: how many, how many late, and days.

    `used`: what of all payments went to the bills that they name.
    """
    b = billed.c
    due = and_(b.reached.is_not(None), b.fen > 0, _due_in_year(b.due_on, span))
    days = DaysBetween(b.reached, b.due_on)
    late = and_(due, b.reached > b.due_on)
    return (
        select(
            b.account_id, whole(func.sum(used_of(billed))).label("used"),
            func.count().filter(due).label("settled"), func.count().filter(late).label("late"),
            func.sum(days).filter(late).label("late_days"), func.max(days).filter(late).label("late_most"),
        )
        .group_by(b.account_id)
        .cte("settled")
    )  # fmt: skip


def _unsettled(opened: Rows, span: Span) -> Rows:
    """Return of the others due in the last year the same, and what of all bills is overdue: fen and most days."""
    o = opened.c
    days = DaysBetween(literal(span.as_of, Date), o.due_on)
    overdue, in_year = and_(o.open > 0, o.due_on < span.as_of), _due_in_year(o.due_on, span)
    return (
        select(
            o.account_id, func.count().filter(in_year).label("unsettled"),
            func.count().filter(overdue, in_year).label("never"),
            func.sum(days).filter(overdue, in_year).label("never_days"),
            func.max(days).filter(overdue, in_year).label("never_most"),
            func.sum(o.open).filter(overdue).label("overdue_fen"), func.max(days).filter(overdue).label("overdue_days"),
        )
        .group_by(o.account_id)
        .subquery("unsettled")
    )  # fmt: skip


def _prepaid(step: Step, span: Span) -> Any:
    """Return of prepaid accounts how many bills were due in the last year, and of how many the money was not there."""
    paid = payments(step, span, also=Account.prepaid.is_(True))
    billed = bills(step, span, also=Account.prepaid.is_(True))
    is_bill = [literal(number, Integer).label("is_bill") for number in (0, 1)]
    money = union_all(
        select(paid.c.account_id, paid.c.day, is_bill[0], paid.c.fen),
        select(billed.c.account_id, billed.c.due_on, is_bill[1], -billed.c.fen),
    ).subquery("money")
    sofar = func.sum(money.c.fen).over(partition_by=money.c.account_id, order_by=(money.c.day, money.c.is_bill))
    of_bill = money.c.is_bill == 1, money.c.fen < 0  # nothing is due of a bill over nothing
    rows = select(money.c.account_id, money.c.day, and_(*of_bill).label("asks"), sofar.label("sofar")).subquery(
        "running"
    )
    r = rows.c
    query = select(r.account_id, func.count(), func.count().filter(r.sofar < 0)).group_by(r.account_id)
    return query.where(r.asks, _due_in_year(r.day, span))


def _due_in_year(due: Any, span: Span) -> Any:
    return and_(due >= span.day_a_year_ago, due < span.as_of)


def _features(row: dict[str, Any]) -> Values:
    found: Values = {
        "overdue_yuan": float(row["overdue_fen"] or 0) / 100, "overdue_days": float(row["overdue_days"] or 0),
        "payments_year": float(row["recent"] or 0), "pay_channel": _channel(row),
    }  # fmt: skip
    if row["recent"]:
        found["online_share"] = sum(row[name] for name in ONLINE) / row["recent"]
    due = (row["settled"] or 0) + (row["unsettled"] or 0)
    late = (row["late"] or 0) + (row["never"] or 0)
    found.update(_punctual(due, late))
    if due:
        days = float((row["late_days"] or 0) + (row["never_days"] or 0))
        found["days_late_mean"] = days / late if late else 0.0
        found["days_late_max"] = float(max(row["late_most"] or 0, row["never_most"] or 0))
    return found


def _punctual(due: int, late: int) -> Values:
    return {"on_time_rate": (due - late) / due, "late_count": float(late)} if due else {}


def _channel(row: dict[str, Any]) -> str | None:
    """Return by which way most payments came; of equal ones the first of `CHANNELS`."""
    return max(CHANNELS, key=lambda name: row[name]) if row["recent"] else None
