"""Tariffs are data: what the files hold, and what a wrong file says."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from core.tariff import NoPlanInForce, TariffBook, TariffDataError

TARIFFS = Path(__file__).parents[2] / "data/tariffs"
BOOK = TariffBook.load(TARIFFS)
D = Decimal

WANTED = [
    "hubei.agricultural.demo",
    "hubei.charging.tou",
    "hubei.commercial.single.lv.flat",
    "hubei.commercial.single.lv.tou",
    "hubei.industrial.two.10kv",
    "hubei.industrial.two.110kv",
    "hubei.industrial.two.35kv",
    "hubei.residential.tier",
    "hubei.residential.tier.10kv",
    "hubei.shared_meter",
    "zhejiang.residential.tier",
    "zhejiang.residential.tou_tier",
    "zhejiang.shared_meter",
]

GOOD = """
region: hubei
name: 湖北
plans:
  - code: hubei.tiered
    name: 阶梯
    user_class: residential
    voltage: <1kV
    kind: tier
    effective_from: 2020-01-01
    effective_to: 2020-12-31
    source: 某文件
    verified_at: 2026-01-01
    status: verified
    tiers:
      - {upper: "2160", price: "0.558"}
      - {price: "0.608"}
  - code: hubei.hours
    name: 分时
    user_class: charging
    voltage: <1kV
    kind: tou
    effective_from: 2020-01-01
    source: 某文件
    verified_at: 2026-01-01
    status: verified
    prices: {peak: "0.6", valley: "0.3"}
    periods:
      - {start: "08:00", end: "22:00", period: peak}
      - {start: "22:00", end: "08:00", period: valley}
