"""Addresses as people write them, and which transformer supplies them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from core.db import Database
from core.migrations import upgrade
from core.network import NetworkNode, SupplyPoint
from core.place import Place, comparable, locate
from core.seed.network import nodes_of
from core.seed.region import load_region
from tests.conftest import ROOT, NewUrl


@pytest.fixture(scope="module")
def session(new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The network of the demonstration region with one account in it."""
    database = Database(new_url("sqlite", tmp_path_factory.mktemp("place")))
    upgrade("workorder", database)
    nodes = {one.code: one for district in load_region(ROOT / "data/demo").districts for one in nodes_of(district)}
    with database.transaction() as opened:
        for kind in ("substation", "feeder", "transformer"):
            opened.add_all(one for one in nodes.values() if one.kind == kind)
            opened.flush()
        code = next(one.code for one in nodes.values() if one.area == "汉阳区知音苑")
        opened.add(SupplyPoint(account_no="4201050000001", transformer_code=code, building="3栋", unit="2单元"))
    with database.reading() as opened:
        yield opened
    database.dispose()


def one(session: Session, text: str) -> Place:
    found = locate(session, address_text=text)
    assert isinstance(found, Place), [each.area for each in found]
    return found


@pytest.mark.parametrize(
    ("text", "area", "building"),
    [
        ("武汉市江岸区解放大道12号听涛苑3栋2单元1502室", "江岸区听涛苑", "3栋2单元"),
        ("听涛苑三栋二单元", "江岸区听涛苑", "3栋2单元"),
        ("听涛苑 １２ 幢", "江岸区听涛苑", "12栋"),
        ("江岸听涛苑十二号楼", "江岸区听涛苑", "12栋"),
        ("听涛苑5-2-301", "江岸区听涛苑", "5栋2单元"),
        ("听涛苑", "江岸区听涛苑", None),
        ("我住知音苑小区那边", "汉阳区知音苑", None),
        ("长丰", "硚口区长丰小区", None),
        ("古田2路18号", "硚口区古田二路", "18号"),
        ("江岸区解放大道二百一十二号", "江岸区解放大道", "212号"),
        ("楚溪县白泉镇望江村3组25号", "楚溪县白泉镇望江村", "3组"),
        ("柳河乡望江 二组", "楚溪县柳河乡望江村", "2组"),
        ("云岭乡深沟村", "楚溪县云岭乡深沟村", None),
    ],
)
def test_an_address_is_found_however_it_is_written(
    session: Session, text: str, area: str, building: str | None
) -> None:
    place = one(session, text)
    assert (place.area, place.building) == (area, building)
    assert place.known


def test_the_building_decides_between_two_transformers_of_a_compound(session: Session) -> None:
    both = one(session, "听涛苑")
    assert (len(both.codes), both.code) == (2, None)
    codes = {one(session, f"听涛苑{number}栋").code for number in (1, 9)}, {one(session, "听涛苑10栋").code}
    assert [len(each) for each in codes] == [1, 1]
    assert codes[0] != codes[1]


@pytest.mark.parametrize(
    ("text", "areas"),
    [
        ("望江村", ["楚溪县城关镇望江村", "楚溪县白泉镇望江村", "楚溪县柳河乡望江村"]),
        ("和平大道15号", ["武昌区和平大道", "青山区和平大道"]),
    ],
)
def test_what_may_be_several_places_is_left_to_the_customer(session: Session, text: str, areas: list[str]) -> None:
    found = locate(session, address_text=text)
    assert isinstance(found, list)
    assert [place.area for place in found] == areas


def test_a_place_that_is_not_in_the_network_keeps_its_text_and_its_district(session: Session) -> None:
    place = one(session, "汉阳区火星路9号")
    assert (place.known, place.text, place.district) == (False, "汉阳区火星路9号", "汉阳区")
    assert one(session, "火星路9号").district is None


@pytest.mark.parametrize(
    ("text", "district", "area_class"),
    [
        ("江夏区纸坊街文化大道锦绣苑6栋", None, None),
        ("武汉市蔡甸区听涛苑6栋", None, None),
        ("汉阳区听涛苑", "汉阳区", "city"),
        ("武昌知音苑3栋", "武昌区", "city"),
        ("楚溪县云岭乡新屋塆", "楚溪县", "remote"),
        ("楚溪县白泉镇新屋塆", "楚溪县", "rural"),
        ("楚溪县新屋塆", "楚溪县", "remote"),
    ],
)
def test_a_district_that_is_named_binds_and_gives_its_area_class(
    session: Session, text: str, district: str | None, area_class: str | None
) -> None:
    place = one(session, text)
    assert (place.known, place.area, place.district, place.area_class) == (False, text, district, area_class)


@pytest.mark.parametrize("text", ["汉阳大道旁边的听涛苑", "我们小区听涛苑", "听涛苑小区3栋", "武汉市江岸区听涛苑"])
def test_what_only_sounds_like_another_district_does_not_bind(session: Session, text: str) -> None:
    assert one(session, text).area == "江岸区听涛苑"


def test_an_account_is_found_by_its_number_without_its_address(session: Session) -> None:
    place = locate(session, account_no="4201050000001")
    assert isinstance(place, Place)
    assert (place.area, place.building, place.premises) == ("汉阳区知音苑", "3栋2单元", "account:4201050000001")


def test_an_unknown_account_is_looked_for_by_its_address(session: Session) -> None:
    place = locate(session, account_no="4201050000002", address_text="听涛苑3栋")
    assert isinstance(place, Place)
    assert place.area == "江岸区听涛苑"
    nowhere = locate(session, account_no="4201050000002")
    assert isinstance(nowhere, Place)
    assert not nowhere.known


def test_premises_are_told_apart_by_building_or_house_and_not_by_room(session: Session) -> None:
    first, second = one(session, "听涛苑3栋1单元502"), one(session, "听涛苑三幢一单元701室")
    assert first.premises == second.premises is not None
    assert one(session, "听涛苑3栋2单元").premises != first.premises
    assert one(session, "听涛苑").premises is None
    houses = {one(session, f"白泉镇望江村3组{number}号").premises for number in (8, 9)}
    assert len(houses) == 2
    assert "8" not in {None if each is None else each.partition(":")[0] for each in houses}


@pytest.mark.parametrize(
    ("text", "plain"),
    [("十栋", "10栋"), ("二十三号", "23号"), ("二〇一室", "201室"), ("一百零五号", "105号"), ("二曜花园", "二曜花园")],
)
def test_numbers_are_compared_in_digits_and_names_stay(text: str, plain: str) -> None:
    assert comparable(text) == plain


def test_every_name_of_the_network_finds_itself(session: Session) -> None:
    for node in session.query(NetworkNode).where(NetworkNode.kind == "transformer"):
        place = one(session, node.area)
        assert place.area == node.area
        assert node.code in place.codes
