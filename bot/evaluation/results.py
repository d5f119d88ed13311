"""What one run measured, and how its figures are written: labels, units, the printed table, the CSV files."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cases import Case, Entity
from .facts import MIB, ModelFacts
from .figures import ALL, confusions, figures_of, groups, ratio

OURS, STOCK = "ours", "stock"
# Key, label and unit of each figure, in the order in which they are shown.
FIGURES = (
    ("messages", "messages", "count"),
    ("accuracy", "accuracy, messages of one intent", "share"),
    ("macro_f1", "macro F1", "share"),
    ("errors", "errors, double messages included", "count"),
    ("error_share", "error rate, double messages included", "share"),
    ("rejected", "rejected (nlu_fallback, counts as wrong)", "count"),
    ("rejected_rightly", "  of these wrong anyway", "count"),
    ("ece", "calibration error (ECE, 15 bins)", "share"),
    ("danger_recall", "danger recall", "share"),
    ("danger_precision", "danger precision", "share"),
    ("out_of_scope_recall", "out of scope recall", "share"),
    ("out_of_scope_precision", "out of scope precision", "share"),
    ("out_of_scope_f1", "out of scope F1", "share"),
    ("double_messages", "double messages", "count"),
    ("double_both", "  both intents right", "share"),
    ("double_in_order", "  both right and in order", "share"),
    ("single_as_double", "single messages taken for double", "count"),
    ("entity_messages", "messages with entities", "count"),
    ("entities_exact", "  entities exactly right", "share"),
    ("plain_messages", "messages labelled to hold no entity", "count"),
    ("entity_false_alarms", "  with an entity found all the same", "count"),
    ("median_ms", "milliseconds a message, median", "ms"),
    ("p95_ms", "milliseconds a message, 95 %", "ms"),
)


@dataclass(frozen=True)
class Run:
    """One pipeline's answers to all sets, and what is known of its model."""

    pipeline: str
    sets: tuple[str, ...]
    cases: list[Case]
    facts: ModelFacts

    def figures(self) -> dict[str, dict[str, float | None]]:
        """Return the figures of each set and of all."""
        return {name: figures_of(cases) for name, cases in groups(self.cases, self.sets).items()}


def shown(value: float | None, unit: str) -> str:
    """Return a figure as people read it; a dash where there is none."""
    if value is None:
        return "–"
    return {"count": f"{value:.0f}", "share": f"{value:.1%}", "ms": f"{value:.1f}"}[unit]


def cost_lines(facts: ModelFacts) -> list[tuple[str, str]]:
    """Return name, size and training cost of a model in words."""
    cost = "not recorded (a model that `dianfu train` made has it)"
    if facts.training_seconds is not None:
        peak = f", at most {facts.training_peak_mib:.0f} MiB" if facts.training_peak_mib is not None else ""
        reuse = "" if facts.training_forced else ", unchanged steps taken from Rasa's cache"
        cost = f"{facts.training_seconds:.0f} s{peak}{reuse}"
    return [("model", facts.name), ("size", f"{facts.size / MIB:.1f} MiB"), ("training", cost)]


def figure_rows(run: Run) -> list[list[str]]:
    """Return the headline table: a row of names, then a row for each figure with a cell for each set and all."""
    figures = run.figures()
    rows = [["", *figures]]
    for key, label, unit in FIGURES:
        rows.append([label, *(shown(each[key], unit) for each in figures.values())])
    return rows


def comparison_rows(ours: Run, stock: Run) -> list[list[str]]:
    """Return both pipelines' error rates on each set and their ratio, first over the messages of one intent."""
    mine, theirs = ours.figures(), stock.figures()
    rows = [["", *mine]]
    for key, label in (("single_error_share", "messages of one intent"), ("error_share", "all messages")):
        for name, figures in ((ours.pipeline, mine), (stock.pipeline, theirs)):
            shares = (shown(each[key], "share") for each in figures.values())
            rows.append([f"error rate of {name}, {label}", *shares])
        ratios = (ratio(mine[name][key], theirs[name][key]) for name in mine)
        rows.append(
            [f"  {ours.pipeline} / {stock.pipeline}", *("–" if each is None else f"{each:.2f}" for each in ratios)]
        )
    return rows


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines of columns, the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        figures = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append("  ".join([row[0].ljust(widths[0]), *figures]).rstrip() + "\n")
    return "".join(lines)


def write_csv(runs: Sequence[Run], folder: Path) -> None:
    """Write summary.csv, messages.csv and confusions.csv into an existing folder."""
    _write(folder / "summary.csv", _summary(runs))
    _write(folder / "messages.csv", _messages(runs))
    _write(folder / "confusions.csv", _confusions(runs))


def pairs(entities: Iterable[Entity]) -> str:
    """Return (kind, value) pairs as a JSON list in a fixed order."""
    return json.dumps(sorted(entities), ensure_ascii=False)


def _summary(runs: Sequence[Run]) -> Iterable[list[Any]]:
    keys = [key for key, _, _ in FIGURES]
    yield ["pipeline", "set", *keys, "model_bytes", "training_seconds", "training_peak_mib"]
    for run in runs:
        facts = run.facts
        for name, figures in run.figures().items():
            cost = [facts.size, facts.training_seconds, facts.training_peak_mib]
            yield [run.pipeline, name, *(_round(figures[key]) for key in keys), *cost]


def _messages(runs: Sequence[Run]) -> Iterable[list[Any]]:
    yield [
        "pipeline", "set", "text", "intent", "read", "confidence", "second", "second_confidence", "right",
        "entities", "entities_read", "milliseconds",
    ]  # fmt: skip
    for run in runs:
        for case in run.cases:
            second, confidence = case.second
            yield [
                run.pipeline, case.set, case.text, case.intent, case.top, _round(case.confidence),
                second, _round(confidence), int(case.right), pairs(case.entities_wanted.elements()),
                pairs(case.entities_read.elements()), round(case.seconds * 1000, 2),
            ]  # fmt: skip


def _confusions(runs: Sequence[Run]) -> Iterable[list[Any]]:
    yield ["pipeline", "set", "intent", "read", "messages"]
    for run in runs:
        for name, cases in groups(run.cases, run.sets).items():
            if name != ALL:
                counts = sorted(confusions(cases).items())
                yield from ([run.pipeline, name, intent, read, count] for (intent, read), count in counts)


def _round(value: float | None) -> float | None:
    return round(value, 5) if isinstance(value, float) else value


def _write(path: Path, rows: Iterable[list[Any]]) -> None:
    # The mark at the beginning lets spreadsheets read the Chinese text.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)
