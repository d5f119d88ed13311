from __future__ import annotations

from pathlib import Path

import pytest

from core.safety import SafetyLine

RULES = Path(__file__).parents[2] / "data" / "safety.yaml"


@pytest.fixture(scope="module")
def line() -> SafetyLine:
    return SafetyLine.load(RULES)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("我爸刚才换灯泡触电了", "shock"), ("洗澡的时候花洒带电", "shock"), ("孩 子 被 电 到 了 ！", "shock"),
        ("变压器在冒烟", "fire"), ("插座烧起来了", "fire"), ("表箱里面噼里啪啦打火花", "fire"),
        ("台风把电线刮断了掉在路上", "wire"), ("挖机把电缆挖断了", "wire"), ("電線桿 电线杆被车撞倒了", "pole"),
        ("地下室配电房进水了", "flood"), ("触\u200b电了", "shock"),
    ],
)  # fmt: skip
def test_a_danger_is_recognised(line: SafetyLine, text: str, kind: str) -> None:
    found = line.detect(text)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "我上个月电费多少", "怎么预防触电", "电费贵得我头上冒火", "你们办电工作业证的考试在哪", "", "转人工",
        "空调开了一夜用几度电",
        "上次报的漏电处理到哪一步了", "煤气灶打不着", "烧烤店开火做生意用什么电价",
    ],
)  # fmt: skip
def test_what_only_sounds_like_one_is_none(line: SafetyLine, text: str) -> None:
    assert line.detect(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "上礼拜我家里有股糊味儿，多亏你们赵师傅大半夜来处理好了，我要表扬他",
        "前天线路烧了，小伙子们冒雨抢修到半夜，必须夸一个", "上个月你们那根线冒火烧了我家窗帘，赔不赔",
        "电线杆倒了砸了三轮车，杆子已立好，车谁赔",
    ],
)  # fmt: skip
def test_thanks_and_claims_for_what_is_over_raise_no_alarm(line: SafetyLine, text: str) -> None:
    assert line.detect(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "昨天线断了掉路边，感谢你们尽快处理", "上周修好的插座现在又冒烟，再不来我要你们赔",
        "3号楼变压器冒烟，烧了东西你们赔不赔",
        "我爸昨天被电到了，多亏邻居拉开，人还晕着", "前天那根杆子歪了，没修好，出事谁赔",
        "线断了搭在车上，快把它弄好，不然要你们赔",
    ],
)  # fmt: skip
def test_a_danger_that_goes_on_is_one_in_spite_of_thanks_and_claims(line: SafetyLine, text: str) -> None:
    assert line.detect(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "总闸掉下来了", "线路上那个空开老是跳下来", "来电人询问如何缴费", "箱变响，没冒烟也没火花",
        "网线掉了", "热水器打不着火",
        "表箱门关不拢，电倒是还有",
    ],
)  # fmt: skip
def test_words_that_only_look_like_a_danger_are_none(line: SafetyLine, text: str) -> None:
    assert line.detect(text) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("总闸掉下来了，表箱里冒火花", "fire"), ("没冒烟，可是电线断了掉在地上", "wire"),
        ("网线被掉下来的高压线压住了", "wire"),
        ("来电人的孩子触电了", "shock"),
    ],
)  # fmt: skip
def test_a_danger_beside_such_words_is_seen(line: SafetyLine, text: str, kind: str) -> None:
    found = line.detect(text)
    assert found is not None
    assert found.kind == kind


def test_the_warning_says_what_to_do_whom_to_call_and_what_comes_next(line: SafetyLine) -> None:
    danger = line.detect("变压器在冒烟")
    assert danger is not None
    filed, pending = line.wording(danger, filed=True), line.wording(danger, filed=False)
    for text in (filed, pending):
        assert danger.say in text
        assert "95598" in text
        assert "119" in text
    assert "已为您登记紧急工单" in filed
    assert "已为您登记" not in pending


def test_a_danger_of_unknown_kind_has_words_and_a_category_too(line: SafetyLine) -> None:
    danger = line.general()
    assert (danger.kind, danger.category) == ("other", "故障报修→紧急→其他险情")
    assert danger.say


def test_an_endless_message_is_searched_quickly(line: SafetyLine) -> None:
    import time

    for text in ("电" * 20_000, "人" * 20_000, "水线杆" * 6_666):
        began = time.perf_counter()
        line.detect(text)
        assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("old", "new"), [("kinds:", "sorts:"), ("patterns:", "pattern:"), ("漏电)(怎么", "漏电)(("), ("general:", "all:")]
)
def test_a_broken_file_is_refused_at_start(tmp_path: Path, old: str, new: str) -> None:
    text = RULES.read_text(encoding="utf-8")
    broken = tmp_path / "safety.yaml"
    broken.write_text(text.replace(old, new) if old in text else text.replace("倒|断|歪)杆", "倒|断|歪杆"), "utf-8")
    with pytest.raises(ValueError, match=r"."):
        SafetyLine.load(broken)


def test_a_fallen_wire_that_sparks_gets_the_distance_to_keep(line: SafetyLine) -> None:
    danger = line.detect("电线掉地上冒火花")
    assert danger is not None
    assert danger.kind == "wire"
    assert "8 米" in line.wording(danger, filed=True)
