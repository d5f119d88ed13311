"""What a contact was about: the first wish in it that some skill knows about, as the bot understood it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from core.handoff.rules import Rules

UNCLEAR, NOT_OURS, PERSON, NONE = "nlu_fallback", "out_of_scope", "request_human", "none"
OTHERS = (UNCLEAR, NOT_OURS, PERSON, NONE)  # topics that are none: nobody comes back for the same of them


@dataclass(frozen=True)
class Topics:
    """The topics: intents by skill (data/desk/rules.yaml)."""

    rules: Rules

    def of(self, wish: str | None, *, unclear: bool, not_ours: bool, person: bool) -> str:
        """Return the topic: of a wish (`a+b`: the first that is one), else the most telling thing that was said."""
        for intent in (wish or "").split("+"):
            if self.skill(intent):
                return intent
        return UNCLEAR if unclear else NOT_OURS if not_ours else PERSON if person else NONE

    def skill(self, topic: str) -> str | None:
        """Return the skill that knows about a topic, None if it is none of ours."""
        return self.rules.skill_of(topic)


@cache
def topics_of(data_dir: Path) -> Topics:
    """Read the topics; raises what reading the rules raises."""
    path = data_dir / "desk" / "rules.yaml"
    return Topics(Rules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))))


def same_matter(topics: Sequence[str]) -> bool:
    """Tell whether these topics are one and the same, and a real one."""
    return len(set(topics)) == 1 and topics[0] not in OTHERS
