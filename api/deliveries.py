"""The loops that deliver the outbox and take up cut-off turns; both find their work in the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api import dead_letters, sms
from api.deps import Parts
from api.desks.chatwoot_line import KIND as CHATWOOT
from api.wording import UnknownNotice
from core import conversation as log_of
from core import notice, outbox, promise, work_order
from core.channel.erase import FORGET
from core.channel.join import talks_of
from core.code_sender import SMS
from core.conversation import Conversation, ConversationNotFound, Draft
from core.handoff import ledger
from core.proactive.source_notices import as_chosen
from core.promise import Subject
from core.work_order import OrderNotFound

log = structlog.get_logger("api.deliveries")
PAUSE_SECONDS, FIGURES_SECONDS = 1.0, 15.0
ONCE_IN, LATELY = timedelta(minutes=10), 20  # the same notice is told once in this time, among so many messages


class UnknownKind(ValueError):
    """There is no way to deliver items of this kind; trying again will not make one."""


async def deliver(parts: Parts) -> None:
    """Deliver the outbox, short messages and notices, until cancelled; none waits for the other."""
    await asyncio.gather(
        repeat("codes", lambda: asyncio.to_thread(sms.deliver_codes, parts)),
        repeat("deliver", lambda: asyncio.to_thread(deliver_due, parts)),
        repeat("notices", lambda: _tell(parts)),
        repeat("figures", lambda: asyncio.to_thread(dead_letters.count, parts), pause=FIGURES_SECONDS),
    )


async def sweep(parts: Parts) -> None:
    """Take up cut-off turns until cancelled; apart from deliveries, which may wait long for another database."""
    await repeat("sweep", parts.dialogue.turns.sweep)


async def repeat(name: str, work: Callable[[], Awaitable[int]], *, pause: float = PAUSE_SECONDS) -> None:
    """Do the work again and again; no failure ends the loop, or nothing would be delivered until the next start."""
    while True:
        try:
            await work()
        except SQLAlchemyError as error:
            log.error("database_unavailable", loop=name, error=type(error).__name__)
        except Exception as error:
            log.error("loop_failed", loop=name, exc_info=error)
        await asyncio.sleep(pause)


def deliver_due(parts: Parts) -> int:
    """Deliver what is due and return how many deliveries went well."""
    with parts.bridge.reading() as session:
        due = outbox.due(session, now=parts.clock(), but=(SMS, CHATWOOT, FORGET))
        items = [(item.id, item.kind, item.key, item.payload) for item in due]
    return sum(_deliver(parts, *item) for item in items)


def _deliver(parts: Parts, item_id: int, kind: str, key: str, payload: dict[str, Any]) -> bool:
    wrong, hopeless = None, False
    try:
        _hand_over(parts, kind, key, payload)
    except (SQLAlchemyError, ValueError, OrderNotFound) as error:
        wrong, hopeless = type(error).__name__, isinstance(error, UnknownKind)
        log.error("delivery_failed", kind=kind, key=key, error=wrong)
    return dead_letters.settle(parts, item_id, kind, key, wrong, hopeless=hopeless)


def _hand_over(parts: Parts, kind: str, key: str, payload: dict[str, Any]) -> None:
    """Give one item to the work-order system, which takes the same key once.

    Raises:
        UnknownKind: if nobody knows what to do with this kind.
        OrderNotFound: if the order of a note is not there (yet): it comes by another item.
    """
    keyring, now = parts.settings.keyring(), parts.clock()
    with parts.workorder.transaction() as session:
        if kind == "urgent_order":
            work_order.open_urgent(session, cause=key, keyring=keyring, now=now, **payload)
        elif kind == "order_note":
            work_order.add_danger_note(session, cause=key, keyring=keyring, now=now, **payload)
        elif kind == ledger.KIND:
            _enter_promises(parts, session, payload["case"])
        else:
            raise UnknownKind(kind)


def _enter_promises(parts: Parts, session: Session, handoff_id: int) -> None:
    """Bring the ledger to where a case is; who comes second waits first, and so reads the newer log."""
    promise.hold(session, Subject("case", handoff_id))
    with parts.bridge.reading() as log_session:
        told = ledger.told_of(log_session, handoff_id)
    if told is not None:
        ledger.enter(session, told)


async def _tell(parts: Parts) -> int:
    told = await asyncio.to_thread(deliver_notices, parts)
    for conversation_id in told:
        parts.bus.publish(conversation_id)
    return len(told)


def deliver_notices(parts: Parts) -> list[str]:
    """Put waiting notices into the logs of their conversations; return which conversations have something new.

    The log and the note that it has this notice are one transaction of the bridge: killed before the work-order system
    hears of it, the notice comes again and changes nothing.
    """
    with parts.workorder.reading() as session:
        waiting = [(one.id, one.key, one.conversation_id, one.wording, one.values) for one in notice.due(session)]
    told: dict[str, None] = {}
    for notice_id, key, conversation_id, wording, values in waiting:
        if _put_into_log(parts, key, conversation_id, wording, values):
            told[conversation_id] = None
        with parts.workorder.transaction() as session:
            notice.mark_delivered(session, notice_id, now=parts.clock())
    return list(told)


def _heard(session: Session, conversation: Conversation, text: str, *, now: datetime) -> bool:
    """Tell whether a customer has just been told the same as a party to a conversation that was joined to this one."""
    if conversation.customer_no is None or not talks_of(session, conversation.id):
        return False
    lately = log_of.messages_after(session, conversation.id, conversation.next_seq - 1 - LATELY)
    return any(one.type == "notice" and one.text == text and now - one.at < ONCE_IN for one in lately)


def _put_into_log(parts: Parts, key: str, conversation_id: str, wording: str, values: dict[str, str]) -> bool:
    """Append one notice to a log, once; tell whether it is new. One that can never be told is logged as an error."""
    now = parts.clock()
    try:
        text, buttons = parts.wording.notice(wording, values, now=now)
        with parts.bridge.transaction() as session:
            conversation = log_of.find_conversation(session, conversation_id, lock=True)
            if not outbox.put_done(session, kind="notice", key=key, payload={}, now=now):
                return False
            if _heard(session, conversation, text, now=now):
                return False
            last_at = conversation.last_at
            draft = Draft("system", text, "notice", buttons=buttons)
            message = log_of.record_reply(session, conversation, draft, now=now)
            as_chosen(
                session, conversation, message, key=key, wording=wording, values=values, manner=parts.manner, now=now
            )
            conversation.last_at = last_at  # what nobody asked for does not keep an old dialogue alive
    except (UnknownNotice, ConversationNotFound) as error:
        log.error("notice_untold", key=key, wording=wording, error=type(error).__name__)
        parts.metrics.deliveries.labels("notice", "failed").inc()
        return False
    parts.metrics.deliveries.labels("notice", "delivered").inc()
    return True
