"""What customers are told on their way to a person and while one has the conversation, and what they may do there."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.metrics import Metrics
from api.wording import Wording
from core import conversation as log_of
from core import outbox
from core.conversation import CLOSING, Button, Conversation, Draft, LastSaid, Message
from core.handoff import life, speech
from core.handoff.book import Book
from core.handoff.queue import view_of
from core.handoff.summary import danger_first, intents_of, summary_of, talk_of
from core.handoff.tables import Handoff
from core.handoff.words import END_HUMAN, HANDOFF, KEEP_WAITING, LEAVE_MESSAGE, LEAVE_QUEUE
from core.pinned import LOCATION, pinned
from core.text import folded
from core.working_time import Due

UPLOADED = '/inform{"upload"'  # how the payload of a photo begins
MAX_ADDRESS = 200
MESSAGE_WANTED = "message_wanted"  # type of the line after which the next words are a message for the agents


class WaitingRoom:
    """Between the bot and a person."""

    def __init__(self, wording: Wording, metrics: Metrics, book: Book) -> None:
        self._wording, self._metrics, self._book = wording, metrics, book

    def enter(
        self, session: Session, conversation: Conversation, reason: str, *, now: datetime, apart: bool = False
    ) -> list[Draft]:
        """Queue the conversation; return the one message that says how it stands, [] if the bot does not have it."""
        if conversation.mode != "bot":
            return []
        talk = talk_of(session, conversation.id, now=now)
        summary = summary_of(talk, book=self._book)
        life.request(
            session, conversation.id, reason=reason, book=self._book, now=now, summary=summary,
            intents=intents_of(talk, book=self._book),
        )  # fmt: skip
        self._metrics.handoffs.labels(reason).inc()
        view = view_of(session, conversation.id, book=self._book, now=now)
        assert view is not None  # it has just been queued, under the lock
        return [speech.queued(view, reason=reason, summary=summary, book=self._book, now=now, apart=apart)]

    def alarm(self, session: Session, conversation: Conversation, said: str, *, now: datetime) -> None:
        """Put a danger at the head of the queue, or warn who has the conversation."""
        known = life.open_case(session, conversation.id)
        if conversation.mode not in ("bot", "closed") and known is None:
            return
        before = known.id if known is not None and known.reason == "danger" else None
        summary = summary_of(talk_of(session, conversation.id, now=now), book=self._book)
        case = life.request(session, conversation.id, reason="danger", book=self._book, now=now, summary=summary)
        if case.id != before:  # the first danger stands at the beginning, whatever follows
            case.summary = danger_first({**summary, **case.summary}, said, book=self._book)

    def waiting(self, session: Session, conversation: Conversation, message: Message, *, now: datetime) -> list[Draft]:
        """Answer somebody in the queue: he may leave it, leave a message, ask how it stands; all else is noted."""
        payload, asks = message.payload, message.payload in (HANDOFF, KEEP_WAITING)
        danger = conversation.priority == log_of.PRIORITY_DANGER
        in_words = payload is None and not danger and self._wording.leaves_queue(message.text)
        if payload == LEAVE_QUEUE or in_words:
            life.leave_queue(session, conversation.id, book=self._book, now=now)
            return [Draft("system", self._wording.left_queue)]
        if payload == LEAVE_MESSAGE and life.open_case(session, conversation.id) is not None:
            return [self._leave_message(session, conversation, message, now=now)]
        life.customer_said(session, conversation, message, book=self._book, now=now)
        if danger:
            return [Draft("system", self._danger_note(session, conversation, message, now), "notice")]
        if asks or (payload is None and self._wording.asks_for_person(message.text)):
            return [self._standing(session, conversation, kept=payload == KEEP_WAITING, now=now)]
        return [self._noted(session, conversation, now=now)]

    def with_person(
        self, session: Session, conversation: Conversation, message: Message, *, now: datetime
    ) -> list[Draft] | None:
        """Pass on what is said to a person: no answer of ours, but to the button that ends it; None: a form's turn."""
        case = life.open_case(session, conversation.id)
        if message.payload == END_HUMAN and case is not None:  # pressed again, it does not begin the talk anew
            life.end_by_customer(session, conversation, case, book=self._book, now=now)
            return [Draft("system", self._book.words.ended_by_customer, "notice", delivered_as=CLOSING)]
        closing = self._only_thanks(message)
        life.customer_said(session, conversation, message, book=self._book, now=now, closing=closing)
        return None if _is_for_form(session, conversation, message) else []

    def with_bot(
        self, session: Session, conversation: Conversation, message: Message, *, last: LastSaid | None, now: datetime
    ) -> list[Draft] | None:
        """Answer what concerns people although the bot has the conversation; None if it is for Rasa.

        `last`: what was said before a typed message.
        """
        payload, words = message.payload, self._book.words
        if payload == LEAVE_QUEUE:
            return [Draft("system", self._wording.left_queue)]
        if payload == END_HUMAN:
            return [Draft("system", words.handed_back, "notice")]
        if payload == LEAVE_MESSAGE:
            return self._late_message(session, conversation, message, now=now)
        wanted = payload is None and self._wants_message(last, now)
        asks = payload is None and self._wording.asks_for_person(message.text)
        if payload in (HANDOFF, KEEP_WAITING) or asks:
            return self.enter(session, conversation, "asked", now=now)
        if wanted and (case := life.open_case(session, conversation.id)) is not None and case.left_message:
            life.customer_said(session, conversation, message, book=self._book, now=now)
            return [Draft("system", words.queue.message_taken.format(by=self._by(case, now)), "notice")]
        angry = payload is None and self._book.rules.is_angry(message.text)
        if angry and not log_of.confirms(session, message):
            return self.enter(session, conversation, "anger", now=now)
        if message.type == LOCATION and not _form_asks(session, conversation, message):
            return [self._lone_pin(message)]
        return None

    def _lone_pin(self, message: Message) -> Draft:
        """Ask what a point on the map is sent for."""
        words, place = self._wording, json.dumps({"address": message.text}, ensure_ascii=False)
        buttons = ((words.pin_outage, f"/report_outage{place}"), (words.pin_hall, f"/find_service_hall{place}"))
        return Draft("system", words.pin_lone.format(place=message.text), buttons=buttons)

    def _leave_message(self, session: Session, conversation: Conversation, message: Message, *, now: datetime) -> Draft:
        case = life.leave_message(session, conversation.id, book=self._book, now=now)
        words, by = self._book.words.queue, self._by(case, now)
        if _has_said(session, case, message):
            return Draft("system", words.message_known.format(by=by), "notice")
        return Draft("system", words.message_ask.format(by=by), MESSAGE_WANTED)

    def _late_message(
        self, session: Session, conversation: Conversation, message: Message, *, now: datetime
    ) -> list[Draft]:
        """The button was pressed after the queue had ended."""
        case = life.open_case(session, conversation.id)
        if case is None:
            life.request(session, conversation.id, reason="message", book=self._book, now=now)
            return [self._leave_message(session, conversation, message, now=now)]
        return [Draft("system", self._book.words.queue.message_ask.format(by=self._by(case, now)), MESSAGE_WANTED)]

    def _standing(self, session: Session, conversation: Conversation, *, kept: bool, now: datetime) -> Draft:
        view = view_of(session, conversation.id, book=self._book, now=now)
        if view is None:
            return Draft("system", self._wording.queued_note, "notice", buttons=speech.buttons(self._book))
        words = self._book.words.queue
        text = (words.kept if kept else "") + speech.standing(view, book=self._book, now=now)
        return Draft("system", text + words.hotline, "notice", buttons=speech.buttons(self._book))

    def _noted(self, session: Session, conversation: Conversation, *, now: datetime) -> Draft:
        """Say that the words are kept; with nobody on duty also that, and until when somebody answers, now and then."""
        view, words = view_of(session, conversation.id, book=self._book, now=now), self._book.words.queue
        text, since = self._wording.queued_note, now - self._book.limits.minutes("nobody")
        if view is not None and not view.on_duty and not _was_said(session, conversation, words.noted, since=since):
            text = words.noted + speech.standing(view, book=self._book, now=now) + words.hotline
        return Draft("system", text, "notice", buttons=speech.buttons(self._book))

    def place_of(self, session: Session, conversation: Conversation, message: Message, *, now: datetime) -> str | None:
        """Return the point on the map that a danger is at: one sent shortly before, unless the words name a place."""
        if self._wording.names_place(message.text):
            return None
        return pinned(session, conversation.id, now=now, until=message.seq)

    def _danger_note(self, session: Session, conversation: Conversation, message: Message, now: datetime) -> str:
        """Ask for what was said to be added to the urgent order; say what became of it, and what the order lacks."""
        words, prefix, since = self._wording, f"{conversation.id}:", conversation.mode_since
        kinds = ("urgent_order", "order_note")
        before = outbox.asked_with(session, kinds=kinds, prefix=prefix, since=since)
        placed, noted = any(self._has_place(one) for one in before), any("text" in one for one in before)
        if message.payload is not None:
            return words.queued_danger_kept
        place = message.text if message.type == LOCATION or words.names_place(message.text) else None
        payload = {"conversation_id": conversation.id, "text": message.text}
        if place:
            payload["address"] = place[:MAX_ADDRESS]
        outbox.put(session, kind="order_note", key=f"{conversation.id}:{message.seq}", now=now, payload=payload)
        if placed and (noted or not place):
            return words.danger_note_again
        return words.queued_danger_note if place else words.queued_danger_unplaced

    def _has_place(self, payload: dict[str, Any]) -> bool:
        return bool(payload.get("address")) or self._wording.names_place(str(payload.get("description") or ""))

    def _wants_message(self, last: LastSaid | None, now: datetime) -> bool:
        """Tell whether the last thing said was the invitation to write a message to the agents."""
        patience: timedelta = self._book.limits.minutes("message_text")
        return last is not None and last.type == MESSAGE_WANTED and now - last.at <= patience

    def _only_thanks(self, message: Message) -> bool:
        said = folded(message.text).strip("。.!！~，, ")
        return message.payload is None and self._book.words.only_thanks(said)

    def _by(self, case: Handoff, now: datetime) -> str:
        due = Due(case.due_at or now, certain=True)
        return speech.by(due, book=self._book, now=now)


