"""What customers read when people come and go (`desk` in data/wording.yaml)."""

from __future__ import annotations

import re
from functools import cached_property

from pydantic import BaseModel, ConfigDict

# Payloads of the bridge's own buttons; they never reach Rasa.
HANDOFF, LEAVE_QUEUE, SAY = "bridge:handoff", "bridge:leave_queue", "bridge:say:"
LEAVE_MESSAGE, KEEP_WAITING, END_HUMAN, RATE = (
    "bridge:leave_message", "bridge:keep_waiting", "bridge:end_human", "bridge:rate:",
)  # fmt: skip


class SurveyWords(BaseModel):
    """The question for satisfaction."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ask: str
    scores: dict[int, str]  # 5 … 1
    thanks: str
    thanks_closed: str
    noted: str
    again: str


class SummaryWords(BaseModel):
    """The lines of what was understood so far."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wish: str
    understood: str
    checked: str
    missing: str
    correct: str
    separator: str
    cards: dict[str, str]  # type of a message of the bot -> what was looked up for it


class QueueWords(BaseModel):
    """What is said of the place in the queue; `{place}`, `{wait}`, `{by}` are filled in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    noted: str  # what was said while nobody is there; the standing follows
    queued: str  # the first line: this is a person's queue
    anger: str
    failures: str
    system_failed: str
    first: str
    place: str
    soon: str
    minutes: str
    long: str
    unknown: str
    nobody: str
    closed: str
    uncertain: str
    hotline: str
    still: str
    still_nobody: str
    leave: str
    leave_message: str
    keep_waiting: str
    kept: str
    turned_message: str
    message_ask: str
    message_known: str
    message_taken: str


class Words(BaseModel):
    """The sentences, by what they are for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    queue: QueueWords
    summary: SummaryWords
    survey: SurveyWords
    serving: str  # {name}, {staff_no}
    serving_outside: str  # {name}
    end_human: str
    vanished: str
    vanished_nobody: str  # … and nobody else is there; the standing follows
    transferred: str  # {skill}
    transferred_to: str  # {name}
    skills: dict[str, str]
    silent: str
    silent_end: str
    ended_by_customer: str
    handed_back: str
    closed: str
    agent_late: str
    offer_person: str
    thanks: list[str]  # patterns of whole short messages that only end a talk

    def only_thanks(self, said: str) -> bool:
        """Tell whether a text (folded, without punctuation around it) says thanks or goodbye and nothing else."""
        return self._thanks.fullmatch(re.sub(r"[,，。.!！~、]", "", said)) is not None

    @cached_property
    def _thanks(self) -> re.Pattern[str]:
        return re.compile("|".join(f"(?:{pattern})" for pattern in self.thanks))
