"""Every worked bill of tests/data/tariff_vectors.json, to the fen; a vector without a check fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.tariff import (
    Charge,
    Demand,
    Plan,
    Registers,
    Service,
    TariffBook,
    Tier,
    charge,
    charge_span,
    compare_without_tou,
    late_fee,
    power_factor_rate,
    saved_yuan,
    service_bounds,
    setback_kwh,
    split_by_days,
    used_kwh,
    year_bounds,
)
from core.tariff.numbers import CENT, money, round_to

ROOT = Path(__file__).parents[2]
VECTORS = {each["id"]: each for each in json.loads((ROOT / "tests/data/tariff_vectors.json").read_text("utf-8"))}
BOOK = TariffBook.load(ROOT / "data/tariffs")
JANUARY = date(2026, 1, 15)
JUNE = date(2026, 6, 15)

Check = Callable[[dict[str, Any], dict[str, Any]], None]
CHECKS: dict[str, Check] = {}


def checks(*ids: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        CHECKS.update(dict.fromkeys(ids, check))
        return check

    return register


@pytest.mark.parametrize("vector_id", VECTORS)
def test_vector_is_met_to_the_fen(vector_id: str) -> None:
    assert vector_id in CHECKS, f"no check for {vector_id}"
    CHECKS[vector_id](VECTORS[vector_id]["inputs"], VECTORS[vector_id]["out"])


def household() -> Plan:
    return BOOK.plan("hubei.residential.tier", JUNE)


def as_tier_vector(bill: Charge) -> dict[str, Any]:
    """Bring a tiered bill into the shape of the vectors, which print empty tiers too."""
    return {
        "kwh": [str(kwh) for kwh in bill.tier_kwh],
        "lines": [str(bill.amount("tier", tier=number)) for number in (1, 2, 3)],
        "free": str(abs(bill.amount("free_quota"))),
        "total": str(bill.total),
        "cum": str(bill.cum_after),
    }


def periods_of(bill: Charge, periods: Any) -> dict[str, str]:
    return {period: str(bill.amount("period", period=period)) for period in periods}


def flat(kwh: int | str) -> Registers:
    return Registers(flat=Decimal(kwh))


@checks("R01", "R02", "R04", "R06", "R18")
def tiered_bill(given: dict[str, Any], out: dict[str, Any]) -> None:
    bill = charge(
        household(), flat(given["q"]), cum_before=Decimal(given["c0"]), free_kwh=Decimal(given.get("free", 0))
    )
    assert as_tier_vector(bill) == out


@checks("R09")
def twelve_bills(given: dict[str, Any], out: dict[str, Any]) -> None:
    cum, rows = Decimal(0), []
    for month, kwh in enumerate(given["months"], 1):
        bill = charge(household(), flat(kwh), cum_before=cum)
        cum += kwh
        rows.append([month, kwh, [str(each) for each in bill.tier_kwh], str(bill.total), str(bill.cum_after)])
    assert rows == out["rows"]
    assert str(sum(Decimal(row[3]) for row in rows)) == out["total"]
    assert str(charge(household(), flat(sum(given["months"]))).total) == out["one_shot"]


@checks("R10")
def new_year_with_a_reading(given: dict[str, Any], out: dict[str, Any]) -> None:
    (cum, december), (_, january) = given["dec"], given["jan"]
    bill = charge_span(
        BOOK,
        "hubei.residential.tier",
        flat(december + january),
        first=date(2025, 12, 1),
        last=date(2026, 1, 31),
        cum_before=Decimal(cum),
        readings={date(2026, 1, 1): flat(december)},
    )
    assert [as_tier_vector(part.charge) for part in bill.parts] == [out["dec"], out["jan"]]
    assert not bill.estimated


@checks("R11")
def new_year_without_a_reading(given: dict[str, Any], out: dict[str, Any]) -> None:
    bill = charge_span(
        BOOK,
        "hubei.residential.tier",
        flat(given["q"]),
        first=date(2025, 12, 15),
        last=date(2026, 2, 14),
        cum_before=Decimal(given["c0"]),
    )
    assert [(part.last - part.first).days + 1 for part in bill.parts] == given["days"]
    assert [str(part.usage.total) for part in bill.parts] == [out["q2025"], out["q2026"]]
    assert [as_tier_vector(part.charge) for part in bill.parts] == [out["part2025"], out["part2026"]]
    assert str(bill.total) == out["total"]
    assert bill.estimated


@checks("R13")
def price_change_without_a_reading(given: dict[str, Any], out: dict[str, Any]) -> None:
    # The vector's change is hypothetical; its new tier-2 price of 0.588 follows from its second part.
    old, new = changed_prices()
    bill = charge_span(
        TariffBook([old, new]),
        old.code,
        flat(given["q"]),
        first=date(2026, 6, 16),
        last=date(2026, 7, 15),
        cum_before=Decimal(given["c0"]),
    )
    assert split_by_days(Decimal(given["q"]), given["days"])[0] == Decimal(out["q_before"])
    assert [as_tier_vector(part.charge) for part in bill.parts] == [out["before"], out["after"]]
    assert str(bill.total) == out["total"]


def changed_prices() -> tuple[Plan, Plan]:
    cheaper = tuple(Tier(tier.upper, tier.price - Decimal("0.02")) for tier in household().tiers)
    return (
        replace(household(), effective_to=date(2026, 6, 30)),
        replace(household(), effective_from=date(2026, 7, 1), tiers=cheaper),
    )


@checks("R14")
def opened_in_may(given: dict[str, Any], out: dict[str, Any]) -> None:
    bounds = service_bounds(BOOK, "hubei.residential.tier", 2026, Service(opened=date(2026, 5, 20)))
    assert [Decimal(bound) for bound in out["bounds"]] == list(bounds)
    bill = charge(household(), flat(given["q"]), cum_before=Decimal(given["c0"]), months_in_service=given["months"])
    assert as_tier_vector(bill) == out["bill"]


@checks("R16")
def large_family(given: dict[str, Any], out: dict[str, Any]) -> None:
    cum, hundred = Decimal(given["c0"]), Decimal(100)
    bounds = year_bounds(household(), large_family_kwh=hundred)
    assert [Decimal(bound) for bound in out["bounds"]] == list(bounds)
    bill = charge(household(), flat(given["q"]), cum_before=cum, large_family_kwh=hundred)
    assert as_tier_vector(bill) == out["bill"]
    assert str(charge(household(), flat(given["q"]), cum_before=cum).total) == out["without"]


@checks("R20")
def shared_meter(given: dict[str, Any], out: dict[str, Any]) -> None:
    assert str(charge(BOOK.plan("hubei.shared_meter", JUNE), flat(given["q"])).total) == out["total"]


@checks("E01", "E02")
def charging_pile(given: dict[str, Any], out: dict[str, Any]) -> None:
    usage = Registers(**{period: Decimal(kwh) for period, kwh in given.items()})
    on = date(2024, 6, 15)
    result = compare_without_tou(BOOK, BOOK.plan("hubei.charging.tou", on), usage, on=on)
    assert periods_of(result.chosen, out["lines"]) == out["lines"]
    assert str(result.chosen.total) == out["total"]
    assert str(result.other.total) == out["without_tou"]
    assert str(result.saving) == out["saving"]


@checks("Z01", "Z03")
def peak_valley_with_tiers(given: dict[str, Any], out: dict[str, Any]) -> None:
    usage = Registers(peak=Decimal(given["peak"]), valley=Decimal(given["valley"]))
    plan = BOOK.plan("zhejiang.residential.tou_tier", JUNE)
    bill = charge(plan, usage, cum_before=Decimal(given["c0"]))
    assert [str(kwh) for kwh in bill.tier_kwh] == out["kwh"]
    assert periods_of(bill, out["lines"]) == out["lines"]
    assert str(bill.amount("tier_surcharge", tier=2)) == out["s2"]
    assert str(bill.amount("tier_surcharge", tier=3)) == out["s3"]
    assert str(bill.total) == out["total"]


@checks("P01")
def late_resident(_: dict[str, Any], out: dict[str, Any]) -> None:
    fee = late_fee(Decimal("186.40"), due=date(2026, 3, 31), paid_on=date(2026, 4, 10), residential=True)
    assert {"days": fee.days, "d_this": fee.days_this_year, "total": str(fee.total)} == out


@checks("P03")
def late_company(_: dict[str, Any], out: dict[str, Any]) -> None:
    fee = late_fee(Decimal("12800.00"), due=date(2026, 3, 15), paid_on=date(2026, 4, 4), residential=False)
    assert fee.days == out["days"]
    assert (fee.days_this_year, fee.days_after_year) == (out["d_this"], out["d_cross"])
    assert str(fee.total) == out["total"]


# The title of I01 gives all figures; registers, kvarh and 640 kW of I03 follow from its own lines.
INDUSTRIAL = {
    "I01": (Registers(*map(Decimal, (20000, 60000, 90000, 80000))), Decimal(620), Decimal(100000)),
    "I03": (Registers(*map(Decimal, (22000, 66000, 100000, 92000))), Decimal(640), Decimal(112000)),
}


def industrial(vector_id: str) -> Check:
    def check(_: dict[str, Any], out: dict[str, Any]) -> None:
        usage, kw, kvarh = INDUSTRIAL[vector_id]
        plan = BOOK.plan("hubei.industrial.two.35kv", JANUARY)
        bill = charge(plan, usage, demand=Demand(Decimal(1000), "actual", kw), kvarh=kvarh)
        basic = next(line for line in bill.lines if line.code == "basic")
        factor = next(line for line in bill.lines if line.code == "power_factor")
        energy = sum((line.amount for line in bill.lines if line.code == "period"), Decimal(0))
        assert plan.components is not None
        funds = money(bill.kwh * plan.components.funds)
        assert str(bill.kwh) == out["kwh"]
        assert periods_of(bill, out["energy"]) == out["energy"]
        assert str(energy) == out["energy_total"]
        assert (str(basic.amount), basic.unit_price) == (out["basic"], Decimal(out["basic_unit"]))
        assert str(funds) == out["fund_inside"]
        assert factor.quantity == energy + basic.amount - funds
        assert factor.unit_price * 100 == Decimal(out["pf_rate_pct"])
        assert str(factor.amount) == out["pf_adj"]
        assert str(bill.total) == out["total"]
        assert str(bill.average_price) == out["avg"]

    return check


CHECKS["I01"], CHECKS["I03"] = industrial("I01"), industrial("I03")


@checks("I05")
def shop(_: dict[str, Any], out: dict[str, Any]) -> None:
    plan = BOOK.plan("hubei.commercial.single.lv.tou", JANUARY)
    assert {period: str(price) for period, price in plan.prices.items()} == out["prices"]
    bill = charge(plan, Registers(*map(Decimal, (120, 430, 900, 350))))  # kWh = line / price of the vector
    assert periods_of(bill, out["bill"]["lines"]) == out["bill"]["lines"]
    assert str(bill.total) == out["bill"]["total"]


@checks("D01", "D02")
def contract_demand(_: dict[str, Any], out: dict[str, Any]) -> None:
    actual = {"21000.00": Decimal(520), "22260.00": Decimal(540)}[out["fee"]]
    demand = Demand(Decimal(1000), "contract", actual_kw=actual, contract_kw=Decimal(500))
    bill = charge(BOOK.plan("hubei.industrial.two.35kv", JANUARY), Registers(), demand=demand)
    assert str(bill.amount("basic")) == out["fee"]


@checks("F01")
def power_factor_table(_: dict[str, Any], out: dict[str, Any]) -> None:
    for standard, rows in out.items():
        ours = {pf: power_factor_rate(Decimal(pf), Decimal(standard)) * 100 for pf in rows}
        assert ours == {pf: Decimal(percent) for pf, percent in rows.items()}


@checks("S01")
def milder_air_conditioning(_: dict[str, Any], out: dict[str, Any]) -> None:
    base = used_kwh(Decimal("1.1"), Decimal(8 * 60))
    saved = setback_kwh(base, Decimal("0.07"), 2)
    prices = [tier.price for tier in household().tiers]
    assert str(round_to(base, CENT)) == out["base"]
    assert str(round_to(saved, CENT)) == out["saved_kwh"]
    assert [str(saved_yuan(saved, price)) for price in prices[:2]] == [
        out["saved_yuan_t1"],
        out["saved_yuan_t2"],
    ]
