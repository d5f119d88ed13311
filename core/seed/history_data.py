"""What the history of the demonstration is made of: the files talks*.yaml, the training messages, the desk's book."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Annotated, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field

from core.business import BusinessTable
from core.clock import SHANGHAI
from core.handoff.book import Book
from core.promise import Commitments
from core.quality import Sheet
from core.safety import SafetyLine
from core.seed.history_news import News, NewsShare
from core.seed.region import DemoDataError, read

FALLBACK = "nlu_fallback"
_TRIES = 40
Share = Annotated[float, Field(ge=0, le=1)]
Lines = tuple[str, ...]
Item = TypeVar("Item")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Theme(_Strict):
    """One thing that customers ask and the bot does not understand; see talks.yaml."""

    key: str
    intent: str | None
    heard: Annotated[Lines, Field(min_length=1)]
    category: str
    messages: Annotated[Lines, Field(min_length=10)]


class _Talks(_Strict):
    themes: tuple[Theme, ...]


class CustomerLines(_Strict):
    """What customers say beside their questions."""

    ask_person: Lines
    thanks: Lines
    angry: Lines
    rephrase: Lines
    again: Lines
    more: Lines
    waiting: Lines
    message: Lines


class Complaint(_Strict):
    """What an order about a complaint says."""

    category: str
    text: str


class Words(_Strict):
    """The whole of talks_words.yaml."""

    answers: dict[str, Lines]
    known: dict[str, Lines]
    month: str
    fallback: Lines
    suspected: str
    filed: str
    left_queue: str
    customer: CustomerLines
    agent: dict[str, Lines]
    done: Lines
    open: Lines
    promised: Lines
    comments: dict[int, Lines]
    reviews: Lines
    complaints: tuple[Complaint, ...]


class _Yesterday(_Strict):
    themes: Lines
    share: Share


class _Span(_Strict):
    understood: Share
    misunderstood: Share


class _Person(_Strict):
    first: _Span
    last: _Span
    bad_week: Share
    yesterday: Share


class _Leaving(_Strict):
    normal: Share
    bad_week: Share
    storm: Share


class _Wait(_Strict):
    median: int
    bad_week: int
    storm: int
    yesterday: int


class _Scores(_Strict):
    normal: tuple[int, int, int, int, int]
    bad_week: tuple[int, int, int, int, int]
    yesterday: tuple[int, int, int, int, int]


class _Every(_Strict):
    every: int
    at: int


class _Storm(_Every):
    outages: int
    reports: tuple[int, int]


class _Weather(_Every):
    more: float
    topics: Lines


class _Outages(_Strict):
    most: int
    reports: tuple[int, int]


class _Orders(_Strict):
    kinds: Lines
    share: Share


class Days(_Strict):
    """The whole of talks_days.yaml, whose comments say what each figure is."""

    days: Annotated[int, Field(ge=14)]
    per_day: dict[str, int]
    full_region: int
    least: int
    hours: Annotated[tuple[int, ...], Field(min_length=24, max_length=24)]
    channels: dict[str, int]
    known: Share
    repeat: Share
    topics: dict[str, dict[str, int]]
    misunderstood: Share
    themes: dict[str, int]
    yesterday: _Yesterday
    danger: Share
    person: _Person
    left_queue: _Leaving
    wait_seconds: _Wait
    scores: _Scores
    answered_survey: Share
    reviewed: Share
    storm: _Storm
    weather: _Weather
    bad: _Every
    outages: _Outages
    news: NewsShare
    orders: dict[str, _Orders]
    kept: Share


@dataclass(frozen=True)
class Material:
    """All that a conversation of the past is put together from."""

    themes: Mapping[str, Theme]
    words: Words
    days: Days
    examples: Mapping[str, Sequence[str]]  # intent -> training messages
    book: Book
    businesses: BusinessTable
    commitments: Commitments
    sheet: Sheet
    safety: SafetyLine
    news: News

    @classmethod
    def load(cls, data_dir: Path) -> Self:
        """Read the files of a data directory.

        Raises:
            DemoDataError: if a file is malformed, or names an intent, a category or a kind that there is not.
        """
        demo, book = data_dir / "demo", Book.load(data_dir)
        themes = {one.key: one for one in read(demo / "talks.yaml", _Talks).themes}
        made = cls(
            themes, read(demo / "talks_words.yaml", Words), read(demo / "talks_days.yaml", Days),
            training_messages(data_dir / "nlu"), book, BusinessTable.load(data_dir / "business"),
            Commitments.load(data_dir / "promises.yaml"), Sheet.load(data_dir / "desk" / "quality.yaml"),
            SafetyLine.load(data_dir / "safety.yaml"), News.load(data_dir / "wording.yaml"),
        )  # fmt: skip
        made.check()
        return made

    def check(self) -> None:
        """Raise DemoDataError if one file names what another one lacks."""
        intents = {name for theme in self.themes.values() for name in (*theme.heard, theme.intent) if name}
        intents |= {name for topics in self.days.topics.values() for name in topics} | set(self.words.answers)
        wanted = {
            "intent": intents - set(self.book.labels),
            "answer": (intents - {FALLBACK}) - set(self.words.answers),
            "agent": {one.category for one in self.themes.values()} - set(self.words.agent),
            "theme": (set(self.days.themes) | set(self.days.yesterday.themes)) ^ set(self.themes),
            "kind": {kind for one in self.days.orders.values() for kind in one.kinds if kind not in self.businesses},
        }
        for what, missing in wanted.items():
            if missing:
                raise DemoDataError("talks.yaml", what, f"missing or unknown: {', '.join(sorted(missing))}")

    def is_danger(self, text: str) -> bool:
        """Tell whether the safety line would raise an alarm at this."""
        danger = self.safety.detect(text)
        return danger is not None and danger.order

    def question(self, rng: Random, intent: str) -> str:
        """Draw a training message of an intent that would reach the model: neither an alarm nor an insult."""
        for _ in range(_TRIES):
            text = rng.choice(self.examples[intent])
            if len(text) > 1 and not self.is_danger(text) and not self.book.rules.is_angry(text):
                return text
        raise DemoDataError("talks_days.yaml", intent, "no training message of this intent can be used")

    @cached_property
    def dangers(self) -> tuple[str, ...]:
        """The training messages in which the safety line sees a danger."""
        return tuple(text for text in self.examples.get("report_danger", ()) if self.is_danger(text))


def training_messages(directory: Path) -> dict[str, list[str]]:
    """Return the messages of the training data by their single intent."""
    found: dict[str, list[str]] = {}
    for path in sorted(directory.glob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for entry in content.get("nlu", ()):
            if "intent" in entry and "+" not in entry["intent"]:
                lines = (line.removeprefix("- ").strip() for line in entry["examples"].splitlines())
                found.setdefault(entry["intent"], []).extend(line for line in lines if line)
    return found


def weighted(rng: Random, weights: Mapping[Item, float]) -> Item:
    """Draw one of the keys by its weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


def at(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Return an instant of a day in Shanghai."""
    return datetime.combine(day, time(hour, minute, second), SHANGHAI)
