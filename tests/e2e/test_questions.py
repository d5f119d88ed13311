"""Customers ask in their own words, and every figure of every answer is that of the billing database."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from billing_facts import REGISTERS, BillingFacts, month_end, month_of, plain, today, yuan
from conftest import Customer
from outside_client import Client, Message, buttons_of, cards_of, words_of
from own_words import BALANCE, BILL, CONVERSATIONS, PAYMENTS, USAGE, Ask

from ops.stack import Stack

NEEDED = 0.9
SAID = [f"{number}.{place}" for number, (_, asks) in enumerate(CONVERSATIONS) for place in range(len(asks))]
FEEDS = {BILL: "bills", USAGE: "readings", "usage_days": "readings", BALANCE: "payments", PAYMENTS: "payments"}
NO_FIGURES = re.compile(r"\d+\.\d\d元|用电\d")


@dataclass(frozen=True)
class Asked:
    """A question, whose it was, and what came back."""

    ask: Ask
    words: str
    customer: Customer
    replies: list[Message]

    @property
    def understood(self) -> bool:
        """Whether the kind of answer is the one that was wanted."""
        kinds = {message["type"] for message in self.replies}
        if self.ask.kind == "which":
            return len(buttons_of(self.replies)) >= len(self.customer.accounts) and not cards_of(self.replies)
        if self.ask.kind == "usage_days":
            return bool(re.search(r"\d日用电[\d.]+度", words_of(self.replies)))
        if self.ask.kind == "no_figures":
            return not cards_of(self.replies) and "账单" in words_of(self.replies)
        return self.ask.kind in kinds

    @property
    def account(self) -> str:
        return self.customer.accounts[self.ask.account]


@pytest.fixture(scope="module")
def asked(stack: Stack, customers: dict[str, Customer], tokens: dict[str, str]) -> dict[str, Asked]:
    """All conversations, held once."""
    found: dict[str, Asked] = {}
    for number, (name, asks) in enumerate(CONVERSATIONS):
        customer, client = customers[name], Client(stack.url, tokens[name])
        replies: list[Message] = []
        for place, ask in enumerate(asks):
            words = ask.text(today(), customer.accounts)
            if ask.press:
                tail = customer.accounts[ask.account][-4:]
                chosen = [button for title, button in buttons_of(replies).items() if tail in title]
                replies = client.press(chosen[0]) if chosen else []
            else:
                replies = client.ask(words)
            found[f"{number}.{place}"] = Asked(ask, words or "(button)", customer, replies)
        client.close()
    return found


def test_nine_of_ten_questions_are_understood(asked: dict[str, Asked]) -> None:
    missed = [
        f"{one.customer.name}: {one.words} -> {words_of(one.replies)}" for one in asked.values() if not one.understood
    ]
    assert len(asked) >= 40
    assert 1 - len(missed) / len(asked) >= NEEDED, "\n".join(missed)


@pytest.mark.parametrize("which", SAID)
def test_the_answer_says_what_the_database_says(which: str, asked: dict[str, Asked], facts: BillingFacts) -> None:
    one = asked[which]
    said = words_of(one.replies)
    assert one.replies, one.words
    if not one.understood:
        return  # counted by the test above; that no card lies is tested below
    first, last = one.ask.months(today())
    if one.ask.kind == BILL:
        _assert_bills(one, facts, first, last)
    elif one.ask.kind in (USAGE, "usage_days"):
        assert f"用电{plain(facts.kwh(one.account, first, last))}度" in said, one.words
        for card in cards_of(one.replies, USAGE):
            assert card["title"] == _months_in_words(first, last) + "用电量", one.words
    elif one.ask.kind == BALANCE:
        _assert_balance(one, facts)
    elif one.ask.kind == PAYMENTS:
        _assert_payments(one, facts, first, min(last, today()))
    elif one.ask.kind == "no_figures":
        assert not NO_FIGURES.search(said), one.words


@pytest.mark.parametrize("which", SAID)
def test_no_card_says_anything_but_the_truth(which: str, asked: dict[str, Asked], facts: BillingFacts) -> None:
    """Whatever was understood: what a card says about the months that it names is right."""
    one = asked[which]
    for message in one.replies:
        if not message.get("card"):
            continue
        card, account = message["card"], _account_on(message["card"], one.customer)
        assert card["as_of"] == facts.as_of(FEEDS[message["type"]])
        if message["type"] == BILL:
            _assert_bill_card(card, facts, account, *_months_of_title(card["title"]))
        elif message["type"] == USAGE:
            _assert_usage_card(card, facts, account, *_months_of_title(card["title"]))
        elif message["type"] == BALANCE:
            assert card["balance"] == yuan(facts.balance(account))
            assert card["owed"] == yuan(max(Decimal(0), -facts.balance(account)))


@pytest.mark.parametrize("which", SAID)
def test_the_answer_is_plain_chinese_and_says_how_old_its_data_is(which: str, asked: dict[str, Asked]) -> None:
    one = asked[which]
    for message in one.replies:
        shown = [message["text"], *buttons_of([message]), *_strings(message.get("card"))]
        for text in shown:
            assert "None" not in text, text
            assert "{" not in text, text
            assert "utter_" not in text, text
            assert not re.findall(r"[A-Za-z]{2,}", text.replace("App", "")), text
    if one.understood and one.ask.kind in FEEDS:
        assert re.search(r"截至\d+月\d+日\d\d:\d\d", words_of(one.replies)), one.words
        assert all(card["as_of"] for card in cards_of(one.replies))


def test_a_factory_sees_basic_price_and_power_factor_on_its_bill(asked: dict[str, Asked], facts: BillingFacts) -> None:
    one = next(one for one in asked.values() if one.customer.name == "factory" and one.ask.kind == BILL)
    assert {"basic", "power_factor"} <= facts.line_codes(one.account)
    labels = [line["label"] for card in cards_of(one.replies, BILL) for line in card["lines"]]
    assert {"基本电费", "力调电费"} <= set(labels)


def test_a_late_payer_hears_the_late_fee_up_to_today(asked: dict[str, Asked], facts: BillingFacts) -> None:
    one = next(one for one in asked.values() if one.customer.name == "arrears" and one.ask.kind == BALANCE)
    fee = facts.late_fee(one.account, today())
    assert fee > 0
    assert f"违约金{yuan(fee)}元" in words_of(one.replies)
    assert cards_of(one.replies, BALANCE)[0]["late_fee"] == yuan(fee)


def test_a_long_conversation_keeps_its_memory_and_its_sessions_short(
    stack: Stack, customers: dict[str, Customer], tokens: dict[str, str], facts: BillingFacts
) -> None:
    """Rasa's cost grows with the events of a session: the channel begins a new one now and then, and nobody notices."""
    account, client = customers["large"].accounts[0], Client(stack.url, tokens["large"])
    client.ask("我去年12月电费多少")
    for years in [1, 2] * 12:
        month = date(today().year - years, 12, 1)
        [bill] = facts.bills(account, month, month_end(month))
        replies = client.ask({1: "那去年呢", 2: "那前年呢"}[years])
        assert [card["amount"] for card in cards_of(replies, BILL)] == [yuan(bill.amount)]
    client.close()
    memory = sqlite3.connect(f"file:{stack.root}/var/tracker.db?mode=ro", uri=True)
    query = "SELECT type_name FROM events WHERE sender_id LIKE ? ORDER BY id"
    kinds = [kind for (kind,) in memory.execute(query, (f"{client.conversation_id}%",))]
    memory.close()
    sessions = [len(events.split()) for events in " ".join(kinds).split("session_started")]
    assert len(sessions) > 3
    assert max(sessions) < 100
    assert sessions[-1] <= max(sessions[:3]) + 10


