"""What the bridge itself says to customers, read from `data/wording.yaml`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from core.handoff.words import Words
from core.said_instant import Times
from core.text import folded

_SHORT = 24  # characters; a longer message says something that the person in the queue should read


class UnknownNotice(LookupError):
    """There are no words for this kind of notice, or a value that they need is missing."""


class NoticeButton(BaseModel):
    """A button under a notice: what the dialogue is told is the intent with the order's number and the choice."""

    model_config = ConfigDict(extra="forbid")

    title: str
    intent: str
    choice: str = ""


class NoticeWording(BaseModel):
    """The words of one kind of notice, with `{values}`, and its buttons."""

    model_config = ConfigDict(extra="forbid")

    text: str
    buttons: list[NoticeButton] = []


class Wording(BaseModel):
    """The sentences, by what they are for."""

    model_config = ConfigDict(extra="forbid")

    handoff_words: list[str]
    apology: str
    still_working: str
    retry: str
    handoff: str
    queued_note: str
    queued_danger_note: str
    queued_danger_unplaced: str
    queued_danger_kept: str
    place_words: str
    pin_lone: str
    pin_outage: str
    pin_hall: str
    danger_note_again: str
    leave_words: list[str]
    keep_words: list[str]
    left_queue: str
    photo: str
    problems: dict[str, str]
    times: Times
    because: str
    notices: dict[str, NoticeWording]
    desk: Words

    @classmethod
    def load(cls, path: Path) -> Wording:
        """Read the file.

        Raises:
            pydantic.ValidationError: if a sentence is missing or unknown.
        """
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))

    @cached_property
    def _handoff(self) -> frozenset[str]:
        return frozenset(folded(word) for word in self.handoff_words)

    @cached_property
    def _leaving(self) -> list[re.Pattern[str]]:
        return [re.compile(words) for words in self.leave_words]

    @cached_property
    def _keeping(self) -> list[re.Pattern[str]]:
        return [re.compile(words) for words in self.keep_words]

    @cached_property
    def _place(self) -> re.Pattern[str]:
        return re.compile(self.place_words)

    def asks_for_person(self, text: str) -> bool:
        """Tell whether the whole text is one of the plain words for a person; the model understands the others."""
        return folded(text).strip("。.!！?？~，, ") in self._handoff

    def names_place(self, text: str) -> bool:
        """Tell whether a text names a place: a road, a compound, a building."""
        return self._place.search(text) is not None

    def leaves_queue(self, text: str) -> bool:
        """Tell whether a short text says that its writer will not wait for a person any longer."""
        said = folded(text)
        if len(said) > _SHORT or any(word.search(said) for word in self._keeping):
            return False
        return any(words.search(said) for words in self._leaving)

    def notice(
        self, wording: str, values: Mapping[str, str], *, now: datetime
    ) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Return the text and the buttons (title, payload) of a notice.

        Raises:
            UnknownNotice: if there are no words for it, or a value is missing.
        """
        try:
            words = self.notices[wording]
            shown = {name: self._shown(name, value, now) for name, value in values.items()}
            text = words.text.format(**shown)
            buttons = tuple((button.title, _payload(button, values)) for button in words.buttons)
        except (KeyError, IndexError, ValueError) as error:
            raise UnknownNotice(wording) from error
        if values.get("reason"):
            text += self.because.format(reason=values["reason"])
        return text, buttons

    def instant(self, at: datetime, *, now: datetime) -> str:
        """Return an instant as people say it: 今天18:30, 明天9:00, 11月25日8:00; the end of a day is the day."""
        return self.times.say(at, now=now)

    @field_validator("leave_words", "keep_words")
    @classmethod
    def _patterns_are_sound(cls, words: list[str]) -> list[str]:
        for pattern in words:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern} is no regular expression: {error}") from error
        return words

    @model_validator(mode="after")
    def _payloads_name_orders(self) -> Self:
        for key, words in self.notices.items():
            if words.buttons and "{order_no}" not in words.text:
                raise ValueError(f"{key}: a button needs the number of the order")
        return self

    def _shown(self, name: str, value: str, now: datetime) -> str:
        return self.instant(datetime.fromisoformat(value), now=now) if name.endswith("_at") else value


def _payload(button: NoticeButton, values: Mapping[str, str]) -> str:
    entities = {"work_order_no": values["order_no"]} | ({"choice": button.choice} if button.choice else {})
    return f"/{button.intent}" + json.dumps(entities, ensure_ascii=False)
