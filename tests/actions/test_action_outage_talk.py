"""The talk about an outage as customers lead it: their own words for its reach, asides, numbers, forms that wait."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from actions_desk import NOW, ROOT, Desk, Said
from outage_desk import AFFIRM, FAULT, INFORM, QUERY, REPORT, SETTLED, Grid, address

from actions.outage_answers import Answers
from actions.outage_words import OutageWords
from core.place import Place, locate
from core.seed.network import seed_network
from core.work_order import reveal


@pytest.fixture
def grid(writing: Desk) -> Iterator[Grid]:
    services = writing.services
    seed_network(
        services.workorder, services.billing, keyring=services.keyring, now=NOW, directory=ROOT / "data" / "demo"
    )
    yield Grid(writing)
    services.workorder.dispose()


@pytest.fixture(scope="module")
def answers(desk: Desk) -> Answers:
    return Answers(OutageWords(desk.services))


def form_open(grid: Grid, number: str) -> Said:
    """Return the first question of a business form."""
    entities = [{"entity": "start", "value": "transfer"}]
    asked = grid.say(INFORM, number, text='/inform{"start": "transfer"}', entities=entities)
    assert asked.slots["form"]["business"] == "transfer"
    return asked


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("不是只有我家，整栋楼都没电", "building"),
        ("不是只有我家，刚出门看了，整栋楼上上下下都黑的", "building"),
        ("不止我们家", "building"),
        ("都没电", "building"),
        ("楼道灯也不亮", "building"),
        ("我们这一排楼全黑了", "area"),
        ("一排都没得电", "area"),
        ("隔壁没停，就我家", "household"),
        ("小区别人家都有电", "household"),
        ("对门灯亮起的，就我们这一家", "household"),
        ("屋里一片漆黑", ""),
        ("啊？你大点声", ""),
        ("莫不是我忘了交电费哦，我还差你们钱不", ""),
        ("不是我一家停", "building"),
    ],
)
def test_the_reach_is_read_from_the_customers_own_words(answers: Answers, text: str, scope: str) -> None:
    assert answers.scope(text) == scope


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("哦哟来电了来电了，不用报了", True), ("灯亮了", True), ("又有电了，谢谢", True),
        ("来电了没", False), ("隔壁来电了", False), ("几点来电", False), ("电表屏亮了", False),
    ],
)  # fmt: skip
def test_power_that_is_back_is_told_from_a_question_about_it(answers: Answers, text: str, back: bool) -> None:
    assert answers.is_back(text) is back


@pytest.mark.parametrize("said", ["第一个", "选1", "1"])
def test_an_answer_may_be_named_by_its_place_in_the_list(grid: Grid, said: str) -> None:
    number = grid.account(SETTLED)
    scope = grid.say(REPORT, number, text="没电了")
    assert "总开关" in grid.say(INFORM, number, after=scope, text=said).text
    assert re.fullmatch(scope.slots["form"]["pattern"], said)


def test_one_of_several_places_may_be_named_by_its_place_in_the_list(grid: Grid) -> None:
    said = grid.say(REPORT, assurance=0, text="望江村停电了", entities=address("望江村"))
    chosen = grid.say(INFORM, assurance=0, after=said, text="第二个")
    assert chosen.slots["form"]["address"] == "楚溪县白泉镇望江村"


def test_the_reach_that_was_told_first_is_not_asked_again(grid: Grid) -> None:
    where = grid.say(REPORT, assurance=0, text="我们这一排楼全黑了，快派人来")
    phone = grid.say(INFORM, assurance=0, after=where, text="江夏区纸坊街文化大道锦绣苑6栋")
    assert "电话" in phone.text
    entities = [{"entity": "phone", "value": "13971554420"}]
    confirm = grid.say(INFORM, assurance=0, after=phone, text="13971554420", entities=entities)
    assert "故障地址：江夏区纸坊街文化大道锦绣苑6栋" in confirm.text
    assert "停电范围：整个小区或村" in confirm.text


def test_whoever_finds_the_neighbours_dark_while_checking_goes_straight_to_the_order(grid: Grid) -> None:
    number = grid.account(SETTLED)
    check = grid.press(grid.say(REPORT, number, text="没电了"), "只有我家", number)
    confirm = grid.say(INFORM, number, after=check, text="不是只有我家，整栋楼上上下下都黑的")
    assert confirm.response == "utter_form_confirm"
    assert "停电范围：整栋楼" in confirm.text


def test_the_second_miss_repeats_the_question_and_offers_a_person(grid: Grid) -> None:
    number = grid.account(SETTLED)
    said = grid.say(INFORM, number, after=grid.say(REPORT, number, text="没电了"), text="我这腿疼")
    assert "是只有您家没电，还是邻居也没电" in said.text
    assert ("转人工", "/request_human") not in said.buttons
    said = grid.say(INFORM, number, after=said, text="孙子今年高三")
    assert ("转人工", "/request_human") in said.buttons


def test_a_question_that_is_put_again_names_the_place(grid: Grid) -> None:
    number = grid.account(SETTLED)
    with grid.workorder.reading() as session:
        place = locate(session, account_no=number)
    assert isinstance(place, Place)
    again = grid.say(INFORM, number, after=grid.say(REPORT, number, text="没电了"), text="/inform")
    assert f"{place.area}这边：是只有您家没电" in again.text


def test_places_that_were_offered_are_offered_again_after_an_interruption(grid: Grid) -> None:
    said = grid.say(REPORT, assurance=0, text="望江村停电了", entities=address("望江村"))
    again = grid.say(INFORM, assurance=0, after=said, text="/inform")
    assert list(again.buttons) == list(said.buttons)


def test_power_that_is_back_ends_the_report_without_an_order(grid: Grid) -> None:
    number = grid.account(SETTLED)
    scope = grid.say(REPORT, number, text="没电了")
    text = "哦哟来电了来电了，不用报了"
    said = grid.say(INFORM, number, after=scope, text=text)
    assert "来电了就好" in said.text
    assert said.slots["form"] is None
    assert (grid.orders(), grid.reports()) == ([], [])
    assert re.fullmatch(scope.slots["form"]["pattern"], text)
    assert not re.search(scope.slots["form"]["drop"], text)
    assert re.search(scope.slots["form"]["drop"], "算了不报了")


def test_an_address_and_a_telephone_given_together_are_taken_in_one_go(grid: Grid) -> None:
    where = grid.say(REPORT, assurance=0, text="停电了")
    scope = grid.say(INFORM, assurance=0, after=where, text="汉阳区火星苑3栋2单元501，电话13812345678")
    assert "记下了：汉阳区火星苑3栋2单元501。" in scope.text
    confirm = grid.press(scope, "整栋楼", assurance=0)
    assert "故障地址：汉阳区火星苑3栋2单元501\n联系电话：13812345678" in confirm.text


def test_a_telephone_given_early_is_no_miss(grid: Grid) -> None:
    scope = grid.say(REPORT, assurance=0, text="停电了", entities=address("汉阳区火星苑3栋2单元"))
    said = grid.say(INFORM, assurance=0, after=scope, text="13812345678")
    assert said.text.startswith("电话记下了。")
    assert said.slots["form"]["misses"] == 0
    assert "联系电话：13812345678" in grid.press(said, "整栋楼", assurance=0).text


def test_an_outage_asked_for_inside_a_form_leaves_the_form_open(grid: Grid) -> None:
    number = grid.account(SETTLED)
    asked = form_open(grid, number)
    said = grid.say(QUERY, number, after=asked, text="明天停电吗")
    assert "form" not in said.slots
    assert "asked" not in said.slots


def test_a_report_inside_a_form_lets_the_form_wait_and_offers_it_at_the_end(grid: Grid) -> None:
    number = grid.account(SETTLED)
    asked = form_open(grid, number)
    scope = grid.say(REPORT, number, after=asked, text="家里没电了")
    assert scope.slots["paused"] == asked.slots["form"]
    said = grid.say(INFORM, number, after=scope, text="来电了", slots={"paused": scope.slots["paused"]})
    title, payload = said.buttons[0]
    assert title == "接着办过户（更名）"
    assert asked.slots["form"]["id"] in payload


@pytest.mark.parametrize("known", [True, False])
def test_a_number_that_was_typed_goes_with_the_order_and_shows_nowhere(grid: Grid, known: bool) -> None:
    number = grid.account(SETTLED) if known else "4209999999999"
    entities = [{"entity": "account_no", "value": number}]
    where = grid.say(REPORT, assurance=0, text=f"户号{number}停电了", entities=entities)
    assert "没绑定的户号我不能拿来查地址" in where.text
    scope = grid.say(INFORM, assurance=0, after=where, text="火星路9号天河苑2栋，13900001111")
    confirm = grid.press(scope, "整栋楼", assurance=0)
    assert number not in confirm.text
    assert "联系电话：13900001111" in confirm.text
    done = grid.say(AFFIRM, assurance=0, after=confirm, text="对")
    (order,) = grid.orders()
    assert "城区45分钟、农村90分钟" in done.text
    assert reveal(order, keyring=grid.desk.services.keyring).details["户号（客户自述）"] == number
    with grid.workorder.reading() as session:
        place = locate(session, account_no=number)
    assert isinstance(place, Place)
    assert (order.place_code, order.area_class, order.account_no) == (place.code, None, None)


def test_an_unknown_place_in_a_district_keeps_the_promise_of_its_area_class(grid: Grid) -> None:
    scope = [{"entity": "outage_scope", "value": "building"}]
    said = grid.say(REPORT, assurance=0, text="停电了", entities=[*address("武昌区知音苑3栋"), *scope])
    confirm = grid.say(INFORM, assurance=0, after=said, text="13900001111")
    done = grid.say(AFFIRM, assurance=0, after=confirm, text="对")
    (order,) = grid.orders()
    assert (order.place_code, order.district, order.area_class) == (None, "武昌区", "city")
    assert "城区一般45分钟内到达现场" in done.text


def test_a_fault_hears_first_of_the_outage_at_its_place(grid: Grid) -> None:
    (outage,) = grid.outages("active")
    said = grid.say(FAULT, grid.supplied_by(outage), text="家里灯一闪一闪的，电压也不稳")
    assert said.text.startswith(f"{outage.area}正在停电")
    assert "怕坏的电器拔下来" in said.text
    assert grid.orders() == []


def test_the_digits_of_an_account_number_are_no_telephone(grid: Grid) -> None:
    where = grid.say(REPORT, assurance=0, text="户号4200000000123停电了")
    scope = grid.say(INFORM, assurance=0, after=where, text="火星路9号天河苑2栋")
    assert "电话" in grid.press(scope, "整栋楼", assurance=0).text.splitlines()[-1]


def test_a_place_that_is_not_in_the_named_district_is_said_to_be_unknown(grid: Grid) -> None:
    said = grid.say(QUERY, assurance=0, text="武昌区知音苑停不停电", entities=address("武昌区知音苑"))
    assert said.text.startswith("没找到“武昌区知音苑”，先看看整个武昌区的。\n武昌区目前")


def test_an_address_whose_end_was_cut_off_is_made_whole(grid: Grid) -> None:
    text = "江汉区新华路北湖小筑5栋一哈子全黑了"
    scope = grid.say(REPORT, assurance=0, text=text, entities=address("江汉区新华路北湖"))
    assert scope.slots["form"]["address"] == "江汉区新华路北湖小筑5栋"
