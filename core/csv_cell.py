"""Tables for spreadsheets (CSV): the mark that tells their encoding, and cells that are never taken for formulas."""

from __future__ import annotations

from typing import TypeVar

BOM = "\ufeff"  # or spreadsheets take the file for another encoding
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Cell = TypeVar("Cell")


def plain(cell: Cell) -> Cell | str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
