"""Facts as data: strict files, what is unverified is said so, questions find their fact."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.facts import Facts, FactsError

ROOT = Path(__file__).parents[2]
MARK = "这一点还要核实。"
FACT = """  - key: {key}
    text: {text}
    region: hubei
    date: {date}
    source: 示例
    status: {status}
"""


def written(directory: Path, *facts: str, name: str = "one.yaml") -> Path:
    (directory / name).write_text(f"uncertain: {MARK}\nfacts:\n" + "".join(facts), encoding="utf-8")
    return directory


def fact(key: str, *, text: str = "电费每月一号出账。", date: str = "2026-01", status: str = "verified") -> str:
    return FACT.format(key=key, text=text, date=date, status=status)


@pytest.fixture(scope="module")
def facts() -> Facts:
    return Facts.load(ROOT / "data" / "facts")


def test_an_unverified_fact_is_followed_by_the_mark_and_a_verified_one_is_not(tmp_path: Path) -> None:
    read = Facts.load(written(tmp_path, fact("a.sure"), fact("a.doubt", text="大概如此。", status="unverified")))
    assert read.say("a.sure") == "电费每月一号出账。"
    assert read.say("a.doubt") == f"大概如此。{MARK}"


def test_several_unverified_facts_share_one_mark_at_the_end(tmp_path: Path) -> None:
    texts = [fact("a.one", text="甲。", status="unverified"), fact("a.two", text="乙。", status="unverified")]
    assert Facts.load(written(tmp_path, *texts)).say("a.one", "a.two") == f"甲。乙。{MARK}"


def test_a_fact_without_its_date_is_refused_with_the_name_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(FactsError, match=r"one\.yaml"):
        Facts.load(written(tmp_path, fact("a.b").replace("    date: 2026-01\n", "")))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("status: verified", "status: sure"),
        ("region: hubei", "region: mars"),
        ("date: 2026-01", "date: 2026-13"),
        ("source: 示例", "source: ''"),
        ("key: a.b", "key: A B"),
        ("status: verified", "status: verified\n    words: '(没有右括号'"),
        ("status: verified", "status: verified\n    author: 某人"),
    ],
)
def test_a_malformed_fact_is_refused(tmp_path: Path, right: str, wrong: str) -> None:
    with pytest.raises(FactsError):
        Facts.load(written(tmp_path, fact("a.b").replace(right, wrong)))


def test_a_key_given_twice_is_refused_also_across_files(tmp_path: Path) -> None:
    written(tmp_path, fact("a.b"))
    with pytest.raises(FactsError, match=r"a\.b: given twice"):
        Facts.load(written(tmp_path, fact("a.b", text="另一种说法。"), name="two.yaml"))


def test_a_directory_without_facts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FactsError):
        Facts.load(tmp_path)


def test_an_unknown_key_is_an_error_and_no_empty_answer(facts: Facts) -> None:
    with pytest.raises(FactsError, match=r"tariff\.nothing"):
        facts.say("tariff.nothing")


@pytest.mark.parametrize(
    ("topic", "question", "key"),
    [
        ("tariff", "浙江电价多少", "tariff.other_region"),
        ("tariff", "功率因数低于0.9要罚几个点", "tariff.power_factor"),
        ("tariff", "一般工商业和大工业差在哪里", "tariff.one_or_two_part"),
        ("tariff", "冷库算农业用电吗", "tariff.farm_scope"),
        ("tariff", "老师我问一哈 我屋里堂屋摆了个小卖部 后头住人 一块表 这个电是按么价收", "tariff.mixed_use"),
        ("tariff", "需量超了合同核定值怎么收", "tariff.demand_excess"),
        ("tariff", "变压器空着也要收钱，这叫什么费，凭哪条收", "tariff.basic_charge"),
        ("tariff", "工作室注册在住宅里 按居民还是商业算", "tariff.mixed_use"),
        ("tier", "新旧表换的那个月阶梯从零开始还是接着算", "tier.meter_change"),
        ("tier", "我妈说以前每个月一百八十度以内便宜，超了贵；我说现在都是看全年累计。我俩谁对？", "tier.month"),
        ("tier", "一年清零是不是元旦那天", "tier.year"),
        ("tier", "年中才搬进来，上一个租客用掉的也累计在我头上？", "tier.moving"),
        ("tier", "已经用了2160度，再往下是不是就贵了", "tier.jump"),
        ("tier", "冬天夏天分不分档", "tier.season"),
        ("tou", "农历过年那几天算不算低谷", "tou.weekend"),
        ("tou", "丰谷电要不要换表", "tou.meter"),
        ("meter", "按那个按钮才亮 亮了以后看哪一行是总的", "meter.display"),
        ("meter", "你们还有人上门抄表冇 以前那个小伙子几年冇来了", "meter.remote"),
        ("paying", "退休金卡里头直接扣电费 要么样签", "paying.autopay"),
        ("paying", "不想自动扣了 改回我自己交", "paying.autopay_off"),
        ("paying", "有冇得不用手机的交法", "paying.cash"),
        ("invoice", "租客能自己开发票吗 户名是房东", "invoice.tenant"),
    ],
)
def test_a_question_finds_its_fact_first(facts: Facts, topic: str, question: str, key: str) -> None:
    assert facts.matching(topic, question)[:1] == [key]


def test_a_question_about_something_else_finds_nothing(facts: Facts) -> None:
    assert facts.matching("tier", "阶梯电价怎么算") == []


def test_no_fact_promises_names_a_link_or_is_longer_than_a_phone_page(facts: Facts) -> None:
    for key in facts.keys():  # noqa: SIM118 - Facts is no mapping
        text = facts.get(key).text
        assert len(text) <= 120, key
        assert "保证" not in text
        assert "一定会" not in text
        assert "http" not in text


def test_the_price_of_farming_in_hubei_is_never_quoted(facts: Facts) -> None:
    text = facts.say("tariff.farm_price")
    assert not any(char.isdigit() for char in text.replace("95598", ""))
    assert "为准" in text
