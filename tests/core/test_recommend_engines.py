"""Offers: the yuan are those of the engines that answer customers' own questions, and nothing small is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.account import Account, Customer
from core.bill import Bill
from core.clock import add_months
from core.energy_data import energy_facts
from core.payment import balance_of
from core.recommend import engines
from core.recommend.choosing import choose
from core.recommend.engines import ENGINES, Case, offer_of
from core.recommend.offer import Offer
from core.recommend.rules import Rules, recommend_rules
from core.recommend.tables import RECOMMENDATIONS
from core.saving import advise
from core.saving_business import check_business
from core.segment.tables import SEGMENTS, SPECIAL
from core.tariff import Registers, TariffBook, charge
from core.tariff_choice import Option, TariffChoice, tariff_choice
from core.tier_year import tier_year

if TYPE_CHECKING:
    from tests.conftest import Seeded

RULES, FACTS = recommend_rules(), energy_facts()


@pytest.fixture
def session(seeded: Seeded) -> Iterator[Session]:
    with seeded.database.reading() as one:
        yield one


def open_accounts(session: Session, *classes: str) -> list[Account]:
    query = select(Account).where(Account.closed_on.is_(None)).order_by(Account.id)
    return list(session.scalars(query.where(Account.user_class.in_(classes)) if classes else query))


def case_of(session: Session, account: Account, book: TariffBook, today: date, rules: Rules = RULES) -> Case:
    return Case(session, account, book, FACTS, rules, today)


def offers(session: Session, kind: str, book: TariffBook, today: date, *classes: str) -> list[tuple[Account, Offer]]:
    """Return what the engine of a kind finds at all, for every account."""
    found = [
        (account, offer_of(kind, case_of(session, account, book, today, lenient())))
        for account in open_accounts(session, *classes)
    ]
    return [(account, offer) for account, offer in found if offer is not None]


def lenient(**more: object) -> Rules:
    """Return the rules with no threshold: whatever an engine finds above nothing."""
    kinds = {
        name: rule.model_copy(update={"least_yuan": Decimal("0.01"), "least_percent": Decimal(0), **more})
        for name, rule in RULES.kinds.items()
    }
    return RULES.model_copy(update={"kinds": kinds})


def test_there_is_an_engine_for_each_kind() -> None:
    assert set(ENGINES) == set(RECOMMENDATIONS) == set(RULES.kinds)


def test_the_yuan_of_a_saving_are_those_of_the_advice(session: Session, book: TariffBook, seeded: Seeded) -> None:
    found = offers(session, "saving_measure", book, seeded.today, "residential")
    for account, offer in found:
        advice = advise(session, account=account, book=book, facts=FACTS.home, today=seeded.today)
        assert (offer.yuan, offer.basis["measure"]) == (advice.measures[0].yuan_low, advice.measures[0].key)
        assert Decimal(offer.basis["high"]) == advice.measures[0].yuan_high
    assert len(found) > 20


def test_the_yuan_of_charging_at_night_are_those_of_the_advice(
    session: Session, book: TariffBook, seeded: Seeded
) -> None:
    found = offers(session, "charging_time", book, seeded.today)
    for account, offer in found:
        advice = advise(session, account=account, book=book, facts=FACTS.home, today=seeded.today)
        (shift,) = [one for one in advice.measures if one.key == "shift_charging"]
        assert account.user_class == "charging"
        assert offer.yuan == shift.yuan_low == shift.yuan_high
    assert found


def test_the_yuan_of_power_factor_and_basic_charge_are_those_of_the_checks(
    session: Session, book: TariffBook, seeded: Seeded
) -> None:
    counted = dict.fromkeys(("power_factor", "demand_capacity"), 0)
    for kind in counted:
        for account, offer in offers(session, kind, book, seeded.today):
            checks = check_business(session, account=account, book=book, facts=FACTS.business, today=seeded.today)
            part = checks.power_factor if kind == "power_factor" else checks.basic
            assert part is not None
            assert offer.yuan == part.saving
            assert offer.paid == checks.total
            counted[kind] += 1
    assert counted["power_factor"] > 0


def test_what_is_open_may_be_paid_in_parts_where_a_bill_is_late_or_high(
    session: Session, book: TariffBook, seeded: Seeded
) -> None:
    found = {account.id: offer for account, offer in offers(session, "instalments", book, seeded.today)}
    for account in open_accounts(session):
        personal = account.customer.kind == "person"
        balance = balance_of(session, account=account, today=seeded.today, residential=personal)
        if any(one.overdue_days for one in balance.unpaid) and not balance.prepaid:
            assert found[account.id].yuan == balance.owed
    assert found
    assert all("overdue" in offer.basis for offer in found.values())


def test_a_step_is_told_before_it_is_reached_with_what_the_rest_of_the_year_costs_more(
    session: Session, book: TariffBook, seeded: Seeded
) -> None:
    rules, counted = lenient(within_days=366), 0
    for account in open_accounts(session, "residential"):
        for today in (seeded.today - timedelta(days=days) for days in (0, 60, 120)):
            offer = offer_of("tier_warning", case_of(session, account, book, today, rules))
            if offer is None:
                continue
            year = tier_year(session, account=account, book=book, today=today)
            assert year is not None
            assert offer.basis["on"] == year.next_on.isoformat() if year.next_on else ""
            rest = (year.daily_kwh or Decimal(0)) * (date(year.year, 12, 31) - year.as_of).days
            if year.plan.kind == "tier":
                # The engine's own bill of the rest, with steps and at the present price alone.
                bill = charge(year.plan, Registers(flat=rest), cum_before=year.kwh, bounds=year.bounds)
                assert abs(bill.total - rest * year.price - offer.yuan) < Decimal("0.05")
                counted += 1
    assert counted > 5


def test_a_step_far_ahead_is_no_warning_yet(session: Session, book: TariffBook, seeded: Seeded) -> None:
    for account in open_accounts(session, "residential"):
        offer = offer_of("tier_warning", case_of(session, account, book, seeded.today, lenient(within_days=20)))
        if offer is not None:
            assert date.fromisoformat(offer.basis["on"]) <= seeded.today + timedelta(days=20)


def test_another_tariff_is_told_with_the_engines_difference_and_only_if_it_is_open_for_sure(
    session: Session, book: TariffBook, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = open_accounts(session, "charging")[0]
    real = tariff_choice(session, account=account, book=book, today=seeded.today)
    (other,) = real.others  # one price in place of hours
    assert other.saving is not None

    def answered(option: Option) -> Offer | None:
        monkeypatch.setattr(
            engines, "tariff_choice", lambda *_, **__: TariffChoice(real.months, real.current, (option,))
        )
        return offer_of("tariff_change", case_of(session, account, book, seeded.today, lenient()))

    dearer = answered(replace(other, saving=-abs(other.saving)))
    cheaper = answered(replace(other, saving=Decimal("321.09"), certainty="open"))
    unsure = answered(replace(other, saving=Decimal("321.09"), certainty="unsure"))
    assert (dearer, unsure) == (None, None)
    assert cheaper is not None
    assert (cheaper.yuan, cheaper.basis["plan_code"]) == (Decimal("321.09"), other.plan.code)


def test_nothing_below_the_thresholds_is_said(session: Session, book: TariffBook, seeded: Seeded) -> None:
    for kind in ("saving_measure", "charging_time", "power_factor", "tier_warning", "instalments"):
        rule = RULES.kinds[kind]
        for account, offer in offers(session, kind, book, seeded.today):
            said = offer_of(kind, case_of(session, account, book, seeded.today, lenient_like(kind)))
            worth = offer.yuan >= rule.least_yuan
            if offer.paid is not None:
                worth = worth and offer.yuan / offer.paid * 100 >= rule.least_percent
            assert (said is not None) == worth, (kind, offer.yuan, offer.paid)


def lenient_like(kind: str) -> Rules:
    """Return the real rules of one kind."""
    return RULES.model_copy(update={"kinds": lenient().kinds | {kind: RULES.kinds[kind]}})


def test_an_account_without_bills_and_readings_gets_nothing(session: Session, book: TariffBook, seeded: Seeded) -> None:
    owner = session.scalars(select(Customer)).first()
    new = Account(
        account_no="4299999999999", address_cipher="", district="", area_class="city", region="hubei",
        user_class="residential", plan_code=open_accounts(session, "residential")[0].plan_code, profile="",
        prepaid=False, capacity_kva=None, large_family_kwh=Decimal(0), free_kwh=Decimal(0), opened_on=seeded.today,
        held_since=None, closed_on=None, customer=owner,
    )  # fmt: skip
    with session.no_autoflush:
        assert [offer_of(kind, case_of(session, new, book, seeded.today)) for kind in ENGINES] == [None] * len(ENGINES)


def test_the_order_of_the_segment_decides_and_what_was_refused_is_passed_over(
    session: Session, book: TariffBook, monkeypatch: pytest.MonkeyPatch, seeded: Seeded
) -> None:
    for kind in RECOMMENDATIONS:
        monkeypatch.setitem(ENGINES, kind, lambda _case, kind=kind: Offer(kind, Decimal(5000), {}))  # type: ignore[index]
    case = case_of(session, open_accounts(session)[0], book, seeded.today)
    for segment in (*SEGMENTS, None):
        order = RULES.order_of(segment)
        first, second = choose(case, segment), choose(case, segment, never={order[0]})
        assert first is not None
        assert second is not None
        assert (first.kind, second.kind) == order[:2]
        assert choose(case, segment, never={"*"}) is None
        assert choose(case, segment, without=order) is None


def test_who_needs_special_service_is_offered_nothing_that_is_sold() -> None:
    assert not any(RULES.kinds[kind].sells for kind in RULES.order[SPECIAL])
    assert set(RULES.order[SPECIAL]) == {"tier_warning", "instalments", "saving_measure"}


def test_rules_that_sell_to_them_are_refused() -> None:
    wrong = RULES.model_dump() | {"order": RULES.order | {SPECIAL: ("power_factor",)}}
    with pytest.raises(ValueError, match="special service"):
        Rules.model_validate(wrong)


def test_a_bill_of_the_usual_size_is_no_reason_for_parts(session: Session, book: TariffBook, seeded: Seeded) -> None:
    """Just issued, not due yet, as high as always: nothing is said; twice as high, and it is."""
    account = next(
        one for one in open_accounts(session, "residential")
        if not one.prepaid and not balance_of(session, account=one, today=seeded.today, residential=True).unpaid
    )  # fmt: skip
    bills = list(session.scalars(select(Bill).where(Bill.account_id == account.id).order_by(Bill.month)))
    last = bills[-1]
    month = add_months(last.month, 1)
    usual = sum((bill.amount for bill in bills[-12:]), Decimal(0)) / len(bills[-12:])

    def with_bill(factor: Decimal) -> Offer | None:
        made = Bill(
            account_id=account.id, month=month, period_first=month, period_last=month + timedelta(days=27),
            kwh=Decimal(1), sharp_kwh=Decimal(0), peak_kwh=Decimal(0), flat_kwh=Decimal(1), valley_kwh=Decimal(0),
            cum_before=None, demand_kw=None, kvarh=None, plan_code=last.plan_code, estimated=False,
            amount=(usual * factor).quantize(Decimal("0.01")), issued_on=add_months(month, 1),
            due_on=add_months(month, 2),
        )  # fmt: skip
        session.add(made)
        session.flush()
        offer = offer_of("instalments", case_of(session, account, book, add_months(month, 1), lenient()))
        session.delete(made)
        session.flush()
        return offer

    assert with_bill(Decimal(1)) is None
    high = with_bill(Decimal(2))
    assert high is not None
    assert high.yuan == (usual * 2).quantize(Decimal("0.01"))
    assert high.basis["overdue"] == ""
