"""Features from the work orders and outages: complaints, reports, applications, and what they say is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session

from core.clock import SHANGHAI
from core.network import NetworkNode, SupplyPoint
from core.outage import Outage, OutageNode, OutageReport
from core.portrait.accounts import One, Portion, Values
from core.portrait.signals import Signs
from core.portrait.span import Span
from core.portrait.sql import keys_of
from core.work_order import WorkOrder

_CANCELLED, _SUSPECTED = "cancelled", "suspected"


class _Order(NamedTuple):
    order_no: str
    account_no: str | None
    customer_no: str | None
    category: str
    kind: str
    opened_at: datetime


def order_features(
    session: Session, accounts: Sequence[One], span: Span, signs: Signs, outages: dict[str, int]
) -> Portion:
    """Return the features of the dimension need that stand on orders and outages.

    An order counts for the account that it names, and for every account of its customer if it names none. `outages`:
    how many began at each transformer within the year (`outages_by_transformer`).
    """
    by_account, by_customer = _orders(session, accounts, span)
    reports = _reports(session, [one.account_no for one in accounts], span)
    touched = _touched(session, [one.account_no for one in accounts], outages)
    portion = {}
    for one in accounts:
        mine = [row for row in by_account.get(one.account_no, ()) if _is_of(row, one)]
        mine += by_customer.get(one.customer_no, ())
        found = _features(mine, span, signs)
        told = {number for number, day in reports.get(one.account_no, ()) if day >= one.held_from}
        found["outage_reports_year"] = float(len(told | _outage_orders(mine, span, signs)))
        if count := touched.get(one.account_no, 0):
            found["outage_sensitivity"] = found["outage_reports_year"] / count
        portion[one.id] = found
    return portion


def outages_by_transformer(session: Session, span: Span) -> dict[str, int]:
    """Return how many outages of the year before `as_of` took down each transformer, of those that had any."""
    hit = (
        select(OutageNode.outage_id, OutageNode.node_code.label("code"))
        .join(Outage, Outage.id == OutageNode.outage_id)
        .where(Outage.started_at >= span.year_begin, Outage.started_at < span.end)
        .where(Outage.state.not_in((_CANCELLED, _SUSPECTED)))
        .cte("hit", recursive=True)
    )
    below = select(hit.c.outage_id, NetworkNode.code).join(NetworkNode, NetworkNode.parent_code == hit.c.code)
    hit = hit.union(below)
    query = select(hit.c.code, func.count(hit.c.outage_id.distinct())).group_by(hit.c.code)
    return dict(session.execute(query).all())


def _orders(
    session: Session, accounts: Sequence[One], span: Span
) -> tuple[dict[str, list[_Order]], dict[str, list[_Order]]]:
    """Return the orders by account, and those that name no account by customer; cancelled ones are none."""
    numbers = keys_of(session, [one.account_no for one in accounts])
    customers = keys_of(session, sorted({one.customer_no for one in accounts}))
    columns = (
        WorkOrder.order_no, WorkOrder.account_no, WorkOrder.customer_no, WorkOrder.category, WorkOrder.kind,
        WorkOrder.opened_at,
    )  # fmt: skip
    kept = (WorkOrder.state != _CANCELLED, WorkOrder.opened_at < span.end)
    both = union_all(
        select(*columns).join(numbers, numbers.c.key == WorkOrder.account_no).where(*kept),
        select(*columns).join(customers, customers.c.key == WorkOrder.customer_no)
        .where(*kept, WorkOrder.account_no.is_(None)),
    )  # fmt: skip
    by_account, by_customer = defaultdict(list), defaultdict(list)
    for row in map(_Order._make, session.execute(both)):
        if row.account_no is not None:
            by_account[row.account_no].append(row)
        elif row.customer_no is not None:
            by_customer[row.customer_no].append(row)
    return by_account, by_customer


def _reports(session: Session, numbers: Sequence[str], span: Span) -> dict[str, list[tuple[str, date]]]:
    keys = keys_of(session, numbers)
    query = (
        select(OutageReport.account_no, OutageReport.id, OutageReport.order_no, OutageReport.at)
        .join(keys, keys.c.key == OutageReport.account_no)
        .where(OutageReport.at >= span.year_begin, OutageReport.at < span.end)
    )
    found: dict[str, list[tuple[str, date]]] = defaultdict(list)
    for account_no, number, order_no, at in session.execute(query):
        # A report that came with an order is the same matter as the order.
        found[str(account_no)].append((order_no or f"report:{number}", at.astimezone(SHANGHAI).date()))
    return found


def _touched(session: Session, numbers: Sequence[str], outages: dict[str, int]) -> dict[str, int]:
    if not outages:
        return {}
    keys = keys_of(session, numbers)
    query = select(SupplyPoint.account_no, SupplyPoint.transformer_code)
    rows = session.execute(query.join(keys, keys.c.key == SupplyPoint.account_no))
    return {str(account_no): outages.get(code, 0) for account_no, code in rows}


def _is_of(row: _Order, one: One) -> bool:
    """Tell whether an order of the account is the present holder's."""
    if row.customer_no is not None:
        return row.customer_no == one.customer_no
    return row.opened_at.astimezone(SHANGHAI).date() >= one.held_from


def _features(orders: Iterable[_Order], span: Span, signs: Signs) -> Values:
    all_orders = list(orders)
    year = [row for row in all_orders if row.opened_at >= span.year_begin]
    kinds, signals = {row.kind for row in all_orders}, signs.signals
    return {
        "complaints_year": float(sum(row.category.startswith(signals.complaints) for row in year)),
        "applications_year": float(sum(row.category.startswith(signals.applications) for row in year)),
        "special_need": float(any(signs.special(row.category) for row in all_orders)),
        "has_pv": float(bool(kinds & signals.pv_kinds)),
        "has_ev": float(bool(kinds & signals.ev_kinds)),
    }


def _outage_orders(orders: Iterable[_Order], span: Span, signs: Signs) -> set[str]:
    return {
        row.order_no for row in orders
        if row.opened_at >= span.year_begin and row.category.startswith(signs.signals.outage_reports)
    }  # fmt: skip
