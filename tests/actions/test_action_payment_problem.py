"""Payments that went wrong, and how to pay: the records of the customer first."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from actions_desk import Desk, Said, period
from sqlalchemy import select

from core.work_order import WorkOrder

ASK, PAY = "action_report_payment_problem", "action_pay_bill"
# One account alone, not prepaid, with a telephone on file; what happened is written into its payments by the tests.
OWN = (
    "user_class = 'residential' and not prepaid and opened_on < '2023-01-01' and customer_id in"
    " (select customer_id from accounts group by customer_id having count(*) = 1)"
)
_PAYMENT = (
    "insert into payments (reference, account_id, bill_id, paid_at, amount, channel, status) values"
    " (?, (select id from accounts where account_no = ?), null, ?, ?, ?, ?)"
)


def payment(
    account: str, at: str, amount: float, *, status: str = "succeeded", channel: str = "wechat"
) -> tuple[Any, ...]:
    """Return the statement for one payment; `at` is in UTC, eight hours before Wuhan."""
    return (_PAYMENT, f"T{at}{status}"[:24], account, f"{at}:00.000000", amount, channel, status)


def with_payments(desk: Desk, directory: Path, *payments: tuple[Any, ...], account: str) -> Desk:
    """Return a desk at which the last two months of the account have these payments alone."""
    gone = (
        "delete from payments where account_id = (select id from accounts where account_no = ?)"
        " and paid_at > '2026-09-20'"
    )
    return desk.changed(directory, (gone, account), *payments)


def balance(desk: Desk, account: str) -> Decimal:
    paid = desk.fen(
        "select sum(cast(round(p.amount * 100) as integer)) from payments p join accounts a on a.id = p.account_id"
        " where account_no = ? and status = 'succeeded'", account,
    )  # fmt: skip
    return paid - desk.billed(account, "2000-01-01", "2100-01-01")


def money(value: str) -> list[dict[str, Any]]:
    return [{"entity": "amount", "value": value}]


def test_two_payments_of_one_amount_are_both_named_and_shown_as_credit(writing: Desk, tmp_path: Path) -> None:
    account = writing.account(OWN)
    both = [payment(account, f"2026-11-{day} 02:10", 900, channel="alipay") for day in ("17", "18")]
    desk = with_payments(writing, tmp_path, *both, account=account)
    said = desk.ask(ASK, account, text="扣了两次")
    assert said.text.startswith(
        "查到两笔一样的：11月17日的900.00元（支付宝）和11月18日的900.00元（支付宝），都成功了。"
    )
    assert f"现在余额{balance(desk, account):.2f}元" in said.text
    assert [title for title, _payload in said.buttons][:2] == ["留着抵电费", "退给我"]
    assert said.slots["form"]["business"] == "payment_double"


def test_without_a_doubled_payment_this_is_said_and_the_latest_named(writing: Desk, tmp_path: Path) -> None:
    account = writing.account(OWN)
    desk = with_payments(writing, tmp_path, payment(account, "2026-11-05 02:10", 66), account=account)
    said = desk.ask(ASK, account, text="我交了两遍")
    assert "没有查到重复的两笔" in said.text
    assert "11月5日的66.00元（微信）" in said.text
    assert said.slots["form"]["business"] == "payment_double"


def test_money_that_was_paid_back_already_is_told(writing: Desk, tmp_path: Path) -> None:
    account = writing.account(OWN)
    rows = [payment(account, "2026-11-05 02:10", 66), payment(account, "2026-11-05 02:14", 66, status="refunded")]
    said = with_payments(writing, tmp_path, *rows, account=account).ask(ASK, account, text="重复扣款了")
    assert "11月5日的66.00元（微信）已经退回" in said.text


def test_a_failed_payment_is_named_and_its_way_back_explained(writing: Desk, tmp_path: Path) -> None:
    account = writing.account(OWN)
    failed = payment(account, "2026-11-15 02:10", 88.5, status="failed")
    said = with_payments(writing, tmp_path, failed, account=account).ask(
        ASK, account, text="老是说支付失败 卡里有钱的啊"
    )
    assert said.text.startswith("11月15日的88.50元（微信）没有成功，没有记到您的户号上。")
    assert "95017" in said.text
    assert ("登记核查", '/inform{"start": "payment_missing"}') in said.buttons
    assert "form" not in said.slots


def test_a_failed_payment_that_was_made_again_is_no_loss(writing: Desk, tmp_path: Path) -> None:
    account = writing.account(OWN)
    rows = [
        payment(account, "2026-11-15 02:10", 88.5, status="failed"), payment(account, "2026-11-15 02:20", 88.5),
    ]  # fmt: skip
    said = with_payments(writing, tmp_path, *rows, account=account).ask(ASK, account, text="微信付不了")
    assert "随后同样金额的那笔成功了，您没有多交" in said.text


def test_an_amount_that_did_arrive_is_found(writing: Desk, tmp_path: Path) -> None:
    account = writing.account(OWN)
    rows = [payment(account, "2026-11-12 02:10", 50), payment(account, "2026-11-14 02:10", 120)]
    desk = with_payments(writing, tmp_path, *rows, account=account)
    said = desk.ask(ASK, account, text="五十块钱交了没到账", entities=money("50.00"))
    assert said.text.startswith("查到了：11月12日的50.00元（微信）成功，已经到账。")
    missing = desk.ask(ASK, account, text="交了七十没到账", entities=money("70.00"))
    assert missing.text.startswith("系统里没有70.00元的这一笔。\n最近到账的一笔是11月14日的120.00元（微信）。")


@pytest.mark.parametrize(
    ("channel", "told", "silent"),
    [
        ("wechat", "95017", "95188"),
        ("alipay", "95188", "95017"),
        ("hall", "收据", "95017"),
        ("bank", "7个工作日", "95188"),
    ],
)
def test_the_way_of_paying_decides_whom_to_ask(desk: Desk, channel: str, told: str, silent: str) -> None:
    named = [{"entity": "payment_channel", "value": channel}]
    said = desk.ask(ASK, text="扣了钱没到账", entities=named, assurance=0)
    assert told in said.text
    assert silent not in said.text
    assert ("绑定户号", "/bind_account") in said.buttons


def test_nobody_is_asked_for_a_card_number_and_everybody_is_warned(writing: Desk) -> None:
    account = writing.account(OWN)
    for text in ("扣了两次", "退款", "交了没到账三天了"):
        said = writing.ask(ASK, account, text=text)
        assert "银行卡号、密码都不要发给我" in said.text
    for row in writing.services.businesses.of_intent("report_payment_problem"):
        assert not any("卡号" in field.ask.replace("银行卡号、密码不要拍", "") for field in row.fields)


def test_a_refund_asks_for_the_sum_and_promises_none(writing: Desk) -> None:
    said = writing.ask(ASK, writing.account(OWN), text="退款")
    assert said.slots["form"]["business"] == "payment_refund"
    assert "核对后才能定" in said.text
    assert said.text.endswith("想退多少元？")


def test_money_on_a_strangers_account_can_be_reported_by_anybody(writing: Desk) -> None:
    said = writing.ask(ASK, text="钱交错人家了咋整", assurance=0)
    assert said.slots["form"]["business"] == "payment_wrong_account"


def test_a_missing_payment_ends_in_one_order_of_its_class(writing: Desk) -> None:
    account = writing.account(OWN)
    said = writing.ask(ASK, account, text="昨天微信交了八十块，到现在没到账")
    slots = dict(said.slots)

    def go_on(name: str, text: str, **values: str) -> Said:
        entities = [{"entity": key, "value": value} for key, value in values.items()]
        reply = writing.ask(name, account, text=text, entities=entities, slots=slots)
        slots.update(reply.slots)
        return reply

    summary = go_on("action_inform", '/inform{"choice": "_skip"}', choice="_skip")
    assert "昨天微信交了八十块，到现在没到账" in summary.text
    done = go_on("action_affirm", "提交")
    with writing.services.workorder.reading() as session:
        (order,) = session.scalars(select(WorkOrder)).all()
        assert order.category == "业务咨询→电费缴纳→扣款未到账"
        assert order.order_no in done.text
        assert order.account_no == account


def test_the_story_survives_the_choice_of_the_account(writing: Desk) -> None:
    home, pile = writing.account(OWN), writing.account("user_class = 'charging'")
    first = writing.ask(ASK, home, pile, text="重复扣款了，一样的钱扣了两次")
    assert first.response == "utter_which_account"
    chosen = [{"entity": "account_no", "value": home}]
    said = writing.ask("action_inform", home, pile, text='/inform{"account_no": "x"}', entities=chosen, after=first)
    assert said.slots["form"]["business"] == "payment_double"


# -- how to pay


def test_what_is_due_comes_before_the_ways_to_pay_it(desk: Desk) -> None:
    told = 0
    for (account,) in desk.sql(f"select account_no from accounts a where closed_on is null and {OWN} order by id"):
        said, owed = desk.ask(PAY, account, text="怎么交电费"), -balance(desk, account)
        start = f"您要交{owed:.2f}元" if owed > 0 else f"您现在不欠电费，账户余额{-owed:.2f}元"
        assert said.text.startswith(start)
        assert "网上国网App、微信和支付宝" in said.text
        told += owed > 0
    assert told


def test_strangers_hear_the_ways_and_the_warning(desk: Desk) -> None:
    said = desk.ask(PAY, text="怎么交电费", assurance=0)
    assert said.text.startswith("能交的地方")
    assert "不会让您把钱转到个人账户" in said.text


def test_all_accounts_together_are_the_sum_of_their_parts(desk: Desk) -> None:
    owing = [
        number for (number,) in desk.sql("select account_no from accounts where closed_on is null order by id")
        if balance(desk, number) < 0
    ][:2]  # fmt: skip
    said = desk.ask(PAY, *owing, text="把我欠的都交了它")
    total = -sum(balance(desk, number) for number in owing)
    assert said.text.startswith(f"您2个户号一共要交{total:.2f}元：")
    for number in owing:
        assert f"尾号{number[-4:]}的{-balance(desk, number):.2f}元" in said.text
    assert "我这里不能直接收钱、扣钱" in said.text


def test_too_little_money_is_said_to_be_too_little(desk: Desk) -> None:
    numbers = [row[0] for row in desk.sql(f"select account_no from accounts a where {OWN} and closed_on is null")]
    account = next(number for number in numbers if balance(desk, number) < -20)
    said = desk.ask(PAY, account, text="先充十块", entities=money("10.00"))
    assert "还不够，差" in said.text


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("退休金卡里头直接扣电费 要么样签", "一个户号只能用一个微信签"),
        ("同志 我手上只有零钱 营业厅收不收现金", "现金可以到营业厅交"),
        ("老师傅我开了一辈子车 现在交个电费还要学 你慢慢教 第一步么样", "第一步，打开微信"),
        ("我女婿在国外 他怎么给我交", "替别人交，只要户号"),
        ("支付宝花呗能交不", "花呗、信用卡能不能用"),
    ],
)
def test_the_way_that_was_asked_for_is_explained(desk: Desk, text: str, fact: str) -> None:
    assert fact in desk.ask(PAY, text=text, assurance=0).text


def late_and_returned(desk: Desk, directory: Path, account: str) -> tuple[Desk, str]:
    """Return a desk at which the bill of July was paid twice in September and one of the two was paid back."""
    bill = "(select b.id from bills b join accounts a on a.id = b.account_id where account_no = ? and month = ?)"
    rows = [
        payment(account, "2026-09-09 02:10", 61.2, channel="bank"),
        payment(account, "2026-09-09 02:13", 61.2, channel="bank", status="refunded"),
    ]
    named = [
        ("update payments set bill_id = " + bill + " where reference like 'T2026-09-09 02:1%'", account, "2026-07-01")
    ]
    gone = ("delete from payments where account_id = (select id from accounts where account_no = ?)", account)
    return desk.changed(directory, gone, *rows, *named), account


def test_a_bill_paid_twice_months_later_is_found_by_the_month_that_is_named(writing: Desk, tmp_path: Path) -> None:
    desk, account = late_and_returned(writing, tmp_path, writing.account(OWN))
    said = desk.ask(ASK, account, text="7月份的电费银行扣了两次", entities=[period("2026-07")])
    assert said.text.startswith("9月9日的61.20元（银行）已经退回，钱按原路回到付款的卡或钱包。")
    assert "form" not in said.slots  # the money is back: nothing is left to be looked into


def test_a_month_without_doubled_payments_is_named_in_the_answer(writing: Desk) -> None:
    said = writing.ask(ASK, writing.account(OWN), text="7月份扣了两次", entities=[period("2026-07")])
    assert said.text.startswith("2026年7月没有查到重复的两笔。")


@pytest.mark.parametrize("text", ["退了没", "退回来了没有", "钱退了冇"])
def test_whether_the_money_came_back_drops_nothing(writing: Desk, tmp_path: Path, text: str) -> None:
    desk, account = late_and_returned(writing, tmp_path, writing.account(OWN))
    said = desk.ask("action_cancel", account, text=text)
    assert said.text.startswith("9月9日的61.20元（银行）已经退回")


def test_whether_it_came_back_is_asked_of_the_month_before(writing: Desk, tmp_path: Path) -> None:
    desk, account = late_and_returned(writing, tmp_path, writing.account(OWN))
    (tmp_path / "later").mkdir()
    later = (
        "update payments set paid_at = replace(paid_at, '2026-09', '2026-08') where reference like 'T2026-09-09%'",
    )
    desk = desk.changed(tmp_path / "later", later)
    asked = desk.ask(ASK, account, text="7月份扣了两次", entities=[period("2026-07")])
    said = desk.ask("action_cancel", account, text="退了没", after=asked)
    assert said.text.startswith("8月9日的61.20元（银行）已经退回")


def test_a_debit_that_failed_is_told_with_the_one_that_went_through(writing: Desk, tmp_path: Path) -> None:
    account = writing.account(OWN)
    rows = [
        payment(account, "2026-11-15 02:10", 88.5, status="failed"), payment(account, "2026-11-15 02:20", 88.5),
    ]  # fmt: skip
    said = with_payments(writing, tmp_path, *rows, account=account).ask(ASK, account, text="有一笔扣款失败")
    assert "随后同样金额的那笔成功了，您没有多交" in said.text
