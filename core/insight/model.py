"""The board of the model: how sure it was, what it confused, how wishes drift, what is learned, what was trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from core.insight.kpi import (
    Asked,
    Axis,
    Board,
    Breakdown,
    Cell,
    Custom,
    Group,
    Kpi,
    Labelled,
    Table,
    by_day,
    in_order_of,
)
from core.insight.model_facts import ModelFacts, until, within
from core.insight.model_items import BANDS, IntentShare, Learning, Trained, Understood
from core.insight.service_tables import link_to, time
from core.insight.spans import Span
from core.insight.totals import mean, median, sum_of
from core.insight.weighing import as_found, if_so, share_of
from core.insight.words import Words
from core.learning.tables import ANSWERED, LABELLED, OPEN

ALL_SETS, ACCURACY = "all", "accuracy"
MOST = 20  # pairs of confused intents, and intents of a chart


def intent_name(intent: str | None, words: Words) -> str:
    """Return what an intent, or several at once, is called."""
    parts = (intent or "").split("+")
    return words.texts.and_.join(words.topics.get(one, words.value("intent", one)) for one in parts)


MESSAGES = Table(
    columns={
        "at": lambda one, _words: time(one.at),
        "conversation_id": lambda one, _words: one.conversation_id,
        "channel": lambda one, words: words.channels.get(one.channel, one.channel),
        "intent": lambda one, words: intent_name(one.intent, words),
        "confidence": lambda one, _words: one.confidence,
    },
    link=lambda one: link_to(one.conversation_id),
    conversation=lambda one: (one.conversation_id, one.seq),
)
CORRECTIONS = Table(
    columns={**MESSAGES.columns, "right_intent": lambda one, words: intent_name(one.right, words)},
    link=MESSAGES.link, conversation=MESSAGES.conversation,
)  # fmt: skip


def _share(one: IntentShare, _words: Words) -> Cell:
    return round(one.psi, 6)


INTENTS = Table(
    columns={
        "intent": lambda one, words: intent_name(one.intent, words),
        "count_now": lambda one, _words: one.now,
        "count_before": lambda one, _words: one.before,
        "psi": _share,
    }
)


def _learned(one: Learning, words: Words) -> Cell:
    return intent_name(one.label, words) if one.label else None


LEARNING = Table(
    columns={
        "at": lambda one, _words: time(one.at),
        "channel": lambda one, words: words.channels.get(one.channel, one.channel),
        "intent": lambda one, words: intent_name(one.intent, words) if one.intent else None,
        "learning_state": lambda one, words: words.value("learning", one.state),
        "label": _learned,
    },
    link=lambda one: link_to(one.conversation_id),
    conversation=lambda one: (one.conversation_id, one.seq),
)
MODELS = Table(
    columns={
        "at": lambda one, _words: time(one.at),
        "model": lambda one, _words: one.name,
        "state": lambda one, words: words.value("model_state", one.state),
        "promoted_at": lambda one, _words: time(one.promoted_at),
        "learned": lambda one, _words: one.learned,
        "set": lambda one, words: words.value("set", one.set_name) if one.set_name else None,
    }
)


def _said(key: str, measure: Any, **more: Any) -> Kpi:
    return Kpi(key, within("understood"), measure, MESSAGES, **more)


def _sure(one: Understood) -> float | None:
    return one.confidence


UNDERSTOOD = _said("understood", lambda _one: 1.0)
LOW = _said("low_confidence", lambda one: share_of(one.low), total=mean)
SURE = _said("confidence_median", _sure, total=median)
FALLBACKS = _said("fallbacks", lambda one: float(one.fallback), total=mean)
BANDED = _said("banded", lambda one: if_so(one.band is not None))
CORRECTED = Kpi("corrected", within("corrections"), lambda _one: 1.0, CORRECTIONS)


def _drift(facts: ModelFacts, span: Span) -> Iterator[IntentShare]:
    return iter(facts.drift(span))


def _all(values: Any) -> float | None:
    return sum_of(values) if values else None


DRIFT = Kpi("intent_drift", _drift, lambda one: one.psi, INTENTS, _all)


def _learning(key: str, measure: Any) -> Kpi:
    return Kpi(key, within("learning"), measure, LEARNING)


FOUND = _learning("learning_found", lambda _one: 1.0)
STILL_OPEN = _learning("learning_open", lambda one: if_so(one.state == OPEN))
DONE = _learning("learning_done", lambda one: if_so(one.state in (LABELLED, ANSWERED)))
TRAININGS = Kpi("trainings", within("models"), lambda _one: 1.0, MODELS, by_channel=False)


def _running(facts: ModelFacts, span: Span) -> Iterator[Trained]:
    """Return the accuracy on all messages of the model that was promoted last."""
    found = [
        one for one in facts.figures
        if one.promoted_at is not None and one.promoted_at < span.end and one.metric == ACCURACY
        and one.set_name == ALL_SETS
    ]  # fmt: skip
    return iter(sorted(found, key=lambda one: (one.promoted_at or one.at, one.number))[-1:])


def _accurate(one: Trained) -> float | None:
    return one.value if one.metric == ACCURACY else None


RUNNING = Kpi("model_accuracy", _running, lambda one: one.value, MODELS, mean, by_channel=False, at_end=True)
ACCURATE = Kpi("set_accuracy", until("figures"), _accurate, MODELS, mean, by_channel=False)


def _band(low: float, words: Words) -> str:
    """Return from which confidence to which a band reaches; what is below the line is low."""
    following = next((one for one in BANDS if one > low), None)
    name = "low" if not low else "from" if following is None else "between"
    return words.value("band", name).format(value=low, following=following)


def _bands(found: list[str], _span: Span, words: Words) -> Labelled:
    """Return the bands from the lowest to the highest."""
    return [(str(low), _band(low, words)) for low in sorted({float(key) for key in found})]


BAND = Axis(lambda one: str(one.band), _bands)
INTENT = as_found(lambda key, words: intent_name(key, words), lambda one: one.intent)
PAIR = as_found(
    lambda key, words: words.value("band", "pair").format(*(intent_name(one, words) for one in key.split(">"))),
    lambda one: one.pair,
)
LEARNING_STATE = in_order_of(lambda words: words.values["learning"], lambda one: one.state)
MODEL = as_found(lambda name, _words: name, lambda one: one.name)
SET = in_order_of(lambda words: words.values["set"], lambda one: one.set_name or "")


def confused_table(facts: ModelFacts, asked: Asked, words: Words) -> dict[str, Any]:
    """Return the pairs of intents that agents told apart, the most frequent first; each opens its messages."""
    found = Counter((one.intent, one.right) for one in facts.corrections if asked.span.holds(one.at))
    days = {"from": asked.span.first, "to": asked.span.last, **({"channel": asked.channel} if asked.channel else {})}
    ranked = sorted(found.items(), key=lambda one: (-one[1], one[0]))[:MOST]
    names = ("intent", "right_intent", "times")
    return {
        "columns": [{"key": name, "name": words.columns[name]} for name in names],
        "lines": [
            {
                "key": f"{intent}>{right}", "intent": intent_name(intent, words),
                "right_intent": intent_name(right, words), "times": times,
                "rows": f"/v1/insight/rows/confused_messages?{urlencode({**days, 'pick': f'{intent}>{right}'})}",
            }
            for (intent, right), times in ranked
        ],
    }  # fmt: skip


def models_table(facts: ModelFacts, asked: Asked, words: Words) -> dict[str, Any]:
    """Return the models that were trained, the newest first, with their accuracy on all messages."""
    accuracy = {one.number: one.value for one in facts.figures if (one.set_name, one.metric) == (ALL_SETS, ACCURACY)}
    names = ("model", "at", "state", "promoted_at", "learned", "accuracy_share")
    lines = [
        {
            "key": one.name, "model": one.name, "at": time(one.at), "state": words.value("model_state", one.state),
            "promoted_at": time(one.promoted_at), "learned": one.learned, "accuracy_share": accuracy.get(one.number),
        }
        for one in reversed(facts.models) if one.at < asked.span.end
    ]  # fmt: skip
    return {"columns": [{"key": name, "name": words.columns[name]} for name in names], "lines": lines[:MOST]}


MODEL_BOARD = Board(
    "model", ModelFacts,
    (
        Group(
            "confidence", (UNDERSTOOD, SURE, LOW, FALLBACKS),
            (
                Breakdown("confidence_bands", "stack", (BANDED,), by_day(), BAND),
                Breakdown("confidence_by_day", "line", (SURE,), by_day()),
                Breakdown("low_by_day", "line", (LOW, FALLBACKS), by_day()),
            ),
        ),
        Group(
            "confusion", (CORRECTED, DRIFT),
            (
                Custom("confused", "table", confused_table, rows="confused_messages"),
                Breakdown("drift_by_intent", "bar", (DRIFT,), INTENT),
            ),
        ),
        Group(
            "learning", (FOUND, STILL_OPEN, DONE),
            (Breakdown("learning_by_day", "stack", (FOUND,), by_day(), LEARNING_STATE),),
        ),
        Group(
            "training", (TRAININGS, RUNNING),
            (
                Breakdown("accuracy_by_model", "line", (ACCURATE,), MODEL, SET),
                Custom("models", "table", models_table, rows="trainings"),
            ),
        ),
    ),
    more=(Breakdown("confused_messages", "table", (CORRECTED,), PAIR),),
    since=lambda facts: facts.since,
)  # fmt: skip