"""


def book_of(tmp_path: Path, text: str) -> TariffBook:
    (tmp_path / "somewhere.yaml").write_text(text, encoding="utf-8")
    return TariffBook.load(tmp_path)


def test_files_hold_all_plans_that_others_rely_on() -> None:
    assert set(WANTED) <= set(BOOK.codes())


def test_every_entry_names_its_source_and_how_sure_it_is() -> None:
    for plan in BOOK.plans():
        assert plan.source
        assert plan.name
        assert plan.status == "verified" or plan.note
        assert plan.code.startswith(plan.region)


def test_january_table_of_hubei_is_only_sure_for_january_2026() -> None:
    code = "hubei.industrial.two.35kv"

    assert BOOK.plan(code, date(2026, 1, 31)).status == "verified"
    assert BOOK.plan(code, date(2025, 12, 31)).status == "assumed"
    assert BOOK.plan(code, date(2026, 2, 1)).status == "assumed"
    assert "2026年1月" in BOOK.plan(code, date(2026, 2, 1)).note


def test_rows_corrected_by_the_formula_are_not_called_verified() -> None:
    for code in (
        "hubei.industrial.two.10kv",
        "hubei.commercial.single.lv.tou",
        "hubei.commercial.single.lv.flat",
    ):
        plan = BOOK.plan(code, date(2026, 1, 1))
        assert (plan.status, "待与原价目表核对" in plan.note) == ("assumed", True)


@pytest.mark.parametrize(
    ("day", "sharp", "valley", "first", "last"),
    [
        (date(2025, 7, 9), "1.030199", "0.413124", date(2025, 7, 1), date(2025, 8, 31)),
        (date(2026, 3, 9), "0.950576", "0.425067", date(2026, 2, 1), date(2026, 6, 30)),
        (date(2026, 11, 22), "0.950576", "0.425067", date(2026, 9, 1), date(2026, 11, 30)),
        (date(2027, 1, 9), "1.030199", "0.413124", date(2026, 12, 1), date(2027, 1, 31)),
        (date(2023, 6, 1), "0.950576", "0.425067", date(2023, 6, 1), date(2023, 6, 30)),
    ],
)
def test_business_prices_change_by_season_and_say_how_long_they_hold(
    day: date, sharp: str, valley: str, first: date, last: date
) -> None:
    plan = BOOK.plan("hubei.industrial.two.35kv", day)

    assert (D(sharp), D(valley)) == (plan.prices["sharp"], plan.prices["valley"])
    assert (first, last) == (plan.effective_from, plan.effective_to)


def test_charging_prices_go_on_after_their_year_only_as_an_assumption() -> None:
    last_day, next_day = (BOOK.plan("hubei.charging.tou", date(2024, *day)) for day in ((11, 30), (12, 1)))

    assert ("verified", date(2024, 11, 30)) == (last_day.status, last_day.effective_to)
    assert (next_day.status, next_day.effective_to) == ("assumed", None)
    assert last_day.prices == next_day.prices


def test_agricultural_price_says_that_it_is_no_official_figure() -> None:
    plan = BOOK.plan("hubei.agricultural.demo", date(2026, 6, 1))

    assert ("assumed", D("0.5600")) == (plan.status, plan.prices["flat"])
    assert "not an official figure" in plan.note


def test_day_before_any_plan_has_no_price() -> None:
    with pytest.raises(NoPlanInForce) as caught:
        BOOK.plan("hubei.charging.tou", date(2023, 11, 30))
    assert caught.value.values == {"plan": "hubei.charging.tou", "on": "2023-11-30"}
    with pytest.raises(NoPlanInForce):
        BOOK.plan("hubei.nonsense", date(2026, 1, 1))


def test_plans_are_found_by_region_class_and_day() -> None:
    found = BOOK.plans(region="hubei", user_class="charging", on=date(2024, 1, 1))

    assert [plan.code for plan in found] == ["hubei.charging.tou", "hubei.charging.tou.10kv"]
    assert len(BOOK.plans(region="hubei", user_class="charging")) == 4
    assert BOOK.plans(region="guangdong") == []


def test_good_file_loads(tmp_path: Path) -> None:
    assert book_of(tmp_path, GOOD).codes() == ["hubei.hours", "hubei.tiered"]


SECOND = GOOD[GOOD.index("  - code: hubei.tiered") : GOOD.index("  - code: hubei.hours")]


def test_overlapping_validity_is_an_error(tmp_path: Path) -> None:
    later = SECOND.replace("2020-01-01", "2020-12-31").replace("2020-12-31\n    source", "2021-12-31\n    source")
    with pytest.raises(TariffDataError, match=r"somewhere\.yaml: hubei\.tiered: .*overlaps") as caught:
        book_of(tmp_path, GOOD + later)
    assert (caught.value.file, caught.value.key) == ("somewhere.yaml", "hubei.tiered")


def test_consecutive_validity_is_one_history(tmp_path: Path) -> None:
    later = SECOND.replace("2020-01-01", "2021-01-01").replace("2020-12-31", "2021-12-31").replace("0.558", "0.5")
    book = book_of(tmp_path, GOOD + later)

    prices = [book.plan("hubei.tiered", day).tiers[0].price for day in (date(2020, 12, 31), date(2021, 1, 1))]
    assert [D("0.558"), D("0.5")] == prices


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ("kind: tier", "kind: stairs", "plans.0.kind", "tier"),
        ("status: verified", "status: sure", "plans.0.status", "verified"),
        ('"0.558"', "0.558", "plans.0.tiers.0.price", "quoted string"),
        ('"0.558"', '"-0.558"', "plans.0.tiers.0.price", "greater than or equal to 0"),
        ('"0.558"', '"cheap"', "plans.0.tiers.0.price", "decimal"),
        ("voltage: <1kV\n    kind: tier", "volts: 220\n    kind: tier", "plans.0.voltage", "required"),
        ('{price: "0.608"}', '{upper: "4800", price: "0.608"}', "plans.0", "last one open"),
        ("effective_to: 2020-12-31", "effective_to: 2019-12-31", "plans.0", "before effective_from"),
        (
            "verified_at: 2026-01-01\n    status: verified\n    tiers",
            "status: verified\n    tiers",
            "plans.0",
            "verified_at",
        ),
        ("status: verified\n    tiers", "status: assumed\n    tiers", "plans.0", "note"),
        ("code: hubei.tiered", "code: hunan.tiered", "plans.0 (hunan.tiered)", "begin with hubei"),
        ('end: "22:00"', "end: 22:00", "plans.1.periods.0.end", "quoted string"),
        ('end: "22:00"', 'end: "25:00"', "plans.1.periods.0.end", "no time of day"),
        ('end: "22:00"', 'end: "21:00"', "plans.1 (hubei.hours)", "21:00 is not in exactly one period"),
        ('valley: "0.3"', 'flat: "0.3"', "plans.1 (hubei.hours)", "prices must be given for"),
        ("kind: tou", "kind: industrial", "plans.1", "basic charge"),
        ("region: hubei", "region: hubei\nauthor: me", "author", "Extra inputs"),
        ("region: hubei", "region: [", "-", "cannot be read"),
    ],
)
def test_wrong_file_names_file_key_and_problem(tmp_path: Path, old: str, new: str, key: str, problem: str) -> None:
    assert old in GOOD
    with pytest.raises(TariffDataError) as caught:
        book_of(tmp_path, GOOD.replace(old, new, 1))
    assert ("somewhere.yaml", key) == (caught.value.file, caught.value.key)
    assert problem in caught.value.problem


def test_published_price_that_the_formula_contradicts_is_an_error(tmp_path: Path) -> None:
    text = (TARIFFS / "hubei.yaml").read_text(encoding="utf-8")
    with pytest.raises(TariffDataError, match=re.escape("peak price 0.848961 does not fit the formula, 0.846961")):
        book_of(tmp_path, text.replace('peak: "0.846961"', 'peak: "0.848961"'))


def test_directory_without_tariffs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TariffDataError, match="no tariff file"):
        TariffBook.load(tmp_path)
