"""How much harm it does that a message was not answered well: what went with it, weighed by `data/learning.yaml`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.conversation import Conversation
from core.handoff.rules import Rules
from core.handoff.tables import Handoff
from core.learning.settings import Harm
from core.learning.tables import LearningItem
from core.survey import Survey

_DANGER, _TROUBLE = "danger", ("anger", "complaint")
BATCH = 400  # conversations in one query
_Talk = str


@dataclass(frozen=True)
class Around:
    """What is known around messages: cases and surveys by conversation, all that was in vain by customer."""

    cases: Mapping[_Talk, Sequence[tuple[str, datetime]]]
    scores: Mapping[_Talk, Sequence[tuple[int, datetime]]]
    who: Mapping[_Talk, str]  # customer's number, or the conversation where there is none
    in_vain: Mapping[str, Sequence[tuple[datetime, _Talk, int]]]  # by whom


def around(session: Session, items: Sequence[LearningItem]) -> Around:
    """Read what lies around some messages."""
    talks = sorted({item.conversation_id for item in items})
    cases: dict[str, list[tuple[str, datetime]]] = defaultdict(list)
    scores: dict[str, list[tuple[int, datetime]]] = defaultdict(list)
    who: dict[str, str] = {}
    for at in range(0, len(talks), BATCH):
        some = talks[at : at + BATCH]
        query = select(Handoff.conversation_id, Handoff.reason, Handoff.requested_at)
        for talk, reason, when in session.execute(query.where(Handoff.conversation_id.in_(some))):
            cases[talk].append((reason, when))
        rated = select(Survey.conversation_id, Survey.score, Survey.answered_at)
        for talk, score, answered in session.execute(rated.where(Survey.conversation_id.in_(some))):
            if score is not None and answered is not None:
                scores[talk].append((score, answered))
        owners = select(Conversation.id, Conversation.customer_no).where(Conversation.id.in_(some))
        who.update({talk: customer or talk for talk, customer in session.execute(owners)})
    in_vain: dict[str, list[tuple[datetime, str, int]]] = defaultdict(list)
    for item in items:
        in_vain[who.get(item.conversation_id, item.conversation_id)].append((item.at, item.conversation_id, item.seq))
    return Around(cases, scores, who, in_vain)


def parts_of(item: LearningItem, near: Around, weights: Harm, rules: Rules) -> dict[str, float]:
    """Return what the harm of a message is the sum of, by name; nothing that is zero."""
    talk, at = item.conversation_id, item.at
    reasons = near.cases.get(talk, ())
    found = {
        "message": True,
        "danger": _any(reasons, (_DANGER,), at, weights.danger_hours),
        "complaint": _any(reasons, _TROUBLE, at, weights.complaint_hours) or rules.is_angry(item.text),
        "handed_over": "handed_over" in item.reasons,
        "repeated": _came_back(item, near, timedelta(hours=weights.repeated_hours)),
        "low_survey": any(
            score <= weights.low_score and timedelta(0) <= when - at <= timedelta(days=weights.survey_days)
            for score, when in near.scores.get(talk, ())
        ),
    }
    return {name: weights.weights[name] for name, is_so in found.items() if is_so and weights.weights[name]}


def faded(at: datetime, weights: Harm, now: datetime) -> float:
    """Return how much of the harm of a message counts now: all of it today, half after the half-life."""
    days = max((now - at) / timedelta(days=1), 0.0)
    return float(0.5 ** (days / weights.half_life_days))


def of_group(items: Iterable[LearningItem], weights: Harm, now: datetime) -> dict[str, float]:
    """Return the harm of a group by its parts, each message faded by its age."""
    total: dict[str, float] = defaultdict(float)
    for item in items:
        share = faded(item.at, weights, now)
        for name, value in item.parts.items():
            total[name] += value * share
    return {name: round(value, 3) for name, value in sorted(total.items())}


def _any(cases: Sequence[tuple[str, datetime]], kinds: Sequence[str], at: datetime, hours: float) -> bool:
    return any(reason in kinds and abs(when - at) <= timedelta(hours=hours) for reason, when in cases)


def _came_back(item: LearningItem, near: Around, within: timedelta) -> bool:
    """Tell whether the same customer wrote in vain again, in another turn, before the time was up."""
    whose = near.in_vain.get(near.who.get(item.conversation_id, item.conversation_id), ())
    here = (item.at, item.conversation_id, item.seq)
    return any(one > here and one[0] - item.at <= within for one in whose)
