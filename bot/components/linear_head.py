"""A linear classifier with calibrated confidences, a threshold of rejection, and a gate for double wishes.

Scores come from one-against-the-rest linear support vector machines; a softmax with one cross-validated scale makes
confidences of them (temperature scaling, Guo et al. 2017).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import log_softmax, softmax
from sklearn.model_selection import StratifiedKFold

from .double import SHARE, DoubleGate, Evidence, weigh
from .machines import DOUBLE, Machines
from .neighbours import Neighbours

_SCALES = np.geomspace(0.5, 30.0, 60)
# A rejection is worth its price as long as wrong readings are at least three times as many as right ones there.
_RIGHT_AMONG_REJECTED = 1 / 4
_HIGHEST_THRESHOLD = 0.6
_FEWEST_DOUBLES = 6  # every fold must hold some


class TooFewMessages(ValueError):
    """The training messages hold less than two intents, or an intent with a single message."""


@dataclass(frozen=True)
class Texts:
    """Messages as the head sees them: a row of features each, and the words of their halves in one matrix."""

    readings: Sequence[str]
    features: sparse.csr_matrix
    vectors: np.ndarray  # the last columns of the features
    halves: sparse.csr_matrix
    starts: np.ndarray  # the halves of message i are the rows starts[i] to starts[i + 1]

    def part(self, rows: np.ndarray) -> Texts:
        """Return some of the messages."""
        spans = [range(self.starts[row], self.starts[row + 1]) for row in rows]
        halves = self.halves[[row for span in spans for row in span]]
        starts = np.cumsum([0, *map(len, spans)])
        return Texts([self.readings[row] for row in rows], self.features[rows], self.vectors[rows], halves, starts)


@dataclass(frozen=True)
class Wishes:
    """What one message asks for: a confidence an intent, and the likeliest two with the probability that both are."""

    confidences: np.ndarray
    pair: tuple[int, int] | None
    double: float


@dataclass(frozen=True)
class LinearHead:
    """Machines, neighbours, the softmax scale, the rejection threshold, the gate if double wishes were learned."""

    machines: Machines
    neighbours: Neighbours
    scale: float
    threshold: float
    gate: DoubleGate | None

    @property
    def intents(self) -> list[str]:
        """The intents, in the order of the columns."""
        return self.machines.intents

    @classmethod
    def fit(cls, texts: Texts, labels: Sequence[str], weighed: Sequence[int], c: float, folds: int) -> LinearHead:
        """Learn from labels `a` and `a+b`; scale, threshold and gate come from predictions on folds kept out.

        The gate learns from the `weighed` messages alone, which are cut into halves.
        """
        single = np.array([DOUBLE not in label for label in labels])
        intents = _intents([label for label in labels if DOUBLE not in label])
        machines = Machines.fit(texts.features, labels, intents, c)
        parts = [np.searchsorted(intents, label.split(DOUBLE)) for label in labels]
        scores, advice, evidence = _held_out(texts, labels, parts, intents, set(weighed), c, folds)
        known = np.array([part[0] for part in parts])[single]
        scale = best_scale(scores[single], known, advice[single])
        threshold = rejection_threshold(softmax(scores[single] * scale + advice[single], axis=1), known)
        gate = None
        if weighed:
            gate = DoubleGate.fit(np.vstack([evidence[row].features for row in weighed]), ~single[list(weighed)])
        return cls(machines, Neighbours.of(texts.vectors, parts), scale, threshold, gate)

    def read(self, texts: Texts) -> list[Wishes]:
        """Return what each message asks for; the confidences of a message sum to one."""
        scores = self.machines.scores(texts.features)
        advice = self.neighbours.advice(texts.vectors, len(self.intents))
        confidences = softmax(scores[:, : len(self.intents)] * self.scale + advice, axis=1)
        if self.gate is None:
            return [Wishes(row, None, 0.0) for row in confidences]
        found = zip(confidences, _evidence(self.machines, texts, scores), strict=True)
        return [Wishes(row, evidence.pair, self.gate.probability(evidence)) for row, evidence in found]


def best_scale(scores: np.ndarray, known: np.ndarray, advice: np.ndarray | float = 0.0) -> float:
    """Return the scale whose softmax, with the neighbours' advice, gives the true intents the greatest likelihood."""
    rows = np.arange(len(known))
    losses = [-log_softmax(scores * scale + advice, axis=1)[rows, known].mean() for scale in _SCALES]
    return float(_SCALES[int(np.argmin(losses))])


