"""Service halls: the file, and which hall a message or an address points at."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest
import yaml

from core.seed.region import load_region
from core.service_hall import SERVICE_HALLS, ServiceHallDataError, ServiceHalls, load_service_halls

HALLS = load_service_halls()


def names(text: str) -> list[str]:
    return [hall.name for hall in HALLS.named(text)]


def test_every_district_of_the_demonstration_region_has_a_hall() -> None:
    districts = {district.name for district in load_region().districts}
    assert {hall.district for hall in HALLS.halls} == districts


def test_the_halls_are_marked_as_demonstration_and_none_has_a_telephone_of_its_own() -> None:
    assert HALLS.demonstration is True
    assert HALLS.phone == "95598"
    assert "phone" not in type(HALLS.halls[0]).model_fields


def test_every_address_lies_in_the_district_that_is_named() -> None:
    assert [hall.name for hall in HALLS.halls if hall.district not in hall.address] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("光谷附近有网点吗", ["洪山珞喻路营业厅"]),
        ("青山那边几点下班", ["青山友谊大道营业厅"]),
        ("武昌区的营业厅", ["武昌中北路营业厅", "武昌彭刘杨路营业厅"]),
        ("徐东那家还在不在", ["武昌中北路营业厅"]),
        ("中北路那个厅周六开不开", ["武昌中北路营业厅"]),
        ("白泉镇有没得供电所", ["楚溪白泉供电所"]),
        ("汉口哪里有", ["江岸解放大道营业厅", "江汉新华路营业厅", "硚口古田营业厅"]),
        ("宜昌西陵那边哪个厅人少些", []),
        ("周六上不上班", []),
    ],
)
def test_a_message_points_at_halls_by_neighbourhood_road_or_district(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_a_home_in_a_village_belongs_to_the_station_of_its_town() -> None:
    found = HALLS.of_addresses(["湖北省楚溪县柳河乡樟树湾村3组12号"])
    assert [hall.name for hall in found] == ["楚溪柳河供电所"]


def test_two_homes_in_two_districts_give_the_halls_of_both_and_each_once() -> None:
    found = HALLS.of_addresses(["武汉市青山区和平大道1号", "武汉市硚口区汉正街2号", "武汉市青山区冶金大道3号"])
    assert [hall.name for hall in found] == ["青山友谊大道营业厅", "硚口古田营业厅"]


def test_hours_are_times_and_a_hall_without_weekend_is_closed_then() -> None:
    (hall,) = HALLS.named("武钢")
    assert hall.hours.weekdays == (time(8, 30), time(17, 0))
    assert hall.hours.weekend is None


def changed(path: Path, **changes: object) -> Path:
    tree = yaml.safe_load(SERVICE_HALLS.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**tree, **changes}, allow_unicode=True), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"halls": []},
        {"phone": "打电话"},
        {"unknown": 1},
        {"halls": [{"name": "a", "district": "b", "address": "c", "hours": {"weekdays": ["17:00", "08:30"]}}]},
    ],
)
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(ServiceHallDataError, match=r"halls\.yaml"):
        load_service_halls(changed(tmp_path / "halls.yaml", **changes))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServiceHallDataError, match=r"none\.yaml"):
        load_service_halls(tmp_path / "none.yaml")


def test_two_halls_of_the_same_name_are_refused() -> None:
    with pytest.raises(ValueError, match="name of its own"):
        ServiceHalls.model_validate(HALLS.model_dump() | {"halls": [HALLS.halls[0], HALLS.halls[0]]})
