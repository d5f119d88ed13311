"""Plain wording: nothing is left out of any answer that we have, and it can be read at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from core.knowledge import Knowledge
from core.plain import LONGEST_LINE, MOST_LINES, by_lines, in_messages

ROOT = Path(__file__).parents[2]
LONGER = 60  # characters: what nobody takes in at one look


def responses() -> dict[str, str]:
    """Return the texts of the domain; values stand for themselves."""
    found: dict[str, str] = {}
    for file in (ROOT / "bot" / "domain").glob("*.yml"):
        tree: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        for name, variants in (tree.get("responses") or {}).items():
            found |= {f"{name}.{n}": one["text"] for n, one in enumerate(variants) if one.get("text")}
    return found


def knowledge() -> dict[str, str]:
    return {one.id: one.answer for one in Knowledge.load(ROOT / "data" / "knowledge").items}


def bare(text: str) -> str:
    return text.replace("\n", "")


def lines_of(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def test_of_no_answer_of_ours_a_character_is_left_out() -> None:
    texts = responses() | knowledge()
    assert len(texts) > 200
    for name, text in texts.items():
        messages = in_messages(text)
        assert bare("".join(messages)) == bare(text), name
        assert all(lines_of(one) for one in messages), name


def test_long_answers_are_told_in_several_messages_and_short_ones_in_one() -> None:
    parted = {name: in_messages(text) for name, text in (responses() | knowledge()).items()}
    assert len(parted["utter_capabilities.0"]) == 2
    for name, messages in parted.items():
        assert all(len(lines_of(one)) <= MOST_LINES + 2 for one in messages), name
        assert all(one.rstrip()[-1] not in "，、：" for one in messages[:-1]), name
        if len(messages) > 1:
            assert len(lines_of("\n".join(messages))) > MOST_LINES, name


@pytest.mark.parametrize("text", [one for one in knowledge().values() if len(one) > LONGER])
def test_the_longest_knowledge_is_told_in_short_lines(text: str) -> None:
    lines = by_lines(text).split("\n")
    assert len(lines) >= 3
    assert sum(len(line) for line in lines) / len(lines) <= LONGEST_LINE + 2


def test_the_answer_comes_first_and_where_it_comes_from_stays_with_it() -> None:
    text = (
        "2026年1月到3月一共缴费1,245.30元，成功4笔。最近一笔是3月12日的300.00元（微信支付，自动扣款），已到账。"
        "另有1笔没有成功，钱会退回。退到原来付款的卡里，三天以内到。没到就告诉我，我帮您查。\n（户号尾号1234，缴费数据截至11月22日8:00）"
    )
    first, second = in_messages(text)
    assert first.split("\n") == [
        "2026年1月到3月一共缴费1,245.30元，",
        "成功4笔。",
        "最近一笔是3月12日的300.00元（微信支付，自动扣款），已到账。",
        "另有1笔没有成功，钱会退回。",
    ]
    assert second.split("\n")[-1] == "（户号尾号1234，缴费数据截至11月22日8:00）"


def test_what_stands_in_brackets_or_quotation_marks_is_never_torn() -> None:
    text = "请说“我要报停电，家里冇得电，整栋楼都黑了，麻烦快点派人来看看”，我马上登记（不用证件，不收钱）。"
    for line in by_lines(text).split("\n"):
        assert (line.count("“"), line.count("（")) == (line.count("”"), line.count("）"))


def test_plain_wording_puts_a_sentence_on_each_line_and_changes_nothing_else() -> None:
    text = "您要交12.50元。是10月的。\n（截至今天。）好了吗？好的！"
    assert by_lines(text) == "您要交12.50元。\n是10月的。\n（截至今天。）好了吗？\n好的！"
    assert by_lines(text).replace("\n", "") == text.replace("\n", "")


def test_what_is_plain_already_stays_as_it_is() -> None:
    for text in (responses() | knowledge()).values():
        assert by_lines(by_lines(text)) == by_lines(text)
