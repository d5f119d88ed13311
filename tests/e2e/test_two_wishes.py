"""Two wishes in one message: each gets its answer, in the order of asking; the second waits if the first must ask."""

from __future__ import annotations

import pytest
from billing_facts import BillingFacts, yuan
from conftest import Customer
from outside_client import Client, buttons_of, cards_of, words_of
from own_words import BALANCE, BILL

from ops.stack import Stack

BOTH = "查一下上个月电费多少钱，另外看看余额还剩多少"


@pytest.fixture
def family(stack: Stack, tokens: dict[str, str]) -> Client:
    return Client(stack.url, tokens["family"])


@pytest.fixture
def owner(stack: Stack, tokens: dict[str, str]) -> Client:
    return Client(stack.url, tokens["three_homes"])


def test_two_wishes_get_two_answers_in_their_order(family: Client) -> None:
    kinds = [message["type"] for message in family.ask(BOTH) if message.get("card")]
    assert kinds == [BILL, BALANCE]


def test_wish_for_a_person_comes_after_the_answer(family: Client) -> None:
    replies = family.ask("转人工，顺便把上个月的电费账单发我")
    assert [message["type"] for message in replies if message.get("card")] == [BILL]
    assert family.mode == "queued"


def test_second_wish_waits_until_the_account_is_chosen(
    owner: Client, customers: dict[str, Customer], facts: BillingFacts
) -> None:
    asked = owner.ask(BOTH)
    assert cards_of(asked) == []
    chosen = customers["three_homes"].accounts[1]
    (button,) = [button for title, button in buttons_of(asked).items() if chosen[-4:] in title]
    answered = owner.press(button)
    assert [message["type"] for message in answered if message.get("card")] == [BILL, BALANCE]
    assert cards_of(answered, BALANCE)[0]["balance"] == yuan(facts.balance(chosen))


def test_waiting_wish_is_forgotten_when_the_customer_asks_something_else(owner: Client) -> None:
    owner.ask(BOTH)
    assert BALANCE not in [message["type"] for message in owner.ask("算了，不查了")]
    assert "余额" not in words_of(owner.ask("第二个"))
