"""The first transaction of a message's way: it is logged once, and what the bridge answers itself is done with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api.desk_news import Change
from api.dialogue_out import close
from api.identity import asker_of
from api.inbound import Inbound
from api.reception import Reception
from api.turns import Outcome, Question, recorded
from core import conversation as log_of
from core.channel.arrival import Around, look_around
from core.channel.writer import user_at, writes
from core.clock import Clock
from core.conversation import Conversation, Draft, LastSaid, Message
from core.handoff import life
from core.handoff.book import Book
from core.proactive.kinds import Notices
from core.proactive.said import bring_in
from core.safety import Danger
from core.upload import find_upload

Received = tuple[Question, Outcome | None, Change | None]


@dataclass(frozen=True)
class Receiving:
    """What is needed to take a message in."""

    reception: Reception
    book: Book
    notices: Notices | None
    clock: Clock

    def receive(
        self, session: Session, conversation_id: str, inbound: Inbound, danger: Danger | None
    ) -> Received:  # fmt: skip
        """Log the message once; return it, the outcome if there is one already, and what it means to the desk."""
        now = self.clock()
        conversation = log_of.find_conversation(session, conversation_id, lock=True)
        around = self._admit(session, conversation, inbound, now=now)
        before = life.open_case(session, conversation.id) if around.case else None
        brought = 0
        if self.notices is not None and (around.untold or conversation.channel_user_id is not None):
            brought = bring_in(session, conversation, self.notices, now=now)
        message, is_new = self._log(
            session, conversation, conversation_id, inbound, around, urgent=danger is not None, now=now
        )
        if not is_new:
            question = Question(conversation, message)
            return question, None if message.turn == "open" else recorded(session, question), None
        if inbound.type is not None:
            message.type, message.card = inbound.type, inbound.card
        last = log_of.last_before(session, conversation.id, message.seq) if brought else around.last
        drafts = self._own_answer(session, conversation, message, inbound, danger, last, now=now)
        if drafts is None:
            question = self._question(session, conversation, message, around, now=now)
            # What is for Rasa has opened no case.
            return question, None, Change.between(session, conversation, message, before) if before else None
        outcome = close(session, conversation, message, drafts, now=self.clock())
        return Question(conversation, message), outcome, Change.between(session, conversation, message, before)

    @staticmethod
    def _admit(session: Session, conversation: Conversation, inbound: Inbound, *, now: datetime) -> Around:
        """Look around the conversation (locked); let what stands in it be that of who writes now, if they may."""
        claim = inbound.seat.claim if inbound.seat is not None else None
        around = look_around(
            session, conversation, over=inbound.channel or conversation.channel, external_id=inbound.external_id,
            claimed=claim.customer_no if claim is not None else None, now=now,
        )  # fmt: skip
        if inbound.check is None and inbound.channel is None:
            return around
        user = user_at(session, conversation.id) if around.user else None
        if inbound.check is not None:
            inbound.check(conversation, user, around)
        if inbound.channel is not None:
            conversation.channel, conversation.channel_user_id = inbound.channel, inbound.channel_user_id
            writes(session, conversation, seat=inbound.seat, user=user, now=now)
        return around

    def _log(
        self, session: Session, conversation: Conversation, conversation_id: str, inbound: Inbound, around: Around, *,
        urgent: bool, now: datetime,
    ) -> tuple[Message, bool]:  # fmt: skip
        text, payload = inbound.text, inbound.payload
        if inbound.button_id:
            button = log_of.find_button(session, conversation, inbound.button_id)
            text, payload = button.title, button.payload
        elif inbound.upload_id:
            photo = find_upload(session, inbound.upload_id, conversation_id=conversation_id)
            payload = "/inform" + json.dumps({"upload": photo.id})
        urgent = urgent or self.reception.takes_after_end(session, conversation, payload, now=now)
        return log_of.record_customer(
            session, conversation, external_id=inbound.external_id, text=text, payload=payload, now=now, urgent=urgent,
            upload_id=inbound.upload_id, is_new=not around.known,
        )  # fmt: skip

    def _own_answer(
        self, session: Session, conversation: Conversation, message: Message, inbound: Inbound, danger: Danger | None,
        last: LastSaid | None, *, now: datetime,
    ) -> list[Draft] | None:  # fmt: skip
        """Return what the bridge says itself, None if the message is for Rasa."""
        if danger:
            return self.reception.raise_alarm(session, conversation, message, danger, now=now)
        if inbound.answer is not None:
            return self.reception.beside(session, conversation, message, inbound.answer, last=last, now=now)
        return self.reception.answer(session, conversation, message, last=last, now=now)

    def _question(
        self, session: Session, conversation: Conversation, message: Message, around: Around, *, now: datetime
    ) -> Question:
        """Return a question for Rasa with what is known of who asks.

        Not if another one comes first, after which more may be known.
        """
        if around.waiting:
            return Question(conversation, message)
        asker = asker_of(session, conversation, message, book=self.book, now=now, around=around)
        return Question(conversation, message, asker)
