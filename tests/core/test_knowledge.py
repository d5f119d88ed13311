"""The files of general knowledge, and the strictness with which they are read."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from core.knowledge import Knowledge, KnowledgeError, UnknownItem

ROOT = Path(__file__).parents[2]
ITEM = {
    "id": "meter_blink", "question": "灯为什么闪", "also": ["红灯闪", "一直闪", "闪得快"],
    "answer": "那是脉冲灯，用电才会闪。", "region": "national", "date": "2026-11",
    "source": "常识", "status": "unverified",
}  # fmt: skip


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.load(ROOT / "data" / "knowledge")


def written(directory: Path, *items: dict[str, object], **more: object) -> Path:
    text = yaml.safe_dump({"items": list(items), **more}, allow_unicode=True)
    (directory / "meter.yaml").write_text(text, encoding="utf-8")
    return directory


def test_there_are_enough_items_of_many_topics(knowledge: Knowledge) -> None:
    topics = Counter(item.id.partition("_")[0] for item in knowledge.items)
    assert len(knowledge) >= 150
    assert len(topics) >= 8
    assert min(topics.values()) >= 15


def test_answers_are_chinese_and_promise_nothing(knowledge: Knowledge) -> None:
    for item in knowledge.items:
        assert not re.search(r"[A-Za-z]", item.answer.replace("App", "")), item.id
        assert not re.search(r"保证(?!不|活动|漏保|留)|一定赔|肯定赔|包赔|必须赔", item.answer), item.id
        assert item.answer.endswith(("。", "？")), item.id


def test_prices_are_told_of_hubei_only_and_carry_a_source(knowledge: Knowledge) -> None:
    priced = [item for item in knowledge.items if re.search(r"0\.\d{2,}元", item.answer)]
    assert len(priced) >= 4
    for item in priced:
        assert (item.id, item.region) == (item.id, "hubei")
        assert re.search(r"S\d|〔20\d\d〕", item.source), item.id


def test_arrival_times_are_said_to_be_usual_and_not_promised(knowledge: Knowledge) -> None:
    for item in knowledge.items:
        if "45分钟" in item.answer:
            assert re.search(r"一般45分钟", item.answer), item.id


def test_every_wording_belongs_to_one_item(knowledge: Knowledge) -> None:
    wordings = [wording for item in knowledge.items for wording in (item.question, *item.also)]
    assert len(set(wordings)) == len(wordings)


def test_item_is_found_by_its_id(knowledge: Knowledge) -> None:
    item = knowledge.get("outage_voltage_band")
    assert (item.year, item.month) == (2024, 6)
    assert "198" in item.answer
    with pytest.raises(UnknownItem):
        knowledge.get("outage_of_the_moon")


def test_defaults_of_a_file_give_way_to_what_the_item_says(tmp_path: Path) -> None:
    bare = {key: value for key, value in ITEM.items() if key not in ("date", "status")}
    found = Knowledge.load(
        written(tmp_path, bare | {"date": "2025-03"}, defaults={"date": "2020-01", "status": "verified"})
    )
    assert (found.get("meter_blink").date, found.get("meter_blink").status) == ("2025-03", "verified")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"answer": "长" * 121}, "answer"),
        ({"also": ["只有一个"]}, "also"),
        ({"also": ["一一", "二二", "三三", "四四", "五五", "六六", "七七"]}, "also"),
        ({"date": "2026-13"}, "date"),
        ({"status": "sure"}, "status"),
        ({"region": "henan"}, "region"),
        ({"source": ""}, "source"),
        ({"price": "0.5"}, "price"),
        ({"id": "灯"}, "id"),
    ],
)
def test_wrong_item_is_refused_by_file_and_key(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    with pytest.raises(KnowledgeError, match=rf"meter\.yaml: items\.0 .*\.{problem}"):
        Knowledge.load(written(tmp_path, ITEM | change))


def test_same_wording_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="same wording: 灯为什么闪"):
        Knowledge.load(written(tmp_path, ITEM, ITEM | {"id": "meter_other", "also": ["甲甲", "乙乙", "丙丙"]}))


def test_same_id_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="given twice"):
        Knowledge.load(written(tmp_path, ITEM, ITEM))


@pytest.mark.parametrize("text", ["items: [", "- a list", "things: []", "items: {}", "items: [word]"])
def test_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "meter.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(KnowledgeError, match=r"meter\.yaml"):
        Knowledge.load(tmp_path)
