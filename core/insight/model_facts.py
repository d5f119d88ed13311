"""What the board of the model is made of, read once, for the days asked for and as many before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, or_, select, tuple_
from sqlalchemy.orm import Session

from core.conversation import Message
from core.handoff.tables import Handoff
from core.insight.kpi import Asked, Sources
from core.insight.model_items import Correction, IntentShare, Learning, Trained, Understood, drift_of, figures_of
from core.insight.spans import Span
from core.insight.visits import first_said
from core.insight.words import Words
from core.learning.settings import learning_settings
from core.learning.tables import LearningItem, ModelVersion

_TURNS, _NO_FORM = ("open", "done"), (None, "", "{}", "[]", "null")
_BATCH = 400


@dataclass(frozen=True)
class ModelFacts:
    """The facts; each property reads its own when it is first asked for."""

    sources: Sources
    asked: Asked
    words: Words

    @cached_property
    def understood(self) -> list[Understood]:
        """Messages that customers typed outside of forms; a span more, as the drift before is of two spans."""
        window, settings = self.asked.window, learning_settings(self.sources.data_dir)
        start = self.asked.span.previous.previous.start
        said, line = Message.understood, settings.collect.low_confidence
        query = (
            select(
                Message.at, Message.conversation_id, Message.seq, Message.channel, said["intent"].as_string(),
                said["confidence"].as_float(), said["failed"].as_boolean(), said["form"].as_string(),
            )
            .where(*_typed(), Message.at >= start, Message.at < window.end)
            .where(said["intent"].as_string().is_not(None))
        )  # fmt: skip
        with self.sources.bridge.reading() as session:
            rows = session.execute(query.execution_options(yield_per=5000))
            found = [
                Understood(at, talk, seq, channel, intent, confidence, bool(failed), line)
                for at, talk, seq, channel, intent, confidence, failed, form in rows if form in _NO_FORM
            ]  # fmt: skip
        found = [one for one in found if self.asked.channel in (None, one.channel)]
        return sorted(found, key=lambda one: (one.at, one.key))

    @cached_property
    def corrections(self) -> list[Correction]:
        """Messages of which an agent said that they meant something else."""
        window = self.asked.window
        with self.sources.bridge.reading() as session:
            found = list(_corrections(session, window.start, window.end))
        return [one for one in found if self.asked.channel in (None, one.channel)]

    @cached_property
    def since(self) -> datetime | None:
        """When a customer first wrote."""
        with self.sources.bridge.reading() as session:
            return first_said(session)

    @cached_property
    def learning(self) -> list[Learning]:
        """Messages that are to be learned from."""
        window = self.asked.window
        query = select(LearningItem).where(LearningItem.at >= window.start, LearningItem.at < window.end)
        with self.sources.bridge.reading() as session:
            return [
                Learning(
                    one.at, one.id, one.conversation_id, one.seq, one.channel, one.state, one.intent, one.label,
                    tuple(one.reasons),
                )
                for one in session.scalars(query.order_by(LearningItem.at, LearningItem.id))
                if self.asked.channel in (None, one.channel)
            ]  # fmt: skip

    @cached_property
    def models(self) -> list[Trained]:
        """All models, whenever they were trained, the oldest first."""
        with self.sources.bridge.reading() as session:
            rows = session.scalars(select(ModelVersion).order_by(ModelVersion.id)).all()
        return [_trained(row, None, None, None) for row in rows]

    @cached_property
    def figures(self) -> list[Trained]:
        """All figures of all models that have some, the oldest model first."""
        with self.sources.bridge.reading() as session:
            rows = session.scalars(select(ModelVersion).order_by(ModelVersion.id)).all()
        return [_trained(row, *one) for row in rows for one in figures_of(row.figures)]

    def drift(self, span: Span) -> list[IntentShare]:
        """Return what each intent adds to the drift since the days before."""
        now, before = (
            Counter(one.intent for one in self.understood if each.holds(one.at)) for each in (span, span.previous)
        )
        return drift_of(now, before, span.start)


def within(name: str) -> Callable[[ModelFacts, Span], Iterator[Any]]:
    """Return the selection of the facts of this name that are of the days asked for."""

    def items(facts: ModelFacts, span: Span) -> Iterator[Any]:
        return (one for one in getattr(facts, name) if span.holds(one.at))

    return items


def until(name: str) -> Callable[[ModelFacts, Span], Iterator[Any]]:
    """Return the selection of the facts of this name until the end of the days asked for."""

    def items(facts: ModelFacts, span: Span) -> Iterator[Any]:
        return (one for one in getattr(facts, name) if one.at < span.end)

    return items


def _typed() -> tuple[ColumnElement[bool], ...]:
    return (
        Message.turn.in_(_TURNS), Message.author == "customer", Message.type == "text", Message.payload.is_(None)
    )  # fmt: skip


def _trained(row: ModelVersion, set_name: str | None, metric: str | None, value: float | None) -> Trained:
    learned = sum(one for one in row.learned.values() if isinstance(one, int) and not isinstance(one, bool))
    at = row.trained_at or row.started_at
    return Trained(at, row.id, row.name, row.state, row.promoted_at, learned, set_name, metric, value)


def _corrections(session: Session, start: datetime, end: datetime) -> Iterator[Correction]:
    """Yield what agents corrected of the messages of some time: a case ends after its messages, however late."""
    query = select(Handoff.id, Handoff.conversation_id, Handoff.corrected).where(
        or_(Handoff.ended_at.is_(None), Handoff.ended_at >= start)
    )
    right: dict[tuple[str, int], str] = {}
    for _, talk, corrected in session.execute(query.order_by(Handoff.id)):
        right.update({(talk, int(seq)): str(intent) for seq, intent in (corrected or {}).items()})
    for some in _pieces(sorted(right)):
        wrote = select(Message).where(tuple_(Message.conversation_id, Message.seq).in_(some))
        for one in session.scalars(wrote.where(Message.at >= start, Message.at < end)):
            meant = right[one.conversation_id, one.seq]
            understood = one.understood or {}
            intent = str(understood.get("intent") or "")
            if intent and intent != meant:
                confidence = understood.get("confidence")
                yield Correction(
                    one.at, one.conversation_id, one.seq, one.channel, intent, meant,
                    float(confidence) if isinstance(confidence, int | float) else None,
                )  # fmt: skip


def _pieces(keys: Sequence[tuple[str, int]]) -> Iterator[Sequence[tuple[str, int]]]:
    for at in range(0, len(keys), _BATCH):
        yield keys[at : at + _BATCH]
