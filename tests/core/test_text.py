from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import clean, folded, typed

LIKE_SLASHES = [chr(code) for code in range(0x110000) if unicodedata.normalize("NFKC", chr(code)) in ("/", "\\")]


@given(st.text())
def test_typed_text_never_looks_like_a_command(text: str) -> None:
    shown = typed(text)
    assert shown
    assert shown == shown.strip()
    assert unicodedata.normalize("NFKC", shown).strip()[:1] not in ("/", "\\")


@given(st.text(alphabet=[*LIKE_SLASHES, *" \t\n\u3000\u2003\u200b\ufeff\u202e\x1c\x85\u3164\x00⁄∕⧸╱"]))
def test_nothing_is_left_of_slashes_and_invisible_characters(text: str) -> None:
    assert typed(text) == "…"


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(st.text())
def test_clean_text_can_be_stored_and_sent(text: str) -> None:
    shown = clean(text)
    assert "\0" not in shown
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  我上个月电费多少？ ", "我上个月电费多少？"), ("a\x00b\u200bc\u202ed\ufeff", "abcd"),
        ("一\n二\t三", "一\n二\t三"),
        ("\ud800电", "电"), ("👍🏽", "👍🏽"), ("\U0001fae9", "\U0001fae9"),
        ("𰻝\U000323a0\ue000", "𰻝\U000323a0\ue000"),
        ("\U000e0041\u3164\u2800", ""), ("\uffff\ufdd0", ""),
    ],
)  # fmt: skip
def test_only_what_nobody_sees_is_taken_away(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(("text", "kept"), [("5/6月电费", "5/6月电费"), ("/ 电费 /", "电费 /"), ("电费", "电费")])
def test_slashes_inside_stay(text: str, kept: str) -> None:
    assert typed(text) == kept


def test_folding_joins_forms_blanks_and_cases() -> None:
    assert folded("ＡＢ c\u3000１２\n电 费！") == "abc12电费!"