def rejection_threshold(confidences: np.ndarray, known: np.ndarray) -> float:
    """Return the highest confidence below which at most a quarter of the readings were right (0 to 0.6)."""
    highest = confidences.max(axis=1)
    right = confidences.argmax(axis=1) == known
    order = np.argsort(highest)
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    worth = np.flatnonzero(share <= _RIGHT_AMONG_REJECTED)
    return float(min(highest[order][worth[-1]], _HIGHEST_THRESHOLD)) if len(worth) else 0.0


def _intents(labels: Sequence[str]) -> list[str]:
    names, counts = np.unique(labels, return_counts=True)
    if len(names) < 2 or counts.min() < 2:
        thinnest = counts.min() if len(counts) else 0
        raise TooFewMessages(f"{len(names)} intents, the thinnest with {thinnest} messages")
    return [str(name) for name in names]


def weighed_rows(labels: Sequence[str]) -> list[int]:
    """Return the rows that the gate learns from: all double wishes and a share of the others, in order.

    There are none if the double wishes are too few to learn from; then no message is taken for two.
    """
    if sum(DOUBLE in label for label in labels) < _FEWEST_DOUBLES:
        return []
    others = 0
    rows = []
    for row, label in enumerate(labels):
        others += DOUBLE not in label
        if DOUBLE in label or others % SHARE == 0:
            rows.append(row)
    return rows


def _held_out(
    texts: Texts,
    labels: Sequence[str],
    parts: Sequence[np.ndarray],
    intents: list[str],
    weighed: set[int],
    c: float,
    folds: int,
) -> tuple[np.ndarray, np.ndarray, dict[int, Evidence]]:
    """Return scores and advice for every message, and the evidence of the weighed ones, by what never saw them."""
    kinds = np.array([DOUBLE if DOUBLE in label else label for label in labels])
    folds = min(folds, *(count for kind, count in Counter(kinds.tolist()).items() if kind != DOUBLE))
    scores, advice = np.zeros((2, len(labels), len(intents)), dtype=np.float32)
    evidence: dict[int, Evidence] = {}

    def hold_out(fold: tuple[np.ndarray, np.ndarray]) -> None:
        learn, hold = fold
        machines = Machines.fit(texts.features[learn], [labels[row] for row in learn], intents, c)
        scores[hold] = machines.scores(texts.features[hold])[:, : len(intents)]
        neighbours = Neighbours.of(texts.vectors[learn], [parts[row] for row in learn])
        advice[hold] = neighbours.advice(texts.vectors[hold], len(intents))
        asked = np.array([row for row in hold if row in weighed], dtype=int)
        if len(asked):
            part = texts.part(asked)
            evidence.update(zip(asked.tolist(), _evidence(machines, part, machines.scores(part.features)), strict=True))

    # liblinear releases the interpreter's lock; more than two at a time would cost too much memory.
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(hold_out, StratifiedKFold(folds, shuffle=True, random_state=0).split(kinds, kinds)))
    return scores, advice, evidence


def _evidence(machines: Machines, texts: Texts, scores: np.ndarray) -> list[Evidence]:
    """Return what speaks for two wishes in each message, by machines that have one for them."""
    halves = machines.scores_of_words(texts.halves)
    spans = zip(texts.starts[:-1], texts.starts[1:], strict=True)
    return [
        weigh(reading, row, halves[start:end])
        for reading, row, (start, end) in zip(texts.readings, scores, spans, strict=True)
    ]
