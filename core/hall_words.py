"""What is said about the hall's codes and papers (`data/hall.yaml`)."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

from core.text import folded
from core.work_order.tables import STATES

HALL_CODE = "bridge:hall_code"  # payload of the button and of the item of the menu that ask for a code
HALL_CODE_SHOWN = "hall_code"  # type of the message that holds the code, which no agent reads in the log
_SHORT = 24  # characters; a longer message says something else, too


class HallWords(BaseModel):
    """The sentences, by what they are for, and the words by which a customer asks for a code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    asks: list[str]  # patterns of whole short messages
    button: str
    code: str  # {code}, {minutes}
    same: bool  # who asks again while a code can be used is told that code
    serving: str  # {name}, {staff_no}
    ask_holder: str  # {name}: what a clerk tells who has the conversation
    begins: str  # {title}: what the log shows of a scan
    shows: str
    over: str
    others: str
    unavailable: str
    glimpse: str  # {title}, {tail}, {state}: what somebody may know of another customer's order
    bind: str
    states: dict[str, str]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file.

        Raises:
            pydantic.ValidationError: if a sentence is missing or unknown.
        """
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))

    def asks_for_code(self, text: str) -> bool:
        """Tell whether a whole message asks for a code of the hall."""
        said = folded(text).strip("。.!！?？~，, ")
        return len(said) <= _SHORT and self._asks.fullmatch(said) is not None

    @cached_property
    def _asks(self) -> re.Pattern[str]:
        return re.compile("|".join(f"(?:{pattern})" for pattern in self.asks))

    @field_validator("states")
    @classmethod
    def _states_are_all(cls, states: dict[str, str]) -> dict[str, str]:
        if set(states) != set(STATES):
            raise ValueError(f"states have to be {', '.join(STATES)}")
        return states

    @field_validator("asks")
    @classmethod
    def _patterns_are_sound(cls, asks: list[str]) -> list[str]:
        for pattern in asks:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern} is no regular expression: {error}") from error
        return asks
