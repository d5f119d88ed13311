"""Whether a candidate reads anything worse than the running model, from two documents of `bot.evaluation --json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import comb
from typing import Any

from core.learning.model_settings import Rules

NO_WORSE, WORSE = "no_worse", "worse"
ALL, VARIANTS = "all", "variants"
MCNEMAR, DROP, DANGER, FIGURE = "mcnemar", "drop", "danger", "figure"
# (metric, field that says whether a message was read rightly, field that says whether it counts and how it must be)
_PAIRED: tuple[tuple[str, str, str, bool | None], ...] = (
    ("accuracy", "right", "single", True),
    ("double_both", "right", "single", False),
    ("entities_exact", "entities_right", "entities_right", None),
    ("answered_right", "right", "known", True),
    ("answered_in_vain", "right", "known", False),
)
_ADDRESSES = "addresses_exact"
Message = Mapping[str, Any]


class NotComparable(ValueError):
    """The two documents are not about the very same messages, or are no such documents."""


@dataclass(frozen=True)
class Difference:
    """One figure that changed beyond what is let pass, and why that is said (a key of the settings)."""

    set: str
    metric: str
    before: float | None
    after: float | None
    why: str
    lost: int = 0  # messages read rightly before, and not now
    gained: int = 0


@dataclass(frozen=True)
class Verdict:
    """What got worse, and what better."""

    worse: tuple[Difference, ...]
    better: tuple[Difference, ...]

    @property
    def word(self) -> str:
        """Return `no_worse` or `worse`."""
        return WORSE if self.worse else NO_WORSE

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        worse, better = ([asdict(one) for one in found] for found in (self.worse, self.better))
        return {"verdict": self.word, "worse": worse, "better": better}


@dataclass(frozen=True)
class _Pair:
    """The same messages as both models read them."""

    set: str
    rows: Sequence[tuple[Message, Message]]
    before: Mapping[str, float | None]
    after: Mapping[str, float | None]

    def where(self, field: str, wanted: bool) -> list[tuple[Message, Message]]:
        return [row for row in self.rows if row[0].get(field) is wanted]

    def difference(self, metric: str, why: str, lost: int = 0, gained: int = 0) -> Difference:
        return Difference(self.set, metric, self.before.get(metric), self.after.get(metric), why, lost, gained)


def judge(before: Mapping[str, Any], after: Mapping[str, Any], rules: Rules) -> Verdict:
    """Compare the running model (`before`) with a candidate (`after`).

    Raises:
        NotComparable: if they did not read the same messages in the same order.
    """
    worse: list[Difference] = []
    better: list[Difference] = []
    for pair in _pairs(before, after):
        for difference, is_worse in _differences(pair, rules):
            (worse if is_worse else better).append(difference)
    return Verdict(tuple(worse), tuple(better))


def mcnemar(lost: int, gained: int) -> float:
    """Return the two-sided exact p of McNemar's test: how likely so uneven a split of the changed messages is."""
    changed, least = lost + gained, min(lost, gained)
    if not changed:
        return 1.0
    return min(1.0, 2.0 * sum(comb(changed, count) for count in range(least + 1)) / 2.0**changed)


def _pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[_Pair]:
    try:
        old, new = before["messages"], after["messages"]
        if set(old) != set(new) or not old:
            raise NotComparable("they did not read the same sets")
        everything: list[tuple[Message, Message]] = []
        for name in sorted(old):
            if [one["key"] for one in old[name]] != [one["key"] for one in new[name]]:
                raise NotComparable(f"they did not read the same messages of {name}")
            rows = list(zip(old[name], new[name], strict=True))
            if rows and "single" in rows[0][0] and not name.startswith(VARIANTS):
                everything += rows
            yield _Pair(name, rows, before["figures"][name], after["figures"][name])
        yield _Pair(ALL, everything, before["figures"][ALL], after["figures"][ALL])
    except (KeyError, TypeError) as error:
        raise NotComparable(f"no document of an evaluation: {error!r}") from error


def _differences(pair: _Pair, rules: Rules) -> Iterator[tuple[Difference, bool]]:
    yield from _paired(pair, rules)
    yield from _danger(pair, rules)
    yield from _out_of_scope(pair, rules)
    yield from _calibration(pair, rules)


def _paired(pair: _Pair, rules: Rules) -> Iterator[tuple[Difference, bool]]:
    for metric, right, counts, wanted in _PAIRED:
        rows = pair.rows if wanted is None else pair.where(counts, wanted)
        yield from _counted(pair, rows, metric, right, rules)
    if pair.before.get(_ADDRESSES) is not None:
        yield from _counted(pair, pair.rows, _ADDRESSES, "right", rules)


def _counted(
    pair: _Pair, rows: Sequence[tuple[Message, Message]], metric: str, right: str, rules: Rules
) -> Iterator[tuple[Difference, bool]]:  # fmt: skip
    if pair.before.get(metric) is None or pair.after.get(metric) is None:
        return
    rule = rules.paired
    lost = sum(bool(old.get(right)) and not new.get(right) for old, new in rows)
    gained = sum(bool(new.get(right)) and not old.get(right) for old, new in rows)
    beyond = abs(lost - gained) > max(rule.messages, rule.points * len(rows))
    unlikely = mcnemar(lost, gained) < rule.significance
    if lost != gained and (beyond or unlikely):
        why = MCNEMAR if unlikely else DROP
        yield pair.difference(metric, why, lost, gained), lost > gained


def _danger(pair: _Pair, rules: Rules) -> Iterator[tuple[Difference, bool]]:
    rows = pair.where("danger", wanted=True)
    lost = sum(bool(old["danger_read"]) and not new["danger_read"] for old, new in rows)
    gained = sum(bool(new["danger_read"]) and not old["danger_read"] for old, new in rows)
    if lost > rules.danger.messages or gained > 0:
        yield pair.difference("danger_recall", DANGER, lost, gained), lost > rules.danger.messages


def _out_of_scope(pair: _Pair, rules: Rules) -> Iterator[tuple[Difference, bool]]:
    rule, wanted = rules.out_of_scope, len(pair.where("outside", wanted=True))
    if wanted >= max(rule.least, 1):
        yield from _figure(pair, "out_of_scope_f1", max(rule.points, rule.messages / wanted), more_is_better=True)


def _calibration(pair: _Pair, rules: Rules) -> Iterator[tuple[Difference, bool]]:
    if len(pair.rows) >= rules.calibration.least:
        yield from _figure(pair, "ece", rules.calibration.points, more_is_better=False)


def _figure(
    pair: _Pair, metric: str, tolerance: float, *, more_is_better: bool
) -> Iterator[tuple[Difference, bool]]:  # fmt: skip
    before, after = pair.before.get(metric), pair.after.get(metric)
    if before is None or after is None:
        return
    gain = after - before if more_is_better else before - after
    if abs(gain) > tolerance + 1e-12:
        yield pair.difference(metric, FIGURE), gain < 0
