"""The web channel: sessions, messages, history and the stream, for the widget and for any other client."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session

from api.deps import ConversationDep, Parts, PartsDep, bearer
from api.dialogue import Inbound
from api.problems import BadMessage
from api.schemas import (
    MAX_TEXT,
    After,
    Answer,
    History,
    MessageRequest,
    MessageView,
    QueueAnswer,
    SessionAnswer,
    SessionRequest,
)
from api.turns import Outcome
from core import conversation as log_of
from core.binding import accounts_of
from core.handoff import speech
from core.handoff.queue import Lines, view_of
from core.identity import CustomerClaim, issue_session, read_customer
from core.mode import shown
from core.text import clean

router = APIRouter(prefix="/v1", tags=["web"])


@router.post("/sessions", status_code=HTTPStatus.CREATED)
async def open_session(request: Request, body: SessionRequest, parts: PartsDep) -> SessionAnswer:
    """Open a conversation; with a customer token it is that customer's, without one it is anonymous."""
    settings, now = parts.settings, parts.clock()
    token = bearer(request)
    key = settings.customer_token_key.get_secret_value()
    claim = read_customer(key, token, now=now) if token else CustomerClaim("", (), 0)
    conversation_id = await _open(parts, body.channel, claim)
    lifetime = timedelta(hours=settings.session_hours)
    return SessionAnswer(
        conversation_id=conversation_id,
        token=issue_session(
            settings.session_key.get_secret_value(),
            conversation_id=conversation_id,
            now=now,
            lifetime=lifetime,
        ),
        mode="bot",
        expires_at=now + lifetime,
    )


@router.post("/messages")
async def send_message(body: MessageRequest, conversation_id: ConversationDep, parts: PartsDep) -> Answer:
    """Take a customer's message and return the replies to it; the same `client_id` again returns the same replies."""
    inbound = Inbound(
        f"{conversation_id}:{body.client_id}", _text(body, parts), body.button_id, body.upload_id, channel="web"
    )  # fmt: skip
    return _answer(await parts.dialogue.customer_says(conversation_id, inbound))


@router.get("/messages")
async def history(conversation_id: ConversationDep, parts: PartsDep, after: After = 0) -> History:
    """Return the messages of all sides whose sequence number is above `after`."""
    return await read_history(parts, conversation_id, after)


@router.get("/queue")
async def queue(conversation_id: ConversationDep, parts: PartsDep) -> QueueAnswer:
    """Return the place in the queue and an honest guess at the wait."""
    return await read_queue(parts, conversation_id)


async def read_queue(parts: Parts, conversation_id: str, *, lines: Lines | None = None) -> QueueAnswer:
    """Return how it stands for a conversation now; with `lines`, as it was a moment ago."""
    now = parts.clock()

    def work(session: Session) -> QueueAnswer:
        mode = shown(log_of.find_conversation(session, conversation_id).mode)
        view = None
        if mode == "queued":
            view = view_of(session, conversation_id, book=parts.book, now=now, lines=lines)
        if view is None:
            return QueueAnswer(mode=mode)
        wait = None if view.wait is None else round(view.wait.total_seconds())
        text = speech.standing(view, book=parts.book, now=now)
        return QueueAnswer(mode=mode, place=view.place, expected_wait_seconds=wait, on_duty=view.on_duty, text=text)

    return await parts.store.read(work)


async def read_history(parts: Parts, conversation_id: str, after: int) -> History:
    """Return the log after `after`, with the mode of the conversation."""

    def work(session: Session) -> History:
        conversation = log_of.find_conversation(session, conversation_id)
        messages = [MessageView.of(row) for row in log_of.messages_after(session, conversation_id, after)]
        last = messages[-1].seq if messages else after
        return History(messages=messages, mode=shown(conversation.mode), last_seq=last)

    return await parts.store.read(work)


async def _open(parts: Parts, channel: str, claim: CustomerClaim) -> str:
    def work(session: Session) -> str:
        customer_no = claim.customer_no or None
        return log_of.open_conversation(
            session, channel=channel, customer_no=customer_no,
            accounts=accounts_of(session, customer_no, claim.accounts), assurance=claim.assurance, now=parts.clock(),
        ).id  # fmt: skip

    return await parts.store.write(work)


def _text(body: MessageRequest, parts: Parts) -> str:
    """Return the text to log; that of a button is the bridge's own.

    Raises:
        BadMessage: if it is empty or too long, or not one alone of text, button and photo.
    """
    if sum(part is not None for part in (body.text, body.button_id, body.upload_id)) != 1:
        raise BadMessage("invalid")
    if body.text is None:
        return parts.wording.photo if body.upload_id else ""
    if len(body.text) > MAX_TEXT:
        raise BadMessage("too_long")
    text = clean(body.text)
    if not text:
        raise BadMessage("empty")
    return text


def _answer(outcome: Outcome) -> Answer:
    messages = [MessageView.of(message) for message in outcome.messages]
    return Answer(messages=messages, mode=shown(outcome.mode), accepted_seq=outcome.seq, pending=outcome.pending)
