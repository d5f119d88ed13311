"""Which account is meant, when a customer has several."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from actions_desk import Desk, Said, day, period

from actions import choice
from core.account import address_context

BILL, USAGE, INFORM = "action_query_bill", "action_query_usage", "action_inform"


@pytest.fixture(scope="session")
def three(desk: Desk) -> tuple[str, str, str]:
    """Two homes and a shop of one customer, in this order."""
    owner = desk.one(
        "select customer_id from accounts where closed_on is null group by customer_id"
        " having sum(user_class = 'residential') = 2 and sum(user_class = 'commercial') = 1 and count(*) = 3"
    )
    query = "select account_no from accounts where customer_id = ? order by user_class desc, id"
    first, second, shop = (number for (number,) in desk.sql(query, owner))
    return first, second, shop


def about(said: Said) -> str:
    return str(said.slots["account_asked"])


def test_several_accounts_are_asked_about_with_a_button_each(desk: Desk, three: tuple[str, ...]) -> None:
    said = desk.ask(BILL, *three, text="上个月电费")
    assert said.response == "utter_which_account"
    assert [json.loads(payload.removeprefix("/inform")) for _title, payload in said.buttons] == [
        {"account_no": number} for number in three
    ]
    assert [title[-5:-1] for title, _payload in said.buttons] == [number[-4:] for number in three]


def test_a_button_answers_the_question_that_was_put_before(desk: Desk, three: tuple[str, ...]) -> None:
    asked = desk.ask(BILL, *three, entities=[period("2026-08")])
    said = desk.ask(INFORM, *three, entities=[{"entity": "account_no", "value": three[1]}], after=asked)
    assert (about(said), said.card["title"]) == (three[1], "2026年8月电费")
    assert Decimal(said.card["amount"]) == desk.billed(three[1], "2026-08-01", "2026-08-01")


def test_a_day_is_remembered_while_the_account_is_chosen(desk: Desk, three: tuple[str, ...]) -> None:
    asked = desk.ask(USAGE, *three, entities=[day("2026-11-20")])
    said = desk.ask(INFORM, *three, text="第二个", entities=[], after=asked)
    assert said.text.startswith("2026年11月20日用电")


@pytest.mark.parametrize(
    ("words", "place"),
    [("第一个", 0), ("第二个吧", 1), ("第3个", 2), ("店里的", 2), ("商铺那个", 2), ("头一个", 0)],
)
def test_an_ordinal_or_a_class_word_chooses(desk: Desk, three: tuple[str, ...], words: str, place: int) -> None:
    assert about(desk.ask(INFORM, *three, text=words, after=desk.ask(BILL, *three))) == three[place]


def test_a_class_found_by_the_understanding_chooses(desk: Desk, three: tuple[str, ...]) -> None:
    said = desk.ask(BILL, *three, entities=[{"entity": "tariff_class", "value": "commercial"}])
    assert about(said) == three[2]


def test_the_last_digits_choose(desk: Desk, three: tuple[str, ...]) -> None:
    said = desk.ask(INFORM, *three, text=f"尾号{three[1][-4:]}的", after=desk.ask(BILL, *three))
    assert about(said) == three[1]


def test_a_district_an_estate_or_a_road_chooses(desk: Desk, three: tuple[str, ...], tmp_path: Path) -> None:
    places = (
        "武汉市汉阳区琴台路5号知音苑2栋1单元301室",
        "武汉市洪山区珞喻路9号桂子里1栋2单元502室",
        "武汉市汉阳区鹦鹉大道7号",
    )
    moved = desk.changed(tmp_path, *(
        ("update accounts set address_cipher = ? where account_no = ?",
         desk.services.keyring.encrypt(place, address_context(number)), number)
        for number, place in zip(three, places, strict=True)
    ))  # fmt: skip
    asked = moved.ask(BILL, *three)
    for words, place in (("洪山那套", 1), ("知音苑的", 0), ("珞喻路", 1), ("鹦鹉大道那个", 2), ("汉阳的店", 2)):
        assert about(moved.ask(INFORM, *three, text=words, after=asked)) == three[place]
    assert moved.ask(INFORM, *three, text="汉阳那个", after=asked).response == "utter_which_account"


@pytest.mark.parametrize("words", ["家里的", "那个", "随便", "第一个月", "尾号0000"])
def test_words_that_fit_none_or_several_ask_again(desk: Desk, three: tuple[str, ...], words: str) -> None:
    assert desk.ask(INFORM, *three, text=words, after=desk.ask(BILL, *three)).response == "utter_which_account"


def test_the_account_chosen_is_remembered(desk: Desk, three: tuple[str, ...]) -> None:
    chosen = desk.ask(INFORM, *three, text="第二个", after=desk.ask(BILL, *three))
    assert about(desk.ask(USAGE, *three, after=chosen)) == three[1]
    assert [json.loads(payload[7:])["account_no"] for _title, payload in chosen.buttons] == [three[0], three[2]]


def test_words_for_two_homes_do_not_mean_the_shop_asked_about_before(desk: Desk, three: tuple[str, ...]) -> None:
    shop = desk.ask(BILL, *three, text="店里")
    assert desk.ask(BILL, *three, text="家里呢", after=shop).response == "utter_which_account"
    home = desk.ask(BILL, *three, text="第二个", after=shop)
    assert about(desk.ask(USAGE, *three, text="家里用了多少", after=home)) == three[1]


def test_a_remembered_account_of_somebody_else_is_not_used(desk: Desk, three: tuple[str, ...]) -> None:
    other = desk.account(f"account_no not in {three}")
    said = desk.ask(BILL, *three, slots={"account_asked": other})
    assert said.response == "utter_which_account"


def test_bound_accounts_are_listed_with_their_numbers(desk: Desk, three: tuple[str, ...]) -> None:
    said = desk.ask("action_query_account_no", *three)
    assert said.text == f"您绑定了3个户号：{'、'.join(three)}。"
    assert [row["class"] for row in said.card["rows"]] == ["居民", "居民", "商业"]
    assert all("**" in row["address"] for row in said.card["rows"])


def test_a_button_names_the_place_and_leaves_out_what_is_hidden_anyway(desk: Desk) -> None:
    labels = desk.services.labels
    view = choice.AccountView(
        "4201234567", "420***4567", "武汉市汉阳区琴台路**号知音苑**栋**单元**室", "王*", "residential"
    )
    [(title, _payload)] = choice.buttons([view], labels)
    assert title == "汉阳区琴台路知音苑（居民，尾号4567）"
