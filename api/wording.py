"""What the bridge itself says to customers, read from `data/wording.yaml`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from core.text import folded


class Wording(BaseModel):
    """The sentences, by what they are for."""

    model_config = ConfigDict(extra="forbid")

    handoff_words: list[str]
    apology: str
    retry: str
    handoff: str
    queued: str
    queued_note: str
    queued_danger_note: str
    leave_queue: str
    left_queue: str
    problems: dict[str, str]

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

    def asks_for_person(self, text: str) -> bool:
        """Tell whether the whole text is one of the plain words for a person; the model understands the others."""
        return folded(text).strip("。.!！?？~，, ") in self._handoff
