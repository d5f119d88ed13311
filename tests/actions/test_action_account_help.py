"""Service halls and help with the app, as customers get them."""

from __future__ import annotations

import pytest
from actions_desk import Desk

from actions.account_help import app_items
from core.service_hall import load_service_halls

HALL, APP = "action_find_service_hall", "action_ask_app_help"


def account_in(desk: Desk, district: str) -> str:
    number: str = desk.one(
        "select account_no from accounts where district = ? and closed_on is null order by id", district
    )
    return number


def test_a_named_neighbourhood_gives_its_hall_with_address_hours_and_telephone(desk: Desk) -> None:
    said = desk.ask(HALL, text="光谷附近有网点吗")
    assert "洪山珞喻路营业厅" in said.text
    assert "武汉市洪山区珞喻路1899号一楼" in said.text
    assert "周一到周五08:30—17:00，周六周日09:00—16:00" in said.text
    assert "95598" in said.text


def test_a_hall_that_is_closed_at_weekends_says_so(desk: Desk) -> None:
    assert "周六周日休息" in desk.ask(HALL, text="红钢城那个厅周六开不开").text


def test_halls_are_said_to_be_invented(desk: Desk) -> None:
    assert "地址是虚构的" in desk.ask(HALL, text="青山营业厅在哪").text


def test_several_halls_come_as_a_table(desk: Desk) -> None:
    said = desk.ask(HALL, text="武昌有哪几个营业厅")
    assert said.reply.cards[0]["type"] == "table_card"
    assert [row[0] for row in said.card["rows"]] == ["武昌中北路营业厅", "武昌彭刘杨路营业厅"]
    assert all(len(row) == len(said.card["columns"]) for row in said.card["rows"])
    assert "武昌中北路营业厅" in said.reply.cards[0]["text"]


def test_without_a_place_the_halls_of_the_own_address_are_told(desk: Desk) -> None:
    district = desk.one("select district from accounts where closed_on is null and district like '%区' order by id")
    said = desk.ask(HALL, account_in(desk, district), text="最近的营业厅在哪")
    assert said.text.startswith("按您户号的地址，")
    told = [row[0] for row in said.card["rows"]] if said.reply.cards else [said.reply.values["name"]]
    assert told == [hall.name for hall in load_service_halls().halls if hall.district == district]


def test_somebody_unknown_who_names_no_place_is_asked_for_one(desk: Desk) -> None:
    asked = desk.ask(HALL, text="营业厅几点下班", assurance=0)
    assert asked.text.startswith("您在哪一带？")
    assert asked.slots["form"]["action"] == HALL
    said = desk.ask("action_inform", text="武昌", intent="inform", slots=dict(asked.slots), assurance=0)
    assert [row[0] for row in said.card["rows"]] == ["武昌中北路营业厅", "武昌彭刘杨路营业厅"]
    assert said.slots["form"] is None


def test_of_all_halls_five_are_told_and_how_many_more_there_are(desk: Desk) -> None:
    asked = desk.ask(HALL, text="营业厅几点下班", assurance=0)
    every = [{"entity": "choice", "value": "all"}]
    said = desk.ask(HALL, text=asked.buttons[0][1], entities=every, slots=dict(asked.slots), assurance=0)
    more = len(load_service_halls().halls) - 5
    assert len(said.card["rows"]) == 5
    assert f"还有{more}家" in said.text
    assert said.slots["form"] is None


def test_a_place_without_a_hall_of_ours_is_answered_honestly(desk: Desk) -> None:
    place = [{"entity": "address", "value": "宜昌西陵"}]
    said = desk.ask(HALL, text="宜昌西陵那边哪个厅人少些", entities=place)
    assert said.text.startswith("您说的地方我没有查到")
    assert "网上国网" in said.text


def test_the_own_address_is_not_used_by_somebody_who_proved_nothing(desk: Desk) -> None:
    number = desk.account("a.district like '%区'")
    assert desk.ask(HALL, number, text="营业厅在哪", assurance=0).text.startswith("您在哪一带？")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("密码忘了咋弄", "忘记密码"),
        ("刷脸不认我 老了脸皱了", "实名认证"),
        ("那个字太小 app里头么样放大", "长辈版"),
        ("点开缴费那页就闪退，苹果的，重装两遍了", "更新到最新版"),
        ("app里能看到每天的用电不？能的话在哪一栏", "电量电费"),
        ("老手机卡早停了，现在换机要收短信才让进，我进不去了呀", "重新注册"),
        ("在哪点啊找半天", "告诉我想找哪个功能"),
    ],
)
def test_app_help_gives_the_steps_of_the_function_that_is_meant(desk: Desk, text: str, part: str) -> None:
    said = desk.ask(APP, text=text, assurance=0)
    assert part in said.text


def test_app_help_offers_a_person(desk: Desk) -> None:
    desk.ask(APP, text="密码忘了", assurance=0)
    buttons = desk.templates["utter_app_help"][0]["buttons"]
    assert [button["payload"] for button in buttons] == ["/request_human"]


def test_every_function_that_words_name_is_an_item_of_knowledge(desk: Desk) -> None:
    named = desk.services.phrases.under("account_help.app_words")
    assert [item for item in named if item not in app_items()] == []


def test_app_help_warns_that_menus_move(desk: Desk) -> None:
    assert desk.ask(APP, text="在哪缴费啊", assurance=0).text.endswith("以App里显示的为准。")
