"""Figures are for those alone whose signed identity proves the account."""

from __future__ import annotations

from datetime import timedelta

import pytest
from actions_desk import KEY, NOW, Desk

from core.identity import IDENTITY_LIFETIME, Identity, issue_identity

QUERIES = [
    "action_query_bill", "action_query_usage", "action_query_balance", "action_query_payment",
    "action_query_account_no",
]  # fmt: skip
ABOUT_ONE = [name for name in QUERIES if name != "action_query_account_no"]


@pytest.fixture(scope="session")
def mine(desk: Desk) -> str:
    return desk.account("user_class = 'residential'")


def token(mine: str, *, key: str = KEY, conversation: str = "c1", early: timedelta = timedelta()) -> str:
    return issue_identity(key, Identity(conversation, "C1", (mine,), 1, "web"), now=NOW - early)


@pytest.mark.parametrize("name", ABOUT_ONE)
def test_a_strangers_account_and_one_that_does_not_exist_get_the_same_reply(desk: Desk, mine: str, name: str) -> None:
    stranger = desk.account(f"account_no != '{mine}'")
    missing = "4299999999"
    assert desk.sql("select 1 from accounts where account_no = ?", missing) == []
    replies = [
        desk.ask(name, mine, text="查一下", entities=[{"entity": "account_no", "value": number}]).reply
        for number in (stranger, missing)
    ]
    assert replies[0] == replies[1]
    assert replies[0].response == "utter_account_not_yours"
    assert (list(replies[0].cards), dict(replies[0].values)) == ([], {})


@pytest.mark.parametrize("name", QUERIES)
def test_without_a_valid_identity_nothing_is_said(desk: Desk, mine: str, name: str) -> None:
    proofs = {
        "none": "",
        "garbage": "a.b.c",
        "expired": token(mine, early=IDENTITY_LIFETIME),
        "of another conversation": token(mine, conversation="c2"),
        "signed by another": token(mine, key="another key that is long enough for us"),
    }
    for why, identity in proofs.items():
        reply = desk.ask(name, identity=identity).reply
        assert (reply.response, list(reply.cards), dict(reply.slots)) == ("utter_not_identified", [], {}), why


def test_the_identity_of_one_conversation_serves_all_its_sessions(desk: Desk, mine: str) -> None:
    for sender in ("c1", "c1.1", "c1.27"):
        said = desk.ask("action_query_bill", identity=token(mine), sender=sender)
        assert said.response == "utter_bill_month"
    assert desk.ask("action_query_bill", identity=token(mine), sender="c11.1").response == "utter_not_identified"


@pytest.mark.parametrize("name", QUERIES)
def test_assurance_0_gets_no_figures_even_with_accounts(desk: Desk, mine: str, name: str) -> None:
    assert desk.ask(name, mine, assurance=0).response == "utter_not_identified"


@pytest.mark.parametrize("name", QUERIES)
def test_a_customer_without_accounts_is_told_to_bind_one(desk: Desk, name: str) -> None:
    assert desk.ask(name).response == "utter_not_identified"


def test_no_slot_grants_access(desk: Desk, mine: str) -> None:
    stranger = desk.account(f"account_no != '{mine}'")
    slots = {"account_asked": stranger, "asked": "action_query_bill", "account_no": stranger, "assurance": 2}
    assert desk.ask("action_query_bill", slots=slots).response == "utter_not_identified"
    said = desk.ask("action_query_bill", mine, slots=slots)
    assert said.slots["account_asked"] == mine


def test_account_numbers_are_masked_in_what_is_said_and_shown(desk: Desk, mine: str) -> None:
    for name in ABOUT_ONE:
        said = desk.ask(name, mine)
        assert mine not in said.text
        assert mine not in str(said.reply.cards)
        assert mine[-4:] in said.text
