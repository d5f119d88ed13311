"""Whether a person is offered or comes after the bot's answer: by rules, and where the bot fails repeatedly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from sqlalchemy.orm import Session

from api.wording import Wording
from core import conversation as log_of
from core.conversation import CONFIRM, Draft, Message
from core.handoff.book import Book
from core.handoff.summary import talk_of
from core.handoff.words import HANDOFF

REQUEST = "/request_human"  # payload of the model's own buttons for a person
Earlier = Callable[[], list[Message]]  # what the customer has said before, lately
NOT_OURS = "out_of_scope"  # rightly not answered, or not understood: nobody knows, so it only makes us offer a person


@dataclass(frozen=True)
class Verdict:
    """What is said, and why a person comes now, None if none does."""

    drafts: list[Draft]
    reason: str | None = None


class Escalation:
    """The rules after a turn."""

    def __init__(self, wording: Wording, book: Book) -> None:
        self._wording, self._book = wording, book

    def judge(
        self, session: Session, message: Message, drafts: list[Draft], handoff: str | None, *, failed: bool,
        now: datetime,
    ) -> Verdict:  # fmt: skip
        """Decide on an answer: `handoff` is what the model asks for, `failed` that there was no answer at all."""
        if handoff:
            return Verdict(drafts, handoff if handoff in self._book.rules.reasons else "asked")

        @cache  # what most answers can be judged without is not even read
        def earlier() -> list[Message]:
            talk = talk_of(session, message.conversation_id, now=now)
            return [row for row in talk if row.author == "customer" and row.seq < message.seq]

        if failed:
            return self._system(session, drafts, earlier())
        if not drafts:
            return Verdict(drafts)
        if (row := self._failures(message, earlier)) is not None:
            return self._offered(drafts) if row == "offer" else Verdict([], "failures")
        return self._by_rule(message, drafts, earlier)

    def _system(self, session: Session, drafts: list[Draft], earlier: list[Message]) -> Verdict:
        """One turn without an answer is apologised for; after the second in a row a person comes."""
        again = bool(earlier) and any(
            row.text == self._wording.apology for row in log_of.replies_to(session, earlier[-1])
        )  # fmt: skip
        return Verdict([], "system_failed") if again else Verdict(drafts)

    def _failures(self, message: Message, earlier: Earlier) -> str | None:
        rules, count = self._book.rules, 1
        if not self._missed(message):
            return None
        for row in reversed(earlier()):
            if not self._missed(row):
                break
            count += 1
        if count >= rules.failures["hand_over"] and rules.failed(message.understood):
            return "hand_over"
        return "offer" if count >= rules.failures["offer"] else None

    def _missed(self, message: Message) -> bool:
        return self._book.rules.failed(message.understood) or _is_not_ours(message)

    def _by_rule(self, message: Message, drafts: list[Draft], earlier: Earlier) -> Verdict:
        understood = message.understood or {}
        intent = str(understood.get("intent", ""))
        rule = self._book.rules.intent_rule(intent)
        if rule is None or understood.get("form"):
            return Verdict(drafts)
        if rule.how == "at_once":
            return Verdict(drafts, rule.reason)
        known = any((row.understood or {}).get("intent") == intent for row in earlier())
        return Verdict(drafts) if known else self._offered(drafts)

    def _offered(self, drafts: list[Draft]) -> Verdict:
        """Add the button for a person under the last answer, where there is none yet and no confirmation is asked."""
        offered = any(payload in (HANDOFF, REQUEST) for draft in drafts for _, payload in draft.buttons)
        if offered or any(draft.type == CONFIRM for draft in drafts):
            return Verdict(drafts)
        last = replace(drafts[-1], buttons=(*drafts[-1].buttons, (self._wording.handoff, HANDOFF)))
        return Verdict([*drafts[:-1], last])


def _is_not_ours(message: Message) -> bool:
    return str((message.understood or {}).get("intent", "")) == NOT_OURS
