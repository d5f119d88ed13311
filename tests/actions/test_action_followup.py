"""Questions that lean on the one before them."""

from __future__ import annotations

import pytest
from actions_desk import Desk, day, period

BILL, USAGE, PAYMENT, INFORM = "action_query_bill", "action_query_usage", "action_query_payment", "action_inform"
HOME = "user_class = 'residential' and opened_on < '2023-01-01'"


@pytest.fixture(scope="session")
def home(desk: Desk) -> str:
    return desk.account(HOME)


def test_a_year_alone_moves_the_month_asked_about(desk: Desk, home: str) -> None:
    asked = desk.ask(BILL, home, text="去年12月电费", entities=[period("2025-12")])
    said = desk.ask(INFORM, home, text="那前年呢", entities=[period("2024-01/2024-12", "year")], after=asked)
    assert said.card["title"] == "2024年12月电费"


def test_a_year_moves_a_span_over_new_year_as_a_whole(desk: Desk, home: str) -> None:
    asked = desk.ask(BILL, home, entities=[period("2025-12/2026-02", "range")])
    said = desk.ask(BILL, home, text="前一年呢", entities=[period("2024-01/2024-12", "year")], after=asked)
    assert said.card["title"] == "2024年12月至2025年2月电费"


def test_a_year_after_a_year_is_that_year(desk: Desk, home: str) -> None:
    asked = desk.ask(BILL, home, text="今年电费", entities=[period("2026-01/2026-11", "year")])
    said = desk.ask(BILL, home, text="那去年呢", entities=[period("2025-01/2025-12", "year")], after=asked)
    assert said.card["title"] == "2025年1月至2025年12月电费"


def test_a_year_after_a_day_is_the_same_day_of_it(desk: Desk, home: str) -> None:
    asked = desk.ask(USAGE, home, entities=[day("2026-11-21")])
    said = desk.ask(USAGE, home, text="去年呢", entities=[period("2025-01/2025-12", "year")], after=asked)
    assert said.text.startswith("2025年11月21日用电")


def test_another_topic_keeps_the_month(desk: Desk, home: str) -> None:
    asked = desk.ask(BILL, home, entities=[period("2026-08")])
    assert desk.ask(USAGE, home, text="那用了多少度呢", after=asked).text.startswith("2026年8月用电")


def test_a_question_that_does_not_lean_starts_anew(desk: Desk, home: str) -> None:
    asked = desk.ask(BILL, home, entities=[period("2026-03")])
    assert desk.ask(BILL, home, text="电费多少", after=asked).card["title"] == "2026年10月电费"


def test_a_day_named_in_a_leaning_question_replaces_the_month(desk: Desk, home: str) -> None:
    asked = desk.ask(USAGE, home, entities=[period("2026-08")])
    said = desk.ask(USAGE, home, text="那昨天呢", entities=[day("2026-11-21")], after=asked)
    assert said.text.startswith("2026年11月21日用电")


def test_the_bill_of_a_day_asked_about_is_that_of_its_month(desk: Desk, home: str) -> None:
    asked = desk.ask(USAGE, home, entities=[day("2026-09-03")])
    assert desk.ask(BILL, home, text="那电费呢", after=asked).card["title"] == "2026年9月电费"


def test_payments_too_lean_on_the_months_before(desk: Desk, home: str) -> None:
    asked = desk.ask(BILL, home, entities=[period("2026-01/2026-06", "half")])
    said = desk.ask(PAYMENT, home, text="那缴费记录呢", after=asked)
    assert said.text.startswith("2026年1月至2026年6月一共缴费")


def test_a_month_after_an_answer_of_nothing_found_asks_the_same_again(desk: Desk, home: str) -> None:
    asked = desk.ask(BILL, home, text="这个月电费", entities=[period("2026-11")])
    assert asked.response == "utter_no_bill_yet"
    said = desk.ask(INFORM, home, text="上个月的", entities=[period("2026-10")], after=asked)
    assert said.card["title"] == "2026年10月电费"
    early = desk.ask(USAGE, home, entities=[period("2001-01")])
    assert early.response == "utter_no_reading"
    assert desk.ask(INFORM, home, entities=[period("2026-10")], after=early).text.startswith("2026年10月用电")


def test_data_without_a_question_before_asks_what_for(desk: Desk, home: str) -> None:
    assert desk.ask(INFORM, home, text="上个月的", entities=[period("2026-10")]).response == "utter_what_for"


def test_the_longest_month_moves_to_a_day_that_exists(desk: Desk, home: str) -> None:
    asked = desk.ask(USAGE, home, entities=[day("2024-02-29")])
    said = desk.ask(USAGE, home, text="那去年呢", entities=[period("2025-01/2025-12", "year")], after=asked)
    assert said.text.startswith("2025年2月28日用电")
