"""Use of days and months: the differences of the meter's readings."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from actions_desk import TODAY, Desk, day, period

from core.clock import add_months

ASK = "action_query_usage"
# One meter with one register, there for years.
HOME = "user_class = 'residential' and opened_on < '2023-01-01' and profile in ('children', 'flat', 'elderly')"
CHARGING = "user_class = 'charging' and opened_on < '2024-01-01'"
LAST_READ = TODAY - timedelta(days=1)


def month_end(first: date) -> date:
    return add_months(first, 1) - timedelta(days=1)


def kwh(value: Decimal) -> str:
    return f"{value.normalize():f}"


def test_the_use_of_a_month_is_the_difference_of_its_readings(desk: Desk) -> None:
    account = desk.account(HOME)
    said = desk.ask(ASK, account, entities=[period("2026-08")])
    used = desk.used(account, date(2026, 8, 1), date(2026, 8, 31))
    assert said.text.startswith(f"2026年8月用电{kwh(used)}度")
    assert Decimal(said.card["total"]) == used


def test_without_a_period_the_last_whole_month_is_told(desk: Desk) -> None:
    account = desk.account(HOME)
    used = desk.used(account, date(2026, 10, 1), date(2026, 10, 31))
    assert desk.ask(ASK, account).text.startswith(f"2026年10月用电{kwh(used)}度")


def test_a_year_without_its_name_is_the_last_twelve_months(desk: Desk) -> None:
    account = desk.account(HOME)
    said = desk.ask(ASK, account, text="一年用了多少电")
    used = desk.used(account, date(2025, 11, 1), date(2026, 10, 31))
    assert said.text.startswith(f"2025年11月至2026年10月用电{kwh(used)}度")


def test_of_an_account_opened_this_month_the_current_month_is_told(desk: Desk, tmp_path: Path) -> None:
    account = desk.account(HOME)
    mine = "account_id = (select id from accounts where account_no = ?)"
    fresh = desk.changed(
        tmp_path,
        ("update accounts set opened_on = '2026-11-10' where account_no = ?", account),
        (
            f"delete from daily_readings where day < '2026-11-09' and meter_id in (select id from meters where {mine})",
            account,
        ),
    )
    said = fresh.ask(ASK, account)
    used = fresh.used(account, date(2026, 11, 1), LAST_READ)
    assert said.text.startswith(f"2026年11月（到11月21日）用电{kwh(used)}度")


def test_the_use_of_several_months_is_their_sum(desk: Desk) -> None:
    account = desk.account(HOME)
    said = desk.ask(ASK, account, entities=[period("2026-06/2026-08", "season")])
    used = desk.used(account, date(2026, 6, 1), date(2026, 8, 31))
    assert said.text.startswith(f"2026年6月至2026年8月用电{kwh(used)}度")
    assert [one["label"] for one in said.card["points"]] == ["6月", "7月", "8月"]


def test_the_use_of_one_day_is_told_without_a_chart(desk: Desk) -> None:
    account = desk.account(HOME)
    said = desk.ask(ASK, account, entities=[day("2026-11-21")])
    used = desk.used(account, LAST_READ, LAST_READ)
    assert said.text.startswith(f"2026年11月21日用电{kwh(used)}度。")
    assert list(said.reply.cards) == []


def test_the_use_of_several_days_reaches_from_the_first_to_the_last(desk: Desk) -> None:
    account = desk.account(HOME)
    said = desk.ask(ASK, account, entities=[day("2026-11-07"), day("2026-11-03")])
    used = desk.used(account, date(2026, 11, 3), date(2026, 11, 7))
    assert said.text.startswith(f"2026年11月3日至2026年11月7日用电{kwh(used)}度")


def test_days_up_to_today_are_told_up_to_the_last_reading(desk: Desk) -> None:
    account = desk.account(HOME)
    said = desk.ask(ASK, account, entities=[day("2026-11-16"), day("2026-11-22")])
    used = desk.used(account, date(2026, 11, 16), LAST_READ)
    assert f"（到11月21日）用电{kwh(used)}度" in said.text


def test_registers_are_told_with_their_shares(desk: Desk) -> None:
    account = desk.account(CHARGING)
    said = desk.ask(ASK, account, entities=[period("2026-08")])
    ends = date(2026, 8, 1), date(2026, 8, 31)
    total = desk.used(account, *ends)
    for label, name in (("尖峰", "sharp"), ("高峰", "peak"), ("平段", "flat"), ("低谷", "valley")):
        part = desk.used(account, *ends, registers=name)
        share = round(part * 100 / total)
        assert f"{label}{kwh(part)}度（{share}%）" in said.text
        assert {"label": label, "value": kwh(part), "share": f"{share}%"} in said.card["registers"]


def test_a_meter_with_one_register_names_none(desk: Desk) -> None:
    said = desk.ask(ASK, desk.account(HOME))
    assert said.card["registers"] == []
    assert "其中" not in said.text


def test_more_less_and_the_same_as_a_year_ago_are_told(desk: Desk) -> None:
    account, seen = desk.account(HOME), set()
    for number in range(1, 11):
        month, before = date(2026, number, 1), date(2025, number, 1)
        said = desk.ask(ASK, account, entities=[period(f"{month:%Y-%m}")])
        change = desk.used(account, month, month_end(month)) - desk.used(account, before, month_end(before))
        words = f"比去年同期{'多' if change > 0 else '少'}{kwh(abs(change))}度（" if change else "与去年同期持平"
        assert words in said.text
        seen.add(change.compare(Decimal(0)))
    assert {1, -1} <= seen


def test_an_account_without_last_year_has_no_comparison(desk: Desk) -> None:
    account = desk.account("opened_on between '2026-01-01' and '2026-08-31'")
    said = desk.ask(ASK, account)
    assert "去年同期没有可比的数据" in said.text
    assert said.card["compare"] == []


def test_the_current_month_says_up_to_which_day_and_compares_nothing(desk: Desk) -> None:
    account = desk.account(HOME)
    said = desk.ask(ASK, account, entities=[period("2026-11")])
    used = desk.used(account, date(2026, 11, 1), LAST_READ)
    assert said.text.startswith(f"2026年11月（到11月21日）用电{kwh(used)}度")
    assert "同期" not in said.text
    assert [one["partial"] for one in said.card["points"]] == [False] * 5 + [True]


def test_today_is_read_in_the_next_night_and_yesterday_is_offered(desk: Desk) -> None:
    said = desk.ask(ASK, desk.account(HOME), entities=[day("2026-11-22")])
    assert said.response == "utter_no_reading_yet"
    assert said.text.startswith("2026年11月22日的用电量还查不到")
    assert "第二天" in said.text
    assert said.buttons == [("看2026年11月21日的用电量", '/query_usage{"date": "2026-11-21"}')]


def test_a_month_to_come_has_no_use_yet(desk: Desk) -> None:
    said = desk.ask(ASK, desk.account(HOME), entities=[period("2026-12")])
    assert said.response == "utter_no_reading_yet"


def test_a_meter_that_was_never_read_has_no_use_yet(desk: Desk, tmp_path: Path) -> None:
    account = desk.account(HOME)
    unread = desk.changed(tmp_path, (
        "delete from daily_readings where meter_id in (select m.id from meters m join accounts a on"
        " a.id = m.account_id where account_no = ?)", account,
    ))  # fmt: skip
    said = unread.ask(ASK, account)
    assert (said.response, said.buttons) == ("utter_no_reading_yet", [])


def test_before_the_account_was_opened_there_is_no_use(desk: Desk) -> None:
    said = desk.ask(ASK, desk.account("opened_on > '2026-01-01'"), entities=[period("2025-06")])
    assert said.response == "utter_no_reading"
    assert "2025年6月" in said.text
