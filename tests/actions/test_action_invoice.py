"""Invoices: the months and the sum are those of the bills, and the order needs as little as possible."""

from __future__ import annotations

from pathlib import Path

import pytest
from actions_desk import Desk, period
from sqlalchemy import select

from core.work_order import WorkOrder

ASK = "action_request_invoice"
HOME = (
    "user_class = 'residential' and opened_on < '2023-01-01' and customer_id in"
    " (select c.id from customers c where c.kind = 'person') and customer_id in"
    " (select customer_id from accounts group by customer_id having count(*) = 1)"
)


def test_a_homes_invoice_of_the_latest_bill_needs_nothing_but_a_yes(writing: Desk) -> None:
    account = writing.account(HOME)
    said = writing.ask(ASK, account, text="要个票")
    billed = writing.billed(account, "2026-10-01", "2026-10-01")
    assert said.text.startswith(f"2026年10月的电费是{billed:.2f}元。")
    assert said.response == "utter_form_confirm"
    assert "开票月份：2026年10月" in said.text
    done = writing.ask("action_affirm", account, text="提交", after=said)
    with writing.services.workorder.reading() as session:
        (order,) = session.scalars(select(WorkOrder)).all()
        assert order.category == "业务咨询→电费缴纳→电子发票"
        assert order.order_no in done.text


def test_the_months_asked_for_are_summed_up(writing: Desk) -> None:
    account = writing.account(HOME)
    said = writing.ask(ASK, account, text="补开去年下半年的", entities=[period("2025-07/2025-12", "half")])
    billed = writing.billed(account, "2025-07-01", "2025-12-01")
    assert said.text.startswith(f"2025年7月至2025年12月共6期电费，合计{billed:.2f}元。")


def test_a_month_that_is_not_billed_yet_gets_no_invoice(writing: Desk) -> None:
    account = writing.account(HOME)
    assert writing.ask(ASK, account, text="开这个月的票", entities=[period("2026-11")]).response == "utter_no_bill_yet"
    assert writing.ask(ASK, account, text="开99年的票", entities=[period("1999-05")]).response == "utter_no_bill"


def test_an_unpaid_month_is_named_before_the_order(writing: Desk, tmp_path: Path) -> None:
    account = writing.account(HOME)
    mine = "account_id = (select id from accounts where account_no = ?)"
    unpaid = writing.changed(tmp_path, (f"delete from payments where {mine} and paid_at >= '2026-10-20'", account))
    said = unpaid.ask(ASK, account, text="电子发票怎么开")
    assert "这期还没缴清。" in said.text
    assert "一般要缴清后才能开票" in said.text


@pytest.mark.parametrize("text", ["专票", "帮我开一张增值税专用发票"])
def test_an_organisation_is_asked_for_title_and_tax_number(writing: Desk, text: str) -> None:
    account = writing.account("user_class = 'industrial'")
    said = writing.ask(ASK, account, text=text)
    assert said.slots["form"]["business"] == "invoice_company"
    assert said.slots["form"]["values"]["invoice_kind"] == "special"
    assert said.text.endswith("请写单位全称。")


def test_an_organisation_that_says_only_invoice_chooses_its_kind(writing: Desk) -> None:
    said = writing.ask(ASK, writing.account("user_class = 'industrial'"), text="要个票")
    assert said.slots["form"]["business"] == "invoice_company"
    assert [title for title, _payload in said.buttons][:2] == ["电子普票", "专用发票"]


@pytest.mark.parametrize(
    ("text", "business"),
    [
        ("纸的票有冇得 我不会看手机里头那种", "invoice_paper"),
        ("票开错了 名字写成我老伴的了", "invoice_fix"),
        ("怎么改开票信息，换了开户行", "invoice_fix"),
        ("帮我开一张 抬头武汉橙子直播工作室", "invoice_company"),
    ],
)
def test_the_words_choose_the_kind_of_order(writing: Desk, text: str, business: str) -> None:
    assert writing.ask(ASK, writing.account(HOME), text=text).slots["form"]["business"] == business


def test_who_rents_hears_whose_name_stands_on_an_invoice(writing: Desk) -> None:
    said = writing.ask(ASK, writing.account(HOME), text="租客能自己开发票吗 户名是房东")
    assert "发票的抬头是户主的名字" in said.text


def test_a_stranger_hears_what_it_takes_and_how_to_begin(desk: Desk) -> None:
    said = desk.ask(ASK, text="电子发票怎么开", assurance=0)
    assert "有户号就行" in said.text
    assert ("绑定户号", "/bind_account") in said.buttons


def test_an_account_without_bills_is_told_to_wait_for_one(writing: Desk, tmp_path: Path) -> None:
    account = writing.account(HOME)
    mine = "account_id = (select id from accounts where account_no = ?)"
    fresh = writing.changed(
        tmp_path,
        (f"delete from bill_lines where bill_id in (select id from bills where {mine})", account),
        (f"delete from bills where {mine}", account),
    )
    assert "还没有账单" in fresh.ask(ASK, account, text="要个票").text