def _was_said(session: Session, conversation: Conversation, beginning: str, *, since: datetime) -> bool:
    """Tell whether the bridge said something that begins so since then."""
    query = select(Message.seq).where(
        Message.conversation_id == conversation.id, Message.author == "system", Message.at > since,
        Message.text.startswith(beginning, autoescape=True),
    )  # fmt: skip
    return session.scalar(query.limit(1)) is not None


def _has_said(session: Session, case: Handoff, message: Message) -> bool:
    """Tell whether the customer has typed anything since he asked for a person, beside asking."""
    query = select(Message.seq).where(
        Message.conversation_id == case.conversation_id, Message.author == "customer", Message.payload.is_(None),
        Message.at > case.requested_at, Message.seq < message.seq,
    )  # fmt: skip
    return session.scalar(query.limit(1)) is not None


def _is_for_form(session: Session, conversation: Conversation, message: Message) -> bool:
    """Tell whether a message belongs to a form that the agent has sent: its button, or an answer to what it asked."""
    if message.payload is not None and not message.payload.startswith(UPLOADED):
        return _was_sent(session, conversation, message.payload)
    return _form_asks(session, conversation, message)


def _was_sent(session: Session, conversation: Conversation, payload: str) -> bool:
    """Tell whether a button stands under an agent's message, or the bot's since a person has the conversation."""
    query = select(Button.seq).where(Button.conversation_id == conversation.id, Button.payload == payload)
    seq = session.scalar(query.order_by(Button.seq.desc()).limit(1))
    under = session.get(Message, (conversation.id, seq)) if seq is not None else None
    if under is None or payload.startswith("bridge:"):
        return False
    return under.author == "agent" or (under.author == "bot" and under.at >= conversation.mode_since)


def _form_asks(session: Session, conversation: Conversation, message: Message) -> bool:
    """Tell whether the last one who spoke before this message was the bot, with its form open, and no person since."""
    spoken = select(Message).where(
        Message.conversation_id == conversation.id, Message.seq < message.seq, Message.at >= conversation.mode_since
    )
    last = session.scalar(spoken.where(Message.author.in_(("bot", "agent"))).order_by(Message.seq.desc()).limit(1))
    if last is None or last.author != "bot" or last.in_reply_to is None:
        return False
    asked = session.get(Message, (conversation.id, last.in_reply_to))
    return bool(asked and (asked.understood or {}).get("form"))
