"""Outages asked for, power back after arrears, and faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from actions_desk import NOW, ROOT, Desk
from outage_desk import AFFIRM, FAULT, INFORM, QUERY, RECONNECT, SETTLED, Grid, address

from core.outage import subscribers
from core.seed.network import seed_network


@pytest.fixture
def grid(writing: Desk) -> Iterator[Grid]:
    services = writing.services
    seed_network(
        services.workorder, services.billing, keyring=services.keyring, now=NOW, directory=ROOT / "data" / "demo"
    )
    yield Grid(writing)
    services.workorder.dispose()


def test_own_places_are_told_with_what_is_planned(grid: Grid) -> None:
    planned = grid.outages("planned")[0]
    said = grid.say(QUERY, grid.supplied_by(planned), text="最近停电吗")
    assert f"{planned.area}计划停电：11月24日08:00到17:00，原因是设备检修。" in said.text
    with grid.workorder.reading() as session:
        assert "c1" in subscribers(session, planned)


def test_a_quiet_place_is_told_so_and_a_repair_is_offered(grid: Grid) -> None:
    said = grid.say(QUERY, grid.account(SETTLED), text="我家今天停电吗")
    assert "目前没有停电信息，7天内也没有计划停电" in said.text
    assert ("报修", "/report_outage") in said.buttons


def test_a_district_alone_lists_what_is_out_there(grid: Grid) -> None:
    (outage,) = grid.outages("active")
    said = grid.say(QUERY, assurance=0, text=f"{outage.district}停电吗", entities=address(outage.district))
    assert said.text.startswith(f"{outage.district}目前的停电信息：")
    assert outage.area in said.text
    assert "现在没有已知的停电" not in said.text


def test_whoever_names_no_place_is_asked_for_one_and_then_answered(grid: Grid) -> None:
    (outage,) = grid.outages("active")
    asked = grid.say(QUERY, assurance=0, text="明天停电吗")
    assert "小区或村名" in asked.text
    said = grid.say(INFORM, assurance=0, after=asked, text=outage.area)
    assert "正在停电" in said.text


def test_an_expected_time_that_has_passed_is_not_sold_as_news(grid: Grid) -> None:
    (outage,) = grid.outages("active")
    later = NOW + timedelta(hours=4)
    services = grid.desk.services
    desk = replace(grid.desk, services=replace(services, clock=lambda: later))
    said = Grid(desk).say(QUERY, assurance=0, text="来电没", entities=address(outage.area), now=later)
    assert "原来预计11:45来电，已经过了，还在抢修" in said.text


def test_reconnection_counts_what_was_used_after_the_last_bill(grid: Grid, tmp_path: Path) -> None:
    number = grid.account("prepaid and user_class = 'residential'")
    balance = "select (select sum(amount) from payments p where p.account_id = a.id and status = 'succeeded')"
    balance += " - (select sum(amount) from bills b where b.account_id = a.id) from accounts a where account_no = ?"
    left = grid.desk.one(balance, number)
    bill = (
        "update bills set amount = amount + ? where account_id = (select id from accounts where account_no = ?)"
        " and month = '2026-09-01'"
    )
    cut = grid.desk.changed(tmp_path, (bill, left + 15, number))
    said = Grid(cut).say(RECONNECT, number, text="什么时候给我复电")
    assert "账上余额-15.00元" in said.text
    assert "上次扣费后又用了" in said.text
    needed = int(said.text.split("至少要交")[1].split("元")[0])
    assert needed > 15
    assert "24小时内恢复供电" in said.text


def test_whoever_has_paid_everything_gets_an_order_for_power_back(grid: Grid) -> None:
    number = grid.account(SETTLED)
    said = grid.say(RECONNECT, number, text="交清了还没电")
    assert "没有欠费" in said.text
    confirm = grid.press(said, "报复电", number)
    done = grid.say(AFFIRM, number, after=confirm, text="确认")
    (order,) = grid.orders()
    assert (order.kind, order.account_no) == ("reconnection", number)
    assert "24小时内恢复供电" in done.text


def test_nobody_without_proof_hears_of_arrears(grid: Grid) -> None:
    assert grid.say(RECONNECT, assurance=0, text="给我复电").response == "utter_not_identified"


@pytest.mark.parametrize(
    ("text", "kind", "advice"),
    [
        ("晚上电压低得很，空调都带不动", "fault_voltage", "198到235.4伏"),
        ("家里灯一闪一闪好几天了", "fault_flicker", "怕坏的电器拔下来"),
        ("空开天天跳，一开热水器就跳", "fault_trip", "别换大号空开"),
        ("三相缺一相，水泵不转了", "fault_phase", "带电机的"),
        ("电表黑屏了什么都不显示", "fault_meter", "不要自己拆表"),
        ("楼道表箱门掉了关不上", "fault_box", "不要靠近"),
        ("楼下变压器嗡嗡响吵得睡不着", "fault_noise", "请别靠近设备"),
    ],
)
def test_a_fault_gets_a_word_of_advice_and_the_order(grid: Grid, text: str, kind: str, advice: str) -> None:
    number = grid.account(SETTLED)
    said = grid.say(FAULT, number, text=text)
    assert advice in said.text
    if said.response == "utter_form_ask":
        said = grid.press(said, "先跳过", number)
    assert said.response == "utter_form_confirm"
    grid.say(AFFIRM, number, after=said, text="确认")
    (order,) = grid.orders()
    assert order.kind == kind
    assert order.place_code is not None
