"""Tables for spreadsheets (CSV): the mark that tells their encoding, and cells that are never taken for formulas."""

from __future__ import annotations

from typing import TypeVar

BOM = "\ufeff"  # or spreadsheets take the file for another encoding
_FORMULA = frozenset("=+-@＝＋－＠")  # full-width signs too: some spreadsheets read them as the narrow ones
_CONTROL = ("\t", "\r", "\n")
Cell = TypeVar("Cell")


def plain(cell: Cell) -> Cell | str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and _is_risky(cell) else cell


def _is_risky(text: str) -> bool:
    """Tell whether a text begins like a formula; blanks before the sign do not make it harmless."""
    return text.startswith(_CONTROL) or text.lstrip()[:1] in _FORMULA
