"""Features of orders, outages and conversations: whose they are, and what counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from portrait_kit import AS_OF, Hand, built, empty_sources

from core.portrait.catalogue import PORTRAIT_DATA, Catalogue, CatalogueError
from core.portrait.signals import SignalsError, Signs, signs
from core.portrait.tables import FEATURES
from tests.dialects import DIALECTS, NewUrl

LONG_AGO = AS_OF - timedelta(days=500)
LATELY = AS_OF - timedelta(days=30)
LIFE, COMPLAINT = "服务申请→特殊服务→居家医疗设备", "投诉→停电问题"
APPLICATION, OUTAGE = "服务申请→业扩报装→居民增容", "故障报修→低压停电→一户停电"


@pytest.fixture(params=DIALECTS)
def hand(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Hand]:
    with empty_sources(new_url, request.param, tmp_path) as sources:
        yield Hand(sources)


def test_orders_count_for_their_account_or_for_all_accounts_of_the_customer(hand: Hand) -> None:
    mine, other, foreign = hand.account(customer="C9"), hand.account(customer="C9"), hand.account()
    hand.order(COMPLAINT, account=mine, customer="C9")
    hand.order(COMPLAINT, customer="C9")
    hand.order(COMPLAINT, account=mine, customer="C9", day=LONG_AGO)
    hand.order(COMPLAINT, account=mine, customer="C9", state="cancelled")
    hand.order(APPLICATION, account=other, customer="C9")
    hand.order(LIFE, account=other, customer="C9", day=LONG_AGO)
    found = built(hand.sources)
    assert [found[one].complaints_year for one in (mine, other, foreign)] == [2, 1, 0]
    assert [found[one].applications_year for one in (mine, other, foreign)] == [0, 1, 0]
    assert [found[one].special_need for one in (mine, other, foreign)] == [0, 1, 0]


def test_orders_of_an_earlier_holder_are_not_the_present_ones(hand: Hand) -> None:
    account = hand.account(customer="C9", held_since=date(2026, 8, 1))
    hand.order(LIFE, account=account, customer="C1", day=LATELY)
    hand.order(LIFE, account=account, day=date(2026, 7, 1))
    hand.report(account, date(2026, 7, 1))
    found = built(hand.sources)[account]
    assert (found.special_need, found.outage_reports_year) == (0, 0)
    hand.order(LIFE, account=account, day=date(2026, 9, 1))
    assert built(hand.sources)[account].special_need == 1


def test_panels_and_cars_are_known_from_orders_and_plans_and_a_car_belongs_to_the_customer(hand: Hand) -> None:
    home, pile = hand.account(customer="C9"), hand.account(customer="C9", plan_code="hubei.charging.tou")
    sun, asks = hand.account(profile="pv"), hand.account(profile="charging")
    hand.order("x", account=sun, kind="solar_settlement", day=LONG_AGO)
    hand.order("x", account=asks, kind="charging_pile", state="accepted")
    found = built(hand.sources)
    assert [found[one].has_ev for one in (home, pile, sun, asks)] == [1, 1, 0, 1]
    assert [found[one].has_pv for one in (home, pile, sun, asks)] == [0, 0, 1, 0]


def test_sensitivity_is_reports_by_the_outages_that_touched_the_account(hand: Hand) -> None:
    loud, calm, elsewhere = hand.account(), hand.account(), hand.account()
    hand.network(T1=loud, T2=calm)
    hand.outage("T1", LATELY)
    hand.outage("F", LATELY - timedelta(days=5))
    hand.outage("F", LATELY, state="cancelled")
    hand.outage("F", LATELY, state="suspected")
    hand.outage("T1", LONG_AGO)
    number = hand.order(OUTAGE, account=loud)
    hand.report(loud, LATELY, order_no=number)
    hand.report(loud, LATELY)
    hand.order(OUTAGE, account=loud)
    hand.report(loud, LONG_AGO)
    hand.report(elsewhere, LATELY)
    found = built(hand.sources)
    assert [found[one].outage_reports_year for one in (loud, calm, elsewhere)] == [3, 0, 1]
    assert [found[one].outage_sensitivity for one in (loud, calm, elsewhere)] == [1.5, 0, None]


def test_contacts_are_days_on_which_the_customer_wrote_each_with_its_topics(hand: Hand) -> None:
    account, second, silent = hand.account(customer="C9"), hand.account(customer="C9"), hand.account()
    day = LATELY
    hand.talk("C9", [
        (day, "query_bill"), (day, "query_usage"), (day, None), (day + timedelta(1), "report_outage+query_bill"),
        (LONG_AGO, "query_bill"), (AS_OF, "query_bill"),
    ], cases=(day, LONG_AGO))  # fmt: skip
    hand.talk("C9", [(day, "advise_saving"), (day + timedelta(9), "greet")])
    found = built(hand.sources)
    for one in (account, second):
        row = found[one]
        assert (row.contacts_year, row.contacts_billing, row.contacts_outage) == (4, 3, 1)
        assert (row.contacts_business, row.contacts_saving, row.person_share) == (0, 1, 0.25)
    assert (found[silent].contacts_year, found[silent].contacts_billing, found[silent].person_share) == (0, 0, None)


def test_the_catalogue_tells_every_feature_once_in_the_order_of_the_table() -> None:
    catalogue = Catalogue.load()
    assert tuple(feature.key for feature in catalogue.features) == FEATURES
    assert {name: len(catalogue.of(name)) for name in catalogue.dimensions} == {
        "usage": 15, "spending": 6, "need": 15, "credit": 8,
    }  # fmt: skip
    assert catalogue["kwh_year"].needs_months == 3
    assert len({feature.name for feature in catalogue.features}) == len(FEATURES)


def test_a_catalogue_that_misses_a_feature_is_refused(tmp_path: Path) -> None:
    text = (PORTRAIT_DATA / "features.yaml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if "key: overdue_days" not in line]
    (tmp_path / "features.yaml").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(CatalogueError, match="overdue_days"):
        Catalogue.load(tmp_path / "features.yaml")
    with pytest.raises(CatalogueError, match=r"gone\.yaml"):
        Catalogue.load(tmp_path / "gone.yaml")


def test_the_page_about_portraits_shows_the_catalogue_as_it_is() -> None:
    page = (PORTRAIT_DATA.parents[1] / "docs" / "portraits.md").read_text(encoding="utf-8")
    assert Catalogue.load().markdown() in page


def test_the_catalogue_speaks_to_supervisors_and_names_no_column_or_code() -> None:
    catalogue = Catalogue.load()
    told = [
        text for one in catalogue.features for text in (one.name, one.unit, one.formula, one.source, one.note)
    ] + [*catalogue.words, *catalogue.dimensions.values()]  # fmt: skip
    assert [text for text in told if re.search("[A-Za-z_]", text)] == []
    assert all(re.search("[\u4e00-\u9fff]", one.formula) for one in catalogue.features)


def test_every_sign_names_something_that_there_is() -> None:
    known = signs()
    assert known.topics_of("query_bill") == ["contacts_billing"]
    assert known.topics_of("report_outage+advise_saving") == ["contacts_billing", "contacts_outage", "contacts_saving"]
    assert all(known.topics.values())
    assert set(known.topics) == {name for name in FEATURES if name.startswith("contacts_")} - {"contacts_year"}
    assert known.special(LIFE)
    assert not known.special(COMPLAINT)


def test_signs_that_are_missing_or_of_another_form_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SignalsError, match=r"signals\.yaml"):
        Signs.load(tmp_path)
