"""The chart of use: every bar is the difference of readings, of one meter or of two."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from actions_desk import Desk, period

from core.clock import add_months

ASK = "action_query_usage"
HOME = "user_class = 'residential' and opened_on < '2023-01-01' and profile in ('children', 'flat', 'elderly')"


def month_end(first: date) -> date:
    return add_months(first, 1) - timedelta(days=1)


def test_the_use_of_a_year_is_shown_month_by_month(desk: Desk) -> None:
    account = desk.account(HOME)
    said = desk.ask(ASK, account, entities=[period("2025-01/2025-12", "year")])
    assert Decimal(said.card["total"]) == desk.used(account, date(2025, 1, 1), date(2025, 12, 31))
    months = [date(2025, number, 1) for number in range(1, 13)]
    assert [Decimal(one["value"]) for one in said.card["points"]] == [
        desk.used(account, month, month_end(month)) for month in months
    ]


def test_a_single_month_is_charted_with_the_five_before_it_and_the_year_before(desk: Desk) -> None:
    account = desk.account(HOME)
    said = desk.ask(ASK, account, entities=[period("2026-08")])
    months = [add_months(date(2026, 8, 1), -count) for count in range(5, -1, -1)]
    assert [(one["label"], Decimal(one["value"])) for one in said.card["points"]] == [
        (f"{month.month}月", desk.used(account, month, month_end(month))) for month in months
    ]
    before = [add_months(month, -12) for month in months]
    assert [Decimal(one["value"]) for one in said.card["compare"]] == [
        desk.used(account, month, month_end(month)) for month in before
    ]


def test_months_with_estimated_readings_are_marked(desk: Desk) -> None:
    account, month = desk.sql(
        "select account_no, substr(max(day), 1, 7) from daily_readings r join meters m on m.id = r.meter_id"
        " join accounts a on a.id = m.account_id where quality = 'estimated' and day > '2024-08-01' and"
        " closed_on is null group by account_no order by account_no"
    )[0]
    said = desk.ask(ASK, account, entities=[period(month)])
    assert said.card["points"][-1]["estimated"]


def test_across_a_change_of_the_meter_the_use_is_that_of_both(desk: Desk) -> None:
    account, changed = desk.sql(
        "select account_no, max(m.installed_on) from accounts a join meters m on m.account_id = a.id"
        " group by a.id having count(*) > 1 and max(m.installed_on) between '2023-12-01' and '2026-10-31'"
    )[0]
    month = date.fromisoformat(changed).replace(day=1)
    said = desk.ask(ASK, account, entities=[period(f"{month:%Y-%m}")])
    assert Decimal(said.card["total"]) == desk.used(account, month, month_end(month))
