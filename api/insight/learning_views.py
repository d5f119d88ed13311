"""What the console sees of learning: groups with their harm, messages, answers; names in Chinese, nobody's data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.desk.options import DeskOptions
from core.insight.service_tables import CONSOLE
from core.learning.review import MOST
from core.learning.settings import LearningSettings
from core.learning.tables import LearnedFaq, LearningGroup, LearningItem

Id = Annotated[int, Field(gt=0, strict=True)]
Words = Annotated[str, Field(min_length=1, max_length=200)]


class Named(BaseModel):
    """A key with its Chinese name, and how much or how many."""

    key: str
    name: str
    value: float


class GroupView(BaseModel):
    """One group; `harm` is the sum of its `parts`."""

    id: int
    name: str
    size: int
    harm: float
    parts: list[Named]
    example: str
    reasons: list[Named]
    intents: list[Named]
    made_at: datetime


class GroupPage(BaseModel):
    """Groups, what does most harm first; `next` is the `after` of the next page."""

    groups: list[GroupView]
    next: str | None
    total: int


class Reviewed(BaseModel):
    """Who did it, and when."""

    id: int
    name: str
    at: datetime


class ItemView(BaseModel):
    """One message; `refused_text`: why the last export held it back; `link` opens its conversation in the desk."""

    id: int
    group_id: int | None
    text: str
    at: datetime
    channel: str
    understood: str | None
    understood_text: str
    confidence: float | None
    reasons: list[Named]
    harm: float
    parts: list[Named]
    suggested: str | None
    suggested_text: str
    state: str
    state_text: str
    label: str | None
    label_text: str
    faq_id: int | None
    reviewed: Reviewed | None
    exported_at: datetime | None
    refused_text: str
    link: str


class ItemPage(BaseModel):
    """A group with its messages, the newest first; `next` is the `after` of the next page."""

    group: GroupView
    items: list[ItemView]
    next: int | None


class FaqView(BaseModel):
    """An answer that a reviewer wrote; an edit has to name the `version` that it was made from.

    `refused_text`: why the last export held it back.
    """

    id: int
    key: str
    question: str
    also: list[str]
    answer: str
    region: str
    source: str
    month: str
    status: str
    state: str
    state_text: str
    version: int
    author: str
    edited_by: str
    at: datetime
    refused_text: str


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Picked(_Strict):
    """Messages by their ids, or all open ones of a group."""

    ids: Annotated[list[Id], Field(max_length=MOST)] = []
    group_id: Id | None = None


class LabelBody(Picked):
    """What they meant."""

    intent: Annotated[str, Field(max_length=80)]


class FaqBody(_Strict):
    """An answer as it is written; `items` are the messages that it answers."""

    key: Annotated[str, Field(max_length=40)]
    question: Words
    also: Annotated[list[Words], Field(max_length=10)]
    answer: Annotated[str, Field(max_length=1000)]
    region: Annotated[str, Field(max_length=10)]
    source: Words
    month: Annotated[str, Field(max_length=7)]
    status: Annotated[str, Field(max_length=10)]


class NewFaq(FaqBody):
    """A new answer, and for which messages it was written."""

    items: Annotated[list[Id], Field(max_length=MOST)] = []


class FaqChange(_Strict):
    """Another text, another state, or both."""

    version: Id
    text: FaqBody | None = None
    state: Annotated[str, Field(max_length=10)] | None = None


@dataclass(frozen=True)
class Namer:
    """Gives everything its Chinese name."""

    settings: LearningSettings
    options: DeskOptions
    agents: Mapping[int, str]
    refused: Mapping[int, str] = field(default_factory=dict)  # item id -> why the last export held it back
    refused_answers: Mapping[int, str] = field(default_factory=dict)  # the same of answers

    def group(self, row: LearningGroup, items: Sequence[LearningItem]) -> GroupView:
        """Return a group with what its open messages say of it."""
        reasons = Counter(reason for item in items for reason in item.reasons)
        intents = Counter(item.intent or "" for item in items)
        return GroupView(
            id=row.id, name=row.name, size=row.size, harm=row.harm, parts=self._parts(row.parts), example=row.example,
            reasons=[named(key, self.settings.labels.reasons, count) for key, count in sorted(reasons.items())],
            intents=[
                Named(key=key, name=self.options.intent(key), value=count) for key, count in intents.most_common(5)
            ],
            made_at=row.made_at,
        )  # fmt: skip

    def item(self, row: LearningItem) -> ItemView:
        """Return a message."""
        return ItemView(
            id=row.id, group_id=row.group_id, text=row.text, at=row.at, channel=row.channel, understood=row.intent,
            understood_text=self.options.intent(row.intent), confidence=row.confidence,
            reasons=[named(key, self.settings.labels.reasons, 1) for key in row.reasons], harm=row.harm,
            parts=self._parts(row.parts), suggested=row.suggested, suggested_text=self.options.intent(row.suggested),
            state=row.state, state_text=self.settings.labels.states[row.state], label=row.label,
            label_text=self.options.intent(row.label), faq_id=row.faq_id, reviewed=self._reviewed(row),
            exported_at=row.exported_at, refused_text=self._why(self.refused.get(row.id, "")),
            link=f"{CONSOLE}{row.conversation_id}",
        )  # fmt: skip

    def faq(self, row: LearnedFaq) -> FaqView:
        """Return an answer."""
        return FaqView(
            id=row.id, key=row.key, question=row.question, also=list(row.also), answer=row.answer, region=row.region,
            source=row.source, month=row.month, status=row.status, state=row.state,
            state_text=self.settings.faq.states[row.state], version=row.version, author=self.who(row.author_id),
            edited_by=self.who(row.edited_by), at=row.at,
            refused_text=self._why(self.refused_answers.get(row.id, "")),
        )  # fmt: skip

    def who(self, agent_id: int | None) -> str:
        """Return the name of an agent, nothing if there is none."""
        return self.agents.get(agent_id or 0, "")

    def _why(self, why: str) -> str:
        return self.settings.labels.refused.get(why, why)

    def _reviewed(self, row: LearningItem) -> Reviewed | None:
        if row.reviewed_by is None or row.reviewed_at is None:
            return None
        return Reviewed(id=row.reviewed_by, name=self.who(row.reviewed_by), at=row.reviewed_at)

    def _parts(self, parts: Mapping[str, float]) -> list[Named]:
        ordered = sorted(parts.items(), key=lambda one: (-one[1], one[0]))
        return [named(key, self.settings.labels.harm, value) for key, value in ordered]


def named(key: str, names: Mapping[str, str], value: float) -> Named:
    """Return a key with its name, and how much."""
    return Named(key=key, name=names.get(key, key), value=value)
