"""The basic charge by each method, of bills made by hand and reckoned by hand: 1000 kVA at 10 kV, 42 and 26.3 yuan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from core.account import Account
from core.bill import Bill, BillLine
from core.clock import add_months
from core.energy_data import energy_facts
from core.recommend.basic_charge import BasicCharges, basic_charges
from core.recommend.engines import Case, offer_of
from core.recommend.rules import recommend_rules
from core.saving_business import check_business
from core.tariff import TariffBook

if TYPE_CHECKING:
    from tests.conftest import Seeded

PLAN, KVA = "hubei.industrial.two.10kv", Decimal(1000)
FIRST = date(2025, 11, 1)
STEADY = (500,) * 12
PEAKY = (*(300,) * 11, 500)
HIGH = (900,) * 12


@dataclass(frozen=True)
class Priced:
    """A line of a basic charge: quantity, unit, price a unit."""

    quantity: str
    unit: str
    price: str = "42"

    def line(self, seq: int) -> BillLine:
        quantity, price = Decimal(self.quantity), Decimal(self.price)
        return BillLine(
            seq=seq, code="basic", tier=None, period=None, quantity=quantity, unit=self.unit, unit_price=price,
            amount=quantity * price,
        )  # fmt: skip


BY_CAPACITY = (Priced("1000", "kVA", "26.3"),)


def bill(place: int, kw: int | None, *lines: Priced, kwh: int = 100_000) -> Bill:
    month = add_months(FIRST, place)
    return Bill(
        month=month, period_first=month, period_last=add_months(month, 1) - timedelta(days=1), kwh=Decimal(kwh),
        demand_kw=None if kw is None else Decimal(kw), plan_code=PLAN, amount=Decimal(90_000),
        lines=[one.line(seq) for seq, one in enumerate(lines, 1)],
    )  # fmt: skip


def year(demands: Sequence[int | None], *lines: Priced, kwh: int = 100_000) -> list[Bill]:
    """Return twelve bills; without lines each is billed by its own demand."""
    return [bill(place, kw, *(lines or (Priced(str(kw), "kW"),)), kwh=kwh) for place, kw in enumerate(demands)]


def charges(bills: list[Bill], book: TariffBook) -> BasicCharges:
    found = basic_charges(bills, book, KVA)
    assert found is not None
    return found


def yuan(**others: str) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in others.items()}


def test_by_capacity_with_a_low_demand_the_demand_is_cheaper(book: TariffBook) -> None:
    found = charges(year(PEAKY, *BY_CAPACITY), book)
    assert (found.now, found.paid) == ("capacity", Decimal(315_600))  # 12 x 1000 x 26.3
    # 3800 kW x 42; a contract of 477 kW (500 / 1.05 = 476.2) costs that each month: 12 x 477 x 42.
    assert found.others == yuan(actual="159600.00", contract="240408.00")
    assert found.best == ("actual", Decimal(159_600))


def test_by_capacity_with_a_steady_demand_a_contract_is_cheapest(book: TariffBook) -> None:
    found = charges(year(STEADY, *BY_CAPACITY), book)
    assert found.others == yuan(actual="252000.00", contract="240408.00")
    assert (found.best, found.contract_kw) == (("contract", Decimal(240_408)), Decimal(477))


def test_by_demand_with_a_high_one_the_capacity_is_cheaper(book: TariffBook) -> None:
    found = charges(year(HIGH), book)
    assert (found.now, found.paid) == ("actual", Decimal(453_600))  # 12 x 900 x 42
    assert found.others == yuan(capacity="315600.00", contract="432432.00")  # 858 kW x 42 x 12
    assert found.best == ("capacity", Decimal(315_600))


def test_what_is_well_used_pays_nine_tenths_of_the_price_by_demand(book: TariffBook) -> None:
    found = charges(year(STEADY, *BY_CAPACITY, kwh=260_000), book)
    assert found.others == yuan(actual="226800.00", contract="216367.20")
    assert round(found.edge_kw) == 696  # 26.3 / 37.8 of the capacity
    assert round(charges(year(STEADY, *BY_CAPACITY), book).edge_kw) == 626


def test_a_contract_that_is_too_high_is_lowered(book: TariffBook) -> None:
    found = charges(year(PEAKY, Priced("800", "kW")), book)
    assert (found.now, found.paid) == ("contract", Decimal(403_200))
    assert found.others == yuan(capacity="315600.00", actual="159600.00", contract="240408.00")


def test_a_contract_that_is_exceeded_is_raised(book: TariffBook) -> None:
    """Of 500 kW on a contract of 400 the 80 above 105 % cost double."""
    found = charges(year(STEADY, Priced("400", "kW"), Priced("80", "kW", "84")), book)
    assert (found.now, found.paid) == ("contract", Decimal(282_240))
    assert found.best == ("contract", Decimal(240_408))


def test_no_contract_is_below_four_tenths_of_the_capacity(book: TariffBook) -> None:
    found = charges(year((100,) * 12, *BY_CAPACITY), book)
    assert (found.contract_kw, found.others["contract"]) == (Decimal(400), Decimal(201_600))
    assert found.best == ("actual", Decimal(50_400))


def test_the_contract_that_is_best_already_is_not_offered_again(book: TariffBook) -> None:
    found = charges(year(STEADY, Priced("477", "kW")), book)
    assert set(found.others) == {"capacity", "actual"}
    assert found.best == ("actual", Decimal(252_000))
    assert found.paid == Decimal(240_408)


@pytest.mark.parametrize("demands", [(None,) * 12, (*STEADY[:-1], None)])
def test_what_was_not_measured_nobody_knows(book: TariffBook, demands: tuple[int | None, ...]) -> None:
    found = charges(year(demands, *BY_CAPACITY), book)
    assert (found.others, found.best, found.contract_kw) == ({}, None, None)


def test_a_method_that_was_changed_within_the_year_is_reckoned_as_it_is_now(book: TariffBook) -> None:
    bills = [*year(HIGH)[:6], *year(HIGH, *BY_CAPACITY)[6:]]
    found = charges(bills, book)
    assert (found.now, found.paid) == ("capacity", Decimal(315_600))
    assert found.best == ("contract", Decimal(432_432))  # dearer: nothing to tell


def test_a_year_without_a_basic_charge_has_none(book: TariffBook) -> None:
    bills = [bill(place, 500) for place in range(12)]
    assert basic_charges(bills, book, KVA) is None
    assert basic_charges(year(STEADY), book, None) is None
    mixed = year(STEADY)
    mixed[0].plan_code = "hubei.commercial.single.lv.flat"
    assert basic_charges(mixed, book, KVA) is None


@pytest.mark.parametrize(
    ("demands", "lines", "method", "saved", "start"),
    [
        (PEAKY, BY_CAPACITY, "actual", "156000.00", None),
        (STEADY, BY_CAPACITY, "contract", "75192.00", None),
        (HIGH, (), "capacity", "138000.00", None),
        (STEADY, (Priced("400", "kW"), Priced("80", "kW", "84")), "contract", "41832.00", "contract_demand"),
        (PEAKY, (), None, None, None),
    ],
)
def test_the_yuan_told_are_exactly_those(
    book: TariffBook, seeded: Seeded, monkeypatch: pytest.MonkeyPatch, demands: tuple[int, ...],
    lines: tuple[Priced, ...], method: str | None, saved: str | None, start: str | None,
) -> None:  # fmt: skip
    def checks(session: object, **given: object) -> object:
        real = check_business(session, **given)  # type: ignore[arg-type]
        return type(real)(tuple(year(demands, *lines)), None, None, None, None)

    monkeypatch.setattr("core.recommend.engines.check_business", checks)
    rules = recommend_rules()
    with seeded.database.reading() as session:
        account = session.scalars(select(Account).where(Account.user_class == "industrial")).first()
        assert account is not None
        with session.no_autoflush:
            account.capacity_kva = KVA
            offer = offer_of("demand_capacity", Case(session, account, book, energy_facts(), rules, seeded.today))
        session.expire(account)
    assert (offer is None) == (method is None)
    if offer is not None:
        assert (offer.yuan, offer.basis["method"], offer.basis.get("start")) == (Decimal(str(saved)), method, start)
        assert Decimal(offer.basis["paid"]) - Decimal(offer.basis["other"]) == offer.yuan
