"""The web channel: sessions, messages, history and the stream, for the widget and for any other client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter, Request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.channels import links
from api.channels.seats import (
    Elsewhere,
    Place,
    SeatDep,
    earlier_for,
    held_by,
    look,
    placed,
    shown_instead,
    written_by,
)
from api.deps import Parts, PartsDep, bearer
from api.fitting import shown_to
from api.inbound import Inbound
from api.problems import BadMessage
from api.schemas import (
    MAX_TEXT,
    After,
    Answer,
    Earlier,
    EarlierAnswer,
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
from core.channel.deliveries import seen
from core.channel.link import home_of
from core.clock import SHANGHAI
from core.handoff import speech
from core.handoff.queue import Lines, view_of
from core.identity import CustomerClaim, Seat, Via, issue_session, read_customer
from core.mode import shown
from core.text import clean
from core.upload import bring_along

MOST_EARLIER = 5  # joined conversations that are shown
PLACING_SECONDS = 1.5

router = APIRouter(prefix="/v1", tags=["web"], lifespan=links.lifespan)


@router.post("/sessions", status_code=HTTPStatus.CREATED)
async def open_session(request: Request, body: SessionRequest, parts: PartsDep) -> SessionAnswer:
    """Open a conversation: with a customer token it is that customer's, without one it is anonymous.

    A customer who is known over WeChat goes on in the conversation there.
    """
    token = bearer(request)
    key = parts.settings.customer_token_key.get_secret_value()
    claim = read_customer(key, token, now=parts.clock()) if token else None
    conversation_id, mode = await _open(parts, body.channel, claim)
    with suppress(SQLAlchemyError):  # without the billing system nobody can say that anything has changed
        if await links.look_at(parts, conversation_id):
            conversation_id, mode = await _open(parts, body.channel, claim)
    large_type = claim is not None and await _in_large_type(parts, conversation_id)
    return session_answer(parts, conversation_id, mode, via=body.channel, claim=claim, large_type=large_type)


def session_answer(
    parts: Parts, conversation_id: str, mode: str, *, via: Via, claim: CustomerClaim | None = None,
    user_id: int | None = None, large_type: bool = False,
) -> SessionAnswer:  # fmt: skip
    """Return a session of a conversation, with its token."""
    now, lifetime = parts.clock(), timedelta(hours=parts.settings.session_hours)
    token = issue_session(
        parts.settings.session_key.get_secret_value(), conversation_id=conversation_id, now=now, lifetime=lifetime,
        via=via, claim=claim, user_id=user_id,
    )  # fmt: skip
    return SessionAnswer(
        conversation_id=conversation_id, token=token, mode=shown(mode), expires_at=now + lifetime,
        large_type=large_type,
    )  # fmt: skip


async def _in_large_type(parts: Parts, conversation_id: str) -> bool:
    """Tell whether the page should begin in large type; nobody waits for the answer where it cannot be had."""

    def work(session: Session) -> bool:
        conversation = log_of.find_conversation(session, conversation_id)
        return shown_to(parts.book, session, conversation, now=parts.clock()).large_type

    with suppress(SQLAlchemyError):
        return await parts.store.read(work)
    return False


@router.post("/messages")
async def send_message(body: MessageRequest, seat: SeatDep, parts: PartsDep) -> Answer:
    """Take a customer's message and return the replies to it; the same `client_id` again returns the same replies."""
    inbound = Inbound(
        f"{seat.conversation_id}:{body.client_id}", _text(body, parts), body.button_id, body.upload_id,
        channel=seat.via, channel_user_id=seat.user_id, seat=seat,
    )  # fmt: skip
    if parts.dialogue.is_urgent(inbound):
        return await _from_elsewhere(parts, seat, inbound)
    check = written_by(seat, fresh=links.FRESH, now=parts.clock(), photo=inbound.upload_id is not None)
    try:
        outcome = await parts.dialogue.customer_says(seat.conversation_id, replace(inbound, check=check))
    except Elsewhere:
        return await _from_elsewhere(parts, seat, inbound)
    return _answer(outcome, outcome.conversation_id or seat.conversation_id)


async def _from_elsewhere(parts: Parts, seat: Seat, inbound: Inbound) -> Answer:
    """Find out where a seat is, in transactions of its own, then take its message there: nothing sends it back."""
    at = seat.conversation_id
    # Without the log nobody can be placed; the dialogue then refuses, but warns of a danger all the same.
    with suppress(SQLAlchemyError, TimeoutError):
        async with asyncio.timeout(PLACING_SECONDS):
            at = (await _placed(parts, seat)).id
            if at != seat.conversation_id and (before := await _said_before(parts, seat, inbound.external_id, at)):
                return _answer(*before)
        if inbound.upload_id and at != seat.conversation_id:
            await parts.store.write(_bringing(parts, seat, inbound.upload_id, at))
    return _answer(await parts.dialogue.customer_says(at, replace(inbound, check=held_by(seat))), at)


