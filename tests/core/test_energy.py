"""Roofs, storage, charging piles: arithmetic on stated assumptions and own registers; the rows of the services."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core.account import Account
from core.business import Business, BusinessTable
from core.energy import (
    area_in,
    kilowatts_in,
    number_of,
    pile_year,
    roof_of,
    roof_worth,
    storage_cycle,
    storage_seasons,
    sunny_price,
)
from core.energy_data import energy_facts
from core.saving_use import Worth, year_use
from core.tariff import TariffBook

if TYPE_CHECKING:
    from tests.conftest import Seeded

FACTS = energy_facts()
SOLAR = FACTS.solar
CENT = Decimal("0.01")
ROOT = Path(__file__).parents[2]
INTENTS = (
    "request_energy_audit", "ask_solar", "ask_charging_pile", "ask_integrated_energy", "ask_finance",
)  # fmt: skip


def first_account(session: Session, where: str) -> Account:
    number = session.scalar(
        text(
            f"select account_no from accounts where closed_on is null and opened_on < '2025-09-01' and {where} limit 1"
        )
    )
    return session.scalars(select(Account).where(Account.account_no == number)).one()


def worth_of(session: Session, account: Account, book: TariffBook, today: date) -> Worth:
    return Worth.of(book, account, year_use(session, account=account, today=today), today=today)


# -- roofs


def test_roof_of_100_square_metres_holds_15_to_20_kilowatts() -> None:
    roof = roof_of(SOLAR)
    assert (roof.kwp_low, roof.kwp_high) == (Decimal(15), Decimal(20))
    assert (roof.kwh_low, roof.kwh_high) == (Decimal(14250), Decimal(21000))


def test_panels_of_a_known_power_need_no_area() -> None:
    roof = roof_of(SOLAR, kwp=Decimal(5))
    assert (roof.area_m2, roof.kwh_low, roof.kwh_high) == (None, Decimal(4750), Decimal(5250))


def test_household_uses_no_more_sun_than_it_needs_by_day(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        account = first_account(session, "profile = 'children'")
        worth = worth_of(session, account, book, seeded.today)
        found = roof_worth(roof_of(SOLAR), worth, account, SOLAR)
        by_day = worth.use.total * Decimal("0.45")
        assert (found.self_low, found.self_high) == (by_day, by_day)
        assert found.fed_high == Decimal(21000) - by_day
        fed = (found.fed_low * Decimal("0.4161")).quantize(CENT)
        assert found.yuan_low == worth.yuan(by_day) + fed


def test_small_roof_is_used_up_to_its_share(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        account = first_account(session, "profile = 'children'")
        worth = worth_of(session, account, book, seeded.today)
        found = roof_worth(roof_of(SOLAR, kwp=Decimal(1)), worth, account, SOLAR)
        assert (found.self_low, found.self_high) == (Decimal(285), Decimal(315))


def test_sun_replaces_flat_and_valley_hours_not_the_peak(seeded: Seeded, book: TariffBook) -> None:
    floating, fixed = (
        Decimal("0.384470") + Decimal("0.013643"),
        Decimal("0.2103") + Decimal("0.082273") + Decimal("0.0452"),
    )
    expected = Decimal(0)
    for month in range(1, 13):
        valley = Decimal("0.45") if month in (1, 7, 8, 12) else Decimal("0.48")
        # 6-12 and 14-16 flat (0.66 of the sun), 12-14 valley (0.28), 16-18 peak (0.06)
        expected += floating * (Decimal("0.66") + Decimal("0.28") * valley + Decimal("0.06") * Decimal("1.49")) + fixed
    with seeded.database.reading() as session:
        account = first_account(session, "plan_code = 'hubei.commercial.single.lv.tou'")
        worth = worth_of(session, account, book, seeded.today)
        found = sunny_price(worth, SOLAR)
        assert found is not None
        assert abs(found - expected / 12) < Decimal("0.00001")
        assert roof_worth(roof_of(SOLAR), worth, account, SOLAR).price == found.quantize(Decimal("0.0001"))


def test_household_has_no_sunny_price(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        account = first_account(session, "profile = 'flat' and user_class = 'residential'")
        assert sunny_price(worth_of(session, account, book, seeded.today), SOLAR) is None


@pytest.mark.parametrize(
    ("said", "area", "kilowatts"),
    [
        ("冷库铁皮屋顶1200平，能上多少千瓦", "1200", None), ("厂房彩钢瓦八千平", "8000", None),
        ("一千二平方", "1200", None), ("我家楼顶八十来平方米", "80", None), ("３５㎡", "35", None),
        ("三万块5个千瓦，回本没", None, "5"), ("装二十千瓦", None, "20"), ("10.5 kW的", None, "10.5"),
        ("这公平不", None, None), ("两百平", "200", None), ("光伏补贴还有没有", None, None),
    ],
)  # fmt: skip
def test_area_and_power_are_read_as_people_say_them(said: str, area: str | None, kilowatts: str | None) -> None:
    assert area_in(said, SOLAR) == (Decimal(area) if area else None)
    assert kilowatts_in(said, SOLAR) == (Decimal(kilowatts) if kilowatts else None)


@pytest.mark.parametrize(
    ("said", "number"),
    [("十", 10), ("十二", 12), ("二十", 20), ("一百零五", 105), ("一千二", 1200), ("三万五", 35000), ("一万", 10000),
     ("一百二十", 120), ("两千三百四十", 2340), ("十二万", 120000), ("36", 36)],
)  # fmt: skip
def test_numbers_are_read_in_digits_and_in_chinese(said: str, number: int) -> None:
    assert number_of(said) == number


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="no number"):
        number_of("好多")


# -- storage


def test_storage_cycle_sells_sharp_and_buys_valley(book: TariffBook) -> None:
    cycle = storage_cycle(
        book.plan("hubei.industrial.two.10kv", date(2026, 1, 10)), FACTS.business, month=date(2026, 1, 1)
    )
    assert cycle is not None
    bought = Decimal(100) / Decimal("0.88") * Decimal("0.432924")
    assert cycle.sharp == (Decimal("104.9999") - bought).quantize(CENT)
    assert cycle.peak == (Decimal("84.6961") - bought).quantize(CENT)


def test_storage_is_told_for_each_season_of_prices(book: TariffBook) -> None:
    cycles = storage_seasons(book, "hubei.industrial.two.10kv", FACTS.business, today=date(2026, 11, 22))
    assert [cycle.month for cycle in cycles] == [date(2026, 11, 22), date(2026, 12, 1)]
    assert cycles[1].sharp > cycles[0].sharp


def test_one_price_leaves_nothing_to_store(book: TariffBook) -> None:
    assert storage_seasons(book, "hubei.shared_meter", FACTS.business, today=date(2026, 11, 22)) == []


# -- charging piles


def test_pile_pays_by_the_hour_what_its_bills_say_and_would_pay_one_price_otherwise(
    seeded: Seeded, book: TariffBook
) -> None:
    with seeded.database.reading() as session:
        account = first_account(session, "user_class = 'charging'")
        use = year_use(session, account=account, today=seeded.today)
        found = pile_year(book, account, use)
        assert found is not None
        billed, kwh = session.execute(
            text(
                "select sum(amount), sum(kwh) from bills where account_id = :id"
                " and month between '2025-11-01' and '2026-10-01'"
            ),
            {"id": account.id},
        ).one()
        assert found.tou == Decimal(str(billed)).quantize(CENT)
        assert found.kwh == Decimal(str(kwh)).quantize(CENT)
        assert abs(found.flat - found.kwh * Decimal("0.58")) < Decimal("0.07")  # rounded month by month
        assert found.saving == found.flat - found.tou


def test_household_is_no_pile(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        account = first_account(session, "profile = 'flat' and user_class = 'residential'")
        assert pile_year(book, account, year_use(session, account=account, today=seeded.today)) is None


# -- the rows of the services


@pytest.fixture(scope="module")
def rows() -> list[Business]:
    table = BusinessTable.load(ROOT / "data" / "business")
    return [row for intent in INTENTS for row in table.of_intent(intent)]


def test_every_service_has_one_row_without_words(rows: list[Business]) -> None:
    for intent in INTENTS:
        assert len([row for row in rows if row.intent == intent and not row.words]) == 1


def test_rows_promise_nothing_and_name_no_company(rows: list[Business]) -> None:
    for row in rows:
        said = "".join((row.about, *row.papers, *row.steps, row.fee or "", *row.notes, row.done or ""))
        assert len(row.about) <= 60
        assert not re.search(r"保证通过|一定能|包批|肯定|秒批|有限公司", said)
        assert re.findall(r"[A-Za-z]+", said.replace("App", "")) == []


def test_leads_decide_nothing_and_ask_no_bank_data(rows: list[Business]) -> None:
    leads = {row.key for row in rows if row.lead}
    assert leads == {
        "energy_audit", "solar", "integrated_energy", "storage", "clean_heat", "green_power", "microgrid",
        "managed_operation", "instalment", "credit", "insurance",
    }  # fmt: skip
    for row in rows:
        assert (row.promise, row.limit is None) == ("contact", False) if row.lead else row.limit
        assert not any(re.search(r"卡号|密码|额度", field.ask) for field in row.fields)


@pytest.mark.parametrize(
    ("intent", "said", "key"),
    [
        ("ask_integrated_energy", "你们是不是还搞储能 我塘里停电怕得很", "storage"),
        ("ask_integrated_energy", "村里冷库想搞光储一体的", "microgrid"),
        ("ask_integrated_energy", "烧煤的锅炉要换成电的 你们管不管方案", "clean_heat"),
        ("ask_integrated_energy", "外企总部要求用百分百绿电，怎么办理", "green_power"),
        ("ask_integrated_energy", "米厂的变压器请你们代管代维 行不行", "managed_operation"),
        ("ask_integrated_energy", "贵司的综合能源服务涵盖哪些", "integrated_energy"),
        ("ask_finance", "欠了一千二 能分三个月还不", "instalment"),
        ("ask_finance", "家里电器保险你们卖不卖", "insurance"),
        ("ask_finance", "合作社能用那种电费贷吗", "credit"),
        ("ask_solar", "去年装的光伏 这个季度的补贴还冇到", "solar_settlement"),
        ("ask_solar", "家里装光伏申请多久批", "solar"),
    ],
)
def test_words_choose_among_the_rows_of_an_intent(intent: str, said: str, key: str) -> None:
    table = BusinessTable.load(ROOT / "data" / "business")
    assert table.choose(intent, said)[0].key == key
