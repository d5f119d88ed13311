"""The closed vocabularies, found alone and after a trip through a Rasa model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jieba
import pytest
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.components.spacy_ruler import LexiconError, SpacyRuler

LEXICON = Path(__file__).resolve().parents[2] / "bot" / "lexicon"
CONTEXT = ExecutionContext(GraphSchema({}), "test")

WORDS = """
请个人上门给空调加氟多少钱一次 | appliance=空调
我儿媳妇说那个电视不关也跑电 真的啊 那机顶盒要不要拔 | appliance=电视 appliance=机顶盒
冰柜放门口晒太阳 是不是费些 该往哪摆 | appliance=冰柜
电磁炉煮个泡面二十分钟，电压是不是不够 | appliance=电磁炉
小太阳一晚上几多度 | appliance=取暖器
老爹爹的油汀和电热毯哪个费 | appliance=取暖器 appliance=电热毯
LED灯和Led灯带 | appliance=灯 appliance=灯
塘里增氧机停了鱼要死 | appliance=增氧机
原来签代扣的银行卡丢了补了张新的，要重签不 | payment_channel=bank
提示失败可是建行卡里钱没了…… | payment_channel=bank
姑娘，我上午在银行柜台交的，怎么说我冇交咧 | payment_channel=bank
微信付的 | payment_channel=wechat
支付宝 | payment_channel=alipay
在ＡＰＰ交了两百没到账 | payment_channel=app
营业厅交了现金 | payment_channel=hall
营业厅 | payment_channel=hall
大工业的电价怎么算 | tariff_class=industrial
一般工商业多少钱一度 | tariff_class=commercial
农业排灌电价 | tariff_class=agricultural
合表用户一度几多 | tariff_class=shared_meter
居民的电价几多 | tariff_class=residential
充电桩用电按什么价 | tariff_class=charging
一条街就我家馆子是黑的，客人在里头吃一半，快点来人 | outage_scope=household
整个小区都黑了 | outage_scope=area
整个小区就我一家没电 | outage_scope=household
就我们屋里冇得电 | outage_scope=household
我们这栋楼全停了 | outage_scope=building
"""

NOTHING = """
徐东那个柜台小姐姐超耐心表扬一下
你们营业厅几点开门啊，周末上班不
加你微信能发个地址定位给我不
apple手机怎么下载软件啊
商业街那边停电了没
你几岁啦
我家没电了
"""


def message_in(ruler: SpacyRuler, text: str) -> list[dict]:
    return ruler.process([Message({"text": text})])[0].get("entities")


def brief(entities: list[dict]) -> str:
    return " ".join(f"{entity['entity']}={entity['value']}" for entity in entities)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[SpacyRuler, SpacyRuler]:
    """The ruler as trained, and as loaded from a packed model when its lexicon is gone."""
    folder = tmp_path_factory.mktemp("ruler")
    lexicon = folder / "lexicon"
    shutil.copytree(LEXICON, lexicon)
    (folder / "model").mkdir()
    storage = LocalModelStorage.create(folder / "model")
    config = {"lexicon": str(lexicon)}
    ruler = SpacyRuler.create(config, storage, Resource("ruler"), CONTEXT)
    resource = ruler.train(TrainingData())
    shutil.rmtree(lexicon)
    return ruler, SpacyRuler.load(config, storage, resource, CONTEXT)


@pytest.mark.parametrize(("text", "expected"), [line.split(" | ") for line in WORDS.strip().splitlines()])
def test_word_gets_its_canonical_name_also_without_the_lexicon_files(trained, text: str, expected: str) -> None:
    assert [brief(message_in(ruler, text)) for ruler in trained] == [expected, expected]


@pytest.mark.parametrize("text", NOTHING.strip().splitlines())
def test_word_in_another_sense_is_left_alone(trained, text: str) -> None:
    assert message_in(trained[1], text) == []


def test_entities_of_earlier_components_stay_and_the_span_is_the_customers(trained) -> None:
    earlier = {"entity": "period", "value": "2026-10/2026-10", "start": 0, "end": 3}
    text = "上个月  在\nＡＰＰ 交的"
    message = Message({"text": text, "entities": [earlier]})
    first, second = trained[1].process([message])[0].get("entities")
    assert first == earlier
    assert text[second["start"] : second["end"]] == "ＡＰＰ"
    assert second["extractor"] == "SpacyRuler"
    assert "entities" in message.as_dict(only_output_properties=True)


@pytest.mark.parametrize("text", ["", " ", "\0\n\t", "\ud800空调\udfff", "😀" * 50, "空" * 10_000, None])
def test_odd_text_raises_nothing(trained, text: str | None) -> None:
    assert len(trained[1].process([Message({"text": text})])) == 1


def test_training_data_passes_unchanged(trained) -> None:
    data = TrainingData([Message({"text": "空调"})])
    assert trained[0].process_training_data(data) is data


def test_a_changed_lexicon_changes_the_fingerprint(tmp_path: Path) -> None:
    shutil.copytree(LEXICON, tmp_path / "lexicon")
    config = {"lexicon": str(tmp_path / "lexicon")}
    before = SpacyRuler.fingerprint_addon(config)
    assert before == SpacyRuler.fingerprint_addon({})
    with (tmp_path / "lexicon" / "appliance.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "缝纫机", "phrases": ["缝纫机"]}\n')
    assert SpacyRuler.fingerprint_addon(config) != before


@pytest.mark.parametrize(
    "line",
    ["{", '{"phrases": ["空调"]}', '{"id": "空调"}', "[]", '{"id": "a", "phrases": ["a"], "context": "("}'],
)
def test_bad_lexicon_line_is_refused_in_training(tmp_path: Path, line: str) -> None:
    (tmp_path / "appliance.jsonl").write_text(line + "\n", encoding="utf-8")
    config = {"lexicon": str(tmp_path), "entities": ["appliance"]}
    ruler = SpacyRuler.create(config, LocalModelStorage.create(tmp_path), Resource("ruler"), CONTEXT)
    with pytest.raises(LexiconError):
        ruler.train(TrainingData())


def test_no_word_of_a_vocabulary_has_two_values() -> None:
    for path in LEXICON.glob("*.jsonl"):
        values: dict[str, set[str]] = {}
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            for phrase in row.get("phrases", []):
                values.setdefault(phrase, set()).add(row["id"])
        assert {phrase: ids for phrase, ids in values.items() if len(ids) > 1} == {}


def test_words_of_the_trade_stay_whole_in_jieba() -> None:
    cutter = jieba.Tokenizer()
    cutter.load_userdict(str(LEXICON / "power.txt"))
    assert cutter.lcut("我的户号冇得峰谷电价") == ["我", "的", "户号", "冇得", "峰谷电价"]
    assert cutter.lcut("力调电费么样算") == ["力调电费", "么样", "算"]
    assert len((LEXICON / "power.txt").read_text(encoding="utf-8").splitlines()) >= 250
