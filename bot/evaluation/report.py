"""The report of one run as a single HTML page without outside resources; every message in it is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .calibration import bins, calibration_error, outcomes
from .cases import FALLBACK, Case, Entity
from .charts import histogram, reliability
from .figures import ALL, Score, entity_scores, intent_scores, with_entity_labels, without_variants
from .matrix import matrix, matrix_counts, most_confused
from .page import Markup, folded, page, section, table
from .results import Run, comparison_rows, cost_lines, figure_rows, pairs, shown

_HEADLINES = (
    "A rejected message counts as wrong. A double message is right when both its intents were named, in either order. "
    f"Column `{ALL}` holds every set but the variants, which repeat the validation messages with wrong characters."
)
_MATRIX = (
    "Rows: what people saw. Columns: what the model read. Messages with one intent, without the variants. Green is "
    "right, red is wrong; the stronger, the greater the share of the row."
)
_ERRORS = "The surest errors first. `Next` is the likeliest other intent; of a rejected message it is the rejected one."
_CALIBRATION = (
    "ECE: 15 bins of equal width over the confidence of the intent that stood first before any rejection; the mean "
    "distance between a bin's mean confidence (dots) and its share of right readings (bars), weighed by messages. "
    "On the dashed line both are equal. All sets but the variants."
)
_INTENTS = (
    "A message counts for each intent that it holds or was read to hold. Macro F1 is the mean over the intents that "
    "the messages hold. All sets but the variants."
)
_ENTITIES = (
    "An entity is found when kind and value are equal. A set in which no message has an entity labels none and is "
    "left out."
)


def report(runs: Sequence[Run]) -> str:
    """Return the page; the first run is ours, a second one the stock pipeline."""
    ours, *others = runs
    parts = [_headlines(ours), *(_comparison(ours, other) for other in others)]
    parts += [_confusion(ours), _errors(ours.cases), _calibration(ours), _intents(ours), _entities(ours.cases)]
    parts += [folded(f"Headline figures of the {each.pipeline} pipeline", table(figure_rows(each))) for each in others]
    return page("What the model understands", *parts)


def _headlines(run: Run) -> Markup:
    facts = [["", ""], *([name, value] for name, value in cost_lines(run.facts))]
    return section("Headline figures", _HEADLINES, table(figure_rows(run)), table(facts, text=[1]))


def _comparison(ours: Run, other: Run) -> Markup:
    note = f"{other.pipeline}: the pipeline of Rasa's documentation for Chinese, trained on the same messages."
    cost = [["", "model", "size", "training"], *([run.pipeline, *_cost(run)] for run in (ours, other))]
    return section("Against the stock pipeline", note, table(comparison_rows(ours, other)), table(cost, text=[3]))


def _cost(run: Run) -> list[str]:
    return [value for _, value in cost_lines(run.facts)]


def _confusion(run: Run) -> Markup:
    counts = matrix_counts(without_variants(run.cases))
    top = table([["intent", "read as", "messages", "share of the intent"], *most_confused(counts)], text=[1])
    whole = folded("All intents", matrix(counts, only_errors=False))
    shortened = folded("The most frequent confusions as a list", top)
    return section("Confusions: intents with errors", _MATRIX, matrix(counts, only_errors=True), shortened, whole)


def _errors(cases: Sequence[Case]) -> Markup:
    head = ["message", "set", "intent", "read", "confidence", "next", "confidence"]
    wrong = sorted((case for case in cases if not case.right), key=lambda case: (-case.guess[1], case.text))
    rows = [[case.text, case.set, case.intent, case.top, *_beliefs(case)] for case in wrong]
    return section(f"Errors ({len(rows)})", _ERRORS, table([head, *rows], text=[0, 1, 2, 3, 5]))


def _beliefs(case: Case) -> list[str]:
    second, confidence = case.second
    return [f"{case.confidence:.3f}", second, f"{confidence:.3f}" if second else ""]


def _calibration(run: Run) -> Markup:
    cases = without_variants(run.cases)
    results = outcomes(cases)
    error = shown(calibration_error(results), "share")
    plot = f"<figure><figcaption>ECE {error}, {len(cases)} messages</figcaption>{reliability(bins(results))}</figure>"
    times = histogram([case.seconds * 1000 for case in run.cases])
    both = f"{plot}<figure><figcaption>Time of a message, all sets</figcaption>{times}</figure>"
    return section("Calibration and time", _CALIBRATION, f'<div class="charts">{both}</div>')


def _intents(run: Run) -> Markup:
    scores = [score for score in intent_scores(without_variants(run.cases)) if score.label != FALLBACK]
    weakest = sorted(scores, key=lambda score: (score.f1 or 0.0, score.label))
    return section("Intents, the weakest first", _INTENTS, _scores("intent", weakest))


def _entities(cases: Sequence[Case]) -> Markup:
    judged = with_entity_labels(cases)
    wrong = [case for case in judged if case.entities_wanted != case.entities_read]
    rows = [[case.text, case.set, *(pairs(side.elements()) for side in _sides(case))] for case in wrong]
    listed = table([["message", "set", "missed", "found wrongly"], *rows], text=[0, 1, 2, 3])
    title = f"Messages whose entities are not exact ({len(rows)})"
    return section("Entities", _ENTITIES, _scores("entity", entity_scores(cases)), folded(title, listed))


def _sides(case: Case) -> tuple[Counter[Entity], Counter[Entity]]:
    wanted, read = case.entities_wanted, case.entities_read
    return wanted - read, read - wanted


def _scores(label: str, scores: Sequence[Score]) -> Markup:
    rows = [[score.label, score.wanted, score.named, score.both, *_shares(score)] for score in scores]
    return table([[label, "labelled", "read", "both", "precision", "recall", "F1"], *rows])


def _shares(score: Score) -> list[str]:
    return [shown(each, "share") for each in (score.precision, score.recall, score.f1)]