def _bringing(parts: Parts, seat: Seat, upload_id: str, home: str) -> Callable[[Session], None]:
    """Return what lets a photo come along that was sent up before the page was joined."""
    directory, own, now = parts.settings.upload_dir, seat.conversation_id, parts.clock()
    return lambda session: bring_along(session, upload_id, own=own, home=home, directory=directory, now=now)


async def _placed(parts: Parts, seat: Seat) -> Place:
    """Return where a seat is; after a pause it is looked at first whose the accounts are that were bound there."""
    place = await placed(parts, seat)
    if parts.clock() - place.conversation.last_at > links.FRESH and await links.look_at(parts, place.id):
        return await placed(parts, seat)
    return place


async def _said_before(parts: Parts, seat: Seat, external_id: str, at: str) -> tuple[Outcome, str] | None:
    """Return the answer to a message that came before the session's conversation was joined to the one `at`."""

    def work(session: Session) -> tuple[Outcome, str] | None:
        message = log_of.said(session, seat.via, external_id)
        if message is None or message.conversation_id == at:
            return None
        mode = log_of.find_conversation(session, at).mode
        replies = tuple(log_of.replies_to(session, message))
        return Outcome(replies, mode, message.seq, pending=message.turn == "open"), message.conversation_id

    return await parts.store.read(work)


@router.get("/messages")
async def history(seat: SeatDep, parts: PartsDep, after: After = 0) -> History:
    """Return the messages of all sides whose sequence number is above `after`."""
    return await read_history(parts, seat, after)


@router.get("/messages/earlier")
async def earlier(seat: SeatDep, parts: PartsDep) -> EarlierAnswer:
    """Return what was said over the site and the app before it was joined to the present conversation.

    Only who has logged in, or has said it, may read it: WeChat may be on a telephone that was passed on.
    """
    return EarlierAnswer(conversations=await parts.store.read(lambda session: _earlier(session, seat)))


@router.get("/queue")
async def queue(seat: SeatDep, parts: PartsDep) -> QueueAnswer:
    """Return the place in the queue and an honest guess at the wait."""
    return await read_queue(parts, seat)


async def read_queue(parts: Parts, seat: Seat, *, lines: Lines | None = None) -> QueueAnswer:
    """Return how it stands for a conversation now; with `lines`, as it was a moment ago."""
    now = parts.clock()

    def work(session: Session) -> QueueAnswer:
        conversation = look(session, seat).conversation
        mode = shown(conversation.mode)
        view = None
        if mode == "queued":
            view = view_of(session, conversation.id, book=parts.book, now=now, lines=lines)
        if view is None:
            return QueueAnswer(mode=mode)
        wait = None if view.wait is None else round(view.wait.total_seconds())
        text = speech.standing(view, book=parts.book, now=now)
        return QueueAnswer(mode=mode, place=view.place, expected_wait_seconds=wait, on_duty=view.on_duty, text=text)

    return await parts.store.read(work)


async def read_history(parts: Parts, seat: Seat, after: int) -> History:
    """Return the log after `after`, with the mode of the conversation; what a page has shown is not sent as well."""

    def work(session: Session) -> tuple[History, bool]:
        place = look(session, seat)
        rows = log_of.messages_after(session, place.id, max(after, place.floor))
        last = rows[-1].seq if rows else after
        found = History(
            messages=[MessageView.of(row) for row in rows], mode=shown(place.conversation.mode), last_seq=last,
            conversation_id=place.id,
        )  # fmt: skip
        return found, shown_instead(session, seat, place, last)

    found, instead = await parts.store.read(work)
    if instead:
        await parts.store.write(lambda session: seen(session, found.conversation_id, found.last_seq))
    return found


def _earlier(session: Session, seat: Seat) -> list[Earlier]:
    place = look(session, seat)
    found = []
    for one in reversed(earlier_for(session, seat, place)):
        assert one.joined_at is not None  # or it would not be earlier
        rows = log_of.messages_after(session, one.id, max(0, one.next_seq - 1 - log_of.PAGE))
        views = [MessageView.of(row) for row in rows]
        found.append(Earlier(conversation_id=one.id, joined_at=one.joined_at.astimezone(SHANGHAI), messages=views))
    return found[:MOST_EARLIER]


async def _open(parts: Parts, channel: Via, claim: CustomerClaim | None) -> tuple[str, str]:
    def work(session: Session) -> tuple[str, str]:
        now, customer_no = parts.clock(), claim.customer_no if claim else None
        if customer_no and (home := home_of(session, customer_no, now=now)) is not None:
            return home.id, home.mode
        return log_of.open_conversation(
            session, channel=channel, customer_no=customer_no,
            accounts=accounts_of(session, customer_no, claim.accounts if claim else ()),
            assurance=claim.assurance if claim else 0, now=now,
        ).id, "bot"  # fmt: skip

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


def _answer(outcome: Outcome, conversation_id: str) -> Answer:
    return Answer(
        messages=[MessageView.of(message) for message in outcome.messages], mode=shown(outcome.mode),
        accepted_seq=outcome.seq, pending=outcome.pending, conversation_id=conversation_id,
    )  # fmt: skip
