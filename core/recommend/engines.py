"""One function a kind: asks the engine that customers' own questions are answered by, and makes an offer of its answer.

Nothing is reckoned here that an engine reckons. Each returns None where there is nothing to recommend; what an engine
cannot tell (no readings, no price in force) is nothing to recommend either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from core.account import Account
from core.bill import NoBill, bills_between
from core.clock import add_months
from core.energy_data import EnergyFacts
from core.errors import BusinessError
from core.payment import balance_of
from core.recommend.basic_charge import basic_charges
from core.recommend.offer import Offer
from core.recommend.rules import Rules
from core.saving import Advice, Measure, advise
from core.saving_business import Checks, check_business
from core.tariff import TariffBook, TariffInputError, saved_yuan, split_by_tier
from core.tariff_choice import tariff_choice
from core.tier_year import TierYear, counts_earlier, tier_year

YEAR = 12
_CENT = Decimal("0.01")
_CHARGING, _HOME = "charging", "residential"
_NEW_CONTRACT = "contract_demand"  # the form of whoever stays with a contract demand, of another height


@dataclass(frozen=True)
class Case:
    """An account, and by what it is looked at."""

    session: Session
    account: Account
    book: TariffBook
    facts: EnergyFacts
    rules: Rules
    today: date


def offer_of(kind: str, case: Case) -> Offer | None:
    """Return the offer of a kind that is worth saying, None if there is none."""
    try:
        found = ENGINES[kind](case)
    except (BusinessError, TariffInputError):
        return None
    return found if found is not None and found.is_worth_saying(case.rules) else None


def tariff_change(case: Case) -> Offer | None:
    """Another tariff that is open without doubt: the year's readings under both (core.tariff_choice)."""
    choice = tariff_choice(case.session, account=case.account, book=case.book, today=case.today)
    now, months = choice.current, choice.months
    if now.total is None or len(months) < case.rules.kinds["tariff_change"].least_months:
        return None
    other = [
        one for one in choice.others
        if one.certainty == "open" and one.saving is not None and one.total is not None
        and (one.plan.code != now.plan.code)
    ]  # fmt: skip
    best = other[0] if other else None  # they come cheapest first
    if best is None or best.saving is None:
        return None
    figures = {
        "now": str(now.total), "then": str(best.total), "plan": best.plan.name, "plan_now": now.plan.name,
        "plan_code": best.plan.code, "months": str(len(months)), **_span(months[0].month, months[-1].month),
        "unsure": "" if best.plan.status == now.plan.status == "verified" else "1",
    }  # fmt: skip
    return Offer("tariff_change", best.saving, figures, now.total)


def charging_time(case: Case) -> Offer | None:
    """A charging pile whose meter counts by the hour: the peak's kWh in the valley (core.saving)."""
    if case.account.user_class != _CHARGING:
        return None
    advice = _advice(case)
    measure = next((one for one in advice.measures if one.key == "shift_charging"), None)
    if measure is None:
        return None
    figures = {"moved": str(measure.figures["moved"]), "valley": str(measure.figures["valley"].quantize(_CENT))}
    paid = _paid(case)
    return Offer("charging_time", measure.yuan_low, figures | _of_advice(advice), paid, measure)


def tier_warning(case: Case) -> Offer | None:
    """The next step of the year: when it is reached, and what the rest of the year costs beyond today's price."""
    if case.account.user_class != _HOME:
        return None
    year = tier_year(case.session, account=case.account, book=case.book, today=case.today)
    if year is None or year.next_on is None or year.daily_kwh is None or year.next_price is None:
        return None
    left = year.days_left(case.today)
    if left is None or left > case.rules.kinds["tier_warning"].within_days or year.next_on < case.today:
        return None  # a day that is past was reckoned from readings that are old: nobody knows where the meter stands
    if counts_earlier(case.session, account=case.account, today=case.today):
        return None
    kwh, yuan = _beyond(year)
    figures = {
        "tier": str(year.tier), "next_tier": str(year.tier + 1), "on": year.next_on.isoformat(),
        "kwh": str(year.kwh), "left": str(year.left), "daily": str(year.daily_kwh.quantize(_CENT)),
        "more": str(year.next_price - year.price), "as_of": year.as_of.isoformat(), "over": str(kwh.quantize(_CENT)),
    }  # fmt: skip
    return Offer("tier_warning", yuan, figures)


def _beyond(year: TierYear) -> tuple[Decimal, Decimal]:
    """Return the kWh of the year's rest above the present step, at the present use a day, and what they cost more."""
    rest = (year.daily_kwh or Decimal(0)) * (date(year.year, 12, 31) - year.as_of).days
    parts = list(zip(year.plan.tiers, split_by_tier(year.bounds, year.kwh, rest), strict=True))[year.tier :]
    present = year.plan.tiers[year.tier - 1].price
    yuan = sum((saved_yuan(kwh, tier.price - present) for tier, kwh in parts), Decimal("0.00"))
    return sum((kwh for _, kwh in parts), Decimal(0)), yuan


def saving_measure(case: Case) -> Offer | None:
    """The measure that saves most of the own use (core.saving)."""
    if case.account.user_class == _CHARGING or _is_two_part(case):
        return None
    advice = _advice(case)
    best = next((one for one in advice.measures if not one.key.startswith("shift_charging")), None)
    if best is None or len(advice.use.months) < case.rules.kinds["saving_measure"].least_months:
        return None  # of a few months nobody knows what a year saves
    if _touches_free(case.account, advice, best):
        return None
    figures = {"measure": best.key, "low": str(best.yuan_low), "high": str(best.yuan_high)}
    figures |= {name: str(value) for name, value in best.figures.items()}
    return Offer("saving_measure", best.yuan_low, figures | _of_advice(advice), _paid(case), best)


