"""A month or day that no calendar has is named as such, never answered with another one."""

from __future__ import annotations

import pytest
from actions_desk import Desk, period

HOME = "user_class = 'residential' and profile in ('children', 'flat', 'elderly')"


@pytest.mark.parametrize("name", ["action_query_bill", "action_query_usage"])
@pytest.mark.parametrize(("text", "said"), [("2019年13月的", "没有13月"), ("2月30日那天用了多少", "没有2月30日")])
def test_no_other_month_is_passed_off_as_one_that_cannot_be(desk: Desk, name: str, text: str, said: str) -> None:
    answer = desk.ask(name, desk.account(HOME), text=text)
    assert said in answer.text
    assert (answer.reply.cards, answer.reply.slots) == ((), {"asked": name, "period_asked": None})


def test_a_month_that_can_be_is_answered_beside_one_that_cannot(desk: Desk) -> None:
    account = desk.account(HOME)
    answer = desk.ask("action_query_bill", account, text="13月没有就8月", entities=[period("2026-08")])
    assert "2026年8月" in answer.text


def test_who_has_several_accounts_is_told_at_once(desk: Desk) -> None:
    accounts = desk.account(HOME), desk.account("user_class = 'charging'")
    assert "没有13月" in desk.ask("action_query_bill", *accounts, text="13月电费").text
