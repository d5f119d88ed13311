"""The figures of a group of messages: accuracy, danger, out of scope, double messages, entities, time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .calibration import calibration_error, outcomes
from .cases import FALLBACK, Case

DANGER, OUTSIDE = "report_danger", "out_of_scope"
# Variants repeat the validation messages with wrong characters: they are told apart, never counted twice.
APART = "variants"
ALL = "all"


@dataclass(frozen=True)
class Score:
    """How often a label was wanted, how often named, how often both."""

    label: str
    wanted: int
    named: int
    both: int

    @property
    def recall(self) -> float | None:
        """The share of the wanted that was named; nothing if none was wanted."""
        return share(self.both, self.wanted)

    @property
    def precision(self) -> float | None:
        """The share of the named that was wanted; nothing if none was named."""
        return share(self.both, self.named)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of both: 2 both / (wanted + named)."""
        return share(2 * self.both, self.wanted + self.named)


def share(part: float, whole: float) -> float | None:
    """Return part / whole, or nothing if the whole is."""
    return part / whole if whole else None


def groups(cases: Sequence[Case], names: Iterable[str]) -> dict[str, list[Case]]:
    """Return the messages of each named set, and under `all` those of every set but the variants."""
    found = {name: [case for case in cases if case.set == name] for name in names}
    return {**found, ALL: without_variants(cases)}


def without_variants(cases: Iterable[Case]) -> list[Case]:
    """Return the messages of all sets but the variants."""
    return [case for case in cases if not case.set.startswith(APART)]


def intent_scores(cases: Sequence[Case]) -> list[Score]:
    """Return the score of each intent; a message counts for every intent that it holds or was read to hold."""
    wanted = Counter(intent for case in cases for intent in case.wanted)
    named = Counter(intent for case in cases for intent in case.named)
    both = Counter(intent for case in cases for intent in case.wanted & case.named)
    return _scores(wanted, named, both)


def entity_scores(cases: Sequence[Case]) -> list[Score]:
    """Return the score of each kind of entity over the sets that label entities; a wrong value is a miss."""
    counts: list[Counter[str]] = [Counter(), Counter(), Counter()]
    for case in with_entity_labels(cases):
        wanted, read = case.entities_wanted, case.entities_read
        for count, pairs in zip(counts, (wanted, read, wanted & read), strict=True):
            for (kind, _), times in pairs.items():
                count[kind] += times
    return _scores(*counts)


def with_entity_labels(cases: Sequence[Case]) -> list[Case]:
    """Return the messages of those sets in which at least one message has an entity: the others label none."""
    labelled = {case.set for case in cases if case.entities}
    return [case for case in cases if case.set in labelled]


def confusions(cases: Iterable[Case]) -> Counter[tuple[str, str]]:
    """Return how often each intent was read as which, double ones as they are written, right ones included."""
    return Counter((case.intent, case.intent if case.right else case.top) for case in cases)


def percentile(values: Sequence[float], part: float) -> float | None:
    """Return the smallest value that at least `part` of the values do not exceed; nothing of nothing."""
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)] if values else None


def figures_of(cases: Sequence[Case]) -> dict[str, float | None]:
    """Return every figure of `FIGURES` by its key; nothing where there is nothing to measure."""
    found: dict[str, float | None] = {"messages": len(cases)}
    for part in (_intents, _named, _doubles, _entities, _times):
        found |= part(cases)
    return found


def _intents(cases: Sequence[Case]) -> dict[str, float | None]:
    single = [case for case in cases if not case.double]
    scores = [score.f1 for score in intent_scores(cases) if score.wanted]
    return {
        "accuracy": share(sum(case.right for case in single), len(single)),
        "single_error_share": share(sum(not case.right for case in single), len(single)),
        "errors": sum(not case.right for case in cases),
        "error_share": share(sum(not case.right for case in cases), len(cases)),
        "macro_f1": share(sum(score or 0.0 for score in scores), len(scores)),
        "ece": calibration_error(outcomes(cases)),
        "rejected": sum(case.top == FALLBACK for case in cases),
        "rejected_rightly": sum(not right for _, right in outcomes(case for case in cases if case.top == FALLBACK)),
    }


def _named(cases: Sequence[Case]) -> dict[str, float | None]:
    scores = {score.label: score for score in intent_scores(cases)}
    danger, outside = (scores.get(name, Score(name, 0, 0, 0)) for name in (DANGER, OUTSIDE))
    return {
        "danger_recall": danger.recall,
        "danger_precision": danger.precision,
        "out_of_scope_recall": outside.recall,
        "out_of_scope_precision": outside.precision,
        "out_of_scope_f1": outside.f1,
    }


def _doubles(cases: Sequence[Case]) -> dict[str, float | None]:
    double = [case for case in cases if case.double]
    return {
        "double_messages": len(double),
        "double_both": share(sum(case.right for case in double), len(double)),
        "double_in_order": share(sum(case.intent == case.top for case in double), len(double)),
        "single_as_double": sum(len(case.named) > 1 for case in cases if not case.double),
    }


def _entities(cases: Sequence[Case]) -> dict[str, float | None]:
    judged = with_entity_labels(cases)
    holding = [case for case in judged if case.entities]
    plain = [case for case in judged if not case.entities]
    exact = sum(case.entities_wanted == case.entities_read for case in holding)
    return {
        "entity_messages": len(holding),
        "entities_exact": share(exact, len(holding)),
        "plain_messages": len(plain),
        "entity_false_alarms": sum(bool(case.entities_read) for case in plain),
    }


def _times(cases: Sequence[Case]) -> dict[str, float | None]:
    times = [case.seconds * 1000 for case in cases]
    return {"median_ms": percentile(times, 0.5), "p95_ms": percentile(times, 0.95)}


def _scores(wanted: Counter[str], named: Counter[str], both: Counter[str]) -> list[Score]:
    return [Score(label, wanted[label], named[label], both[label]) for label in sorted(wanted | named)]


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """Return ours / theirs; nothing if one is not known or theirs is nothing."""
    return None if ours is None or not theirs else ours / theirs
