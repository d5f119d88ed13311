"""How a bill stands: paid, partly, not yet, too late; and what its card notes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from actions_desk import Desk, period

ASK = "action_query_bill"
_BILL = " from bills b join accounts a on a.id = b.account_id "
OF_BILL = "(select b.id from bills b join accounts a on a.id = b.account_id where account_no = ? and month = ?)"


def unpaid(desk: Desk, directory: Path, month: str, paid: Decimal = Decimal(0)) -> tuple[Desk, str]:
    """Return a desk at which one bill of a paying customer was paid only in part, or not at all."""
    account = desk.account(
        "user_class = 'residential' and not prepaid and not exists (select 1 from bills b where account_id = a.id and"
        " abs(b.amount - (select coalesce(sum(p.amount), 0) from payments p where p.bill_id = b.id and"
        " status = 'succeeded')) > 0.001) and (select amount from bills b where account_id = a.id and"
        " month = '2026-10-01') > 30"
    )
    statements: list[tuple[Any, ...]] = [(f"delete from payments where bill_id = {OF_BILL}", account, month)]
    if paid:
        statements.append((
            "insert into payments (reference, account_id, bill_id, paid_at, amount, channel, status) select 'partly',"
            f" account_id, id, '2026-11-10 02:00:00.000000', ?, 'app', 'succeeded' from bills where id = {OF_BILL}",
            str(paid), account, month,
        ))  # fmt: skip
    return desk.changed(directory, *statements), account


def test_a_paid_bill_says_so(desk: Desk, tmp_path: Path) -> None:
    account = unpaid(desk, tmp_path, "2026-10-01")[1]
    said = desk.ask(ASK, account, entities=[period("2026-10")])
    assert (said.card["status"], said.card["unpaid"]) == ("已缴清", "0.00")
    assert "已缴清" in said.text


def test_an_unpaid_bill_says_until_when_it_is_due(desk: Desk, tmp_path: Path) -> None:
    other, account = unpaid(desk, tmp_path, "2026-10-01")
    said = other.ask(ASK, account, entities=[period("2026-10")])
    due = desk.one(f"select due_on{_BILL}where account_no = ? and month = '2026-10-01'", account)
    assert (said.card["status"], said.card["due"], said.card["unpaid"]) == ("未缴", due, said.card["amount"])
    assert f"还没缴，最晚11月{int(due[8:])}日缴清" in said.text


def test_a_partly_paid_bill_says_what_is_missing(desk: Desk, tmp_path: Path) -> None:
    other, account = unpaid(desk, tmp_path, "2026-10-01", Decimal("12.34"))
    said = other.ask(ASK, account, entities=[period("2026-10")])
    missing = desk.billed(account, "2026-10-01", "2026-10-01") - Decimal("12.34")
    assert (said.card["status"], said.card["paid"]) == ("部分未缴", "12.34")
    assert f"还差{missing:.2f}元没缴" in said.text


def test_an_overdue_bill_says_so_alone_and_among_others(desk: Desk, tmp_path: Path) -> None:
    other, account = unpaid(desk, tmp_path, "2026-09-01")
    alone = other.ask(ASK, account, entities=[period("2026-09")])
    owed = desk.billed(account, "2026-09-01", "2026-09-01")
    assert alone.card["status"] == "已逾期"
    assert f"还欠{owed:.2f}元，已过缴费期限" in alone.text
    among = other.ask(ASK, account, entities=[period("2026-06/2026-10")])
    assert [one["status"] for one in among.card["months"]] == ["已缴清", "已缴清", "已缴清", "已逾期", "已缴清"]
    assert f"还有{owed:.2f}元没缴，有的已过缴费期限" in among.text


def test_an_estimated_bill_carries_its_note_and_others_do_not(desk: Desk) -> None:
    query = f"select account_no, month{_BILL}where estimated = ? and user_class = 'residential' order by month desc"
    for estimated in (1, 0):
        account, month = desk.sql(query, estimated)[0]
        note = desk.ask(ASK, account, entities=[period(month[:7])]).card["note"]
        assert ("估抄" in note) == bool(estimated)


def test_a_price_that_nobody_verified_is_said_to_be_so(desk: Desk) -> None:
    seen = set()
    query = f"select min(account_no), max(month), b.plan_code{_BILL}where closed_on is null group by b.plan_code"
    for account, month, plan in desk.sql(query):
        status = desk.services.book.plan(plan, date.fromisoformat(month)).status
        note = desk.ask(ASK, account, entities=[period(month[:7])]).card["note"]
        assert ("待核实" in note) == (status != "verified")
        seen.add(status)
    assert seen == {"verified", "assumed"}
