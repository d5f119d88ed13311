"""The command of `make eval`: measures the newest model on the messages of tests/nlu."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .cases import BadLine, Line, NoSets, read_sets
from .facts import facts_of
from .plain import document
from .reader import NoModel, Reader, newest_model
from .report import report
from .results import OURS, STOCK, Run, aligned, comparison_rows, cost_lines, figure_rows, write_csv
from .stock import EPOCHS, StockFailed, train_stock

Sets = dict[str, list[Line]]


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write; return 1 and say why if that is not possible."""
    wishes = _wishes(arguments)
    try:
        sets, model = read_sets(wishes.sets), newest_model(wishes.models)
        if wishes.json:
            _document(sets, model, wishes)
            return 0
        # The stock pipeline first: ours adds words to jieba's one dictionary, which the stock must not have.
        stock = [_measure_stock(sets, wishes.data, wishes.epochs)] if wishes.stock else []
        ours = Run(OURS, tuple(sets), Reader(model).read_sets(sets, _show), facts_of(model))
    except (BadLine, NoSets, NoModel, StockFailed, OSError) as failure:
        sys.stderr.write(f"eval: {failure}\n")
        return 1
    _print([ours, *stock])
    _write([ours, *stock], wishes.results)
    return 0


def _document(sets: Sets, model: Path, wishes: argparse.Namespace) -> None:
    """Write what programs read, in place of tables and pages; whole or not at all."""
    reader = Reader(model)
    found = document(model, wishes.sets, reader.read_sets(sets, _show), tuple(sets), reader.read, _show)
    wishes.json.parent.mkdir(parents=True, exist_ok=True)
    half = wishes.json.with_name(wishes.json.name + ".half")
    half.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    half.replace(wishes.json)


def _measure_stock(sets: Sets, data: Path, epochs: int) -> Run:
    _show(f"stock: training on {data} with {epochs} epochs of DIET; 100 take half an hour and more")
    with tempfile.TemporaryDirectory(prefix="dianfu-stock-") as folder:
        model, facts = train_stock(data, Path(folder), epochs, _show)
        return Run(STOCK, tuple(sets), Reader(model).read_sets(sets, _show), facts)


def _print(runs: list[Run]) -> None:
    ours, *others = runs
    for run in runs:
        facts = "; ".join(f"{name}: {value}" for name, value in cost_lines(run.facts))
        sys.stdout.write(f"\n{run.pipeline}: {facts}\n\n{aligned(figure_rows(run))}")
    for other in others:
        sys.stdout.write(f"\nours against {other.pipeline}\n\n{aligned(comparison_rows(ours, other))}")


def _write(runs: list[Run], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(runs, folder)
    (folder / "report.html").write_text(report(runs), encoding="utf-8", errors="replace")
    sys.stdout.write(f"\nwritten: {folder}/summary.csv, messages.csv, confusions.csv, report.html\n")


def _wishes(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make eval", description=main.__doc__)
    parser.add_argument("--stock", action="store_true", help="train the stock pipeline too and compare")
    parser.add_argument("--epochs", type=_positive, default=EPOCHS, help="epochs of the stock pipeline")
    parser.add_argument("--sets", type=Path, default=Path("tests/nlu"), help="folder of labelled messages")
    parser.add_argument("--data", type=Path, default=Path("data/nlu"), help="training messages of the stock pipeline")
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of trained models, or one model")
    parser.add_argument("--json", type=Path, help="write figures and messages for programs into this file alone")
    parser.add_argument("--results", type=Path, default=Path("results/nlu"), help="folder to write into")
    return parser.parse_args(arguments)


def _positive(written: str) -> int:
    if not written.isdecimal() or int(written) < 1:
        raise argparse.ArgumentTypeError(f"{written!r} is not a whole number above zero")
    return int(written)


def _show(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
