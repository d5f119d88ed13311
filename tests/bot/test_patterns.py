"""Numbers, money, energy and capacity in customers' words, and both extractors as Rasa runs them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from rasa.core.channels.channel import UserMessage
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.graph_components.converters.nlu_message_converter import NLUMessageConverter
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.components.patterns import PatternExtractor, find_patterns
from bot.components.period import SHANGHAI, PeriodExtractor
from bot.language.numbers import NotANumber, read_digits, read_number, read_yuan

FOUND = """
4201234567 | account_no=4201234567
户号4201234567890查下 | account_no=4201234567890
户号 4201 2345 67 | account_no=4201234567
４２０１２３４５６７ | account_no=4201234567
4201-2345-67890 | account_no=4201-2345-67890
四二零一二三四五六七 | account_no=4201234567
我念你听 四二零幺，二三四，五六七 | account_no=4201234567
户号4202410123 | account_no=4202410123
13507118842 | phone=13507118842
135 0711 8842 | phone=13507118842
+8613507118842 | phone=13507118842
幺三五零七幺幺八八四二 | phone=13507118842
户号4201234567 13507118842 | account_no=4201234567 phone=13507118842
20261119008127，鱼等不了，麻烦加个急 | work_order_no=20261119008127
WO20261119008127到哪步了 | work_order_no=WO20261119008127
单号wo20261119008127 | work_order_no=WO20261119008127
交了380块 | amount=380.00
三百八十块钱 | amount=380.00
￥120 | amount=120.00
房东一度收我一块五，说大家都是统一价 | amount=1.50
我充了200元 | amount=200.00
看下还剩几块，不够就给我充两百 | amount=200.00
一个人住三百八太夸张了吧，我要人来验表 | amount=380.00
公摊电每个月固定收我120，问就说都这样 | amount=120.00
我们公司一层楼每月电费两万，能派人来看看 | amount=20000.00
二百三十五块六 | amount=235.60
一百二十块五毛 | amount=120.50
0.558元一度 | amount=0.56
房东收五毛八一度 | amount=0.58
扣了我1万2 | amount=12000.00
两百多块钱 | amount=200.00
1,280.5元 | amount=1280.50
三块二毛五 | amount=3.25
一块零五分 | amount=1.05
已经用了2160度，再往下是不是就贵了 | energy=2160
四百二十度 | energy=420
300 kWh | energy=300
5.5千瓦时 | energy=5.5
一千两百度电 | energy=1200
空调开一天20度电 | energy=20
7kW的桩 | capacity=7kW
315KVA | capacity=315kVA
400千伏安 | capacity=400kVA
21千瓦够不够 | capacity=21kW
315的变压器 | capacity=315kVA
315的不够了换630的，变压器我自己买还是你们出 | capacity=315kVA capacity=630kVA
像我们400的变压器一般只跑到一半 | capacity=400kVA
三百一十五的变压器 | capacity=315kVA
想从200增容到400 | capacity=200kVA capacity=400kVA
2000W的热水器 | capacity=2kW
电费从一百涨到三百 | amount=100.00 amount=300.00
用了300度交了168块5 | energy=300 amount=168.50
"""

NOTHING = """
还差十几块
空调开26度费不费电
高温38度受不了
按0是不是就有人接了，我按
小米su7和model3选哪个
我活了七十几 头一回碰到修电的进门还套鞋套的
刷脸刷了八百遍都过不去
网吧一百台机子，后半夜没几个人
我是吃低保的 每个月不是有十几度不要钱的么
欠费交完 我按了三秒冇得反应
二档比一档贵好多
他们差两成，来测
一块去营业厅
这一块我不懂
珞喻路1037号西十二舍
027-85812345
400-820-8820
95598打不通
一度几多钱
身份证420106199001011234
2026-11-19 10:30停的
3单元502
10千伏线路
年度基数
充电桩怎么装
电费扣了三次
十月 度数
"""


def test_every_number_has_the_forms_that_customers_give_it() -> None:
    assert read_digits("四二零幺 洞拐") == "420107"
    assert [read_number(span) for span in ("1万2", "两百三", "一百零五", "2,160.5")] == [
        12000,
        230,
        105,
        Decimal("2160.5"),
    ]
    assert [str(read_yuan(span)) for span in ("一百二十块五", "二百三十五块六", "五毛八", "0.5583")] == [
        "120.50", "235.60", "0.58", "0.56",
    ]  # fmt: skip


@pytest.mark.parametrize("span", ["", "没有", "三四百", "几百", "一" * 50, "🙂", "."])
def test_what_is_no_number_is_refused_by_name(span: str) -> None:
    with pytest.raises(NotANumber):
        read_number(span)


@pytest.mark.parametrize(("text", "expected"), [line.split(" | ") for line in FOUND.strip().splitlines()])
def test_form_gives_the_entity_and_its_value(text: str, expected: str) -> None:
    assert " ".join(f"{item.kind}={item.value}" for item in find_patterns(text)) == expected.replace("-", "")


@pytest.mark.parametrize("text", NOTHING.strip().splitlines())
def test_what_only_looks_like_a_value_is_left_alone(text: str) -> None:
    assert find_patterns(text) == []


@pytest.fixture
def parts(tmp_path):
    return (
        LocalModelStorage.create(tmp_path),
        Resource("extractor"),
        ExecutionContext(GraphSchema({}), "test"),
    )


@pytest.mark.parametrize("component", [PatternExtractor, PeriodExtractor])
def test_component_keeps_what_others_found_and_signs_what_it_adds(component, parts) -> None:
    extractor = component.create(component.get_default_config(), *parts)
    earlier = {"entity": "appliance", "value": "空调", "start": 0, "end": 2}
    text = "空调上个月用了320度"
    message = Message({"text": text, "entities": [earlier]})
    first, added = extractor.process([message])[0].get("entities")
    assert first == earlier
    assert (added["extractor"], text[added["start"] : added["end"]]) in [
        ("PatternExtractor", "320度"), ("PeriodExtractor", "上个月"),
    ]  # fmt: skip
    assert "entities" in message.as_dict(only_output_properties=True)


@pytest.mark.parametrize("component", [PatternExtractor, PeriodExtractor])
def test_component_loads_as_it_was_created_and_leaves_training_data_alone(component, parts) -> None:
    extractor = component.load({}, *parts)
    data = TrainingData([Message({"text": "上个月320度"})])
    assert extractor.process_training_data(data) is data
    assert len(extractor.process([Message({"text": "上个月320度"})])[0].get("entities")) == 1


@pytest.mark.parametrize("component", [PatternExtractor, PeriodExtractor])
@pytest.mark.parametrize(
    "text",
    ["", None, "\0", "\ud800", "1" * 10_000, "一" * 10_000, "😀0块", "￥", "万万万块", "9" * 40 + "度"],
)
def test_odd_text_raises_nothing(component, text, parts) -> None:
    assert len(component.create({}, *parts).process([Message({"text": text})])) == 1


@pytest.mark.parametrize(
    ("asked_at", "expected"),
    [
        ("2026-03-01T09:00:00+08:00", "2026-02/2026-02"),
        ("2026-02-28T18:00:00Z", "2026-02/2026-02"),
        ("2026-02-28T18:00:00", "2026-01/2026-01"),
        ("2025-01-02", "2024-12/2024-12"),
    ],
)
def test_the_day_of_asking_comes_with_the_user_message(asked_at: str, expected: str, parts) -> None:
    said = UserMessage("上个月", metadata={"asked_at": asked_at})
    messages = NLUMessageConverter.create({}, *parts).convert_user_message([said])
    (entity,) = PeriodExtractor.create({}, *parts).process(messages)[0].get("entities")
    assert (entity["value"], entity["grain"]) == (expected, "month")


@pytest.mark.parametrize("metadata", [None, {}, {"asked_at": None}, {"asked_at": "soon"}, {"asked_at": 7}, "x"])
def test_without_a_time_of_asking_it_is_now_in_shanghai(metadata, parts) -> None:
    message = Message({"text": "今天", "metadata": metadata})
    before = datetime.now(SHANGHAI).date().isoformat()
    (entity,) = PeriodExtractor.create({}, *parts).process([message])[0].get("entities")
    assert before <= entity["value"] <= datetime.now(SHANGHAI).date().isoformat()


def test_extractor_can_be_limited_to_some_kinds(parts) -> None:
    extractor = PatternExtractor.create({"entities": ["phone"]}, *parts)
    (entity,) = extractor.process([Message({"text": "13507118842 欠了300块"})])[0].get("entities")
    assert entity["entity"] == "phone"
