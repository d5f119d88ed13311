"""Cells of tables are never taken for formulas, however the formula is dressed."""

from __future__ import annotations

import pytest

from core.csv_cell import plain


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+86", "-2", "@SUM(A1)", "＝1+1", "＋86", "－2", "＠SUM", " =1", "\u3000＝1", "\t=1", "\r@a", "\n 电费"],
)
def test_what_begins_like_a_formula_is_quoted_full_width_and_after_blanks_too(cell: str) -> None:
    assert plain(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["查电费", " 3 次", "1=1", "a-b", "", "  ", -3, 2.5, None])
def test_what_is_no_formula_stays_as_it_is(cell: object) -> None:
    assert plain(cell) == cell
