"""Months and days that no calendar has."""

from __future__ import annotations

import pytest

from core.said_time import NoSuchDay, NoSuchTime, refuse_impossible


def refused(text: str) -> str | None:
    """What is said to be impossible, None if nothing is."""
    try:
        refuse_impossible(text)
    except NoSuchTime as error:
        return error.values["said"]
    return None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("13月电费", "13月"), ("2019年13月的", "13月"), ("十三月份用了多少", "13月"), ("２０２５年００月", "0月"),
        ("2月30日那天用了多少", "2月30日"), ("二月三十号停电吗", "2月30日"), ("2025年2月29日", "2月29日"),
        ("4月31号交的", "4月31日"), ("11月32号", "11月32日"),
    ],
)  # fmt: skip
def test_what_no_calendar_has_is_refused_as_it_was_said(text: str, said: str) -> None:
    assert refused(text) == said


def test_of_a_day_the_last_one_of_its_month_is_told() -> None:
    with pytest.raises(NoSuchDay) as error:
        refuse_impossible("2月30日那天用了多少")
    assert error.value.values == {"said": "2月30日", "month": "2", "last": "29"}


@pytest.mark.parametrize(
    "text",
    [
        "上个月电费", "12月的账单", "十二月", "2024年2月29日", "2月29号", "78月份电费", "近13个月", "36个月大的伢",
        "每月31号扣款",
        "3月40号楼停电", "13号线", "12345678月", "二十月嫂", "十一月三十日", "10月31日",
    ],
)  # fmt: skip
def test_what_a_calendar_has_or_is_no_time_passes(text: str) -> None:
    assert refused(text) is None
