"""Where a customer stands in the step year (阶梯年度): kWh so far, step of the next kWh, when the next step begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.account import Account, shown_from
from core.bill import Bill
from core.tariff import Plan, Service, TariffBook, service_bounds, tier_position
from core.usage import NoReading, Usage, meter_view, usage_between

ZERO = Decimal(0)
_ONE_DAY = timedelta(days=1)
# So many days before the last reading say how much is used a day now.
DAYS_LOOKED_BACK = 30


@dataclass(frozen=True)
class TierYear:
    """The step year of one account at the end of the day `as_of` (its last reading, or last bill without one).

    `kwh` of the year so far, of which `billed_kwh` stand on bills. `tier` (1, 2, 3), its `price` (yuan/kWh, of a plan
    without hours; with hours a step adds `price` less the first step's to each hour's price) and `bounds` (upper
    bounds of the closed steps in kWh of this year) are those of the next kWh. `left` kWh remain in the step; `left`
    and `next_price` are None in the last. `next_on` is the first day with kWh of the next step if `daily_kwh` (mean of
    the last 30 days, None without readings) go on; None if that is not before the year ends.
    """

    plan: Plan
    year: int
    as_of: date
    kwh: Decimal
    billed_kwh: Decimal
    tier: int
    price: Decimal
    left: Decimal | None
    next_price: Decimal | None
    daily_kwh: Decimal | None
    next_on: date | None
    bounds: tuple[Decimal, ...]
    estimated: bool

    def days_left(self, today: date) -> int | None:
        """Return the days from `today` to the first day of the next step, 0 if it is past; None if there is none."""
        return None if self.next_on is None else max(0, (self.next_on - today).days)


def tier_year(session: Session, *, account: Account, book: TariffBook, today: date) -> TierYear | None:
    """Return the step year of `today`; None for plans without steps and for accounts that are closed.

    Raises:
        NoPlanInForce: if the account's plan has no price today.
    """
    if account.closed_on is not None and account.closed_on <= today:
        return None
    plan = book.plan(account.plan_code, today)
    if not plan.tiered:
        return None
    bounds = service_bounds(book, plan.code, today.year, service_of(account, today))
    billed, first = _billed(session, account, today)
    recent = _used_since(session, account, first, today)
    kwh = billed + (recent.total if recent else ZERO)
    as_of = recent.last if recent else first - _ONE_DAY
    daily = _daily(session, account, as_of)
    position = tier_position(plan, kwh, bounds)
    return TierYear(
        plan=plan,
        year=today.year,
        as_of=as_of,
        kwh=kwh,
        billed_kwh=billed,
        tier=position.tier,
        price=position.price,
        left=position.remaining,
        next_price=None if position.remaining is None else plan.tiers[position.tier].price,
        daily_kwh=daily,
        next_on=_next_on(as_of, position.remaining, daily, today),
        bounds=bounds,
        estimated=bool(recent and recent.estimated_days),
    )


def counts_earlier(session: Session, *, account: Account, today: date) -> bool:
    """Tell whether the step year of `today` may count what an earlier customer used: then none of it is told.

    The company counts by account and year; who took it over in the year could reckon the other's use from the rest.
    """
    since = account.held_since
    if since is None or since <= date(today.year, 1, 1):
        return False
    query = select(Bill.cum_before).where(Bill.account_id == account.id, Bill.period_first >= since)
    own = session.execute(query.order_by(Bill.month).limit(1)).first()
    return own is None or bool(own.cum_before)


def service_of(account: Account, month: date, *, closing: bool = False, large_family: bool = True) -> Service:
    """Return what the account brings to its bounds in the year of `month`, as it was known then.

    The day of opening counts in its own year only; a closing is known when its last bill is drawn up (`closing`).
    """
    return Service(
        opened=account.opened_on if account.opened_on.year == month.year else None,
        closed=account.closed_on if closing else None,
        large_family_kwh=account.large_family_kwh if large_family else ZERO,
    )


def _billed(session: Session, account: Account, today: date) -> tuple[Decimal, date]:
    """Return the year's kWh up to its last bill, and the first day that is on no bill."""
    start = max(date(today.year, 1, 1), account.opened_on, shown_from(account))
    query = select(Bill).where(
        Bill.account_id == account.id, Bill.month >= date(today.year, 1, 1), Bill.period_last < today,
        Bill.period_first >= shown_from(account),
    )  # fmt: skip
    bill = session.scalars(query.order_by(Bill.month.desc()).limit(1)).first()
    if bill is None or bill.cum_before is None:
        return ZERO, start
    return bill.cum_before + bill.kwh, bill.period_last + _ONE_DAY


def _used_since(session: Session, account: Account, first: date, today: date) -> Usage | None:
    """Return what was used from `first` to the last reading; None if nothing was read since."""
    try:
        latest = min(meter_view(session, account=account).day, today)
        return usage_between(session, account=account, first=first, last=latest) if latest >= first else None
    except NoReading:
        return None


def _daily(session: Session, account: Account, last: date) -> Decimal | None:
    try:
        first = last - timedelta(days=DAYS_LOOKED_BACK - 1)
        usage = usage_between(session, account=account, first=first, last=last)
    except NoReading:
        return None
    return usage.total / usage.days_covered


def _next_on(as_of: date, left: Decimal | None, daily: Decimal | None, today: date) -> date | None:
    """Return the day whose use passes the bound; a bound that is just reached still belongs to its own step."""
    if left is None or not daily:
        return None
    whole_days = (left / daily).to_integral_value(ROUND_FLOOR)
    if whole_days > (date(today.year, 12, 31) - as_of).days:
        return None
    day = as_of + (int(whole_days) + 1) * _ONE_DAY
    return day if day.year == today.year else None
