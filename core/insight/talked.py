"""Cases of the desk as figures take them: clocks (`core.handoff.figures`), waits, satisfaction, who had them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from core.agent import Agent
from core.conversation import Conversation
from core.handoff.figures import CaseFigures
from core.handoff.tables import Handoff, HandoffEvent
from core.insight.contacts import CaseOf, Contact
from core.survey import Survey

TAKEN = ("claimed", "taken_over", "reassigned")  # a person has it from the first of these on
COUNTER = "hall"  # at a counter nobody waits in the queue


@dataclass(frozen=True)
class CaseItem:
    """One case; `waited` seconds from the request until somebody took it, None if nobody did, or nobody was to wait."""

    figures: CaseFigures
    talk: str
    channel: str
    topic: str | None
    waited: float | None
    asked: bool
    score: int | None
    agent: str | None  # who answered last

    @property
    def at(self) -> datetime:
        """When it was asked for."""
        return self.figures.requested_at

    @property
    def key(self) -> str:
        """Its number, so that numbers sort as they grow."""
        return f"{self.figures.handoff_id:012d}"

    @property
    def waits(self) -> bool:
        """Whether its customer waited in the queue: for no message that was left, and not at a counter."""
        return not self.figures.left_message and self.figures.reason != COUNTER


def cases_of(session: Session, start: datetime, end: datetime) -> list[CaseOf]:
    """Return all cases requested in some time, by the talk that they belong to now."""
    query = (
        select(
            Handoff.id, func.coalesce(Conversation.joined_to, Conversation.id), Handoff.requested_at, Handoff.reason,
            Survey.score,
        )
        .join(Conversation, Conversation.id == Handoff.conversation_id)
        .outerjoin(Survey, Survey.handoff_id == Handoff.id)
        .where(Handoff.requested_at >= start, Handoff.requested_at < end)
        .order_by(Handoff.id)
    )  # fmt: skip
    return [CaseOf(*row) for row in session.execute(query)]


def case_items(
    session: Session, figures: Sequence[CaseFigures], contacts: Sequence[Contact], start: datetime, end: datetime
) -> list[CaseItem]:  # fmt: skip
    """Return the cases of `figures`, requested from `start` until before `end`; `contacts` say what they are about."""
    asked = select(HandoffEvent.handoff_id).where(
        HandoffEvent.kind == "requested", HandoffEvent.at >= start, HandoffEvent.at < end
    )
    taken = _taken(session, asked)
    about = {case.handoff_id: contact for contact in contacts for case in contact.cases}
    names = {row.id: row.name for row in session.execute(select(Agent.id, Agent.name))}
    query = (
        select(
            Handoff.id, func.coalesce(Conversation.joined_to, Conversation.id), Conversation.channel, Survey.asked_at,
            Survey.score,
        )
        .join(Conversation, Conversation.id == Handoff.conversation_id)
        .outerjoin(Survey, Survey.handoff_id == Handoff.id)
        .where(Handoff.id.in_(asked))
    )  # fmt: skip
    rows: dict[int, tuple[Any, ...]] = {row[0]: tuple(row[1:]) for row in session.execute(query)}
    made = []
    for one in figures:
        talk, channel, asked_at, score = rows[one.handoff_id]
        contact, at = about.get(one.handoff_id), taken.get(one.handoff_id)
        made.append(
            CaseItem(
                figures=one, talk=talk, channel=contact.visit.channel if contact else channel,
                topic=contact.topic if contact else None,
                waited=(at - one.requested_at).total_seconds() if at else None, asked=asked_at is not None,
                score=score, agent=names.get(one.answered_by) if one.answered_by is not None else None,
            )
        )  # fmt: skip
    return made


def _taken(session: Session, asked: Select[int]) -> dict[int, datetime]:
    query = (
        select(HandoffEvent.handoff_id, func.min(HandoffEvent.at))
        .where(HandoffEvent.kind.in_(TAKEN), HandoffEvent.handoff_id.in_(asked))
        .group_by(HandoffEvent.handoff_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}
