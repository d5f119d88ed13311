"""Several homes in one answer: the sum is that of the accounts, and one that is named is answered alone."""

from __future__ import annotations

from decimal import Decimal

import pytest
from actions_desk import Desk, period

BALANCE, BILL, PAY = "action_query_balance", "action_query_bill", "action_pay_bill"
PLAIN = "opened_on < '2023-01-01' and not prepaid"


@pytest.fixture(scope="module")
def homes(desk: Desk) -> tuple[str, str, str]:
    """Two homes and a shop."""
    first = desk.account(f"user_class = 'residential' and {PLAIN}")
    second = desk.account(f"user_class = 'residential' and {PLAIN} and account_no != '{first}'")
    return first, second, desk.account(f"user_class = 'commercial' and {PLAIN}")


def owed(desk: Desk, account: str) -> Decimal:
    return Decimal(desk.ask(BALANCE, account).card["owed"])


@pytest.mark.parametrize(
    "text", ["三个屋一共该交几多", "三套房分别欠好多", "加一起欠不欠", "每户欠多少", "几处房子都欠钱没"]
)
def test_what_is_owed_on_all_accounts_is_summed_and_listed(desk: Desk, homes: tuple[str, ...], text: str) -> None:
    said, parts = desk.ask(BALANCE, *homes, text=text), [owed(desk, one) for one in homes]
    expected = f"一共要交{sum(parts):.2f}元" if sum(parts) else "3个户号都不欠电费"
    assert said.text.startswith("您3个户号")
    assert expected in said.text
    assert [Decimal(row[1]) for row in said.card["rows"]] == parts
    assert said.slots["asked"] == BALANCE


def test_the_bills_of_a_month_are_summed_over_the_accounts(desk: Desk, homes: tuple[str, ...]) -> None:
    said = desk.ask(BILL, *homes, text="上个月三家一共多少", entities=[period("2026-10")])
    bills = [desk.billed(one, "2026-10-01", "2026-10-01") for one in homes]
    assert said.text.startswith(f"您3个户号2026年10月电费一共{sum(bills):.2f}元：")
    assert [Decimal(row[2]) for row in said.card["rows"]] == bills


def test_months_that_nobody_has_a_bill_of_are_said_to_have_none(desk: Desk, homes: tuple[str, ...]) -> None:
    said = desk.ask(BILL, *homes, text="三套房1998年的电费", entities=[period("1998-01/1998-12")])
    assert said.text.startswith("没有1998年1月至1998年12月的账单")


def test_paying_for_all_names_the_sum(desk: Desk, homes: tuple[str, ...]) -> None:
    slots = {"account_asked": homes[0]}
    said = desk.ask(PAY, *homes, text="三个户号一起怎么交", slots=slots)
    assert said.text.startswith("您3个户号")


@pytest.mark.parametrize("text", ["门面一共欠多少", "第二套欠多少", "第三户欠好多"])
def test_one_that_is_pointed_at_is_answered_alone(desk: Desk, homes: tuple[str, ...], text: str) -> None:
    meant = homes[1] if "二" in text else homes[2]
    assert desk.ask(BALANCE, *homes, text=text).slots["account_asked"] == meant


def test_a_sum_of_months_is_no_sum_of_accounts(desk: Desk, homes: tuple[str, ...]) -> None:
    year = [period("2026-01/2026-10", "year")]
    said = desk.ask(BILL, *homes, text="今年一共多少", entities=year, slots={"account_asked": homes[0]})
    assert said.slots["account_asked"] == homes[0]


def test_who_has_one_account_is_answered_as_ever(desk: Desk, homes: tuple[str, ...]) -> None:
    assert desk.ask(BALANCE, homes[0], text="一共欠多少").response.startswith("utter_balance")