def _touches_free(account: Account, advice: Advice, measure: Measure) -> bool:
    """Tell whether the saved kWh might be some that are free each month: the advice counts a price for each of them."""
    least = min(month.usage.total for month in advice.use.months)
    return account.free_kwh > 0 and least - measure.kwh_high / YEAR < account.free_kwh


def power_factor(case: Case) -> Offer | None:
    """What the adjustment by power factor cost beyond that of the target (core.saving_business)."""
    checks = _checks(case)
    found = checks.power_factor if checks else None
    if checks is None or found is None or found.factor >= found.target:
        return None
    figures = {
        "factor": str(found.factor), "target": str(found.target), "paid": str(found.paid),
        "at_target": str(found.at_target), "kvar": str(found.kvar), **_of_bills(case, checks),
    }  # fmt: skip
    return Offer("power_factor", found.saving, figures, checks.total)


def demand_capacity(case: Case) -> Offer | None:
    """The basic charge by another method: capacity, measured or contract demand (core.recommend.basic_charge)."""
    checks = _checks(case)
    if checks is None or len(checks.bills) < case.rules.kinds["demand_capacity"].least_months:
        return None
    found = basic_charges(checks.bills, case.book, case.account.capacity_kva)
    if found is None or found.best is None:
        return None
    method, yuan = found.best
    figures = {
        "paid": str(found.paid), "other": str(yuan), "method_now": found.now, "method": method,
        "edge": str(found.edge_kw), "capacity": str(case.account.capacity_kva), **_of_bills(case, checks),
    }  # fmt: skip
    if method == "contract":
        figures |= {"contract": str(found.contract_kw), "most": str(found.highest_kw)}
    if method == found.now:
        figures["start"] = _NEW_CONTRACT
    return Offer("demand_capacity", found.paid - yuan, figures, checks.total)


def instalments(case: Case) -> Offer | None:
    """What is open, where a bill is past its day or far above the usual: it may be paid in parts, by agreement."""
    account = case.account
    personal = account.customer.kind == "person"
    balance = balance_of(case.session, account=account, today=case.today, residential=personal)
    if balance.prepaid or not balance.unpaid:
        return None
    overdue = [one for one in balance.unpaid if one.overdue_days > 0]
    usual = _usual(case, balance.unpaid[-1].month)
    high = usual is not None and balance.unpaid[-1].amount >= case.rules.kinds["instalments"].high_bill * usual
    if not overdue and not high:
        return None
    figures = {
        "bills": str(len(balance.unpaid)), "due": balance.unpaid[-1].due_on.isoformat(),
        "usual": "" if usual is None else str(usual), "overdue": "1" if overdue else "",
        **_span(balance.unpaid[0].month, balance.unpaid[-1].month),
    }  # fmt: skip
    return Offer("instalments", balance.owed, figures)


def _usual(case: Case, month: date) -> Decimal | None:
    """Return the mean bill of the year before a month, None where there are fewer than three."""
    try:
        bills = bills_between(
            case.session, account=case.account, first=add_months(month, -YEAR), last=month - timedelta(days=1)
        )
    except NoBill:
        return None
    total = sum((bill.amount for bill in bills), Decimal(0))
    return (total / len(bills)).quantize(_CENT) if len(bills) >= 3 else None


def _advice(case: Case) -> Advice:
    return advise(case.session, account=case.account, book=case.book, facts=case.facts.home, today=case.today)


def _is_two_part(case: Case) -> bool:
    return case.book.plan(case.account.plan_code, case.today).basic is not None


def _checks(case: Case) -> Checks | None:
    """Return the checks of a business's bills; None for whom no power factor and no demand is counted."""
    if case.account.user_class in (_HOME, _CHARGING):
        return None
    return check_business(
        case.session, account=case.account, book=case.book, facts=case.facts.business, today=case.today
    )


def _paid(case: Case) -> Decimal | None:
    """Return what the bills of the last twelve months come to; None without a bill."""
    try:
        bills = bills_between(
            case.session, account=case.account, first=add_months(case.today, -YEAR), last=add_months(case.today, -1)
        )
    except NoBill:
        return None
    return sum((bill.amount for bill in bills), Decimal(0))


def _of_advice(advice: Advice) -> dict[str, str]:
    months = advice.use.months
    return {
        "months": str(len(months)), "kwh": str(advice.use.total), **_span(months[0].month, months[-1].month),
        "unsure": "" if advice.worth.plan.status == "verified" else "1",
    }  # fmt: skip


def _of_bills(case: Case, checks: Checks) -> dict[str, str]:
    first, last = checks.bills[0], checks.bills[-1]
    status = case.book.plan(last.plan_code, last.month).status
    unsure = "" if status == "verified" else "1"
    return {"months": str(len(checks.bills)), "unsure": unsure, **_span(first.month, last.month)}


def _span(first: date, last: date) -> dict[str, str]:
    return {"first": first.isoformat(), "last": last.isoformat()}


ENGINES: Mapping[str, Callable[[Case], Offer | None]] = {
    "tariff_change": tariff_change,
    "charging_time": charging_time,
    "tier_warning": tier_warning,
    "saving_measure": saving_measure,
    "power_factor": power_factor,
    "demand_capacity": demand_capacity,
    "instalments": instalments,
}
