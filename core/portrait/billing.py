"""Features from the bills of the last 24 billed months, reckoned in the server for a step of accounts at once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Double, Select, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session

from core.account import Account
from core.bill import Bill, BillLine
from core.portrait.accounts import Portion, Step, own_bill
from core.portrait.span import YEAR_MONTHS, Span
from core.portrait.sql import by_key, ratio, real

LEAST, WHOLE = 3, YEAR_MONTHS  # months with a bill: fewer tell nothing; shares of a season need the whole year
SUMMER, WINTER = (7, 8), (12, 1)
Number = ColumnElement[Any]


def bill_features(session: Session, step: Step, span: Span) -> Portion:
    """Return history_months, months_year and the features from amounts of the bills."""
    rows = session.execute(_features(_months(step, span))).mappings()
    portion = {int(row["account_id"]): dict(row) for row in rows}
    for account_id, (months, tiered, high) in _tiers(session, step, span).items():
        if tiered and account_id in portion and months >= LEAST:
            portion[account_id]["tier_months"] = high * YEAR_MONTHS / months
    return portion


def _months(step: Step, span: Span) -> Any:
    """Return sums over the months of each account, `year` of the last 12 and `old` of the 12 before.

    kWh and yuan are whole hundredths: equal rows give equal figures on both databases, in whichever order they come.
    """
    year, old = Bill.month >= span.year_from, Bill.month < span.year_from
    high, valley = Bill.sharp_kwh + Bill.peak_kwh, Bill.valley_kwh
    last3 = Bill.month > span.month(3)
    same3 = and_(Bill.month > span.month(15), Bill.month <= span.month(12))
    columns: dict[str, Number] = {
        "history_months": func.count(),
        "months": func.count().filter(year), "months_old": func.count().filter(old),
        "kwh": _hundredths(func.sum, Bill.kwh, year), "kwh_old": _hundredths(func.sum, Bill.kwh, old),
        "fee": _hundredths(func.sum, Bill.amount, year),
        "most": _hundredths(func.max, Bill.kwh, year), "least": _hundredths(func.min, Bill.kwh, year),
        "summer": _hundredths(func.sum, Bill.kwh, and_(year, _among(span, SUMMER))),
        "winter": _hundredths(func.sum, Bill.kwh, and_(year, _among(span, WINTER))),
        "high": _hundredths(func.sum, high, year), "high_old": _hundredths(func.sum, high, old),
        "valley": _hundredths(func.sum, valley, year), "valley_old": _hundredths(func.sum, valley, old),
        "demand": _hundredths(func.sum, Bill.demand_kw, year), "demands": func.count(Bill.demand_kw).filter(year),
        "kwh3": _hundredths(func.sum, Bill.kwh, last3), "months3": func.count().filter(last3),
        "kwh3_old": _hundredths(func.sum, Bill.kwh, same3), "months3_old": func.count().filter(same3),
    }  # fmt: skip
    return (
        select(Bill.account_id, Account.capacity_kva, *(value.label(name) for name, value in columns.items()))
        .join(Account, own_bill(span.as_of))
        .where(step.is_mine, *_range(step), Bill.month.between(span.history_from, span.last))
        .group_by(Bill.account_id, Account.capacity_kva)
        .subquery("months")
    )


def _features(months: Any) -> Select[Any]:
    m = months.c
    enough, whole = m.months >= LEAST, m.months == WHOLE
    both = and_(whole, m.months_old == WHOLE)
    metered = m.valley + m.high > 0
    price_response = ratio(m.valley, m.kwh) - ratio(m.valley_old, m.kwh_old)
    # The difference first: 120 / 100 - 1 is a hair below the 0.2 that the rules ask for.
    drop = ratio(m.kwh3_old - m.kwh3, m.kwh3_old)
    six = and_(m.months3 == LEAST, m.months3_old == LEAST)
    values: dict[str, Number] = {
        "kwh_year": case((enough, m.kwh * WHOLE / (m.months * 100))),
        "fee_year": case((enough, m.fee * WHOLE / (m.months * 100))),
        "kwh_growth": case((both, ratio(m.kwh - m.kwh_old, m.kwh_old))),
        "peak_share": case((and_(enough, metered), ratio(m.high, m.kwh))),
        "valley_share": case((and_(enough, metered), ratio(m.valley, m.kwh))),
        "seasonality": case((whole, ratio((m.most - m.least) * WHOLE, m.kwh))),
        "summer_index": case((whole, ratio(m.summer * WHOLE, m.kwh * len(SUMMER)))),
        "winter_index": case((whole, ratio(m.winter * WHOLE, m.kwh * len(WINTER)))),
        "demand_use": case((enough, ratio(m.demand, real(m.capacity_kva) * m.demands * 100))),
        "price_mean": case((enough, ratio(m.fee, m.kwh))),
        "price_response": case((and_(both, metered, m.valley_old + m.high_old > 0), price_response)),
        "sudden_drop": case((and_(six, drop > 0), drop), (and_(six, drop <= 0), literal(0.0))),
    }  # fmt: skip
    facts = (m.account_id, m.history_months, m.months.label("months_year"), (m.kwh / 100).label("kwh_known"))
    return select(*facts, *(value.label(name) for name, value in values.items()))


def _hundredths(summed: Any, value: Any, where: ColumnElement[bool]) -> Number:
    return func.round(summed(real(value)).filter(where) * 100, type_=Double)


def _tiers(session: Session, step: Step, span: Span) -> dict[int, tuple[int, int, int]]:
    """Return of each account with priced steps: months, bills with a step at all, and bills above the first step."""
    stepped = and_(BillLine.bill_id == Bill.id, BillLine.tier.is_not(None), BillLine.quantity > 0)
    of_bill = (
        select(
            Bill.account_id.label("account_id"), Bill.id.label("bill_id"), func.max(BillLine.tier).label("tier"),
        )
        .join(Account, own_bill(span.as_of))
        .join(BillLine, stepped, isouter=True)
        .where(step.is_mine, *_range(step), Bill.month.between(span.year_from, span.last), Bill.cum_before.is_not(None))
        .group_by(Bill.account_id, Bill.id)
        .subquery("tiers")
    )  # fmt: skip
    tier = of_bill.c.tier
    query = select(
        of_bill.c.account_id, func.count(), func.count(tier), func.count().filter(tier >= 2)
    ).group_by(of_bill.c.account_id)  # fmt: skip
    with by_key(session):
        return {account: (months, tiered, high) for account, months, tiered, high in session.execute(query)}


def _range(step: Step) -> tuple[ColumnElement[bool], ...]:
    # Said of the bills too: then the server reads them by their own index, in the order of the accounts.
    return Bill.account_id > step.after, Bill.account_id <= step.last


def _among(span: Span, months: tuple[int, ...]) -> ColumnElement[bool]:
    return or_(*(Bill.month == month for back in range(WHOLE) if (month := span.month(back)).month in months))
