"""A charge that is asked about is told first, from the customer's own bill."""

from __future__ import annotations

from decimal import Decimal

from actions_desk import Desk

BILL, TARIFF = "action_query_bill", "action_explain_tariff"
_LINE = (
    "select a.account_no, cast(round(l.amount * 100) as integer) from bill_lines l join bills b on b.id = l.bill_id"
    " join accounts a on a.id = b.account_id where b.month = '2026-10-01' and l.code = ? and l.amount > 0 order by a.id"
)


def test_the_basic_charge_comes_before_the_sum_of_the_bill(desk: Desk) -> None:
    account, fen = desk.sql(_LINE, "basic")[0]
    said = desk.ask(BILL, account, text="上个月基本电费收了多少")
    assert said.text.startswith(f"您2026年10月的基本电费是{Decimal(fen) / 100:.2f}元")
    assert f"2026年10月电费一共{desk.billed(account, '2026-10-01', '2026-10-01'):.2f}元" in said.text
    assert said.card["lines"]


def test_a_home_is_told_that_its_bill_has_no_such_charge(desk: Desk) -> None:
    home = desk.account("user_class = 'residential' and opened_on < '2023-01-01' and not prepaid")
    assert desk.ask(BILL, home, text="力调电费罚了多少").text.startswith("您2026年10月的账单里没有力调电费这一项。")


def test_a_debtor_who_asks_by_the_day_hears_the_own_figure_first(desk: Desk) -> None:
    numbers = desk.sql("select account_no from accounts where closed_on is null and user_class = 'residential'")
    late = [one for (one,) in numbers if "到今天违约金" in desk.ask(TARIFF, one, text="违约金多少").text]
    said = desk.ask(TARIFF, late[0], text="违约金一天涨多少，俺心里没底")
    assert said.text.startswith("照现在欠的，每天加0.")
    assert "千分之一" in said.text.partition("到今天违约金")[2]
