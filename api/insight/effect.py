"""What recommendations brought about: how many were told, took them or not, and the difference to those held out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import structlog
import yaml
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.insight.access import InsightRoute, SupervisorDep, in_thread
from core.clock import SHANGHAI
from core.recommend.effect import Difference, effect
from core.recommend.rules import recommend_rules
from core.recommend.tables import RECOMMENDATIONS, Recommendation

log = structlog.get_logger("api.insight")
router = APIRouter(prefix="/v1/insight", tags=["insight"], route_class=InsightRoute)


class EffectWords(BaseModel):
    """The file `data/insight/effect.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    definition: str
    kinds: dict[str, str]
    metrics: dict[str, str]
    told: str
    few: str
    away: str
    joint: str


@cache
def effect_words(data_dir: Path) -> EffectWords:
    """Read the words; raises pydantic.ValidationError if some are missing or unknown."""
    return EffectWords.model_validate(yaml.safe_load((data_dir / "insight" / "effect.yaml").read_text("utf-8")))


class Line(BaseModel):
    """One kind of recommendation: how many there were in which state, and what can be told of its effect."""

    kind: str
    name: str
    shown: int
    accepted: int
    refused: int
    held_out: int
    text: str


class Effects(BaseModel):
    """All kinds, in the order of the rules."""

    definition: str
    lines: list[Line]


@router.get("/effect")
async def effects(parts: PartsDep, _signed: SupervisorDep) -> Effects:
    """Return what recommendations brought about, against those who were held out."""
    words = effect_words(parts.settings.data_dir)
    counts, found = await in_thread(lambda: _reckoned(parts))
    return Effects(definition=words.definition, lines=list(effect_lines(words, counts, found)))


def _reckoned(parts: Parts) -> tuple[dict[str, dict[str, int]], list[Difference] | None]:
    """Return the counts, and the differences; None where the bills cannot be read."""
    today = parts.clock().astimezone(SHANGHAI).date()
    with parts.bridge.reading() as bridge:
        counts = _counts(bridge)
        try:
            with parts.billing.reading() as billing:
                return counts, effect(bridge, billing, recommend_rules(), until=today)
        except SQLAlchemyError as error:
            log.error("effect_unavailable", error=type(error).__name__)
            return counts, None


def _counts(session: Session) -> dict[str, dict[str, int]]:
    query = select(Recommendation.kind, Recommendation.state, func.count())
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for kind, state, count in session.execute(query.group_by(Recommendation.kind, Recommendation.state)):
        found[kind][state] = count
    return found


def effect_lines(
    words: EffectWords, counts: dict[str, dict[str, int]], found: list[Difference] | None
) -> Iterable[Line]:  # fmt: skip
    """Yield a line for each kind that there was; `found`: what can be told of the effect, None where nothing can."""
    by_kind: dict[str, list[Difference]] = defaultdict(list)
    for one in found or ():
        by_kind[one.kind].append(one)
    for kind in RECOMMENDATIONS:
        states: dict[str, Any] = counts.get(kind, {})
        if states:
            told = sum(states.get(name, 0) for name in ("shown", "accepted", "refused"))
            yield Line(
                kind=kind, name=words.kinds[kind], shown=told, accepted=states.get("accepted", 0),
                refused=states.get("refused", 0), held_out=states.get("held_out", 0),
                text=words.away if found is None else words.joint.join(_said(one, words) for one in by_kind[kind]),
            )  # fmt: skip


def _said(one: Difference, words: EffectWords) -> str:
    name = words.metrics[one.metric]
    if not one.tells:
        return words.few.format(name=name, treated=one.treated_n, held=one.held_n)
    return words.told.format(name=name, difference=one.difference, low=one.low, high=one.high)
