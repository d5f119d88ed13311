"""Bills that pass a new year, a change of price or of the account."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from core.tariff import (
    NegativeFigure,
    NoPlanInForce,
    Plan,
    Registers,
    Service,
    TariffBook,
    TariffInputError,
    Tier,
    charge_span,
    months_in_service,
    service_bounds,
    split_by_days,
    split_registers,
)

BOOK = TariffBook.load(Path(__file__).parents[2] / "data/tariffs")
CODE = "hubei.residential.tier"
D = Decimal


def flat(kwh: int) -> Registers:
    return Registers(flat=D(kwh))


def changing_book(*, uppers: tuple[int, int] = (2160, 4800)) -> TariffBook:
    """A book whose prices fall by two fen on 1 July 2026, with other bounds if wanted."""
    plan: Plan = BOOK.plan(CODE, date(2026, 6, 1))
    bounds = (D(uppers[0]), D(uppers[1]), None)
    cheaper = tuple(Tier(upper, tier.price - D("0.02")) for upper, tier in zip(bounds, plan.tiers, strict=True))
    return TariffBook(
        [
            replace(plan, effective_to=date(2026, 6, 30)),
            replace(plan, effective_from=date(2026, 7, 1), tiers=cheaper),
        ]
    )


def test_split_rounds_half_up_and_the_last_part_takes_the_rest() -> None:
    assert (D(154), D(406)) == split_by_days(D(560), [17, 45])
    assert (D(1), D(0)) == split_by_days(D(1), [15, 15])
    assert (D(3), D(4), D(3)) == split_by_days(D(10), [10, 10, 10])
    assert (D(154), D("406.25")) == split_by_days(D("560.25"), [17, 45])
    assert (D("0.6"), D(0)) == split_by_days(D("0.6"), [29, 1])


@pytest.mark.parametrize("days", [[], [0, 0], [-1, 31]])
def test_split_without_days_is_refused(days: list[int]) -> None:
    with pytest.raises(TariffInputError):
        split_by_days(D(10), days)


def test_registers_are_split_one_by_one() -> None:
    parts = split_registers(Registers(peak=D(31), valley=D(11)), [10, 20])

    assert (Registers(peak=D(10), valley=D(4)), Registers(peak=D(21), valley=D(7))) == parts


def test_price_change_with_a_reading_keeps_the_tiers_of_the_year() -> None:
    bill = charge_span(
        changing_book(),
        CODE,
        flat(200),
        first=date(2026, 6, 16),
        last=date(2026, 7, 15),
        cum_before=D(2080),
        readings={date(2026, 7, 1): flat(120)},
    )

    assert [D("68.96"), D("47.04")] == [part.charge.total for part in bill.parts]  # 80/40 kWh, then 80 at 0.588
    assert (D("116.00"), D(2280), False) == (bill.total, bill.cum_after, bill.estimated)


def test_change_of_bounds_gives_the_sum_of_the_monthly_bounds() -> None:
    book = changing_book(uppers=(2400, 6000))

    assert (D(2280), D(5400)) == service_bounds(book, CODE, 2026, Service())


def test_bill_inside_one_plan_has_one_part() -> None:
    bill = charge_span(BOOK, CODE, flat(100), first=date(2026, 3, 1), last=date(2026, 3, 31))

    assert (1, D("55.80"), False) == (len(bill.parts), bill.total, bill.estimated)


def test_season_of_business_prices_cuts_a_bill_too() -> None:
    bill = charge_span(
        BOOK,
        "hubei.commercial.single.lv.tou",
        Registers(sharp=D(61)),
        first=date(2026, 6, 1),
        last=date(2026, 7, 31),
    )

    assert [D("1.054376"), D("1.133999")] == [part.plan.prices["sharp"] for part in bill.parts]
    assert (D("66.78"), None) == (bill.total, bill.cum_after)  # 30 kWh 31.63, 31 kWh 35.15
    assert bill.estimated


def test_free_kwh_are_given_once_over_the_new_year() -> None:
    bill = charge_span(
        BOOK,
        CODE,
        flat(60),
        first=date(2025, 12, 1),
        last=date(2026, 1, 31),
        readings={date(2026, 1, 1): flat(4)},
        service=Service(free_kwh=D(10)),
    )

    assert [D("-2.23"), D("-3.35")] == [part.charge.amount("free_quota") for part in bill.parts]


def test_meter_that_would_run_backwards_is_refused() -> None:
    with pytest.raises(NegativeFigure):
        charge_span(
            BOOK,
            CODE,
            flat(10),
            first=date(2025, 12, 1),
            last=date(2026, 1, 31),
            readings={date(2026, 1, 1): flat(11)},
        )


def test_days_without_a_plan_are_refused() -> None:
    with pytest.raises(NoPlanInForce, match=r"hubei\.residential\.tier in force on 2012-06-01"):
        charge_span(BOOK, CODE, flat(10), first=date(2012, 6, 1), last=date(2012, 7, 31))
    with pytest.raises(TariffInputError):
        charge_span(BOOK, CODE, flat(10), first=date(2026, 6, 2), last=date(2026, 6, 1))


@pytest.mark.parametrize(
    ("opened", "closed", "months"),
    [
        (None, None, 12),
        (date(2026, 5, 31), None, 8),
        (date(2026, 12, 31), None, 1),
        (None, date(2026, 8, 1), 8),
        (date(2026, 3, 10), date(2026, 3, 20), 1),
        (date(2027, 1, 1), None, 0),
        (None, date(2025, 12, 31), 0),
        (date(2020, 6, 1), date(2030, 1, 1), 12),
    ],
)
def test_part_month_of_service_counts_as_a_whole_one(opened: date | None, closed: date | None, months: int) -> None:
    assert months == months_in_service(2026, opened=opened, closed=closed)


def test_large_family_counts_from_the_month_it_takes_effect() -> None:
    family = Service(large_family_kwh=D(100), large_family_since=date(2026, 7, 1))
    newcomer = Service(opened=date(2026, 9, 9), large_family_kwh=D(100), large_family_since=date(2026, 7, 1))

    assert (D(2760), D(5400)) == service_bounds(BOOK, CODE, 2026, family)
    assert (D(1120), D(2000)) == service_bounds(BOOK, CODE, 2026, newcomer)


def test_year_without_service_has_no_bounds() -> None:
    with pytest.raises(TariffInputError, match="no service in 2025"):
        service_bounds(BOOK, CODE, 2025, Service(opened=date(2026, 1, 1)))
