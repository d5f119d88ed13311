"""Bills: what is said and shown equals the rows of the database."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from actions_desk import Desk, day, period

NAMES = {
    "tier": {1: "第一档", 2: "第二档", 3: "第三档"},
    "period": {"sharp": "尖峰", "peak": "高峰", "flat": "平段", "valley": "低谷"},
}
ASK = "action_query_bill"
_BILL = " from bills b join accounts a on a.id = b.account_id "


def rows(desk: Desk, account: str, month: str) -> list[tuple[Any, ...]]:
    return desk.sql(
        "select code, tier, period, quantity, unit, unit_price, cast(round(l.amount * 100) as integer)"
        " from bill_lines l join bills b on b.id = l.bill_id join accounts a on a.id = b.account_id"
        " where account_no = ? and month = ? order by seq", account, month,
    )  # fmt: skip


def shown(lines: list[dict[str, str]]) -> list[tuple[str, Decimal, Decimal, Decimal]]:
    return [(one["label"], Decimal(one["quantity"]), Decimal(one["price"]), Decimal(one["amount"])) for one in lines]


def expected(desk: Desk, account: str, month: str) -> list[tuple[str, Decimal, Decimal, Decimal]]:
    others = {"flat": "电度电费", "basic": "基本电费", "power_factor": "力调电费", "free_quota": "免费电量减免"}
    return [
        (
            NAMES["tier"][tier] if code == "tier" else NAMES["period"][name] if code == "period" else others[code],
            Decimal(str(quantity)), Decimal(str(price)), Decimal(fen) / 100,
        )
        for code, tier, name, quantity, _unit, price, fen in rows(desk, account, month)
    ]  # fmt: skip


def with_lines(desk: Desk, condition: str) -> tuple[str, str]:
    """Return an account and its latest month whose lines meet the condition (an aggregate over lines `l`)."""
    account, month = desk.sql(
        f"select account_no, max(month) from (select account_no, month{_BILL}join bill_lines l on l.bill_id = b.id"
        f" where closed_on is null group by b.id having {condition}) group by account_no order by account_no",
    )[0]
    return account, month


@pytest.mark.parametrize(
    "condition",
    [
        "sum(l.code = 'tier') = 2",
        "sum(l.code = 'period') = 4 and user_class = 'charging'",
        "sum(l.code = 'period') = 4 and user_class = 'commercial'",
        "sum(l.code = 'basic') > 0 and sum(l.code = 'power_factor') > 0",
        "sum(l.code = 'free_quota') > 0",
        "sum(l.code = 'flat') > 0",
        "large_family_kwh > 0 and sum(l.tier = 2) > 0",
    ],
)
def test_every_line_of_a_bill_is_on_its_card(desk: Desk, condition: str) -> None:
    account, month = with_lines(desk, condition)
    said = desk.ask(ASK, account, entities=[period(month[:7])])
    assert shown(said.card["lines"]) == expected(desk, account, month)
    assert said.response == "utter_bill_month"


def test_the_first_sentence_is_the_amount(desk: Desk) -> None:
    account, month = with_lines(desk, "sum(l.code = 'tier') = 2")
    said = desk.ask(ASK, account, entities=[period(month[:7])])
    amount = desk.billed(account, month, month)
    assert said.text.startswith(f"{int(month[:4])}年{int(month[5:7])}月电费{amount:.2f}元，用电")


def test_both_tiers_are_explained_in_words(desk: Desk) -> None:
    account, month = with_lines(desk, "sum(l.code = 'tier') = 2")
    said = desk.ask(ASK, account, entities=[period(month[:7])])
    for label, quantity, price, amount in expected(desk, account, month):
        assert f"{label}{quantity.normalize():f}度，每度{price}元，共{amount:.2f}元" in said.text


def test_all_four_periods_of_a_charging_point_are_explained(desk: Desk) -> None:
    account, month = with_lines(desk, "sum(l.code = 'period') = 4 and user_class = 'charging'")
    said = desk.ask(ASK, account, entities=[period(month[:7])])
    for label, _quantity, _price, amount in expected(desk, account, month):
        assert f"{label}" in said.text
        assert f"共{amount:.2f}元" in said.text


def test_a_factory_hears_its_three_largest_lines_and_sees_all(desk: Desk) -> None:
    account, month = with_lines(desk, "sum(l.code = 'basic') > 0 and count(*) >= 6")
    lines = sorted(expected(desk, account, month), key=lambda line: -abs(line[3]))
    said = desk.ask(ASK, account, entities=[period(month[:7])])
    assert all(f"{amount:.2f}元" in said.text for _label, _quantity, _price, amount in lines[:3])
    assert not any(f"{amount:.2f}元" in said.text for _label, _quantity, _price, amount in lines[3:])
    assert f"其余{len(lines) - 3}项见明细" in said.text
    assert len(said.card["lines"]) == len(lines)


def test_a_small_line_that_is_asked_for_comes_first(desk: Desk) -> None:
    account, month = with_lines(desk, "sum(l.code = 'basic') > 0 and count(*) >= 6")
    (amount,) = (amount for label, _quantity, _price, amount in expected(desk, account, month) if label == "尖峰")
    said = desk.ask(ASK, account, text="那个月尖峰花了多少", entities=[period(month[:7])])
    assert "其中尖峰" in said.text
    assert f"共{amount:.2f}元；" in said.text.partition("尖峰")[2]


def test_long_unit_prices_are_rounded_in_words_and_whole_on_the_card(desk: Desk) -> None:
    account, month = with_lines(desk, "user_class = 'commercial' and sum(l.code = 'period') = 4")
    said = desk.ask(ASK, account, entities=[period(month[:7])])
    label, _quantity, price, _amount = expected(desk, account, month)[0]
    assert len(str(price).partition(".")[2]) > 4
    assert f"每度约{round(price, 4).normalize():f}元" in said.text
    assert str(price) not in said.text
    assert Decimal(said.card["lines"][0]["price"]) == price
    assert said.card["lines"][0]["label"] == label


def test_the_free_quota_is_said_as_money_not_charged(desk: Desk) -> None:
    account, month = with_lines(desk, "sum(l.code = 'free_quota') > 0")
    said = desk.ask(ASK, account, entities=[period(month[:7])])
    _label, quantity, _price, amount = next(one for one in expected(desk, account, month) if one[0] == "免费电量减免")
    assert amount < 0
    assert f"免费电量减免{quantity.normalize():f}度，少收{-amount:.2f}元" in said.text


def test_a_bill_of_nothing_says_that_nothing_was_used(desk: Desk, tmp_path: Path) -> None:
    account = desk.account("user_class = 'residential'")
    of_account = "(select id from accounts where account_no = ?)"
    bill = f"(select id from bills where month = '2026-10-01' and account_id = {of_account})"
    empty = desk.changed(
        tmp_path,
        (f"update bill_lines set amount = 0, quantity = 0 where bill_id = {bill}", account),
        (f"update bills set amount = 0, kwh = 0 where id = {bill}", account),
    )
    said = empty.ask(ASK, account, entities=[period("2026-10")])
    assert "没有用电，不收电费" in said.text
    assert said.card["amount"] == "0.00"


def test_without_a_period_the_latest_bill_is_told(desk: Desk) -> None:
    account = desk.account("user_class = 'residential'")
    latest = desk.one(f"select max(month){_BILL}where account_no = ?", account)
    said = desk.ask(ASK, account)
    assert Decimal(said.card["amount"]) == desk.billed(account, latest, latest)
    assert said.card["title"] == "2026年10月电费"


def test_several_months_are_added_up_and_the_highest_is_named(desk: Desk) -> None:
    account = desk.account("user_class = 'residential' and opened_on < '2024-01-01' and not prepaid")
    said = desk.ask(ASK, account, entities=[period("2026-01/2026-06", "half")])
    months = desk.sql(
        f"select month, cast(round(b.amount * 100) as integer){_BILL}"
        "where account_no = ? and month between '2026-01-01' and '2026-06-01' order by month", account,
    )  # fmt: skip
    assert [Decimal(one["amount"]) for one in said.card["months"]] == [Decimal(fen) / 100 for _month, fen in months]
    assert f"一共{desk.billed(account, '2026-01-01', '2026-06-01'):.2f}元（6个月）" in said.text
    month, highest = max(months, key=lambda row: row[1])
    assert f"最高的是2026年{int(month[5:7])}月，{highest / 100:.2f}元" in said.text


def test_months_asked_for_that_have_no_bill_yet_are_named(desk: Desk) -> None:
    account = desk.account("user_class = 'residential'")
    assert "2026年11月的账单还没出" in desk.ask(ASK, account, entities=[period("2026-10/2026-11")]).text
    assert "还没出" not in desk.ask(ASK, account, entities=[period("2026-09/2026-10")]).text


def test_the_current_month_has_no_bill_yet_but_its_use_is_offered(desk: Desk) -> None:
    account = desk.account("user_class = 'residential'")
    said = desk.ask(ASK, account, entities=[period("2026-11")])
    assert said.response == "utter_no_bill_yet"
    assert said.buttons == [("看2026年11月的用电量", '/query_usage{"period": "2026-11/2026-11"}')]
    assert "最近一期是2026年10月" in said.text


def test_a_month_to_come_has_no_bill_yet_and_no_use(desk: Desk) -> None:
    said = desk.ask(ASK, desk.account("user_class = 'residential'"), entities=[period("2027-03")])
    assert (said.response, said.buttons) == ("utter_no_bill_yet", [])


def test_before_the_account_was_opened_there_is_no_bill(desk: Desk) -> None:
    account = desk.account("opened_on > '2026-01-01'")
    said = desk.ask(ASK, account, entities=[period("2025-06")])
    assert said.response == "utter_no_bill"
    assert "2025年6月" in said.text


def test_after_an_account_was_closed_there_will_be_no_bill(desk: Desk) -> None:
    account = desk.one("select account_no from accounts where closed_on < '2026-09-01' order by closed_on desc")
    assert desk.ask(ASK, account, entities=[period("2026-10")]).response == "utter_no_bill"


def test_an_account_without_any_bill_is_told_so(desk: Desk, tmp_path: Path) -> None:
    account = desk.account("user_class = 'residential'")
    fresh = desk.changed(
        tmp_path, ("delete from bills where account_id = (select id from accounts where account_no = ?)", account)
    )
    assert fresh.ask(ASK, account).response == "utter_never_billed"


def test_a_day_means_the_bill_of_its_month(desk: Desk) -> None:
    account = desk.account("user_class = 'residential'")
    said = desk.ask(ASK, account, entities=[day("2026-09-14")])
    assert said.card["title"] == "2026年9月电费"
    assert Decimal(said.card["amount"]) == desk.billed(account, "2026-09-01", "2026-09-01")


def test_of_200_bills_lines_card_text_and_database_agree(desk: Desk) -> None:
    every = desk.sql(f"select account_no, month, cast(round(b.amount * 100) as integer){_BILL}order by b.id")
    for account, month, fen in random.Random(20261122).sample(every, 200):
        said = desk.ask(ASK, account, entities=[period(month[:7])])
        amount = Decimal(fen) / 100
        assert sum((Decimal(one["amount"]) for one in said.card["lines"]), Decimal(0)) == amount
        assert Decimal(said.card["amount"]) == amount
        assert f"电费{amount:.2f}元" in said.text
