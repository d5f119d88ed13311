"""What holds for every bill, whatever the usage."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tariff import (
    Demand,
    Plan,
    Registers,
    TariffBook,
    charge,
    late_fee,
    power_factor_rate,
    split_by_days,
)
from core.tariff.numbers import money

BOOK = TariffBook.load(Path(__file__).parents[2] / "data/tariffs")
JUNE = date(2026, 6, 15)
CENT = Decimal("0.01")
TIERED = [BOOK.plan("hubei.residential.tier", JUNE), BOOK.plan("zhejiang.residential.tou_tier", JUNE)]
PLANS = BOOK.plans(on=JUNE)

kwh = st.decimals(min_value=0, max_value=20000, places=2)
whole_kwh = st.integers(min_value=0, max_value=20000).map(Decimal)


def usage_for(plan: Plan, first: Decimal, second: Decimal) -> Registers:
    """Put two figures into two registers that the plan has prices for."""
    low = "valley" if "valley" in plan.prices else "flat"
    return Registers(**{low: first, "peak": second})


def bill_of(plan: Plan, usage: Registers, cum: Decimal = Decimal(0)) -> Decimal:
    demand = Demand(Decimal(1000), "actual", Decimal(600)) if plan.basic else None
    result = charge(plan, usage, cum_before=cum, demand=demand)
    assert result.total == sum((line.amount for line in result.lines), Decimal(0))
    assert all(line.amount == money(line.quantity * line.unit_price) for line in result.lines)
    return result.total


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.code)
@given(first=kwh, second=kwh, cum=kwh)
def test_lines_add_up_to_the_total(plan: Plan, first: Decimal, second: Decimal, cum: Decimal) -> None:
    assert bill_of(plan, usage_for(plan, first, second), cum) >= 0


@pytest.mark.parametrize("plan", [plan for plan in PLANS if not plan.basic], ids=lambda plan: plan.code)
@given(first=kwh, second=kwh, more=kwh, cum=kwh)
def test_more_kwh_never_cost_less(plan: Plan, first: Decimal, second: Decimal, more: Decimal, cum: Decimal) -> None:
    # A fen of rounding may fall either way when a new line begins, so allow one for each line.
    small = bill_of(plan, usage_for(plan, first, second), cum)
    large = bill_of(plan, usage_for(plan, first + more, second), cum)

    assert large >= small - 3 * CENT


@pytest.mark.parametrize("plan", TIERED, ids=lambda plan: plan.code)
@given(first=kwh, second=kwh, cum=kwh, months=st.integers(1, 12), extra=st.integers(0, 300))
def test_kwh_by_tier_sum_to_the_usage(
    plan: Plan, first: Decimal, second: Decimal, cum: Decimal, months: int, extra: int
) -> None:
    usage = usage_for(plan, first, second)
    bill = charge(plan, usage, cum_before=cum, months_in_service=months, large_family_kwh=Decimal(extra))

    assert usage.total == sum(bill.tier_kwh)
    assert min(bill.tier_kwh) >= 0
    assert cum + usage.total == bill.cum_after


@pytest.mark.parametrize("plan", TIERED, ids=lambda plan: plan.code)
@given(first=whole_kwh, second=whole_kwh, cum=whole_kwh)
def test_two_bills_with_the_cumulative_carried_equal_one_within_rounding(
    plan: Plan, first: Decimal, second: Decimal, cum: Decimal
) -> None:
    early, late = usage_for(plan, first, Decimal(0)), usage_for(plan, second, Decimal(0))
    one = bill_of(plan, usage_for(plan, first + second, Decimal(0)), cum)
    two = bill_of(plan, early, cum) + bill_of(plan, late, cum + early.total)

    assert abs(one - two) <= 4 * CENT


@given(free=kwh, used=kwh, cum=kwh)
def test_free_kwh_never_make_a_bill_negative(free: Decimal, used: Decimal, cum: Decimal) -> None:
    for plan in TIERED:
        bill = charge(plan, usage_for(plan, used, Decimal(0)), cum_before=cum, free_kwh=free)
        assert bill.total >= 0


@given(total=kwh, days=st.lists(st.integers(0, 62), min_size=1, max_size=5).filter(sum))
def test_days_share_out_all_kwh_and_nothing_negative(total: Decimal, days: list[int]) -> None:
    parts = split_by_days(total, days)

    assert total == sum(parts)
    assert len(days) == len(parts)
    assert min(parts) >= 0


@given(pf=st.integers(0, 99), standard=st.sampled_from(["0.90", "0.85", "0.80"]))
def test_better_power_factor_never_costs_more(pf: int, standard: str) -> None:
    worse, better = Decimal(pf) / 100, Decimal(pf + 1) / 100

    assert power_factor_rate(better, Decimal(standard)) <= power_factor_rate(worse, Decimal(standard))


@given(
    amount=st.decimals(min_value=0, max_value=100000, places=2),
    due=st.dates(date(2024, 1, 1), date(2027, 12, 31)),
    late_days=st.integers(-30, 800),
    residential=st.booleans(),
)
def test_late_days_are_counted_once(amount: Decimal, due: date, late_days: int, residential: bool) -> None:
    paid_on = date.fromordinal(due.toordinal() + late_days)
    fee = late_fee(amount, due=due, paid_on=paid_on, residential=residential)

    assert max(0, late_days) == fee.days
    assert min(fee.days_this_year, fee.days_after_year) >= 0
    assert money(amount * fee.rate) == fee.total
