"""The question for satisfaction: once a case, at the right time, and why it was not asked where it was not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import call_back
from core import conversation as log_of
from core.conversation import Conversation, Draft, LastSaid, Message
from core.db import BridgeBase, Instant
from core.handoff.book import Book
from core.handoff.case import events_of, hold_case, note_event
from core.handoff.tables import Handoff, HandoffEvent
from core.handoff.words import RATE

SURVEY, COMMENT = "survey", "survey_comment"  # types of the messages that ask
MAX_COMMENT = 1000
_BACK = timedelta(days=7)  # what ended before is not looked through second by second
FINISHED = ("solved", "ordered", "transferred_out")  # outcomes after which nothing of the matter is open


class Survey(BridgeBase):
    """The survey of one case: asked (`asked_at`) or `skipped` for a reason, and the answer (1 to 5)."""

    __tablename__ = "surveys"
    id: Mapped[int] = mapped_column(primary_key=True)
    handoff_id: Mapped[int] = mapped_column(ForeignKey("handoffs.id"), unique=True)
    conversation_id: Mapped[str] = mapped_column(String(36), index=True)
    channel: Mapped[str] = mapped_column(String(16))
    asked_at: Mapped[datetime | None] = mapped_column(Instant)
    skipped: Mapped[str | None] = mapped_column(String(30))
    score: Mapped[int | None]
    comment: Mapped[str | None] = mapped_column(Text)
    answered_at: Mapped[datetime | None] = mapped_column(Instant)


class SurveyNotFound(LookupError):
    """No such survey was put to this conversation."""


def due(session: Session, *, book: Book, now: datetime, limit: int = 100) -> list[int]:
    """Return the cases that are over and whose question is neither put nor skipped, and whose time has come."""
    query = (
        select(Handoff, Conversation)
        .join(Conversation, Conversation.id == Handoff.conversation_id)
        .outerjoin(Survey, Survey.handoff_id == Handoff.id)
        .where(Handoff.ended_at > now - _BACK, Handoff.agent_id.is_not(None), Survey.id.is_(None))
    )
    # The quietest first: a hundred who go on talking to the bot must not keep the others from being asked.
    found = session.execute(query.order_by(Conversation.last_at, Handoff.id).limit(limit))
    return [case.id for case, conversation in found if _is_time(session, conversation, case, book=book, now=now)]


def ask(session: Session, handoff_id: int, *, order_open: bool, book: Book, now: datetime) -> Message | None:
    """Put the question, once, or note why it is not put; return the message if there is one.

    `order_open`: an outage or danger of this conversation is not over, and nobody wants to be asked about service now.
    """
    conversation, case = hold_case(session, handoff_id)
    known = session.scalar(select(Survey.id).where(Survey.handoff_id == handoff_id))
    if known is not None or case.ended_at is None:
        return None
    why = _why_not(session, conversation, case, order_open=order_open, book=book, now=now)
    row = Survey(
        handoff_id=case.id, conversation_id=conversation.id, channel=conversation.channel, skipped=why,
        asked_at=None if why else now,
    )  # fmt: skip
    session.add(row)
    if why:
        note_event(session, case, "survey_skipped", now=now, why=why)
        return None
    note_event(session, case, "survey_asked", now=now)
    words = book.words.survey
    buttons = tuple((words.scores[score], f"{RATE}{case.id}:{score}") for score in sorted(words.scores, reverse=True))
    last_at = conversation.last_at
    message = log_of.record_reply(session, conversation, Draft("system", words.ask, SURVEY, buttons=buttons), now=now)
    conversation.last_at = last_at
    return message


def rate(session: Session, conversation: Conversation, payload: str, *, book: Book, now: datetime) -> Draft:
    """Take the answer of a pressed button, the first one; return what is said. Closes a conversation that is done.

    Raises:
        SurveyNotFound: if the payload is none of a question that was put here.
    """
    handoff_id, _, score = payload.removeprefix(RATE).partition(":")
    numbers = handoff_id.isdigit() and score.isdigit() and 1 <= int(score) <= 5
    query = select(Survey).where(Survey.conversation_id == conversation.id, Survey.asked_at.is_not(None))
    row = session.scalar(query.where(Survey.handoff_id == int(handoff_id))) if numbers else None
    if row is None:
        raise SurveyNotFound(payload)
    words = book.words.survey
    if row.score is not None:
        return Draft("system", words.again, "notice")
    row.score, row.answered_at = int(score), now
    case = session.get_one(Handoff, row.handoff_id)
    note_event(session, case, "survey_answered", now=now, score=row.score)
    call_back.after_score(
        session, conversation, case, row.score, fitting=book.fitting, calendar=book.calendar, now=now
    )  # fmt: skip
    if conversation.mode == "bot" and case.outcome in FINISHED and not _went_on(session, conversation, case, book):
        log_of.change_mode(conversation, "close", now=now)
    return Draft("system", words.thanks_closed if conversation.mode == "closed" else words.thanks, COMMENT)


def wants_comment(
    session: Session, conversation: Conversation, *, last: LastSaid | None, book: Book, now: datetime
) -> Survey | None:
    """Return the survey to which typed words belong: the `last` thing said before was the invitation to add some."""
    if last is None or last.type != COMMENT or now - last.at > book.limits.minutes("comment"):
        return None
    answered = select(Survey).where(Survey.conversation_id == conversation.id, Survey.answered_at.is_not(None))
    row = session.scalar(answered.order_by(Survey.answered_at.desc()).limit(1))
    return row if row is not None and row.comment is None else None


def comment(session: Session, row: Survey, text: str, *, book: Book, now: datetime) -> Draft:
    """Keep the sentence that was added; return what is said."""
    row.comment = text[:MAX_COMMENT]
    note_event(session, session.get_one(Handoff, row.handoff_id), "survey_answered", now=now, comment=True)
    return Draft("system", book.words.survey.noted, "notice")


def _is_time(session: Session, conversation: Conversation, case: Handoff, *, book: Book, now: datetime) -> bool:
    assert case.ended_at is not None
    if conversation.mode != "bot" or now - case.ended_at > book.limits.hours("survey"):
        return True  # closed: at once; anything else is a reason not to ask
    last = _last_understood(session, conversation, case)
    if last is not None and (last.understood or {}).get("form"):
        return False
    if last is not None and _says_goodbye(last, book):
        return last.turn == "done"
    return now - max(conversation.last_at, case.ended_at) >= book.limits.seconds("survey_silence")


def _why_not(
    session: Session, conversation: Conversation, case: Handoff, *, order_open: bool, book: Book, now: datetime
) -> str | None:
    assert case.ended_at is not None
    events = events_of(session, case.id)
    if not any(event.kind == "agent_replied" for event in events):
        return "no_reply"
    if _ended_by(events) == "silence":
        return "auto_closed"
    if order_open:
        return "order_open"
    if conversation.mode not in ("bot", "closed") or _newer_case(session, case):
        return "new_case"
    return "late" if now - case.ended_at > book.limits.hours("survey") else None


def _ended_by(events: Sequence[HandoffEvent]) -> str | None:
    ends = [event.data.get("by") for event in events if event.kind in ("wrap_up", "reopened")]
    return ends[-1] if ends else None


def _newer_case(session: Session, case: Handoff) -> bool:
    query = select(Handoff.id).where(Handoff.conversation_id == case.conversation_id, Handoff.id > case.id)
    return session.scalar(query.limit(1)) is not None


def _went_on(session: Session, conversation: Conversation, case: Handoff, book: Book) -> bool:
    """Tell whether the customer has come up with something else since."""
    last = _last_understood(session, conversation, case)
    return last is not None and not _says_goodbye(last, book)


def _last_understood(session: Session, conversation: Conversation, case: Handoff) -> Message | None:
    """Return the last thing that was put to the bot since the case was over."""
    query = select(Message).where(
        Message.conversation_id == conversation.id, Message.author == "customer", Message.at >= case.ended_at,
        Message.payload.is_(None) | ~Message.payload.startswith(RATE),
    )  # fmt: skip
    return session.scalar(query.order_by(Message.seq.desc()).limit(1))


def _says_goodbye(message: Message, book: Book) -> bool:
    return str((message.understood or {}).get("intent", "")) in book.rules.goodbyes
