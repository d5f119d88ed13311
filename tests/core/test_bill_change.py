"""Why a bill differs: small cases counted by hand, and bills that cannot be explained."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from core.account import Account, Meter
from core.bill import Bill, BillLine
from core.bill_basis import BillNotReproduced, basis_of
from core.bill_change import BillChange, bill_change
from core.clock import add_months
from core.tariff import Demand, Registers, Service, TariffBook, charge, service_bounds

Parts = dict[str, Decimal]


def account(plan: str = "hubei.residential.tier", **more: object) -> Account:
    values: dict[str, object] = {
        "id": 1, "account_no": "4200000001", "region": "hubei", "plan_code": plan, "capacity_kva": Decimal(8),
        "large_family_kwh": Decimal(0), "free_kwh": Decimal(0), "opened_on": date(2010, 5, 4), "closed_on": None,
    }  # fmt: skip
    return Account(**(values | more))


def bill(
    book: TariffBook, who: Account, month: date, *, cum: int | None = None, first: date | None = None,
    kvarh: int | None = None, demand: Demand | None = None, plan: str | None = None, late: str | None = None,
    free: int = 0, family: int = 0, **registers: int,
) -> Bill:  # fmt: skip
    """Return a bill as the company would have drawn it up, with the lines that the engine gives."""
    tariff = book.plan(plan or who.plan_code, month)
    usage = Registers(**{name: Decimal(kwh) for name, kwh in registers.items()})
    opened = who.opened_on if who.opened_on.year == month.year else None
    service = Service(opened=opened, large_family_kwh=Decimal(family))
    bounds = service_bounds(book, tariff.code, month.year, service) if tariff.tiered else None
    result = charge(
        tariff, usage, cum_before=Decimal(cum or 0), bounds=bounds, free_kwh=Decimal(free), demand=demand,
        kvarh=None if kvarh is None else Decimal(kvarh),
    )  # fmt: skip
    lines = [
        BillLine(
            seq=number, code=line.code, tier=line.tier, period=line.period, quantity=line.quantity, unit=line.unit,
            unit_price=line.unit_price, amount=line.amount,
        )
        for number, line in enumerate(result.lines, 1)
    ]  # fmt: skip
    if late:
        fee = BillLine(
            seq=99, code="late_fee", quantity=Decimal(100), unit="CNY", unit_price=Decimal("0.01"), amount=Decimal(late)
        )
        lines.append(fee)
    return Bill(
        id=month.month, month=month, period_first=first or month, period_last=add_months(month, 1) - timedelta(days=1),
        kwh=usage.total, sharp_kwh=usage.sharp, peak_kwh=usage.peak, flat_kwh=usage.flat, valley_kwh=usage.valley,
        cum_before=None if cum is None else Decimal(cum), demand_kw=demand.actual_kw if demand else None,
        kvarh=None if kvarh is None else Decimal(kvarh), plan_code=tariff.code, estimated=False,
        amount=result.total + Decimal(late or 0), lines=lines,
    )  # fmt: skip


def parts(change: BillChange) -> Parts:
    return {part.cause: part.amount for part in change.parts}


def yuan(**amounts: str) -> Parts:
    return {name: Decimal(amount) for name, amount in amounts.items()}


def test_more_days_more_use_and_a_dearer_step_by_hand(book: TariffBook) -> None:
    """30 days 150 kWh all in step one; 31 days 300 kWh, of which 190 in step two: 83.70 and 176.90 yuan."""
    who = account()
    old = bill(book, who, date(2026, 9, 1), cum=1900, flat=150)
    new = bill(book, who, date(2026, 10, 1), cum=2050, flat=300)
    change = bill_change(book, account=who, old=old, new=new)
    assert (old.amount, new.amount) == (Decimal("83.70"), Decimal("176.90"))
    # 155 kWh x 0.558 = 86.49; 300 x 0.558 = 167.40; 190 x 0.05 = 9.50.
    assert parts(change) == yuan(days="2.79", use="80.91", tier="9.50")
    assert change.difference == Decimal("93.20")
    assert change.tier == 2


def test_the_new_year_takes_the_steps_back(book: TariffBook) -> None:
    """December wholly in step two, January in step one: 200 x 0.608 and 200 x 0.558, both of 31 days."""
    who = account()
    old = bill(book, who, date(2025, 12, 1), cum=3000, flat=200)
    new = bill(book, who, date(2026, 1, 1), cum=0, flat=200)
    assert parts(bill_change(book, account=who, old=old, new=new)) == yuan(tier="-10.00")


def test_further_kwh_cost_what_the_last_one_did(book: TariffBook) -> None:
    """Both months in step two and 100 kWh more: all of it is use at 0.608, nothing moved to another step."""
    who = account()
    old = bill(book, who, date(2026, 7, 1), cum=2400, flat=200)
    new = bill(book, who, date(2026, 8, 1), cum=2600, flat=300)
    assert parts(bill_change(book, account=who, old=old, new=new)) == yuan(use="60.80")


def test_the_same_bill_again_has_no_parts(book: TariffBook) -> None:
    who = account("hubei.charging.tou")
    old = bill(book, who, date(2026, 7, 1), sharp=10, peak=20, flat=30, valley=200)
    new = bill(book, who, date(2026, 8, 1), sharp=10, peak=20, flat=30, valley=200)
    change = bill_change(book, account=who, old=old, new=new)
    assert (change.parts, change.difference, change.largest(2)) == ((), Decimal(0), [])


def test_charging_in_dear_hours_is_the_mix(book: TariffBook) -> None:
    """100 kWh moved from the valley (0.43) to the peak (0.68): 25 yuan."""
    who = account("hubei.charging.tou")
    old = bill(book, who, date(2026, 7, 1), peak=0, valley=200)
    new = bill(book, who, date(2026, 8, 1), peak=100, valley=100)
    change = bill_change(book, account=who, old=old, new=new)
    assert parts(change) == yuan(mix="25.00")
    assert (change.parts[0].old, change.parts[0].new) == (Decimal(0), Decimal("0.5"))


def test_the_same_plan_at_another_price_is_the_price(book: TariffBook) -> None:
    """Sharp hours cost 1.8 times the floating part in June and 2.0 times in July (0.398113 x 0.2 = 0.0796226)."""
    who = account("hubei.commercial.single.lv.tou")
    old = bill(book, who, date(2025, 10, 1), sharp=1000)
    new = bill(book, who, date(2025, 12, 1), sharp=1000)
    assert parts(bill_change(book, account=who, old=old, new=new)) == yuan(price="79.62")


def test_demand_and_power_factor_of_a_factory_are_apart(book: TariffBook) -> None:
    """400 -> 450 kW at 42 yuan are 2100; the better factor (0.85 -> 0.95) changes 2.5 % penalty to 0.75 % reward."""
    who = account("hubei.industrial.two.10kv", capacity_kva=Decimal(800))
    usage = {"sharp": 5000, "peak": 20000, "flat": 30000, "valley": 25000}

    def of(month: date, kw: int, kvarh: int) -> Bill:
        demand = Demand(Decimal(800), "actual", actual_kw=Decimal(kw))
        return bill(book, who, month, demand=demand, kvarh=kvarh, **usage)

    old, new = of(date(2026, 5, 1), 400, 49580), of(date(2026, 5, 1), 450, 26300)
    change = bill_change(book, account=who, old=old, new=new)
    assert [part.cause for part in change.parts] == ["basic", "power_factor"]
    basic, factor = change.parts
    # The adjustment of 2.5 % is on the basic charge too.
    assert basic.amount == Decimal("2152.50")
    assert (basic.old, basic.new) == (Decimal("16800.00"), Decimal("18900.00"))
    assert (factor.old, factor.new) == (Decimal("0.85"), Decimal("0.95"))
    assert factor.amount < 0
    assert basic.amount + factor.amount == change.difference


def test_the_billed_kva_are_those_of_the_bill(book: TariffBook) -> None:
    """The account has 800 kVA today; the older bill was for 500: 300 x 26.3 = 7890."""
    who = account("hubei.industrial.two.10kv", capacity_kva=Decimal(800))
    old = bill(book, who, date(2026, 3, 1), demand=Demand(Decimal(500)), flat=40000)
    new = bill(book, who, date(2026, 3, 1), demand=Demand(Decimal(800)), flat=40000)
    assert parts(bill_change(book, account=who, old=old, new=new)) == yuan(basic="7890.00")


def test_an_entitlement_to_free_kwh_is_told_by_the_bill(book: TariffBook) -> None:
    """The account has 10 free kWh now, and had none on the older bill: 5.58 yuan less."""
    who = account(free_kwh=Decimal(10))
    old = bill(book, who, date(2026, 7, 1), cum=500, flat=100)
    new = bill(book, who, date(2026, 8, 1), cum=600, flat=100, free=10)
    change = bill_change(book, account=who, old=old, new=new)
    assert parts(change) == yuan(free_quota="-5.58")
    assert (change.parts[0].old, change.parts[0].new) == (Decimal(0), Decimal(10))


def test_an_entitlement_of_a_large_family_moves_the_bounds(book: TariffBook) -> None:
    """At 2400 kWh of the year 200 kWh are step two without, step one with 1200 kWh more: 10 yuan less."""
    who = account(large_family_kwh=Decimal(100))
    old = bill(book, who, date(2026, 7, 1), cum=2400, flat=200)
    new = bill(book, who, date(2026, 8, 1), cum=2600, flat=200, family=100)
    change = bill_change(book, account=who, old=old, new=new)
    assert parts(change) == yuan(large_family="-10.00")
    assert change.difference == Decimal("-10.00")


def test_the_first_part_month_is_told_by_its_days(book: TariffBook) -> None:
    """Opened on 17 March: 15 days of 45 kWh, then 30 days at the same 3 kWh a day."""
    who = account(opened_on=date(2026, 3, 17))
    old = bill(book, who, date(2026, 3, 1), cum=0, first=date(2026, 3, 17), flat=45)
    new = bill(book, who, date(2026, 4, 1), cum=45, flat=90)
    assert parts(bill_change(book, account=who, old=old, new=new)) == yuan(days="25.11")


def test_a_late_fee_on_the_bill_is_a_part_of_its_own(book: TariffBook) -> None:
    who = account()
    old = bill(book, who, date(2026, 7, 1), cum=500, flat=100)
    new = bill(book, who, date(2026, 8, 1), cum=600, flat=100, late="3.21")
    assert parts(bill_change(book, account=who, old=old, new=new)) == yuan(late_fee="3.21")


def test_another_plan_is_one_part_whatever_meters_the_plans_need(book: TariffBook) -> None:
    """From one price (0.58) to hours, all in the valley (0.43) now: 200 x 0.15 = 30 yuan less."""
    who = account("hubei.charging.tou")
    old = bill(book, who, date(2026, 7, 1), plan="hubei.shared_meter", flat=200)
    new = bill(book, who, date(2026, 8, 1), valley=200)
    assert parts(bill_change(book, account=who, old=old, new=new)) == yuan(plan="-30.00")


def test_back_from_hours_to_one_price_is_one_part_too(book: TariffBook) -> None:
    who = account("hubei.shared_meter")
    old = bill(book, who, date(2026, 7, 1), plan="zhejiang.residential.tou_tier", cum=0, peak=100, valley=100)
    new = bill(book, who, date(2026, 8, 1), flat=200)
    change = bill_change(book, account=who, old=old, new=new)
    assert sum(parts(change).values()) == change.difference
    assert set(parts(change)) <= {"plan", "mix"}


def test_from_nothing_used_the_whole_bill_is_use(book: TariffBook) -> None:
    who = account("hubei.charging.tou")
    old = bill(book, who, date(2026, 7, 1))
    new = bill(book, who, date(2026, 8, 1), valley=100, peak=10)
    assert parts(bill_change(book, account=who, old=old, new=new)) == yuan(use="49.80")


def test_the_largest_causes_pull_towards_the_difference(book: TariffBook) -> None:
    who = account("hubei.charging.tou")
    old = bill(book, who, date(2026, 9, 1), peak=100, valley=100)
    new = bill(book, who, date(2026, 10, 1), valley=400)
    change = bill_change(book, account=who, old=old, new=new)
    # 111.00 -> 172.00: 2 x 111 = 222.00 for the use, 50 taken off by the hours.
    assert change.difference == Decimal("61.00")
    assert parts(change) == yuan(days="3.70", use="107.30", mix="-50.00")
    assert [part.cause for part in change.largest(2)] == ["use", "days"]


def test_a_new_meter_within_the_bill_is_told(book: TariffBook) -> None:
    who = account()
    who.meters = [
        Meter(id=1, installed_on=date(2019, 1, 5), removed_on=date(2026, 8, 14)),
        Meter(id=2, installed_on=date(2026, 8, 14)),
    ]
    july = bill(book, who, date(2026, 7, 1), cum=500, flat=100)
    august = bill(book, who, date(2026, 8, 1), cum=600, flat=100)
    september = bill(book, who, date(2026, 9, 1), cum=700, flat=100)
    assert bill_change(book, account=who, old=july, new=august).meter_changed
    assert not bill_change(book, account=who, old=august, new=september).meter_changed


def test_a_bill_that_does_not_come_out_right_is_not_explained(book: TariffBook) -> None:
    who = account()
    old = bill(book, who, date(2026, 7, 1), cum=500, flat=100)
    new = bill(book, who, date(2026, 8, 1), cum=600, flat=100)
    new.amount += Decimal("0.01")
    with pytest.raises(BillNotReproduced) as caught:
        bill_change(book, account=who, old=old, new=new)
    assert (caught.value.bill, caught.value.printed, caught.value.counted) == (new, Decimal("55.81"), Decimal("55.80"))


def test_a_bill_of_a_month_without_a_price_is_not_explained(book: TariffBook) -> None:
    who = account("hubei.charging.tou")
    old = bill(book, who, date(2026, 7, 1), valley=100)
    old.period_first = date(2023, 10, 1)
    with pytest.raises(BillNotReproduced) as caught:
        basis_of(book, who, old)
    assert caught.value.counted is None


def test_a_year_whose_steps_are_not_all_known_is_not_explained(book: TariffBook) -> None:
    who = account()
    june = bill(book, who, date(2026, 6, 1), cum=500, flat=100)
    began_in_may = replace(book.plan("hubei.residential.tier", date(2026, 6, 1)), effective_from=date(2026, 5, 1))
    with pytest.raises(BillNotReproduced):
        basis_of(TariffBook([began_in_may]), who, june)


def test_registers_without_a_price_are_not_explained(book: TariffBook) -> None:
    who = account("zhejiang.residential.tou_tier")
    wrong = bill(book, who, date(2026, 7, 1), cum=0, peak=10, valley=10)
    wrong.flat_kwh = Decimal(5)
    with pytest.raises(BillNotReproduced):
        basis_of(book, who, wrong)
