"""What the bridge answers itself, within the transaction that logs the message: alarm, queue, notes, apology.

None of this waits for Rasa or for an earlier question: a person can be had in one step, and a warning at once.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from api.metrics import Metrics
from api.wording import Wording
from core import conversation as log_of
from core import outbox
from core.conversation import Conversation, Draft, Message
from core.safety import Danger, SafetyLine

# Payloads of the bridge's own buttons; they never reach Rasa.
HANDOFF, LEAVE_QUEUE, SAY = "bridge:handoff", "bridge:leave_queue", "bridge:say:"


class Reception:
    """The bridge's own answers and the changes of mode that come with them."""

    def __init__(self, *, safety: SafetyLine, wording: Wording, metrics: Metrics) -> None:
        self._safety, self._wording, self._metrics = safety, wording, metrics

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
        if not danger.order:
            self._metrics.danger.labels(danger.kind).inc()
            return [Draft("system", self._safety.wording(danger, filed=False), "safety")]
        told = conversation.mode != "bot" and conversation.priority == log_of.PRIORITY_DANGER
        outbox.put(session, kind="urgent_order", key=f"{conversation.id}:{message.seq}", now=now, payload={
            "category": danger.category, "kind": danger.kind, "description": message.text,
            "account_no": conversation.accounts[0] if len(conversation.accounts) == 1 else None,
            "conversation_id": conversation.id, "customer_no": conversation.customer_no,
        })  # fmt: skip
        if conversation.mode in ("bot", "closed"):
            log_of.change_mode(conversation, "alarm", now=now, reason="danger")
        conversation.priority = log_of.PRIORITY_DANGER
        self._metrics.danger.labels(danger.kind).inc()
        human = conversation.mode == "human"
        return [Draft("system", self._safety.wording(danger, filed=True, human=human, again=told), "safety")]

    def warning(self, danger: Danger, *, now: datetime) -> Message:
        """Return the warning when nothing can be written; it does not claim that an order was filed."""
        self._metrics.danger.labels(danger.kind).inc()
        text = self._safety.wording(danger, filed=False)
        return Message(seq=0, at=now, author="system", type="safety", text=text, buttons=[])

    def answer(
        self, session: Session, conversation: Conversation, message: Message, *, now: datetime
    ) -> list[Draft] | None:
        """Return what the bridge says to this message, [] if a person will answer, or None if it is for Rasa."""
        if self._leaves(conversation, message):
            if conversation.mode == "queued":
                log_of.change_mode(conversation, "leave_queue", now=now)
            return [Draft("system", self._wording.left_queue)]
        if conversation.mode != "bot":
            return self._note(session, conversation, message, now)
        if message.payload == HANDOFF or (message.payload is None and self._wording.asks_for_person(message.text)):
            return self.queue(conversation, "asked", now=now)
        return None

    def queue(self, conversation: Conversation, reason: str, *, now: datetime) -> list[Draft]:
        """Put a conversation in the queue for a person and say so; in another mode than `bot` nothing changes."""
        if conversation.mode != "bot":
            return []
        log_of.change_mode(conversation, "ask_person", now=now, reason=reason)
        self._metrics.handoffs.labels(reason).inc()
        return [Draft("system", self._wording.queued, "notice", buttons=((self._wording.leave_queue, LEAVE_QUEUE),))]

    def still_working(self) -> Draft:
        """Return what is said when a confirmed matter could not be carried out yet."""
        return Draft("system", self._wording.still_working, "notice")

    def apology(self, message: Message) -> Draft:
        """Return what is said when a turn failed: the question can be put again, or to a person."""
        again = message.payload or SAY + message.text
        buttons = ((self._wording.retry, again), (self._wording.handoff, HANDOFF))
        return Draft("system", self._wording.apology, buttons=buttons)

    def _leaves(self, conversation: Conversation, message: Message) -> bool:
        """Tell whether the message leaves the queue: by its button, or in words where no danger waits."""
        if message.payload is not None:
            return message.payload == LEAVE_QUEUE and conversation.mode in ("queued", "bot")
        waits = conversation.mode == "queued" and conversation.priority != log_of.PRIORITY_DANGER
        return waits and self._wording.leaves_queue(message.text)

    def _note(self, session: Session, conversation: Conversation, message: Message, now: datetime) -> list[Draft]:
        if conversation.mode != "queued":
            return []
        if conversation.priority == log_of.PRIORITY_DANGER:
            return [Draft("system", self._danger_note(session, conversation, message, now), "notice")]
        leave = ((self._wording.leave_queue, LEAVE_QUEUE),)
        return [Draft("system", self._wording.queued_note, "notice", buttons=leave)]

    def _danger_note(self, session: Session, conversation: Conversation, message: Message, now: datetime) -> str:
        """Ask for what was typed (where it is, most likely) to be added to the urgent order; return what is said."""
        first = not outbox.asked_since(
            session, kind="order_note", prefix=f"{conversation.id}:", since=conversation.mode_since
        )
        if message.payload is None:
            outbox.put(session, kind="order_note", key=f"{conversation.id}:{message.seq}", now=now, payload={
                "conversation_id": conversation.id, "text": message.text,
            })  # fmt: skip
        return self._wording.queued_danger_note if first else self._wording.danger_note_again
