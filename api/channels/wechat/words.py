"""What the WeChat channel itself says, read from `data/wechat/wording.yaml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, field_validator


class WelcomeButton(BaseModel):
    """One of the main things to do, and what the dialogue is told when it is chosen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    payload: str

    @field_validator("payload")
    @classmethod
    def _names_an_intent(cls, payload: str) -> str:
        if not payload.startswith("/"):
            raise ValueError(f"{payload} is no intent")
        return payload


class Words(BaseModel):
    """The sentences, and the forms in which cards are written as lines."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    welcome: str
    welcome_hint: str
    welcome_buttons: list[WelcomeButton]
    open_large: str
    busy: str
    voice: str
    video: str
    link: str
    unknown: str
    too_long: str
    photo_lost: str
    photo_type: str
    photo_too_large: str
    photo_too_many: str
    menu_gone: str
    said_by_voice: str
    said_by_video: str
    said_link: str
    said_unknown: str
    place: str
    agent: str
    person: str
    numbers: str
    choice: str
    choose: str
    say_one: str
    links: str
    tap_one: str
    more: str
    more_photo: str
    title: str
    row: str
    cell: str
    cell_unit: str
    nothing: str
    yuan: str
    cells: str
    bill_line: str
    bill_how: str
    bill_how_money: str
    month: str
    point: str
    point_before: str
    balance_bill: str
    payment: str
    account: str
    rest: str
    unit_words: re.Pattern[str]
    ways_out: frozenset[str]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file.

        Raises:
            pydantic.ValidationError: if a sentence is missing or unknown.
        """
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))

    def offers_numbers(self, titles: list[str]) -> bool:
        """Tell whether buttons may be chosen by their numbers; not if all of them only lead out of a question."""
        return any(title not in self.ways_out for title in titles)
