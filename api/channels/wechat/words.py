"""What the WeChat channel itself says, read from `data/wechat/wording.yaml`."""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

from core.channel.numbered import Numbering
from core.text import PUNCTUATION, clean


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
    bind_again: str  # for who had bound an account and has left since
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
    rest_payments: str
    unit_words: re.Pattern[str]
    ways_out: frozenset[str]
    asks: re.Pattern[str]
    picks: re.Pattern[str]
    digits: str
    choice_gone: str

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file.

        Raises:
            pydantic.ValidationError: if a sentence is missing or unknown.
        """
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))

    @cached_property
    def rests(self) -> tuple[str, ...]:
        """Return how the lines begin that say how many more there are."""
        return tuple(one.partition("{")[0] for one in (self.rest, self.rest_payments))

    @cached_property
    def numbering(self) -> Numbering:
        """Which choices may be chosen by their numbers."""
        return Numbering(self.ways_out, self.asks)

    def number_in(self, text: str) -> int | None:
        """Return the number from 1 to 9 if a text chooses one and says nothing else."""
        said = unicodedata.normalize("NFKC", clean(text)).strip(PUNCTUATION)
        found = self.picks.fullmatch(said)
        if found is None:
            return None
        (digit,) = filter(None, found.groups())
        return int(digit) if digit.isascii() else self.digits.index(digit) + 1
