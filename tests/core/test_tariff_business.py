"""Hours, basic charge, power factor and late fees, with figures worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from core.tariff import (
    Demand,
    MissingDemand,
    Plan,
    Registers,
    TariffBook,
    TariffInputError,
    break_even_ratio,
    charge,
    compensation_kvar,
    late_fee,
    period_of,
    power_factor,
    power_factor_rate,
    storage_cycle_yuan,
)

BOOK = TariffBook.load(Path(__file__).parents[2] / "data/tariffs")
JANUARY, JUNE = date(2026, 1, 15), date(2026, 6, 15)
D = Decimal


def two_part(voltage: str = "35kv") -> Plan:
    return BOOK.plan(f"hubei.industrial.two.{voltage}", JANUARY)


def household() -> Plan:
    return BOOK.plan("hubei.residential.tier", JUNE)


def flat(kwh: str) -> Registers:
    return Registers(flat=D(kwh))


@pytest.mark.parametrize(
    ("clock", "period"),
    [
        ("2026-01-10T18:00", "sharp"),
        ("2026-01-10T19:59", "sharp"),
        ("2026-01-10T20:00", "peak"),
        ("2026-07-10T18:00", "peak"),
        ("2026-07-10T20:00", "sharp"),
        ("2026-08-31T22:00", "peak"),
        ("2026-07-10T12:30", "valley"),
        ("2026-07-10T15:59", "flat"),
        ("2026-07-10T00:00", "valley"),
    ],
)
def test_hours_of_business_follow_the_season(clock: str, period: str) -> None:
    assert period == period_of(two_part(), datetime.fromisoformat(clock))


def test_valley_of_charging_passes_midnight_and_utc_is_read_in_shanghai() -> None:
    plan = BOOK.plan("hubei.charging.tou", date(2026, 6, 1))

    assert period_of(plan, datetime(2026, 6, 1, 23, 30)) == "valley"
    assert period_of(plan, datetime(2026, 6, 1, 6, 59)) == "valley"
    assert period_of(plan, datetime(2026, 6, 1, 12, 30, tzinfo=UTC)) == "sharp"  # 20:30 in Shanghai
    assert period_of(household(), datetime(2026, 6, 1, 21, 0)) == "flat"


def test_capacity_is_billed_by_kva() -> None:
    bill = charge(two_part(), Registers(flat=D(1000)), demand=Demand(D(1000)))

    assert D("26300.00") == bill.amount("basic")


def test_contract_below_forty_percent_is_billed_at_forty_percent() -> None:
    demand = Demand(D(1000), "contract", actual_kw=D(280), contract_kw=D(300))

    assert D("16800.00") == charge(two_part(), Registers(), demand=demand).amount("basic")


def test_excess_over_the_contract_is_a_line_of_its_own_at_double_price() -> None:
    demand = Demand(D(1000), "contract", actual_kw=D(540), contract_kw=D(500))
    bill = charge(two_part(), Registers(), demand=demand)

    assert [(D(500), D(42)), (D(15), D(84))] == [(line.quantity, line.unit_price) for line in bill.lines]


@pytest.mark.parametrize(("kwh", "price"), [("259999", "39"), ("260000", "35.1")])
def test_well_used_transformer_gets_the_demand_price_at_ninety_percent(kwh: str, price: str) -> None:
    bill = charge(two_part("110kv"), flat(kwh), demand=Demand(D(1000), "actual", D(600)))

    assert D(price) == bill.lines[-1].unit_price


def test_discount_touches_the_demand_price_only() -> None:
    assert D("26300.00") == charge(two_part(), flat("300000"), demand=Demand(D(1000))).amount("basic")


def test_customer_of_half_a_month_pays_half_of_the_basic_charge() -> None:
    by_kva, by_kw = Demand(D(1000), days=15), Demand(D(1000), "actual", D(600), days=15)

    assert D("13150.00") == charge(two_part(), Registers(), demand=by_kva).total
    assert D("12600.00") == charge(two_part(), Registers(), demand=by_kw).total


def test_paused_transformer_is_not_billed_from_the_day_it_is_sealed() -> None:
    demand = Demand(D(1000), paused_kva=D(400), paused_days=15)

    assert D("21040.00") == charge(two_part(), Registers(), demand=demand).total  # 800 kVA on average


def test_break_even_ratio_of_demand_and_capacity_is_known() -> None:
    rule = two_part().basic
    assert rule is not None

    assert (D("0.626"), D("0.696")) == (
        round(break_even_ratio(rule), 3),
        round(break_even_ratio(rule, discounted=True), 3),
    )


def test_two_part_plan_without_demand_is_an_error() -> None:
    with pytest.raises(MissingDemand):
        charge(two_part(), flat("10"))
    with pytest.raises(MissingDemand):
        Demand(D(1000), "contract", actual_kw=D(10))


def test_bad_power_factor_costs_a_share_of_energy_and_basic_without_funds() -> None:
    bill = charge(two_part("110kv"), flat("100000"), demand=Demand(D(1000)), kvarh=D(69800))
    line = bill.lines[-1]

    assert D("81278.60") == line.quantity  # 61398.60 + 24400.00 - 4520.00
    assert (D("0.04"), D("3251.14")) == (line.unit_price, line.amount)  # PF 0.82


@pytest.mark.parametrize(("kva", "rate"), [(161, "0.05"), (160, "0.025"), (100, "0.025"), (99, None)])
def test_capacity_decides_on_the_power_factor_standard(kva: int, rate: str | None) -> None:
    bill = charge(two_part("10kv"), flat("800"), demand=Demand(D(kva)), kvarh=D(600))  # PF 0.80
    rates = [line.unit_price for line in bill.lines if line.code == "power_factor"]

    assert ([] if rate is None else [D(rate)]) == rates


def test_power_factor_is_rounded_half_up_before_the_table() -> None:
    assert D("0.93") == power_factor(D(250000), D(100000))
    assert D("1.00") == power_factor(D(10), D(0))
    assert D("-0.0045") == power_factor_rate(D("0.934"), D("0.90"))
    with pytest.raises(TariffInputError):
        power_factor(D(0), D(0))
    with pytest.raises(TariffInputError):
        power_factor_rate(D("0.9"), D("0.95"))


def test_compensation_to_reach_a_better_factor() -> None:
    assert D(222) == round(compensation_kvar(D(600), D("0.82"), D("0.95")))
    assert D(0) == compensation_kvar(D(600), D("0.96"), D("0.95"))


def test_storage_earns_the_spread_less_its_losses() -> None:
    assert D("480.00") == storage_cycle_yuan(D(900), D("0.9"), D("0.42"), D("1.00"))  # 900.00 - 420.00


@pytest.mark.parametrize(
    ("amount", "due", "paid", "residential", "days", "total"),
    [
        ("186.40", date(2026, 3, 31), date(2026, 3, 31), True, (0, 0), "0.00"),
        ("186.40", date(2026, 3, 31), date(2026, 3, 1), True, (0, 0), "0.00"),
        ("186.40", date(2025, 12, 20), date(2026, 1, 10), True, (11, 10), "3.91"),
        ("10000", date(2025, 12, 20), date(2026, 1, 10), False, (11, 10), "520.00"),
        ("10000", date(2025, 12, 31), date(2026, 1, 1), False, (0, 1), "30.00"),
    ],
)
def test_late_fee_grows_by_the_day_and_dearer_after_new_year(
    amount: str, due: date, paid: date, residential: bool, days: tuple[int, int], total: str
) -> None:
    fee = late_fee(D(amount), due=due, paid_on=paid, residential=residential)

    assert days == (fee.days_this_year, fee.days_after_year)
    assert sum(days) == fee.days
    assert D(total) == fee.total == fee.line.amount


def test_minimum_late_fee_counts_only_when_late() -> None:
    late = late_fee(D("12"), due=JUNE, paid_on=date(2026, 6, 20), residential=True, minimum=D(1))
    in_time = late_fee(D("12"), due=JUNE, paid_on=JUNE, residential=True, minimum=D(1))

    assert (D("1.00"), D("0.00")) == (late.total, in_time.total)
