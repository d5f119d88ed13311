"""What the bridge answers itself, within the transaction that logs the message: alarm, queue, notes, apology.

None of this waits for Rasa or for an earlier question: a person can be had in one step, and a warning at once.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from api.metrics import Metrics
from api.waiting_room import WaitingRoom
from api.wording import Wording
from core import conversation as log_of
from core import outbox, survey
from core.conversation import Conversation, Draft, LastSaid, Message
from core.fields import Keyring
from core.hall import issue
from core.hall_words import HALL_CODE, HALL_CODE_SHOWN, HallWords
from core.handoff import life
from core.handoff.book import Book
from core.handoff.words import HANDOFF, LEAVE_QUEUE, RATE, SAY
from core.mode import WAITING, WITH_PERSON
from core.safety import Danger, SafetyLine

__all__ = ["HANDOFF", "LEAVE_QUEUE", "SAY", "Reception"]


class Reception:
    """The bridge's own answers and the changes of mode that come with them."""

    def __init__(
        self, *, safety: SafetyLine, wording: Wording, metrics: Metrics, book: Book, hall: HallWords, keyring: Keyring
    ) -> None:
        self._safety, self._wording, self._metrics, self._book = safety, wording, metrics, book
        self._hall, self._keyring = hall, keyring
        self._room = WaitingRoom(wording, metrics, book)

    def danger_in(self, text: str) -> Danger | None:
        """Return the danger that a typed text speaks of."""
        return self._safety.detect(text)

    def raise_alarm(
        self, session: Session, conversation: Conversation, message: Message, danger: Danger | None, *, now: datetime
    ) -> list[Draft]:
        """Warn, ask for an urgent work order, put the conversation at the head of the queue; None: of unknown kind.

        A danger that is not ours (gas, illness) gets its words alone.
        """
        danger = danger or self._safety.general()
        if conversation.mode in WAITING | WITH_PERSON:
            life.customer_said(session, conversation, message, book=self._book, now=now)
        if not danger.order:
            self._metrics.danger.labels(danger.kind).inc()
            return [Draft("system", self._safety.wording(danger, filed=False), "safety")]
        place = self._room.place_of(session, conversation, message, now=now)
        told = conversation.mode != "bot" and conversation.priority == log_of.PRIORITY_DANGER
        outbox.put(session, kind="urgent_order", key=f"{conversation.id}:{message.seq}", now=now, payload={
            "category": danger.category, "kind": danger.kind, "description": message.text,
            "account_no": conversation.accounts[0] if len(conversation.accounts) == 1 else None,
            "conversation_id": conversation.id, "customer_no": conversation.customer_no,
            **({"address": place} if place else {}),
        })  # fmt: skip
        self._room.alarm(session, conversation, message.text, now=now)
        conversation.priority = log_of.PRIORITY_DANGER
        self._metrics.danger.labels(danger.kind).inc()
        human = conversation.mode in WITH_PERSON
        said = self._safety.wording(danger, filed=True, human=human, again=told, place=place)
        return [Draft("system", said, "safety")]

    def warning(self, danger: Danger, *, now: datetime) -> Message:
        """Return the warning when nothing can be written; it does not claim that an order was filed."""
        self._metrics.danger.labels(danger.kind).inc()
        text = self._safety.wording(danger, filed=False)
        return Message(seq=0, at=now, author="system", type="safety", text=text, buttons=[])

    def takes_after_end(
        self, session: Session, conversation: Conversation, payload: str | None, *, now: datetime
    ) -> bool:
        """Tell whether a closed conversation still takes this: the answer to the survey, or a sentence on it."""
        if conversation.mode != "closed":
            return False
        if payload is not None:
            return payload.startswith(RATE)
        last = log_of.last_before(session, conversation.id, conversation.next_seq)
        return self._comment_on(session, conversation, last, now) is not None

    def answer(
        self, session: Session, conversation: Conversation, message: Message, *, last: LastSaid | None, now: datetime
    ) -> list[Draft] | None:
        """Return what the bridge says to this message, [] if a person will answer, or None if it is for Rasa.

        `last`: what was said before it.
        """
        if message.payload is not None and message.payload.startswith(RATE):
            return self._rated(session, conversation, message.payload, now=now)
        if message.payload == HALL_CODE or (message.payload is None and self._hall.asks_for_code(message.text)):
            return [self._hall_code(session, conversation, message, now=now)]
        if conversation.mode in WAITING:
            return self._room.waiting(session, conversation, message, now=now)
        if conversation.mode in WITH_PERSON:
            return self._room.with_person(session, conversation, message, now=now)
        last = last if message.payload is None else None
        if (row := self._comment_on(session, conversation, last, now)) is not None:
            return [survey.comment(session, row, message.text, book=self._book, now=now)]
        return self._room.with_bot(session, conversation, message, last=last, now=now)

    def beside(
        self, session: Session, conversation: Conversation, message: Message, answer: Draft, *, last: LastSaid | None,
        now: datetime,
    ) -> list[Draft]:  # fmt: skip
        """Return the channel's own answer to what nobody can read; a person is told all the same."""
        if conversation.mode in WAITING | WITH_PERSON:
            return [*(self.answer(session, conversation, message, last=last, now=now) or []), answer]
        return [answer]

    def queue(
        self, session: Session, conversation: Conversation, reason: str, *, now: datetime, apart: bool = False
    ) -> list[Draft]:
        """Put a conversation in the queue for a person and say so; in another mode than `bot` nothing changes.

        `apart`: why it goes there was said before.
        """
        return self._room.enter(session, conversation, reason, now=now, apart=apart)

    def still_working(self) -> Draft:
        """Return what is said when a confirmed matter could not be carried out yet."""
        return Draft("system", self._wording.still_working, "notice")

    def apology(self, message: Message) -> Draft:
        """Return what is said when a turn failed: the question can be put again, or to a person."""
        again = message.payload or SAY + message.text
        buttons = ((self._wording.retry, again), (self._wording.handoff, HANDOFF))
        return Draft("system", self._wording.apology, buttons=buttons)

    def _hall_code(self, session: Session, conversation: Conversation, message: Message, *, now: datetime) -> Draft:
        """Return a code for the counter; who has the conversation reads it, and is not waited for."""
        case = life.open_case(session, conversation.id)
        if case is not None:
            life.tell_desk(session, case, "message", now=now, seq=message.seq)
        code = issue(session, conversation.id, keyring=self._keyring, now=now, same=self._hall.same)
        minutes = int((code.expires_at - now).total_seconds() // 60)
        return Draft("system", self._hall.code.format(code=code.grouped, minutes=minutes), HALL_CODE_SHOWN)

    def _rated(self, session: Session, conversation: Conversation, payload: str, *, now: datetime) -> list[Draft]:
        return [survey.rate(session, conversation, payload, book=self._book, now=now)]

    def _comment_on(
        self, session: Session, conversation: Conversation, last: LastSaid | None, now: datetime
    ) -> survey.Survey | None:
        if conversation.mode not in ("bot", "closed"):
            return None
        return survey.wants_comment(session, conversation, last=last, book=self._book, now=now)
