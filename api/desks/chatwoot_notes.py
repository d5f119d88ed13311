"""What is written into Chatwoot for its agents, in the words of data/desk/chatwoot.yaml; personal data masked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict

from api.desk.options import DeskOptions
from core.clock import SHANGHAI
from core.conversation import Conversation, Message
from core.handoff.tables import Handoff
from core.redact import Redactor

MOST_LINES, MOST_CHARACTERS = 80, 12_000  # of the talk before the case


class Notes(BaseModel):
    """The sentences, by what they are for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str  # {reason}, {skill}, {priority}
    wish: str
    understood: str
    checked: str
    missing: str
    separator: str
    transcript: str
    earlier: str  # {count}
    authors: dict[str, str]
    line: str  # {time}, {author}, {text}
    told: str
    bot_said: str
    photo_gone: str
    events: dict[str, str]  # {by}: until when the customer was promised an answer
    down: str  # {by}
    down_danger: str
    stalled: str
    attachment: str
    resolved_unanswered: str

    @classmethod
    def load(cls, data_dir: Path) -> Self:
        """Read the file of a data directory.

        Raises:
            pydantic.ValidationError: if a sentence is missing or unknown.
        """
        return cls.model_validate(yaml.safe_load((data_dir / "desk" / "chatwoot.yaml").read_text(encoding="utf-8")))

    def opening(
        self, case: Handoff, talk: Sequence[Message], *, options: DeskOptions, redactor: Redactor
    ) -> str:  # fmt: skip
        """Return the note with which a case begins: why, what is known so far, and what was said before."""
        title = self.title.format(
            reason=options.reasons[case.reason], skill=options.skills[case.skill],
            priority=options.priorities[case.priority],
        )  # fmt: skip
        return "\n".join([title, *self._summary(case, redactor), *self._transcript(talk, redactor)])

    def aside(self, message: Message, redactor: Redactor) -> str:
        """Return a note about something that the customer was told by the bot, or by the system."""
        form = self.bot_said if message.author == "bot" else self.told
        return form.format(text=redactor.text(message.text, staff=()))

    def _summary(self, case: Handoff, redactor: Redactor) -> list[str]:
        given = case.summary
        wish = [given["wish"]] if given.get("wish") else []
        parts = ((self.wish, wish), *((getattr(self, key), given.get(key)) for key in (
            "understood", "checked", "missing",
        )))  # fmt: skip
        return [redactor.text(form.format(items=self.separator.join(items))) for form, items in parts if items]

    def _transcript(self, talk: Sequence[Message], redactor: Redactor) -> list[str]:
        lines: list[str] = []
        for line in self._lines(reversed(talk), redactor):
            if len(lines) == MOST_LINES or sum(map(len, lines)) + len(line) > MOST_CHARACTERS:
                break
            lines.append(line)
        left = len(talk) - len(lines)
        earlier = [self.earlier.format(count=left)] if left else []
        return [self.transcript, *earlier, *reversed(lines)] if talk else []

    def _lines(self, talk: Iterable[Message], redactor: Redactor) -> Iterable[str]:
        for message in talk:
            at = message.at.astimezone(SHANGHAI)
            author = self.authors[message.author]
            staff = None if message.author == "customer" else ()
            yield self.line.format(time=f"{at:%H:%M}", author=author, text=redactor.text(message.text, staff=staff))


def attributes_of(case: Handoff, conversation: Conversation, intent: str) -> dict[str, str | int]:
    """Return what Chatwoot's own rules and reports may go by; nothing in it names a person."""
    return {
        "intent": intent, "reason": case.reason, "skill": case.skill, "priority": case.priority,
        "channel": conversation.channel, "dianfu_conversation": conversation.id,
    }  # fmt: skip
