"""Quality checks: a reproducible random sample of closed cases, and supervisors' scores for them.

Whose case it was is told by the event log: who answered last before the case ended. A case in which nobody answered
(the customer left the queue) is nobody's work and is never drawn.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import JSON, ForeignKey, Text, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import BridgeBase, Instant
from core.handoff.tables import CaseNotFound, Handoff, HandoffEvent
from core.locking import one_at_a_time

FULL = 100
MAX_COMMENT = 1000  # characters
MAX_SAMPLE = 200  # cases


class QualityScore(BridgeBase):
    """One supervisor's check of one case: points by item, and their sum out of 100."""

    __tablename__ = "quality_scores"
    __table_args__ = (UniqueConstraint("handoff_id", "reviewer_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    handoff_id: Mapped[int] = mapped_column(ForeignKey("handoffs.id"))
    reviewer_id: Mapped[int]
    at: Mapped[datetime] = mapped_column(Instant)
    scores: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    total: Mapped[int]
    comment: Mapped[str] = mapped_column(Text, default="")


class BadScores(ValueError):
    """An item is missing, unknown or has points outside its range, or the comment is too long."""


class CaseNotOver(Exception):
    """Only a case that has ended, and in which somebody answered, is checked."""


class OwnCase(Exception):
    """Nobody checks their own work."""


class Item(BaseModel):
    """One thing that is looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    label: str
    hint: str
    weight: Annotated[int, Field(gt=0)]
    optional: bool = False
    critical: bool = False


class Sheet(BaseModel):
    """The items of a check (data/desk/quality.yaml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: Annotated[int, Field(gt=0)]
    items: tuple[Item, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file.

        Raises:
            pydantic.ValidationError: if it is malformed, or the weights do not add up to 100.
        """
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))

    def total(self, scores: Mapping[str, int]) -> int:
        """Return the points out of 100 (halves up); a critical item without any point makes it 0.

        Raises:
            BadScores: if an item is missing that is not optional, is unknown, or is outside 0 to `steps`.
        """
        self._check(scores)
        judged = [item for item in self.items if item.key in scores]
        if any(item.critical and scores[item.key] == 0 for item in judged):
            return 0
        reached = sum(item.weight * scores[item.key] for item in judged)
        share = Decimal(FULL * reached) / (self.steps * sum(item.weight for item in judged))
        return int(share.quantize(Decimal(1), ROUND_HALF_UP))

    def _check(self, scores: Mapping[str, int]) -> None:
        if unknown := set(scores) - {item.key for item in self.items}:
            raise BadScores(f"unknown items: {sorted(unknown)}")
        if missing := [item.key for item in self.items if not item.optional and item.key not in scores]:
            raise BadScores(f"missing items: {missing}")
        if wrong := [key for key, points in scores.items() if not 0 <= points <= self.steps]:
            raise BadScores(f"points outside 0 to {self.steps}: {wrong}")

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if sum(item.weight for item in self.items) != FULL:
            raise ValueError(f"the weights do not add up to {FULL}")
        if len({item.key for item in self.items}) != len(self.items):
            raise ValueError("a key occurs twice")
        return self


@dataclass(frozen=True)
class Drawn:
    """One case that can be checked, and whose work it was."""

    handoff_id: int
    conversation_id: str
    agent_id: int
    ended_at: datetime


def answered_by(session: Session, handoff_ids: Iterable[int]) -> dict[int, int]:
    """Return by case who answered last in it; a case without an answer is left out."""
    last = (
        select(func.max(HandoffEvent.id))
        .where(HandoffEvent.handoff_id.in_(list(handoff_ids)), HandoffEvent.kind == "agent_replied")
        .where(HandoffEvent.agent_id.is_not(None))
        .group_by(HandoffEvent.handoff_id)
    )
    query = select(HandoffEvent.handoff_id, HandoffEvent.agent_id).where(HandoffEvent.id.in_(last))
    return {case: agent for case, agent in session.execute(query) if agent is not None}


def closed_cases(session: Session, start: datetime, end: datetime) -> list[Drawn]:
    """Return the cases that ended from `start` until before `end` and in which somebody answered, by number."""
    query = select(Handoff).where(Handoff.ended_at >= start, Handoff.ended_at < end).order_by(Handoff.id)
    ended = list(session.scalars(query))
    whose = answered_by(session, [one.id for one in ended])
    return [
        Drawn(one.id, one.conversation_id, whose[one.id], one.ended_at)
        for one in ended if one.ended_at is not None and one.id in whose
    ]  # fmt: skip


def sample(session: Session, start: datetime, end: datetime, count: int, *, seed: int) -> list[Drawn]:
    """Return up to `count` closed cases drawn at random, shared among the agents as their cases are.

    Every agent gets one at least while there is room. The same seed over the same closed cases draws the same ones.

    Raises:
        ValueError: if `count` is not between 1 and 200.
    """
    if not 1 <= count <= MAX_SAMPLE:
        raise ValueError(f"a sample has 1 to {MAX_SAMPLE} cases")
    strata: dict[int, list[Drawn]] = {}
    for one in closed_cases(session, start, end):
        strata.setdefault(one.agent_id, []).append(one)
    chance = random.Random(seed)
    shares = _shares({agent: len(cases) for agent, cases in sorted(strata.items())}, count, chance)
    drawn = [one for agent, share in shares.items() for one in chance.sample(strata[agent], share)]
    return sorted(drawn, key=lambda one: one.handoff_id)


def give_score(
    session: Session, sheet: Sheet, *, handoff_id: int, reviewer_id: int, scores: Mapping[str, int], comment: str,
    now: datetime,
) -> QualityScore:  # fmt: skip
    """Keep a reviewer's scores for a case; a second time they take the place of the first.

    Raises:
        BadScores: if the scores do not fit the sheet or the comment is too long.
        CaseNotFound: if there is no such case.
        CaseNotOver: if it has not ended, or nobody answered in it.
        OwnCase: if the reviewer answered in it.
    """
    total = sheet.total(scores)
    if len(comment) > MAX_COMMENT:
        raise BadScores(f"a comment has at most {MAX_COMMENT} characters")
    _checkable(session, handoff_id, reviewer_id)
    one_at_a_time(session, f"quality:{handoff_id}")
    found = score_by(session, handoff_id, reviewer_id)
    row = found or QualityScore(handoff_id=handoff_id, reviewer_id=reviewer_id)
    row.at, row.scores, row.total, row.comment = now, dict(scores), total, comment.strip()
    session.add(row)
    session.flush()
    return row


def score_by(session: Session, handoff_id: int, reviewer_id: int) -> QualityScore | None:
    """Return what a reviewer gave a case, None if it was not checked by them yet."""
    query = select(QualityScore).where(QualityScore.handoff_id == handoff_id, QualityScore.reviewer_id == reviewer_id)
    return session.scalar(query)


def scores_of(session: Session, handoff_ids: Sequence[int]) -> dict[int, list[QualityScore]]:
    """Return the checks of these cases, by case, the oldest first."""
    query = select(QualityScore).where(QualityScore.handoff_id.in_(handoff_ids)).order_by(QualityScore.id)
    found: dict[int, list[QualityScore]] = {}
    for one in session.scalars(query):
        found.setdefault(one.handoff_id, []).append(one)
    return found


def scores_for(session: Session, agent_id: int, *, limit: int = 100) -> list[QualityScore]:
    """Return the checks of an agent's own work, the newest first."""
    theirs = select(HandoffEvent.handoff_id).where(
        HandoffEvent.agent_id == agent_id, HandoffEvent.kind == "agent_replied"
    )
    query = select(QualityScore).where(QualityScore.handoff_id.in_(theirs)).order_by(QualityScore.at.desc())
    found = list(session.scalars(query))
    whose = answered_by(session, {one.handoff_id for one in found})
    return [one for one in found if whose.get(one.handoff_id) == agent_id][:limit]


def _checkable(session: Session, handoff_id: int, reviewer_id: int) -> None:
    case = session.get(Handoff, handoff_id)
    if case is None:
        raise CaseNotFound(handoff_id)
    if case.ended_at is None or handoff_id not in answered_by(session, [handoff_id]):
        raise CaseNotOver(handoff_id)
    replied = select(HandoffEvent.id).where(
        HandoffEvent.handoff_id == handoff_id, HandoffEvent.kind == "agent_replied",
        HandoffEvent.agent_id == reviewer_id,
    )  # fmt: skip
    if session.scalar(replied.limit(1)) is not None:
        raise OwnCase(handoff_id)


def _shares(sizes: Mapping[int, int], count: int, chance: random.Random) -> dict[int, int]:
    """Return how many cases each agent gives: one each (drawn if there are too many), the rest by what is left."""
    if len(sizes) > count:
        return dict.fromkeys(sorted(chance.sample(sorted(sizes), count)), 1)
    shares = dict.fromkeys(sizes, 1)
    whole = sum(sizes.values())
    for _ in range(min(count, whole) - len(sizes)):
        room = [agent for agent in sizes if shares[agent] < sizes[agent]]
        # Whoever lies furthest below the share that their number of cases asks for gives the next one.
        neediest = max(room, key=lambda agent: (sizes[agent] * count / whole - shares[agent], -agent))
        shares[neediest] += 1
    return shares
