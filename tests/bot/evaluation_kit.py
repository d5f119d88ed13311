"""Makes measured messages by hand."""

from __future__ import annotations

from bot.evaluation.cases import Case

Entity = tuple[str, str]


def case(
    wanted: str,
    named: str,
    confidence: float = 0.9,
    *,
    text: str = "上月电费",
    ranking: list[tuple[str, float]] | None = None,
    entities: list[Entity] | None = None,
    read: list[Entity] | None = None,
    name: str = "validation",
    seconds: float = 0.01,
) -> Case:
    """Return a message that people label `wanted` and the model reads as `named`."""
    answer = {
        "intent": {"name": named, "confidence": confidence},
        "intent_ranking": [
            {"name": intent, "confidence": belief} for intent, belief in ranking or [(named, confidence)]
        ],
        "entities": marked(read),
    }
    return Case(name, text, wanted, marked(entities), answer, seconds)


def marked(pairs: list[Entity] | None) -> list[dict[str, str]]:
    return [{"entity": kind, "value": value} for kind, value in pairs or []]
