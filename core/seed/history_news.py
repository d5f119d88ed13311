"""How news of an outage of the past is worded, and how many heard of it late or never."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict

from core.said_instant import Times


class NewsShare(BaseModel):
    """How many hear of it late, and how many never (`news` in talks_days.yaml), and by how many minutes late."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    never: float
    late: float
    minutes: tuple[int, int]


@dataclass(frozen=True)
class News:
    """The words of notices (data/wording.yaml), as the bridge words them when it delivers one."""

    texts: Mapping[str, str]
    times: Times

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file; raises what reading it raises."""
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        texts = {key: one["text"] for key, one in found["notices"].items()}
        return cls(texts, Times.model_validate(found["times"]))

    def text(self, wording: str, values: Mapping[str, str], *, now: datetime) -> str:
        """Return what is said at some time."""
        shown = {
            name: self.times.say(datetime.fromisoformat(value), now=now) if name.endswith("_at") else value
            for name, value in values.items()
        }
        return self.texts[wording].format(**shown)
