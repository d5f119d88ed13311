"""The own meter: what it stands at, how the bill follows from it, and what the customer's own look at it says."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from actions_desk import TODAY, Desk, day

ASK = "action_query_meter_reading"
HOME = "user_class = 'residential' and opened_on < '2023-01-01' and profile in ('children', 'flat', 'elderly')"
DOUBT = ("登记核查读数", '/inform{"start": "meter_data_doubt"}')
LAST = TODAY - timedelta(days=1)


def reading(desk: Desk, account: str, on: date, registers: str = "sharp + peak + flat + valley") -> Decimal:
    """Return what the meter stood at when a day ended."""
    return desk.fen(
        f"select cast(round(({registers}) * 100) as integer) from daily_readings r join meters m on m.id = r.meter_id"
        " join accounts a on a.id = m.account_id where account_no = ? and day = ? order by m.installed_on desc",
        account, on.isoformat(),
    )  # fmt: skip


def plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def test_the_latest_reading_is_told_with_its_day(desk: Desk) -> None:
    account = desk.account(HOME)
    said = desk.ask(ASK, account, text="抄到几多了")
    total = reading(desk, account, LAST)
    assert f"到11月21日24点的读数是{plain(total)}" in said.text.partition("\n")[0]
    assert {"label": "总读数", "value": plain(total)} in said.card["rows"]


def test_the_bill_is_the_difference_of_its_two_readings(desk: Desk) -> None:
    account = desk.account(HOME)
    start, end = reading(desk, account, date(2026, 9, 30)), reading(desk, account, date(2026, 10, 31))
    said = desk.ask(ASK, account, text="读数")
    assert f"2026年10月的账单：从{plain(start)}走到{plain(end)}，一共{plain(end - start)}度。" in said.text


def test_the_multiplier_of_a_factory_is_explained_and_multiplied(desk: Desk) -> None:
    account = desk.account("user_class = 'industrial'")
    times = desk.one(
        "select multiplier from meters m join accounts a on a.id = m.account_id where account_no = ?"
        " and removed_on is null", account,
    )  # fmt: skip
    difference = reading(desk, account, date(2026, 10, 31)) - reading(desk, account, date(2026, 9, 30))
    said = desk.ask(ASK, account, text="表码 查一下")
    assert times > 1
    assert f"倍率，是{times}：读数差1个字，就是{times}度" in said.text
    assert f"差{plain(difference)}，乘倍率{times}，正好{plain(difference * times)}度" in said.text


def test_registers_are_told_one_by_one_and_make_the_total(desk: Desk) -> None:
    account = desk.account("user_class = 'charging'")
    said = desk.ask(ASK, account, text="尖峰平谷四个数都怎么读")
    parts = {name: reading(desk, account, LAST, column) for name, column in
             (("尖峰", "sharp"), ("高峰", "peak"), ("平段", "flat"), ("低谷", "valley"))}  # fmt: skip
    for name, value in parts.items():
        assert f"{name}{plain(value)}" in said.text
    assert sum(parts.values()) == reading(desk, account, LAST)
    assert "看表的办法" in said.text


def test_a_day_that_is_named_is_looked_up(desk: Desk) -> None:
    account = desk.account(HOME)
    said = desk.ask(ASK, account, text="10月15号的读数", entities=[day("2026-10-15")])
    assert f"到10月15日24点的读数是{plain(reading(desk, account, date(2026, 10, 15)))}" in said.text


def test_what_fits_is_believed_and_no_check_is_pressed_on_anybody(desk: Desk) -> None:
    account = desk.account(HOME)
    seen = int(reading(desk, account, LAST)) + 1
    said = desk.ask(ASK, account, text=f"表上显示{seen} 账单上不是这个数")
    assert said.text.startswith(f"您看到的是{seen}，和系统对得上")
    assert ("申请校表", "/apply_meter_check") not in said.buttons


def test_a_figure_below_the_billed_one_is_doubted_and_an_order_offered(desk: Desk) -> None:
    account = desk.account(HOME)
    end = reading(desk, account, date(2026, 10, 31))
    seen = int(end) - 300
    said = desk.ask(ASK, account, text=f"表上才{seen} 你们是不是抄错了")
    assert said.text.startswith(f"您看到的是{seen}，比2026年10月账单的止码{plain(end)}还小")
    assert DOUBT in said.buttons
    assert ("申请校表", "/apply_meter_check") in said.buttons


def test_a_figure_far_above_is_asked_to_be_read_again(desk: Desk) -> None:
    account = desk.account(HOME)
    total = reading(desk, account, LAST)
    said = desk.ask(ASK, account, text=f"表上是{int(total) + 9000}")
    assert f"比昨晚24点的{plain(total)}多出" in said.text
    assert DOUBT in said.buttons


def test_a_spoken_figure_is_understood(desk: Desk) -> None:
    said = desk.ask(ASK, desk.account(HOME), text="我看表上写的是三百四十二 你们单子上不一样 哪个对")
    assert said.text.startswith("您看到的是342，")


def test_the_screen_of_one_register_is_recognised(desk: Desk) -> None:
    account = desk.account("user_class = 'charging'")
    valley = reading(desk, account, LAST, "valley")
    said = desk.ask(ASK, account, text=f"表上显示{int(valley)}")
    assert said.text.startswith(f"您看到的是{int(valley)}，像是“低谷”那一屏的数")


@pytest.mark.parametrize("text", ["2026年10月抄了多少", "上个月88块，怎么抄的", "户号{account}的读数"])
def test_dates_money_and_account_numbers_are_no_readings(desk: Desk, text: str) -> None:
    account = desk.account(HOME)
    named = [{"entity": "account_no", "value": account}] if "account" in text else []
    said = desk.ask(ASK, account, text=text.format(account=account), entities=named)
    assert "您看到的是" not in said.text


def test_a_bill_that_does_not_fit_its_readings_leads_to_an_order(desk: Desk, tmp_path: Path) -> None:
    account = desk.account(HOME)
    wrong = desk.changed(tmp_path, (
        "update bills set kwh = kwh + 25 where month = '2026-10-01' and account_id ="
        " (select id from accounts where account_no = ?)", account,
    ))  # fmt: skip
    said = wrong.ask(ASK, account, text="账单和表对不上")
    assert "差25度对不上" in said.text
    assert DOUBT in said.buttons


def test_a_stranger_learns_to_read_a_meter_and_nothing_of_any_account(desk: Desk) -> None:
    said = desk.ask(ASK, text="怎么看表", assurance=0)
    assert "看表的办法" in said.text
    assert desk.ask(ASK, text="读数", assurance=0).response == "utter_not_identified"


def test_an_account_without_any_reading_is_told_so(desk: Desk, tmp_path: Path) -> None:
    account = desk.account(HOME)
    empty = desk.changed(tmp_path, (
        "delete from daily_readings where meter_id in (select m.id from meters m join accounts a on"
        " a.id = m.account_id where account_no = ?)", account,
    ))  # fmt: skip
    said = empty.ask(ASK, account, text="读数")
    assert said.text.startswith("这块电表还没有读数。")


def test_a_day_without_a_reading_is_said_to_have_none(desk: Desk) -> None:
    said = desk.ask(ASK, desk.account(HOME), text="那年的读数", entities=[day("2001-05-01")])
    assert said.text.startswith("2001年5月1日没有读数")
    assert "11月21日24点的读数是" in said.text


def test_what_was_read_is_still_known_after_the_account_was_chosen(desk: Desk) -> None:
    home, pile = desk.account(HOME), desk.account("user_class = 'charging'")
    seen = int(reading(desk, home, LAST))
    first = desk.ask(ASK, home, pile, text=f"表上显示{seen}")
    assert first.response == "utter_which_account"
    chosen = [{"entity": "account_no", "value": home}]
    said = desk.ask("action_inform", home, pile, text='/inform{"account_no": "x"}', entities=chosen, after=first)
    assert said.text.startswith(f"您看到的是{seen}，")
    assert said.slots["said_before"] is None
