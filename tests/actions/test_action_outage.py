"""A report of an outage: what is known comes before an order, and nobody is sent away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from actions_desk import NOW, ROOT, Desk
from outage_desk import AFFIRM, INFORM, QUERY, REPORT, SETTLED, Grid, a_quiet_compound, address, anonymous
from sqlalchemy import select

from core.network import transformers
from core.outage import Outage, outage_at, subscribers
from core.place import Place, locate
from core.promise import Promise
from core.seed.network import seed_network


@pytest.fixture
def grid(writing: Desk) -> Iterator[Grid]:
    services = writing.services
    seed_network(
        services.workorder, services.billing, keyring=services.keyring, now=NOW, directory=ROOT / "data" / "demo"
    )
    yield Grid(writing)
    services.workorder.dispose()


def test_a_known_outage_is_told_with_cause_and_the_age_of_the_expected_time(grid: Grid) -> None:
    (outage,) = grid.outages("active")
    said = grid.say(REPORT, grid.supplied_by(outage), text="家里没电了")
    assert said.text.startswith(f"{outage.area}正在停电，原因是电缆故障。\n预计11:45来电，这是10分钟前的消息。")
    assert "不用再报修" in said.text
    assert grid.orders() == []
    with grid.workorder.reading() as session:
        assert "c1" in subscribers(session, outage)
        told = session.scalars(select(Promise).where(Promise.subject_kind == "outage")).all()
    assert [(one.conversation_id, one.kind) for one in told] == [("c1", "restore")]
    assert [one.outage_id for one in grid.reports()] == [outage.id]


def test_an_anonymous_customer_is_asked_where_and_hears_of_the_outage_there(grid: Grid) -> None:
    (outage,) = grid.outages("active")
    asked = grid.say(REPORT, assurance=0, text="停电了")
    assert asked.response == "utter_outage_ask"
    assert "哪里停电了" in asked.text
    said = grid.say(INFORM, assurance=0, after=asked, text=outage.area, entities=address(outage.area))
    assert outage.area in said.text
    assert "正在停电" in said.text


def test_without_a_known_outage_a_dark_meter_becomes_an_order_with_its_transformer(grid: Grid) -> None:
    number = grid.account(SETTLED, area="city")
    scope = grid.say(REPORT, number, text="我家突然停电了")
    assert "是只有您家没电，还是邻居也没电" in scope.text
    check = grid.press(scope, "只有我家", number)
    assert "电表的屏亮不亮" in check.text
    confirm = grid.press(check, "电表屏不亮", number)
    assert confirm.response == "utter_form_confirm"
    assert "停电范围：只有我家" in confirm.text
    assert "检查情况：电表屏不亮" in confirm.text
    done = grid.say(AFFIRM, number, after=confirm, text="确认")
    (order,) = grid.orders()
    assert order.order_no in done.text
    assert "城区一般45分钟内到达现场" in done.text
    assert (order.kind, order.category, order.account_no) == ("repair", "故障报修→低压停电→只有我家", number)
    with grid.workorder.reading() as session:
        place = locate(session, account_no=number)
    assert isinstance(place, Place)
    assert order.place_code == place.code
    assert [one.order_no for one in grid.reports()] == [order.order_no]


def test_a_switch_that_holds_needs_no_order_and_takes_the_report_back(grid: Grid) -> None:
    number = grid.account(SETTLED)
    check = grid.press(grid.say(REPORT, number, text="没电了"), "只有我家", number)
    push = grid.press(check, "空开跳了", number)
    assert "往上推一次" in push.text
    said = grid.press(push, "推上去，有电了", number)
    assert "有电就好" in said.text
    assert said.slots["form"] is None
    assert grid.orders() == []
    assert grid.reports() == []


def test_a_switch_that_trips_again_stays_off_and_may_still_become_an_order(grid: Grid) -> None:
    number = grid.account(SETTLED)
    check = grid.press(grid.say(REPORT, number, text="没电了"), "只有我家", number)
    again = grid.press(grid.press(check, "空开跳了", number), "一推就跳", number)
    assert "别再推了" in again.text
    assert "别换大号空开" in again.text
    assert grid.press(again, "我自己找电工", number).response == "utter_outage_said"
    assert grid.press(again, "还是派人来看", number).response == "utter_form_confirm"


def test_free_words_answer_the_questions_too(grid: Grid) -> None:
    number = grid.account(SETTLED)
    scope = grid.say(REPORT, number, text="家里没电")
    check = grid.say(INFORM, number, after=scope, text="隔壁都有电")
    assert "电表的屏" in check.text
    confirm = grid.say(INFORM, number, after=check, text="闸是合着的，就是冇得电")
    assert "检查情况：电表和开关看着正常" in confirm.text


def test_words_that_are_no_answer_are_asked_again_and_then_a_person_is_offered(grid: Grid) -> None:
    number = grid.account(SETTLED)
    said = grid.say(REPORT, number, text="家里没电")
    for _ in range(3):
        said = grid.say(INFORM, number, after=said, text="啥")
        assert said.response == "utter_outage_ask"
    assert ("转人工", "/request_human") in said.buttons


def test_a_form_that_was_interrupted_asks_its_question_again(grid: Grid) -> None:
    number = grid.account(SETTLED)
    scope = grid.say(REPORT, number, text="家里没电")
    again = grid.say(INFORM, number, after=scope, text="/inform")
    assert again.slots["form"]["step"] == "scope"
    assert "还是邻居也没电" in again.text


def test_arrears_come_before_the_order_with_the_sum_and_the_rule_of_24_hours(grid: Grid, tmp_path: Path) -> None:
    number = grid.account(SETTLED)
    cut = grid.desk.changed(
        tmp_path,
        ("delete from payments where account_id = (select id from accounts where account_no = ?)"
         " and bill_id in (select id from bills where month >= '2026-08-01')", number),
    )  # fmt: skip
    other = Grid(cut)
    said = other.say(REPORT, number, text="家里没电了")
    owed = cut.billed(number, "2026-08-01", "2026-10-01")
    assert f"欠费{owed:.2f}元" in said.text
    assert "可能" in said.text
    assert "24小时内恢复供电" in said.text
    assert [title for title, _ in said.buttons] == ["去交费", "交过了，还没电", "不是欠费，继续报修"]
    scope = other.press(said, "不是欠费，继续报修", number)
    assert "还是邻居也没电" in scope.text


def test_a_whole_building_in_the_dark_is_no_matter_of_arrears(grid: Grid, tmp_path: Path) -> None:
    number = grid.account(SETTLED)
    cut = grid.desk.changed(tmp_path, ("delete from payments",))
    scope = [{"entity": "outage_scope", "value": "building"}]
    said = Grid(cut).say(REPORT, number, text="整栋楼都没电", entities=scope)
    assert said.response == "utter_form_confirm"
    assert "停电范围：整栋楼" in said.text


def test_the_third_report_below_a_transformer_tells_of_a_suspected_outage(grid: Grid) -> None:
    place = a_quiet_compound(grid) + "3栋"
    scope = [{"entity": "outage_scope", "value": "area"}]
    with grid.workorder.reading() as session:
        before = len(session.scalars(select(Outage.id)).all())
    for number in range(3):
        entities = [*address(f"{place}{number + 1}单元"), *scope]
        said = grid.say(
            REPORT,
            assurance=0,
            text="全小区停电",
            entities=entities,
            sender=f"c{number}.1",
            identity=anonymous(number),
        )
    assert "3户报停电" in said.text
    assert len(grid.outages("suspected")) == 2
    with grid.workorder.reading() as session:
        assert len(session.scalars(select(Outage.id)).all()) == before + 1


def test_a_number_that_is_not_bound_is_answered_like_one_that_does_not_exist(grid: Grid) -> None:
    (outage,) = grid.outages("active")
    texts = set()
    for number in (grid.supplied_by(outage), "4209999999999"):
        entities = [{"entity": "account_no", "value": number}]
        for name in (REPORT, QUERY):
            said = grid.say(name, assurance=0, text=f"户号{number}停电了", entities=entities)
            texts.add((name, said.text, tuple(said.buttons)))
    assert len(texts) == 2


def test_a_name_that_several_places_have_is_asked_back(grid: Grid) -> None:
    said = grid.say(REPORT, assurance=0, text="望江村停电了", entities=address("望江村"))
    assert [title for title, _ in said.buttons] == [
        "楚溪县城关镇望江村", "楚溪县白泉镇望江村", "楚溪县柳河乡望江村",
    ]  # fmt: skip
    chosen = grid.press(said, "楚溪县白泉镇望江村", assurance=0)
    assert chosen.slots["form"]["address"] == "楚溪县白泉镇望江村"


def test_a_place_that_the_network_does_not_know_still_gets_an_order(grid: Grid) -> None:
    said = grid.say(REPORT, assurance=0, text="火星路9号天河苑停电了", entities=address("火星路9号天河苑2栋"))
    assert "记下了：火星路9号天河苑2栋" in said.text
    phone = grid.press(said, "整栋楼", assurance=0)
    assert "电话" in phone.text
    entities = [{"entity": "phone", "value": "13900001111"}]
    confirm = grid.say(INFORM, assurance=0, after=phone, text="13900001111", entities=entities)
    assert "故障地址：火星路9号天河苑2栋" in confirm.text
    done = grid.say(AFFIRM, assurance=0, after=confirm, text="对")
    (order,) = grid.orders()
    assert order.place_code is None
    assert "城区45分钟、农村90分钟" in done.text


def test_a_district_alone_is_no_address_for_a_crew(grid: Grid) -> None:
    said = grid.say(REPORT, assurance=0, text="汉阳停电了", entities=address("汉阳"))
    for _ in range(3):
        assert "汉阳区哪里停电了" in said.text
        said = grid.say(INFORM, assurance=0, after=said, text="就是汉阳", entities=address("汉阳"))
    assert ("转人工", "/request_human") in said.buttons
    complaint = grid.say(INFORM, assurance=0, after=said, text="你们到底修不修啊烦死了")
    assert complaint.slots["form"]["step"] == "where"


def test_whoever_lives_by_an_appliance_gets_an_urgent_order_and_advice_first(grid: Grid) -> None:
    number = grid.account(SETTLED)
    scope = grid.say(REPORT, number, text="停电了，家里老人靠制氧机")
    said = grid.press(scope, "整栋楼", number)
    assert said.text.startswith("家里有人靠制氧机、呼吸机的，先换上备用电池或氧气袋")
    grid.say(AFFIRM, number, after=said, text="确认")
    (order,) = grid.orders()
    assert order.priority == "urgent"


def test_in_a_suspected_outage_that_nobody_filed_an_order_for_the_customer_files_it(grid: Grid) -> None:
    outage = grid.outages("suspected")[0]
    said = grid.say(REPORT, assurance=0, text="停电了", entities=address(outage.area))
    assert said.text.startswith("这一片已经有4户报停电，可能是一片停电。我给您报修")
    entities = [{"entity": "phone", "value": "13900001111"}]
    confirm = grid.say(INFORM, assurance=0, after=said, text="13900001111", entities=entities)
    grid.say(AFFIRM, assurance=0, after=confirm, text="对")
    (order,) = grid.orders()
    next_one = grid.say(
        REPORT, assurance=0, text="没电", entities=address(outage.area), sender="c9.1", identity=anonymous(9)
    )
    assert "正在核实" in next_one.text
    assert "不用再报修" in next_one.text


def test_a_repair_that_is_begun_from_its_facts_looks_for_the_known_outage_first(grid: Grid) -> None:
    (outage,) = grid.outages("active")
    entities = [{"entity": "start", "value": "repair"}]
    said = grid.say(INFORM, grid.supplied_by(outage), text='/inform{"start": "repair"}', entities=entities)
    assert "正在停电" in said.text


def test_the_own_account_may_not_be_the_place_that_is_meant(grid: Grid) -> None:
    number = grid.account(SETTLED)
    asked = grid.press(grid.say(REPORT, number, text="停电了"), "不是这里", number)
    assert "哪里停电了" in asked.text
    said = grid.say(INFORM, number, after=asked, text="火星路9号天河苑2栋")
    confirm = grid.press(said, "整栋楼", number)
    assert "户号" not in confirm.text
    assert "故障地址：火星路9号天河苑2栋" in confirm.text


def test_property_equipment_is_the_property_managers_first(grid: Grid) -> None:
    scope = [{"entity": "outage_scope", "value": "building"}]
    with grid.workorder.reading() as session:
        owned = next(node for node in transformers(session) if node.owner == "property")
        place = locate(session, address_text=owned.area)
        assert isinstance(place, Place)
        assert outage_at(session, place, NOW) is None
    said = grid.say(REPORT, assurance=0, text="停电了", entities=[*address(owned.area), *scope])
    assert "先打物业电话" in said.text
    assert grid.press(said, "找过物业了，报修", assurance=0).response == "utter_form_ask"
    assert grid.press(said, "我先找物业", assurance=0).response == "utter_outage_said"


def test_a_building_told_afterwards_goes_with_its_compound(grid: Grid) -> None:
    said = grid.say(REPORT, assurance=0, text="天河苑停电了", entities=address("火星路9号天河苑"))
    scope = grid.say(INFORM, assurance=0, after=said, text="好像是12栋")
    assert "是只有您家没电，还是邻居也没电" in scope.text
    phone = grid.say(INFORM, assurance=0, after=scope, text="2单元 隔壁也冇得", entities=address("2单元"))
    entities = [{"entity": "phone", "value": "13900001111"}]
    confirm = grid.say(INFORM, assurance=0, after=phone, text="13900001111", entities=entities)
    assert "故障地址：火星路9号天河苑12栋2单元" in confirm.text
    assert "停电范围：整栋楼" in confirm.text


def test_switch_and_telephone_told_at_once_are_not_asked_for(grid: Grid) -> None:
    text = "我报修火星路9号天河苑2栋没电只有我家空开没跳表也亮电话13900001111"
    entities = [*address("火星路9号天河苑2栋"), {"entity": "outage_scope", "value": "household"}]
    confirm = grid.say(REPORT, assurance=0, text=text, entities=entities)
    assert confirm.response == "utter_form_confirm"
    assert "检查情况：电表和开关看着正常" in confirm.text
    assert "13900001111" in confirm.text


def test_a_name_that_was_cut_short_is_found_in_the_whole_answer(grid: Grid) -> None:
    asked = grid.say(REPORT, assurance=0, text="停电了")
    said = grid.say(INFORM, assurance=0, after=asked, text="洪山区狮子山下 那边", entities=address("洪山区狮子山"))
    assert "洪山区狮子山下现在没有已知的停电" in said.text


def test_an_address_whose_beginning_was_cut_off_is_made_whole(grid: Grid) -> None:
    text = "我报修。地址武昌区积玉新居8栋2单元301整栋没电电话13900001111"
    confirm = grid.say(REPORT, assurance=0, text=text, entities=[
        *address("新居8栋2单元301"), {"entity": "outage_scope", "value": "building"},
    ])  # fmt: skip
    assert "故障地址：武昌区积玉新居8栋2单元301" in confirm.text
