"""What recommendations bring about: those who were told against those held out, in the full months before and after.

The two groups are drawn by the same rules and looked at equally often; only the message differs. So the difference of
their changes is its effect, with the interval of Welch's t-test. Below a number of customers nothing is concluded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import sqrt
from statistics import NormalDist, fmean, variance

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.account import Account
from core.bill import Bill
from core.clock import SHANGHAI, add_months, first_of_month
from core.payment import Payment
from core.recommend.choosing import HELD_OUT
from core.recommend.rules import Rules
from core.recommend.tables import Recommendation

STEP = 500
# kwh: change of the mean kWh a month (0.1: a tenth more); valley_share: change of the valley's share of all kWh;
# late: change of the bills a month that were not paid in full by their day.
METRICS = ("kwh", "valley_share", "late")


@dataclass(frozen=True)
class Difference:
    """One figure of one kind: means of both groups, their difference and its interval; None: too few to tell."""

    kind: str
    metric: str
    treated_n: int
    held_n: int
    treated: float | None
    held: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def tells(self) -> bool:
        """Tell whether there were enough customers in both groups."""
        return self.difference is not None


@dataclass(frozen=True)
class _Month:
    """What one bill says."""

    kwh: Decimal
    valley: Decimal | None  # None: the meter does not count by the hour
    late: bool | None  # None: prepaid


def effect(
    bridge: Session, billing: Session, rules: Rules, *, until: date, kind: str | None = None
) -> list[Difference]:
    """Return what can be told of each kind (or of one) from the bills of the full months before `until`."""
    query = select(Recommendation.kind, Recommendation.state, Recommendation.account_no, Recommendation.month).order_by(
        Recommendation.id
    )
    asked = query if kind is None else query.where(Recommendation.kind == kind)
    rows = [(row[0], row[1], row[2], row[3]) for row in bridge.execute(asked)]
    found: dict[tuple[str, str, bool], list[float]] = defaultdict(list)
    for start in range(0, len(rows), STEP):
        part = rows[start : start + STEP]
        months = _months(billing, [row[2] for row in part])
        for name, state, account_no, month in part:
            for metric, change in _changes(months.get(account_no, {}), month, rules.effect.months, until):
                found[name, metric, state == HELD_OUT].append(change)
    kinds = list(dict.fromkeys(row[0] for row in rows))
    return [_difference(rules, name, metric, found) for name in kinds for metric in METRICS]


def welch(
    treated: Sequence[float], held: Sequence[float], *, confidence: float
) -> tuple[float, float, float]:  # fmt: skip
    """Return the difference of two means and the bounds of its interval (Welch's t-test; two or more of each)."""
    one, other = variance(treated) / len(treated), variance(held) / len(held)
    difference, error = fmean(treated) - fmean(held), sqrt(one + other)
    if not error:
        return difference, difference, difference
    freedom = (one + other) ** 2 / (one**2 / (len(treated) - 1) + other**2 / (len(held) - 1))
    reach = t_quantile(0.5 + confidence / 2, freedom) * error
    return difference, difference - reach, difference + reach


def t_quantile(share: float, freedom: float) -> float:
    """Return the quantile of Student's t by its expansion about the normal one; to 0.001 from 10 degrees of freedom."""
    z = NormalDist().inv_cdf(share)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def _difference(
    rules: Rules, kind: str, metric: str, found: Mapping[tuple[str, str, bool], list[float]]
) -> Difference:  # fmt: skip
    treated, held = (found.get((kind, metric, out), []) for out in (False, True))
    means = (fmean(group) if group else None for group in (treated, held))
    plain = Difference(kind, metric, len(treated), len(held), *means)
    if min(len(treated), len(held)) < rules.effect.least:
        return plain
    bounds = welch(treated, held, confidence=rules.effect.confidence)
    return Difference(kind, metric, len(treated), len(held), plain.treated, plain.held, *bounds)


def _changes(months: Mapping[date, _Month], month: date, most: int, until: date) -> Iterator[tuple[str, float]]:
    """Yield by metric how one customer changed: as many full months after as before the month of the recommendation."""
    count = 0
    while count < most and add_months(month, count + 1) < first_of_month(until):
        count += 1
    before = [months.get(add_months(month, -place)) for place in range(1, count + 1)]
    after = [months.get(add_months(month, place)) for place in range(1, count + 1)]
    earlier, later = [one for one in before if one], [one for one in after if one]
    if not count or len(earlier) < count or len(later) < count:
        return
    was, now = (sum((one.kwh for one in group), Decimal(0)) for group in (earlier, later))
    if was:
        yield "kwh", float(now / was) - 1
    shares = [_share(group) for group in (earlier, later)]
    if shares[0] is not None and shares[1] is not None:
        yield "valley_share", shares[1] - shares[0]
    if all(one.late is not None for one in (*earlier, *later)):
        yield "late", (sum(bool(one.late) for one in later) - sum(bool(one.late) for one in earlier)) / count


def _share(group: Sequence[_Month]) -> float | None:
    total = sum((one.kwh for one in group), Decimal(0))
    valleys = [one.valley for one in group if one.valley is not None]
    return float(sum(valleys, Decimal(0)) / total) if total and len(valleys) == len(group) else None


def _months(billing: Session, accounts: Sequence[str]) -> dict[str, dict[date, _Month]]:
    """Return what the bills of the present holders of these accounts say, by account and month."""
    query = (
        select(Bill, Account.account_no, Account.prepaid)
        .join(Account, Account.id == Bill.account_id)
        .where(
            Account.account_no.in_(accounts), Account.held_since.is_(None) | (Bill.period_first >= Account.held_since)
        )
    )
    rows = [(row[0], str(row[1]), bool(row[2])) for row in billing.execute(query)]
    paid = _paid_in_time(billing, {bill.id: bill.due_on for bill, _, _ in rows})
    found: dict[str, dict[date, _Month]] = defaultdict(dict)
    for bill, account_no, prepaid in rows:
        by_hour = bill.sharp_kwh + bill.peak_kwh + bill.valley_kwh > 0
        late = None if prepaid else paid.get(bill.id, Decimal(0)) < bill.amount
        found[account_no][bill.month] = _Month(bill.kwh, bill.valley_kwh if by_hour else None, late)
    return found


def _paid_in_time(billing: Session, due: Mapping[int, date]) -> dict[int, Decimal]:
    """Return what was paid of each bill by the end of its day."""
    found: dict[int, Decimal] = defaultdict(Decimal)
    ids = list(due)
    for start in range(0, len(ids), STEP):
        query = select(Payment.bill_id, Payment.paid_at, Payment.amount).where(
            Payment.bill_id.in_(ids[start : start + STEP]), Payment.status == "succeeded"
        )
        for bill_id, paid_at, amount in billing.execute(query):
            if bill_id is not None and paid_at.astimezone(SHANGHAI).date() <= due[bill_id]:
                found[bill_id] += amount
    return found