def _assert_bills(one: Asked, facts: BillingFacts, first: date, last: date) -> None:
    bills = facts.bills(one.account, first, last)
    said = words_of(one.replies)
    assert bills, f"the demonstration data has no bill for {one.words}"
    total = sum((bill.amount for bill in bills), Decimal(0))
    assert f"{yuan(total)}元" in said, one.words
    [card] = cards_of(one.replies, BILL)
    assert card["title"] == _months_in_words(bills[0].month, bills[-1].month) + "电费", one.words
    assert card["amount"] == yuan(total), one.words
    assert _account_on(card, one.customer) == one.account, one.words
    if len(bills) == 1:  # a factory's many lines are all on the card; the sentence names the large ones
        largest = max(facts.lines(bills[0]), key=lambda line: Decimal(line["amount"]))
        assert largest["amount"] in said, one.words


def _assert_bill_card(card: dict[str, Any], facts: BillingFacts, account: str, first: date, last: date) -> None:
    bills = facts.bills(account, first, last)
    assert card["amount"] == yuan(sum((bill.amount for bill in bills), Decimal(0)))
    assert card["kwh"] == plain(sum((bill.kwh for bill in bills), Decimal(0)))
    if len(bills) == 1:
        shown = [{name: line[name] for name in ("quantity", "price", "amount")} for line in card["lines"]]
        assert shown == facts.lines(bills[0])
        assert Decimal(card["paid"]) + Decimal(card["unpaid"]) == bills[0].amount
        assert card["due"] == str(bills[0].due_on)
    else:
        shown = [(one["label"], one["amount"], one["kwh"]) for one in card["months"]]
        assert shown == [
            (_months_in_words(bill.month, bill.month), yuan(bill.amount), plain(bill.kwh)) for bill in bills
        ]


