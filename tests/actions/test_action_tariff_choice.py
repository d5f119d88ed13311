"""Which tariff is cheaper: the figures are those of the own readings, and nothing is compared that is not open."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from actions_desk import Desk

ASK = "action_compare_tariff"
FIRST, LAST = date(2025, 11, 1), date(2026, 10, 31)


def billed(desk: Desk, account: str) -> Decimal:
    return desk.billed(account, FIRST.isoformat(), LAST.isoformat())


def test_charging_by_hours_is_compared_with_the_one_price_on_the_own_readings(desk: Desk) -> None:
    account = desk.account("profile = 'charging' and opened_on < '2025-10-01'")
    months = [date(2025, 11, 1), date(2025, 12, 1), *(date(2026, number, 1) for number in range(1, 11))]
    other = Decimal(0)
    for first in months:
        last = date.fromordinal(first.replace(day=28).toordinal() + 4).replace(day=1)
        other += round(desk.used(account, first, date.fromordinal(last.toordinal() - 1)) * Decimal("0.58"), 2)
    said = desk.ask(ASK, account, text="换峰谷的是不是合算")
    now = billed(desk, account)
    assert said.card["rows"] == [
        ["充电桩分时价（现在）", f"{now:.2f}", "—"],
        ["合表价（全天一个价）", f"{other:.2f}", f"多{other - now:.2f}元"],
    ]
    assert f"要多花{other - now:.2f}元：现在{now:.2f}元，换了{other:.2f}元" in said.text
    assert "低谷电大约占到47.1%以上" in said.text
    assert "到2024年11月30日" in said.text


def test_an_ordinary_household_is_told_that_there_are_steps_only(desk: Desk) -> None:
    account = desk.account("profile = 'children'")
    said = desk.ask(ASK, account, text="开峰谷划算吗")
    assert "湖北居民用电目前执行阶梯电价" in said.text
    assert "普通居民能不能办峰谷，以网上国网App或95598最新答复为准" in said.text
    assert f"一共{billed(desk, account):.2f}元" in said.text
    assert not said.reply.cards


def test_a_household_that_asks_about_its_car_hears_the_price_of_the_night(desk: Desk) -> None:
    said = desk.ask(ASK, desk.account("profile = 'children'"), text="充车走家里的表还是单独桩表划算")
    assert "低谷每度0.43元，尖峰每度0.78元" in said.text
    assert "您家现在在第" in said.text


def test_a_household_that_asks_about_the_shared_price_is_given_a_figure(desk: Desk) -> None:
    account = desk.account("profile = 'children'")
    said = desk.ask(ASK, account, text="按合表和按一户一表哪个便宜")
    kwh = desk.used(account, FIRST, LAST)
    assert "要是按合表价" in said.text
    total = Decimal(said.text.partition("要是按合表价，这12个月是")[2].partition("元")[0])
    assert abs(total - kwh * Decimal("0.58")) < Decimal("0.06")
    assert "以网上国网App或95598答复为准" in said.text


def test_a_shop_without_registers_hears_the_share_that_it_needs(desk: Desk) -> None:
    account = desk.account("profile = 'retail' and opened_on < '2025-01-01'")
    said = desk.ask(ASK, account, text="换分时电省不省")
    assert said.text.startswith("您的表没有按单一制分时价的钟点记数，省多少算不出来")
    assert "低谷电大约占到52.4%以上" in said.text
    assert said.card["rows"][1] == ["单一制分时价", "算不出", "—"]


def test_a_shop_with_hours_hears_what_must_be_moved(desk: Desk) -> None:
    account = desk.account("profile = 'food' and opened_on < '2025-01-01'")
    said = desk.ask(ASK, account, text="饭店装了峰谷月月亏")
    assert said.text.startswith("您现在就是按峰谷分时收的。换成全天一个价，这12个月能省")
    assert "从尖峰、高峰挪到低谷" in said.text
    # Whether a shop may choose was not found: it is left to the contract and the company.
    assert "您能不能选，看供用电合同，以网上国网App或95598答复为准" in said.text
    assert ("办理电价变更", "/switch_tariff") in said.buttons


def test_a_factory_is_compared_by_capacity_and_demand(desk: Desk) -> None:
    account = desk.account("user_class = 'industrial' and exists (select 1 from bills b where b.account_id = a.id"
                           " and b.demand_kw is not null)")  # fmt: skip
    said = desk.ask(ASK, account, text="按容量交还是按最大需量交")
    assert said.card["rows"][0][:2] == ["按最大需量交基本电费（现在）", f"{billed(desk, account):.2f}"]
    assert said.card["rows"][1][0] == "按容量交基本电费"
    assert "千伏安" in said.text
    assert "按季度换，提前15个工作日申请" in said.text


def test_a_factory_without_measured_demand_hears_the_kw_to_stay_below(desk: Desk, tmp_path: Path) -> None:
    account = desk.account("profile = 'one_shift'")
    capacity = Decimal(str(desk.one("select capacity_kva from accounts where account_no = ?", account)))
    of_account = "(select id from accounts where account_no = ?)"
    lines = f"bill_id in (select id from bills where account_id = {of_account})"
    changed = desk.changed(
        tmp_path, (f"update bills set demand_kw = null where account_id = {of_account}", account),
        (f"update bill_lines set unit = 'kVA' where code = 'basic' and {lines}", account),
    )  # fmt: skip
    said = changed.ask(ASK, account, text="需量和容量哪种便宜")
    assert (
        f"每月最大需量平均不到{int(capacity * Decimal('26.3') / 42 + Decimal('0.5'))}千瓦，按需量交就便宜" in said.text
    )


@pytest.mark.parametrize("profile", ["school", "crops"])
def test_who_has_one_price_only_is_told_what_it_cost(desk: Desk, profile: str) -> None:
    account = desk.account(f"profile = '{profile}'")
    said = desk.ask(ASK, account, text="哪种电价划算")
    assert f"一共{billed(desk, account):.2f}元" in said.text
    assert not said.reply.cards


def test_a_household_is_not_told_about_single_and_two_part_prices(desk: Desk) -> None:
    said = desk.ask(ASK, desk.account("profile = 'large'"), text="按容量交省不省")
    assert "单一制" not in said.text


def test_a_visitor_gets_the_general_answer(desk: Desk) -> None:
    said = desk.ask(ASK, text="开峰谷划算吗")
    assert said.text.startswith("湖北居民用电目前执行阶梯电价")
    assert "绑定户号后" in said.text
    assert "100到315千伏安" in desk.ask(ASK, text="单一制和两部制哪个划算").text


def test_a_new_account_is_told_to_wait_for_a_whole_month(desk: Desk, tmp_path: Path) -> None:
    account = desk.account("profile = 'children'")
    changed = desk.changed(tmp_path, ("update accounts set opened_on = '2026-11-03' where account_no = ?", account))
    assert "满一个月再来" in changed.ask(ASK, account).text


def test_a_closed_account_has_nothing_to_compare(desk: Desk) -> None:
    account = desk.one("select account_no from accounts where closed_on < '2026-11-01' order by closed_on desc")
    assert "已经销户" in desk.ask(ASK, account).text


def test_several_accounts_are_asked_about_unless_one_is_named(desk: Desk) -> None:
    mine = [row[0] for row in desk.sql(
        "select account_no from accounts where customer_id = (select customer_id from accounts where profile ="
        " 'charging' and opened_on < '2025-10-01' order by id limit 1) order by id"
    )]  # fmt: skip
    assert desk.ask(ASK, *mine, text="哪种便宜").response == "utter_which_account"
    assert desk.ask(ASK, *mine, text="充电桩那个换峰谷划算吗").card["rows"][0][0] == "充电桩分时价（现在）"


def test_every_open_account_gets_an_answer_without_holes(desk: Desk) -> None:
    for (account,) in desk.sql("select account_no from accounts where closed_on is null"):
        said = desk.ask(ASK, account, text="两部制、合表、充电桩、峰谷，哪个便宜")
        assert "元" in said.text
        assert "App或95598" in said.text or "户号" in said.text


def test_who_has_the_hours_is_told_so_and_no_form_begins(desk: Desk) -> None:
    account = desk.account("profile = 'charging' and opened_on < '2025-10-01'")
    said = desk.ask(
        "action_form", account, text="车位充电那个表换成峰谷的", intent="switch_tariff", assurance=2
    )  # fmt: skip
    assert said.text.startswith("您现在就是按峰谷分时收的。现在的划算。")
    assert said.slots["form"] is None


def test_who_has_the_hours_may_give_them_up(desk: Desk) -> None:
    account = desk.account("profile = 'charging' and opened_on < '2025-10-01'")
    said = desk.ask("action_form", account, text="充电桩的分时我要取消", intent="switch_tariff", assurance=2)
    assert said.slots["form"]["business"] == "charging_tou_off"
