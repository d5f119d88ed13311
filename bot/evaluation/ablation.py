"""The command `.venv-bot/bin/python -m bot.evaluation ablation`: what each part of the pipeline brings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rasa.shared.nlu.training_data.loading import load_data
from scipy import sparse
from sklearn.metrics import f1_score

from bot.components.dense import DenseFeatures
from bot.components.encoders import VectorCache, load_encoder
from bot.components.features import SparseFeatures
from bot.components.intent_model import IntentModel
from bot.components.machines import DOUBLE, Machines
from bot.language.normalise import reading_of

from .cases import read_sets

ROOT = Path(__file__).resolve().parents[2]
SETS = ("validation", "validation_web", "variants")
VIEWS = ("char", "word", "pinyin")
# Views, vectors, whether messages with two wishes are learned from.
ROWS: list[tuple[tuple[str, ...], tuple[str, ...], bool]] = [
    (VIEWS[:1], (), False),
    (VIEWS[:2], (), False),
    (VIEWS, (), False),
    ((), ("use", "use_tokens"), False),
    (VIEWS, ("use",), False),
    (VIEWS, ("use", "use_tokens"), False),
    (VIEWS, ("use", "use_tokens"), True),
]
Known = tuple[list[str], list[str]]


def main() -> int:
    """Fit each row on data/nlu and print accuracy, macro F1 and F1 of out_of_scope on each set; nothing is rejected."""
    examples = load_data(str(ROOT / "data" / "nlu")).intent_examples
    learn = [reading_of(each.get("text")) for each in examples], [each.get("intent") for each in examples]
    sets = read_sets(ROOT / "tests" / "nlu")
    asked = {
        name: ([reading_of(line.text) for line in sets[name]], [line.intent for line in sets[name]]) for name in SETS
    }
    for views, vectors, doubles in ROWS:
        known = learn if doubles else _single(learn)
        show([*views, *vectors, *(["doubles"] if doubles else [])], asked, machines(known, asked, views, vectors))
    model = IntentModel.fit(learn[0], rows(learn[0], ("use", "use_tokens")), learn[1], c=0.5, folds=3)
    read = {
        name: [
            model.head.intents[int(wishes.confidences.argmax())]
            for wishes in model.read(texts, rows(texts, ("use", "use_tokens")))
        ]
        for name, (texts, _) in asked.items()
    }
    show([*VIEWS, "use", "use_tokens", "doubles", "neighbours"], asked, read)
    return 0


def machines(
    learn: Known, asked: dict[str, Known], views: Sequence[str], vectors: Sequence[str]
) -> dict[str, list[str]]:
    """Return what the linear machines alone read in the messages of each set."""
    words = SparseFeatures.fit(learn[0], views)[0] if views else None
    dense = DenseFeatures.fit(rows(learn[0], vectors))

    def features(texts: list[str]) -> sparse.csr_matrix:
        blocks = [sparse.csr_matrix(dense.transform(rows(texts, vectors), len(texts)))]
        return sparse.hstack([*([words.transform(texts)] if words else []), *blocks], format="csr")

    intents = sorted({intent for intent in learn[1] if DOUBLE not in intent})
    fitted = Machines.fit(features(learn[0]), learn[1], intents, 0.5)
    return {
        name: [intents[best] for best in fitted.scores(features(texts))[:, : len(intents)].argmax(axis=1)]
        for name, (texts, _) in asked.items()
    }


def rows(texts: list[str], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the named vectors of the texts, from the cache where they are known."""
    if not names:
        return {}
    encoder = load_encoder("use")
    parts = encoder.split(VectorCache(ROOT / "var" / "encodings" / "vectors.sqlite").vectors(encoder, texts))
    return {name: parts[name] for name in names}


def show(parts: Sequence[str], asked: dict[str, Known], read: dict[str, list[str]]) -> None:
    """Print one row of the table."""
    cells = []
    for name, (_, known) in asked.items():
        scope = f1_score(known, read[name], labels=["out_of_scope"], average="macro", zero_division=0)
        macro = f1_score(known, read[name], average="macro", zero_division=0)
        cells.append(f"{np.mean(np.array(known) == np.array(read[name])):.3f} / {macro:.3f} / {scope:.2f}")
    sys.stdout.write(f"| {' + '.join(parts)} | {' | '.join(cells)} |\n")
    sys.stdout.flush()


def _single(known: Known) -> Known:
    pairs = [pair for pair in zip(*known, strict=True) if DOUBLE not in pair[1]]
    return [text for text, _ in pairs], [intent for _, intent in pairs]
