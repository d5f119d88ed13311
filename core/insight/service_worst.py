"""Which topics went worst: every contact in which something went wrong counts, by the weights of the file."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from core.insight.contacts import Contact
from core.insight.kpi import Asked
from core.insight.words import Words

COLUMNS = ("rank", "topic", "group", "contacts", "failed", "handed", "dissatisfied", "repeat", "alone_share", "score")
_NAMES = {"score": "worst_score"}  # columns that are called otherwise here


@dataclass(frozen=True)
class TopicSum:
    """One topic: its contacts, in how many of them the bot failed, a person had to come, the customer was not
    satisfied, it was a repetition; and the bot's share, None where no contact is decided.
    """

    topic: str
    skill: str | None
    contacts: int
    failed: int
    handed: int
    dissatisfied: int
    repeat: int
    alone: float | None

    def score(self, weights: dict[str, float]) -> float:
        """Return how bad it went: the weighted number of contacts with something wrong."""
        return sum(weight * float(getattr(self, name)) for name, weight in weights.items())


def by_topic(contacts: list[Contact], by_design: frozenset[str]) -> list[TopicSum]:
    """Count the contacts of each topic; handoffs for a reason `by_design` are no failing."""
    found: defaultdict[str, list[Contact]] = defaultdict(list)
    for one in contacts:
        found[one.topic].append(one)
    return [_sum(topic, ones, by_design) for topic, ones in found.items()]


def _sum(topic: str, ones: list[Contact], by_design: frozenset[str]) -> TopicSum:
    decided = [one.alone for one in ones if one.alone is not None]
    return TopicSum(
        topic=topic, skill=ones[0].skill, contacts=len(ones), failed=sum(one.bad > 0 for one in ones),
        handed=sum(any(case.reason not in by_design for case in one.cases) for one in ones),
        dissatisfied=sum(one.dissatisfied for one in ones), repeat=sum(one.after is not None for one in ones),
        alone=sum(decided) / len(decided) if decided else None,
    )  # fmt: skip


def worst_table(facts: Any, asked: Asked, words: Words) -> dict[str, Any]:
    """Return the topics, the worst first, each with the address of its conversations."""
    ones = [one for one in facts.contacts if asked.span.holds(one.at)]
    ranked = sorted(
        by_topic(ones, words.by_design), key=lambda one: (-one.score(words.worst), -one.contacts, one.topic)
    )  # fmt: skip
    names = {
        **words.columns,
        **{name: words.columns.get(f"worst_{name}", words.columns.get(name, name)) for name in COLUMNS},
    }
    return {
        "columns": [{"key": name, "name": names[name]} for name in COLUMNS],
        "lines": [_line(rank, one, asked, words) for rank, one in enumerate(ranked, 1)],
    }


def _line(rank: int, one: TopicSum, asked: Asked, words: Words) -> dict[str, Any]:
    query = {"from": asked.span.first, "to": asked.span.last, "pick": one.topic}
    if asked.channel:
        query["channel"] = asked.channel
    return {
        "key": one.topic, "rank": rank, "topic": words.topics.get(one.topic, one.topic),
        "group": words.skills.get(one.skill, one.skill) if one.skill else None, "contacts": one.contacts,
        "failed": one.failed, "handed": one.handed, "dissatisfied": one.dissatisfied, "repeat": one.repeat,
        "alone_share": one.alone, "score": one.score(words.worst),
        "rows": f"/v1/insight/rows/topic_conversations?{urlencode(query)}",
    }  # fmt: skip
