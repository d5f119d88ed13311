"""The confusion matrix as a table that a person can read, and the list of the most frequent confusions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from .cases import FALLBACK, Case
from .page import Markup

TWO = "two intents"
Pairs = Counter[tuple[str, str]]


def matrix_counts(cases: Iterable[Case]) -> Pairs:
    """Return (intent, read) counts of the messages with one intent; any double reading counts as `two intents`."""
    single = (case for case in cases if not case.double)
    return Counter((case.intent, case.top if len(case.named) == 1 else TWO) for case in single)


def matrix(counts: Pairs, *, only_errors: bool) -> Markup:
    """Return the table, a row for each intent that people saw; `only_errors` leaves out faultless intents."""
    rows, columns = _labels(counts, only_errors=only_errors)
    if not rows:
        return Markup("<p>Nothing to show.</p>")
    head = "".join(f"<th>{escape(name)}</th>" for name in ["", *columns])
    body = "".join(_row(intent, columns, counts) for intent in rows)
    inner = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return Markup(f'<div class="wide"><table class="matrix">{inner}</table></div>')


def most_confused(counts: Pairs, most: int = 25) -> list[list[object]]:
    """Return intent, wrong reading, count and share of the intent's messages, the most frequent first."""
    total = _totals(counts)
    wrong = sorted((-count, pair) for pair, count in counts.items() if pair[0] != pair[1])
    return [[known, read, -count, f"{-count / total[known]:.0%}"] for count, (known, read) in wrong[:most]]


def _labels(counts: Pairs, *, only_errors: bool) -> tuple[list[str], list[str]]:
    wrong = {pair for pair in counts if pair[0] != pair[1]}
    rows = sorted({known for known, _ in (wrong if only_errors else counts)})
    reads = {read for known, read in (wrong if only_errors else counts)} | set(rows)
    ends = [name for name in (TWO, FALLBACK) if name in reads]
    return rows, sorted(reads - set(ends)) + ends


def _row(intent: str, columns: Sequence[str], counts: Pairs) -> str:
    total = sum(count for (known, _), count in counts.items() if known == intent)
    cells = "".join(_cell(intent, read, counts[intent, read], total) for read in columns)
    return f"<tr><th>{escape(intent)}</th>{cells}</tr>"


def _cell(intent: str, read: str, count: int, total: int) -> str:
    if not count:
        return "<td></td>"
    red, green, blue = (76, 160, 96) if intent == read else (214, 69, 65)
    strength = 0.15 + 0.6 * count / total
    said = escape(f"{intent} read as {read}: {count} of {total}")
    return f'<td style="background:rgba({red},{green},{blue},{strength:.2f})" title="{said}">{count}</td>'


def _totals(counts: Pairs) -> Counter[str]:
    total: Counter[str] = Counter()
    for (known, _), count in counts.items():
        total[known] += count
    return total