def _assert_usage_card(card: dict[str, Any], facts: BillingFacts, account: str, first: date, last: date) -> None:
    used = facts.registers(account, first, month_end(last))
    assert card["total"] == plain(sum(used.values(), Decimal(0)))
    named = {one["label"]: one["value"] for one in card["registers"]}
    wanted = {REGISTERS[name]: plain(kwh) for name, kwh in used.items() if kwh}
    assert named == (wanted if len(wanted) > 1 else {})
    months = [month_of(last, -distance) for distance in range(len(card["points"]))][::-1]
    for month, point in zip(months, card["points"], strict=True):
        assert point["label"].endswith(f"{month.month}月")
        assert point["value"] == plain(facts.kwh(account, month, month_end(month)))


def _assert_balance(one: Asked, facts: BillingFacts) -> None:
    balance, said = facts.balance(one.account), one.replies[0]["text"]
    assert f"{yuan(abs(balance))}元" in said, one.words
    owing = "待缴" in said or ("欠费" in said and "没有欠费" not in said)
    assert owing == (balance < 0), one.words
    [card] = cards_of(one.replies, BALANCE)
    assert card["balance"] == yuan(balance)
    if one.customer.name != "prepaid":
        open_bills = [(yuan(left), str(bill.due_on)) for bill, left in facts.unpaid(one.account).items()]
        assert [(row["unpaid"], row["due"]) for row in card["bills"]] == open_bills


def _assert_payments(one: Asked, facts: BillingFacts, first: date, last: date) -> None:
    paid = facts.payments(one.account, first, last)
    total = sum((each.amount for each in paid if each.status == "succeeded"), Decimal(0))
    [card] = cards_of(one.replies, PAYMENTS)
    assert card["total"] == yuan(total), one.words
    assert f"{yuan(total)}元" in words_of(one.replies), one.words
    rows = [(row["date"], row["amount"]) for row in card["rows"]]
    assert rows == [(f"{each.at:%Y-%m-%d %H:%M}", yuan(each.amount)) for each in paid], one.words


def _months_in_words(first: date, last: date) -> str:
    names = [f"{day.year}年{day.month}月" for day in (first, last)]
    return names[0] if names[0] == names[1] else "至".join(names)


def _months_of_title(title: str) -> tuple[date, date]:
    found = [date(int(year), int(month), 1) for year, month in re.findall(r"(\d{4})年(\d+)月", title)]
    assert found, title
    return found[0], found[-1]


def _account_on(card: dict[str, Any], customer: Customer) -> str:
    """The customer's account that a card's masked number stands for."""
    [found] = [number for number in customer.accounts if number[-4:] == card["account"][-4:]]
    return found


def _strings(value: object) -> list[str]:
    """All texts in a card, its names aside."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in _strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in _strings(part)]
    return [value] if isinstance(value, str) else []
