"""The rules of household bills one by one, with figures worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from core.tariff import (
    NegativeFigure,
    Plan,
    Registers,
    TariffBook,
    TariffInputError,
    UnpricedRegister,
    break_even_valley_share,
    charge,
    compare_without_tou,
    late_fee,
    settle_on_closing,
    shift_saving,
    tier_position,
    year_bounds,
)

BOOK = TariffBook.load(Path(__file__).parents[2] / "data/tariffs")
JUNE = date(2026, 6, 15)
D = Decimal


def household() -> Plan:
    return BOOK.plan("hubei.residential.tier", JUNE)


def flat(kwh: str) -> Registers:
    return Registers(flat=D(kwh))


@pytest.mark.parametrize(
    ("cum", "kwh", "by_tier", "total"),
    [
        ("2160", "1", ["0", "1", "0"], "0.61"),  # the first kWh above the bound
        ("2000", "161", ["160", "1", "0"], "89.89"),
        ("2000", "3000", ["160", "2640", "200"], "1866.00"),  # through all three
        ("4800", "0.01", ["0", "0", "0.01"], "0.01"),
        ("0", "0", ["0", "0", "0"], "0.00"),
        ("0", "123.45", ["123.45", "0", "0"], "68.89"),  # 68.8851
        ("0", "12.5", ["12.5", "0", "0"], "6.98"),  # 6.975 goes up
    ],
)
def test_only_the_kwh_above_a_bound_cost_more(cum: str, kwh: str, by_tier: list[str], total: str) -> None:
    bill = charge(household(), flat(kwh), cum_before=D(cum))

    assert [D(each) for each in by_tier] == list(bill.tier_kwh)
    assert D(total) == bill.total
    assert D(cum) + D(kwh) == bill.cum_after


def test_lines_without_kwh_are_not_printed() -> None:
    assert [line.tier for line in charge(household(), flat("10"), cum_before=D(2160)).lines] == [2]
    assert charge(household(), flat("0")).lines == ()


def test_large_family_of_half_a_year_gets_half_of_the_extension() -> None:
    bounds = year_bounds(household(), large_family_kwh=D(100), large_family_months=6)

    assert (D(2760), D(5400)) == bounds


def test_region_may_extend_the_first_bound_only() -> None:
    bounds = year_bounds(household(), large_family_kwh=D(100), extend="first_only")
    same_as_data = year_bounds(replace(household(), large_family_extends="first_only"), large_family_kwh=D(100))

    assert (D(3360), D(4800)) == bounds == same_as_data


def test_first_bound_never_passes_the_second() -> None:
    assert (D(6960), D(6960)) == year_bounds(household(), large_family_kwh=D(400), extend="first_only")


def test_free_kwh_are_worth_the_first_tier_price_even_in_the_third_tier() -> None:
    bill = charge(household(), flat("100"), cum_before=D(5000), free_kwh=D(10))

    assert D("80.22") == bill.total  # 85.80 - 5.58
    assert D("-5.58") == bill.amount("free_quota")


def test_free_kwh_above_the_usage_bring_the_bill_to_zero_and_not_below() -> None:
    bill = charge(household(), flat("6"), free_kwh=D(10))

    assert D("0.00") == bill.total
    assert D(6) == bill.lines[-1].quantity


def test_free_kwh_of_a_shared_meter_have_its_own_price() -> None:
    bill = charge(BOOK.plan("hubei.shared_meter", JUNE), flat("50"), free_kwh=D(10))

    assert D("23.20") == bill.total


def test_free_kwh_are_refused_outside_households() -> None:
    with pytest.raises(TariffInputError, match="not for households"):
        charge(BOOK.plan("hubei.agricultural.demo", JUNE), flat("50"), free_kwh=D(10))


def test_closing_in_august_bills_the_year_again_with_eight_months_of_bounds() -> None:
    whole_year = charge(household(), flat("2000"))  # 2000 kWh, all tier 1 with twelve months: 1116.00

    result = settle_on_closing(household(), [flat("2000")], billed=whole_year.total, months_in_service=8)

    assert (D(1440), D(3200)) == result.bounds
    assert D("1144.00") == result.recalculated  # 1440 x 0.558 + 560 x 0.608
    assert D("28.00") == result.difference


def test_closing_bill_by_bill_carries_the_cumulative_kwh() -> None:
    bills = [flat("700"), flat("700"), flat("600")]

    result = settle_on_closing(household(), bills, billed=D("1116.00"), months_in_service=8)

    assert [D("390.60"), D("390.60"), D("362.80")] == [bill.total for bill in result.charges]
    assert D("28.00") == result.difference


def test_position_tells_the_price_of_the_next_kwh_and_what_is_left() -> None:
    below, at_bound = tier_position(household(), D(2100)), tier_position(household(), D(2160))

    assert (1, D("0.558"), D(60)) == (below.tier, below.price, below.remaining)
    assert (2, D("0.608"), D(2640)) == (at_bound.tier, at_bound.price, at_bound.remaining)
    assert tier_position(household(), D(9000)).remaining is None


def test_shared_meter_above_one_kv_costs_one_fen_less() -> None:
    assert D("769.50") == charge(BOOK.plan("hubei.shared_meter.10kv", JUNE), flat("1350")).total


def test_flat_plan_takes_the_sum_of_all_registers() -> None:
    usage = Registers(sharp=D(1), peak=D(2), flat=D(3), valley=D(4))

    assert D("5.80") == charge(BOOK.plan("hubei.shared_meter", JUNE), usage).total


def test_both_forms_of_peak_valley_with_tiers_agree() -> None:
    plan = BOOK.plan("zhejiang.residential.tou_tier", JUNE)
    usage = Registers(peak=D(300), valley=D(200))
    bill = charge(plan, usage, cum_before=D(2500))  # 260 kWh tier 1, 240 kWh tier 2

    by_shares = sum(D(share) * price for share, price in [
        ("156", D("0.568")), ("104", D("0.288")), ("144", D("0.618")), ("96", D("0.338")),
    ])  # fmt: skip

    assert by_shares == bill.total == D("240.00")
    assert not bill.estimated


def test_surcharges_that_differ_by_period_are_spread_and_said_to_be_estimated() -> None:
    plan = replace(
        BOOK.plan("zhejiang.residential.tou_tier", JUNE),
        per_tier_surcharge=(),
        surcharge_by_period={"peak": (D(0), D("0.10"), D("0.40")), "valley": (D(0), D("0.02"), D("0.10"))},
    )

    bill = charge(plan, Registers(peak=D(300), valley=D(100)), cum_before=D(2560))

    assert (D("15.00"), D("1.00")) == (  # 200 kWh of tier 2: 150 at the peak, 50 in the valley
        bill.amount("tier_surcharge", period="peak"),
        bill.amount("tier_surcharge", period="valley"),
    )
    assert bill.estimated


def test_peak_valley_is_compared_with_the_plain_tiers() -> None:
    plan = BOOK.plan("zhejiang.residential.tou_tier", JUNE)
    result = compare_without_tou(BOOK, plan, Registers(peak=D(150), valley=D(110)), on=JUNE)

    assert D("23.00") == result.saving  # 139.88 - 116.88
    share = break_even_valley_share(plan, BOOK.plan("zhejiang.residential.tier", JUNE))
    assert D("0.1071") == round(share, 4)


def test_plan_without_an_alternative_cannot_be_compared() -> None:
    with pytest.raises(TariffInputError):
        compare_without_tou(BOOK, household(), flat("1"), on=JUNE)


def test_moving_charging_from_evening_to_night_saves_the_price_difference() -> None:
    plan = BOOK.plan("hubei.charging.tou", date(2024, 6, 1))

    assert D("50.00") == shift_saving(plan, D(200), "peak", "valley")
    assert D("-20.00") == shift_saving(plan, D(200), "peak", "sharp")


def test_kwh_in_a_register_without_a_price_are_an_error() -> None:
    with pytest.raises(UnpricedRegister) as caught:
        charge(BOOK.plan("zhejiang.residential.tou_tier", JUNE), flat("10"))
    assert caught.value.field == "flat"


def test_impossible_figures_are_refused_by_name() -> None:
    with pytest.raises(NegativeFigure) as caught:
        Registers(peak=D(-1))
    assert caught.value.field == "peak"
    with pytest.raises(TariffInputError, match="not a float"):
        Registers(flat=1.5)  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(TariffInputError, match="finite"):
        Registers(flat=D("NaN"))
    with pytest.raises(NegativeFigure):
        charge(household(), flat("1"), cum_before=D(-1))
    with pytest.raises(TariffInputError, match="1 to 12"):
        charge(household(), flat("1"), months_in_service=13)
    with pytest.raises(NegativeFigure):
        late_fee(D(-5), due=JUNE, paid_on=JUNE, residential=True)
