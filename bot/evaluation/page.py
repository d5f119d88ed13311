"""Pieces of a self-contained HTML page: escaped tables, foldable parts, the style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  color: #1f2430; background: #fff; max-width: 1400px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p.note { color: #555c6b; max-width: 50rem; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #e3e6ec; text-align: right; vertical-align: top; }
th { background: #f5f6f9; font-weight: 600; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
td.text { max-width: 34rem; overflow-wrap: break-word; }
td:first-child { white-space: pre-wrap; }
.wide { overflow-x: auto; }
summary { cursor: pointer; color: #1d4f91; margin: .5rem 0; }
table.matrix { font-size: 11px; }
table.matrix th, table.matrix td { padding: 1px 3px; border: 1px solid #eceef2; text-align: center; min-width: 14px; }
table.matrix th:first-child { text-align: right; white-space: nowrap; position: sticky; left: 0; }
table.matrix thead th { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; }
table.matrix thead th:first-child { writing-mode: horizontal-tb; transform: none; }
.charts { display: flex; flex-wrap: wrap; gap: 2rem; }
svg text { font: 11px system-ui, sans-serif; fill: #555c6b; }
"""


class Markup(str):
    """Text that is HTML already."""


def cell(value: object) -> Markup:
    """Return a value as HTML, escaped unless it is markup."""
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


def table(rows: Sequence[Sequence[object]], text: Iterable[int] = ()) -> Markup:
    """Return a table whose first row is its head; `text` are the columns of running text."""
    wide = set(text)
    head, *body = rows
    lines = [_row(head, "th", wide), "</thead><tbody>", *(_row(row, "td", wide) for row in body)]
    return Markup(f'<div class="wide"><table><thead>{"".join(lines)}</tbody></table></div>')


def section(title: str, note: str, *parts: str) -> Markup:
    """Return a heading, an explanation in a sentence or two, and what follows."""
    return Markup(f'<h2>{escape(title)}</h2><p class="note">{escape(note)}</p>{"".join(parts)}')


def folded(title: str, content: str) -> Markup:
    """Return content that stays closed until someone opens it."""
    return Markup(f"<details><summary>{escape(title)}</summary>{content}</details>")


def page(title: str, *parts: str) -> str:
    """Return the whole document."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )


def _row(cells: Sequence[object], kind: str, wide: set[int]) -> str:
    inner = "".join(
        f"<{kind}{' class=text' if place in wide else ''}>{cell(value)}</{kind}>" for place, value in enumerate(cells)
    )
    return f"<tr>{inner}</tr>"
