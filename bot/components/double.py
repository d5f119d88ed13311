"""Tells whether a message asks for two things, and which: by the whole message, and by its two halves.

A message is cut at each mark, blank or joining word; where the words before and after the cut speak of different
intents, and each half is sure of its own, two wishes are likely. A logistic regression weighs this against the scores
of the whole message; it learns from scores of messages that the machines had not seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

_JOINING = "顺便|顺带|顺手|另外|还有|再|同时|然后|对了|哦对|以及|完了|接着|也"
_CUT = re.compile(rf"[，。！？、；：,.!?;: …~]+|(?={_JOINING})|(?<=了)(?=[^的吗吧呢])")
_CUE = re.compile(rf"{_JOINING}|一起|一并|一块|跟着|完事|外加|加上|并|第二|二是|其次|两件")
_MOST_CUTS = 8
_CANDIDATES, _BEST = 4, 3
# Of the messages with one wish the gate sees one in so many, which then counts as many: cutting them all takes long.
SHARE = 3
_WHOLE = 0.9  # weight of the whole message's scores against the logarithms of the halves' confidences
_UNSURE = 0.01
_SCALE = 5.0  # of the softmax over a half's scores


def halves_of(reading: str) -> list[tuple[str, str]]:
    """Return the pairs of parts, each of two characters or more, that a reading can be cut into; at most eight."""
    found: list[tuple[str, str]] = []
    for cut in _CUT.finditer(reading):
        pair = reading[: cut.start()].strip(), reading[cut.end() :].strip()
        if min(map(len, pair)) > 1 and pair not in found:
            found.append(pair)
    return found[:_MOST_CUTS]


@dataclass(frozen=True)
class Evidence:
    """What speaks for two wishes (one number a feature) and the likeliest pair, in the order of asking."""

    features: np.ndarray
    pair: tuple[int, int]


def weigh(reading: str, scores: np.ndarray, halves: np.ndarray) -> Evidence:
    """Weigh one message.

    Args:
        reading: the whole message.
        scores: the scores of its intents and, last, that of the machine for double wishes.
        halves: scores (2 x cuts, intents), a row for the part before and one for the part after each cut.
    """
    scores, double = scores[:-1], scores[-1]
    order = np.argsort(-scores)[:_CANDIDATES]
    before, after = softmax(halves[0::2] * _SCALE, axis=1), softmax(halves[1::2] * _SCALE, axis=1)
    pair, agreement = _likeliest(scores, order, before, after)
    best = np.pad(scores[order], (0, max(0, _BEST - len(order))), mode="edge")
    features = np.array(
        [
            *best[:_BEST],
            double,
            agreement,
            *_strengths(before, after, int(order[0])),
            float(bool(_CUE.search(reading))),
            np.log(len(reading) + 1),
        ]
    )
    return Evidence(features, pair)


def _likeliest(
    scores: np.ndarray, order: np.ndarray, before: np.ndarray, after: np.ndarray
) -> tuple[tuple[int, int], float]:
    """Return the pair that whole and halves agree on best, and how well the halves do."""
    # Doubt about the halves counts as much as no cut at all, never more.
    logs = np.log(before + _UNSURE), np.log(after + _UNSURE)
    nothing = 2 * np.log(_UNSURE) - 1
    best, found, agreement = -np.inf, (int(order[0]), int(order[1])), nothing
    for first in order:
        for second in order:
            if first == second:
                continue
            fit = float((logs[0][:, first] + logs[1][:, second]).max(initial=nothing))
            total = fit + _WHOLE * float(scores[first] + scores[second])
            if total > best:
                best, found, agreement = total, (int(first), int(second)), fit
    return found, agreement


def _strengths(before: np.ndarray, after: np.ndarray, top: int) -> tuple[float, float, float, float]:
    """How sure two halves are of different intents, and both of the whole message's first, each with its root."""
    rows = np.arange(len(before))
    left, right = before.argmax(axis=1) if len(before) else rows, after.argmax(axis=1) if len(after) else rows
    sure = np.minimum(before[rows, left], after[rows, right])
    apart = float(sure[left != right].max(initial=0.0))
    same = float(np.minimum(before[:, top], after[:, top]).max(initial=0.0))
    return apart, same, float(np.sqrt(apart)), float(np.sqrt(same))


@dataclass(frozen=True)
class DoubleGate:
    """A logistic regression over the features of `Evidence`."""

    weights: np.ndarray
    offset: float

    @classmethod
    def fit(cls, features: np.ndarray, double: np.ndarray) -> DoubleGate:
        """Learn from one row a message and whether it holds two wishes."""
        mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
        fitted = LogisticRegression(max_iter=3000)
        fitted.fit((features - mean) / spread, double, sample_weight=np.where(double, 1, SHARE))
        weights = fitted.coef_[0] / spread
        return cls(weights.astype(np.float32), float(fitted.intercept_[0] - weights @ mean))

    def probability(self, evidence: Evidence) -> float:
        """Return how likely the message holds two wishes."""
        return float(1.0 / (1.0 + np.exp(-(evidence.features @ self.weights + self.offset))))
