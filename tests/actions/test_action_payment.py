"""What is owed or left, and what was paid: sums over bills and payments."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from actions_desk import Desk, day, period

BALANCE, PAYMENT = "action_query_balance", "action_query_payment"
_PAID = (
    "select cast(round(p.amount * 100) as integer), p.channel, p.status, datetime(p.paid_at, '+8 hours')"
    " from payments p join accounts a on a.id = p.account_id where account_no = ?"
    " and datetime(p.paid_at, '+8 hours') between ? and ? order by p.paid_at, p.id"
)
PLAIN = (
    "user_class = 'residential' and not prepaid and opened_on < '2023-01-01' and not exists (select 1 from payments p"
    " where p.account_id = a.id and status != 'succeeded')"
)


def balance(desk: Desk, account: str) -> Decimal:
    paid = desk.fen(
        "select sum(cast(round(p.amount * 100) as integer)) from payments p join accounts a on a.id = p.account_id"
        " where account_no = ? and status = 'succeeded'", account,
    )  # fmt: skip
    return paid - desk.billed(account, "2000-01-01", "2100-01-01")


def by_balance(desk: Desk, sign: int, more: str) -> str:
    numbers = desk.sql(f"select account_no from accounts a where closed_on is null and {more} order by id")
    return next(number for (number,) in numbers if balance(desk, number).compare(Decimal(0)) == sign)


def payments(desk: Desk, account: str, first: str, last: str) -> list[tuple[Any, ...]]:
    return desk.sql(_PAID, account, f"{first} 00:00:00", f"{last} 23:59:59")


def owing(desk: Desk, directory: Path, *months: str) -> tuple[Desk, str]:
    """Return a desk at which one customer has paid all bills but those of the months."""
    account = desk.one(
        f"select account_no from accounts a where closed_on is null and {PLAIN} and not exists (select 1 from bills b"
        " where b.account_id = a.id and abs(b.amount - (select coalesce(sum(p.amount), 0) from payments p"
        " where p.bill_id = b.id and status = 'succeeded')) > 0.001) order by id"
    )
    bill = "select b.id from bills b join accounts a on a.id = b.account_id where account_no = ? and month = ?"
    statements = [(f"delete from payments where bill_id = ({bill})", account, month) for month in months]
    return desk.changed(directory, *statements), account


def test_a_bill_not_yet_due_is_called_due_and_not_owed(desk: Desk, tmp_path: Path) -> None:
    other, account = owing(desk, tmp_path, "2026-10-01")
    said = other.ask(BALANCE, account)
    owed = desk.billed(account, "2026-10-01", "2026-10-01")
    assert said.response == "utter_balance_due"
    assert said.text.startswith(f"您有{owed:.2f}元电费待缴（2026年10月），请最晚11月25日缴清，没有逾期")
    assert Decimal(said.card["owed"]) == owed
    assert Decimal(said.card["balance"]) == -owed
    assert said.card["late_fee"] == "0.00"


def test_an_overdue_bill_is_owed_with_the_late_fee_up_to_today(desk: Desk, tmp_path: Path) -> None:
    other, account = owing(desk, tmp_path, "2026-09-01", "2026-10-01")
    said = other.ask(BALANCE, account)
    late = desk.billed(account, "2026-09-01", "2026-09-01")
    owed = late + desk.billed(account, "2026-10-01", "2026-10-01")
    # Due on 25 October, asked on 22 November: 28 days at one thousandth a day, for a home.
    fee = max(round(late * 28 / 1000, 2), Decimal("1.00"))
    assert said.response == "utter_balance_owed_late"
    assert f"欠费{owed:.2f}元（2026年9月、2026年10月）" in said.text
    assert f"违约金{fee:.2f}元，已过缴费期限" in said.text
    assert [(one["label"], Decimal(one["unpaid"])) for one in said.card["bills"]] == [
        ("2026年9月", late), ("2026年10月", owed - late),
    ]  # fmt: skip


def test_of_many_open_months_the_first_and_their_number_are_told(desk: Desk, tmp_path: Path) -> None:
    months = [f"2026-{number:02d}-01" for number in range(6, 11)]
    other, account = owing(desk, tmp_path, *months)
    said = other.ask(BALANCE, account)
    assert "（2026年6月起共5个月）" in said.text
    assert len(said.card["bills"]) == len(months)


def test_who_owes_nothing_hears_it_at_once(desk: Desk, tmp_path: Path) -> None:
    other, account = owing(desk, tmp_path)
    said = other.ask(BALANCE, account)
    assert said.response == "utter_balance_clear"
    assert said.text.startswith(f"您没有欠费，账户余额{balance(desk, account):.2f}元")
    assert said.card["bills"] == []


def test_a_prepaid_account_hears_what_is_left_and_what_was_used_since(desk: Desk) -> None:
    account = by_balance(desk, 1, "prepaid")
    used = desk.one(
        "select round(max(flat + sharp + peak + valley) - min(flat + sharp + peak + valley), 2) from daily_readings r"
        " join meters m on m.id = r.meter_id join accounts a on a.id = m.account_id where account_no = ?"
        " and day >= '2026-10-31'", account,
    )  # fmt: skip
    said = desk.ask(BALANCE, account)
    assert said.response == "utter_balance_prepaid"
    assert said.text.startswith(f"您账上还剩{balance(desk, account):.2f}元")
    assert f"又用了{Decimal(str(used)).normalize():f}度" in said.text


def test_balances_of_the_whole_region_equal_the_database(desk: Desk) -> None:
    for (account,) in desk.sql("select account_no from accounts where closed_on is null order by id"):
        said = desk.ask(BALANCE, account)
        expected = balance(desk, account)
        assert Decimal(said.card["balance"]) == expected
        assert Decimal(said.card["owed"]) == max(-expected, Decimal(0))


def test_without_a_period_the_payments_of_half_a_year_are_listed_newest_first(desk: Desk) -> None:
    account = desk.account(PLAIN)
    said = desk.ask(PAYMENT, account)
    found = payments(desk, account, "2026-05-01", "2026-11-22")
    assert said.text.startswith(f"2026年5月以来一共缴费{sum(row[0] for row in found) / 100:.2f}元，成功{len(found)}笔")
    assert [(one["date"], Decimal(one["amount"])) for one in said.card["rows"]] == [
        (row[3][:16], Decimal(row[0]) / 100) for row in reversed(found)
    ]


def test_the_payments_of_a_period_are_those_of_its_days_in_shanghai(desk: Desk) -> None:
    account = desk.account(PLAIN)
    said = desk.ask(PAYMENT, account, entities=[period("2025-07/2025-12", "half")])
    found = payments(desk, account, "2025-07-01", "2025-12-31")
    assert Decimal(said.card["total"]) == Decimal(sum(row[0] for row in found)) / 100
    assert said.text.startswith("2025年7月至2025年12月一共缴费")


def test_a_payment_of_one_day_can_be_asked_for(desk: Desk) -> None:
    account = desk.account(PLAIN)
    found = payments(desk, account, "2026-09-01", "2026-11-22")[-1]
    said = desk.ask(PAYMENT, account, entities=[day(found[3][:10])])
    assert [one["date"] for one in said.card["rows"]] == [found[3][:16]]


def test_no_payment_in_a_period_is_said_with_the_period(desk: Desk) -> None:
    for month, more in (("2020-01", "太早"), ("2027-03", "登记核查")):
        said = desk.ask(PAYMENT, desk.account(PLAIN), entities=[period(month)])
        assert f"没有{int(month[:4])}年{int(month[5:])}月的缴费记录" in said.text
        assert more in said.text


def test_who_asks_for_the_last_payment_hears_that_one_and_no_sum(desk: Desk) -> None:
    account = desk.account(PLAIN)
    amount, *_rest = payments(desk, account, "2026-05-01", "2026-11-22")[-1]
    said = desk.ask(PAYMENT, account, text="上次是哪天交的")
    assert said.text.startswith("最近一笔是")
    assert f"的{Decimal(amount) / 100:.2f}元" in said.text
    assert "一共" not in said.text


def test_failed_and_returned_payments_are_listed_but_not_counted(desk: Desk) -> None:
    for status, word in (("failed", "失败"), ("refunded", "已退回")):
        account, month = desk.sql(
            "select account_no, substr(datetime(p.paid_at, '+8 hours'), 1, 7) from payments p join accounts a"
            " on a.id = p.account_id where p.status = ? and exists (select 1 from payments q where"
            " q.account_id = a.id and q.status = 'succeeded' and substr(datetime(q.paid_at, '+8 hours'), 1, 7) ="
            " substr(datetime(p.paid_at, '+8 hours'), 1, 7)) order by p.id", status,
        )[0]  # fmt: skip
        said = desk.ask(PAYMENT, account, entities=[period(month)])
        found = payments(desk, account, f"{month}-01", f"{month}-31")
        went_through = [row for row in found if row[2] == "succeeded"]
        assert len(said.card["rows"]) == len(found)
        assert word in [one["status"] for one in said.card["rows"]]
        assert Decimal(said.card["total"]) == Decimal(sum(row[0] for row in went_through)) / 100
        assert f"成功{len(went_through)}笔" in said.text


def test_a_period_of_failed_payments_alone_is_not_told_as_paid(desk: Desk, tmp_path: Path) -> None:
    account = desk.account(PLAIN)
    failed = desk.changed(tmp_path, (
        "update payments set status = 'failed' where account_id = (select id from accounts where account_no = ?)",
        account,
    ))  # fmt: skip
    said = failed.ask(PAYMENT, account)
    assert said.response == "utter_payments_failed"
    assert "没有缴费成功的记录" in said.text
    assert said.card["total"] == "0.00"


def test_payments_that_failed_or_went_back_are_named(desk: Desk, tmp_path: Path) -> None:
    account = desk.account(PLAIN)
    new = (
        "insert into payments (reference, account_id, bill_id, paid_at, amount, channel, status) values"
        " (?, (select id from accounts where account_no = ?), null, ?, ?, 'bank', ?)"
    )
    other = desk.changed(
        tmp_path,
        (new, "F1", account, "2026-11-10 02:00:00.000000", 95.5, "failed"),
        (new, "R1", account, "2026-11-11 02:00:00.000000", 60, "refunded"),
        (new, "S1", account, "2026-11-12 02:00:00.000000", 95.5, "succeeded"),
    )
    said = other.ask(PAYMENT, account)
    assert "11月10日有一笔95.50元没有成功。11月11日有一笔60.00元已经退回。" in said.text
