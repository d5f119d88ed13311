"""Chatwoot's webhook, `POST /v1/desks/chatwoot`: signed, fresh, each delivery once; there only if it is the desk.

Chatwoot waits five seconds and marks the agent's message as failed if it hears no 2xx, so what is none of our business
is answered as well as what is. What was processed but not noted before the process died comes again by the same
message id and changes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from api.deps import PartsDep
from api.desks.chatwoot import ChatwootDesk
from api.desks.chatwoot_inbox import RemoteMessage
from api.problems import problem
from core import outbox
from core.locking import one_at_a_time
from core.outbox import OutboxItem

log = structlog.get_logger("api.chatwoot")
router = APIRouter(prefix="/v1/desks", tags=["desk"])
WINDOW = timedelta(minutes=5)
DELIVERY = "chatwoot_delivery"
_ID = re.compile(r"[0-9A-Za-z-]{8,64}")
_CONVERSATION_EVENTS = ("conversation_status_changed", "conversation_updated", "conversation_resolved")
Heard = Literal["done", "ignored", "known"]


class HookAnswer(BaseModel):
    """What became of a delivery."""

    result: Heard


class BadSignature(Exception):
    """A delivery that Chatwoot did not sign, or not just now."""


class BadDelivery(ValueError):
    """A signed delivery that cannot be read."""


@router.post("/chatwoot", response_model=HookAnswer)
async def hear(request: Request, parts: PartsDep) -> HookAnswer | JSONResponse:
    """Take in one event of Chatwoot."""
    desk = parts.desk
    if not isinstance(desk, ChatwootDesk):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    body = await request.body()
    try:
        delivery = check(request.headers, body, secret=desk.secret, now=parts.clock())
        event = read_event(body)
    except BadSignature as error:
        log.warning("chatwoot_hook_refused", why=str(error))
        return problem(parts.wording, request.scope.get("request_id"), HTTPStatus.UNAUTHORIZED, "unauthorized")
    except BadDelivery as error:
        log.warning("chatwoot_hook_unreadable", why=str(error))
        return problem(parts.wording, request.scope.get("request_id"), HTTPStatus.UNPROCESSABLE_ENTITY, "invalid")
    if await parts.store.read(lambda session: _known(session, delivery)):
        return HookAnswer(result="known")
    heard = await _hear(desk, event)
    now = parts.clock()

    def note(session: Session) -> None:
        one_at_a_time(session, DELIVERY)  # the same delivery twice at one moment is no failure
        outbox.put_done(session, kind=DELIVERY, key=delivery, payload={}, now=now)

    await parts.store.write(note)
    return HookAnswer(result="done" if heard else "ignored")


def check(headers: Mapping[str, str], body: bytes, *, secret: str, now: datetime) -> str:
    """Return the id of a delivery whose signature is right and not older (or newer) than WINDOW.

    Raises:
        BadSignature: if a header is missing or of another form, the time is not now, or body or secret differ.
    """
    delivery = headers.get("x-chatwoot-delivery", "")
    timestamp, signature = headers.get("x-chatwoot-timestamp", ""), headers.get("x-chatwoot-signature", "")
    if not _ID.fullmatch(delivery) or not re.fullmatch(r"[0-9]{1,12}", timestamp, re.ASCII):
        raise BadSignature("a header is missing")
    expected = "sha256=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise BadSignature("the signature differs")
    if abs(now.timestamp() - int(timestamp)) > WINDOW.total_seconds():
        raise BadSignature("the time is not now")
    return delivery


def read_event(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a delivery.

    Raises:
        BadDelivery: if it is no UTF-8, no JSON, or no object.
    """
    try:
        event = json.loads(body.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadDelivery(type(error).__name__) from None
    if not isinstance(event, dict):
        raise BadDelivery("no object")
    return event


async def _hear(desk: ChatwootDesk, event: Mapping[str, Any]) -> bool:
    """Take in one event; false if it is none of ours, or nothing follows from it."""
    kind = event.get("event")
    if not _is_ours(desk, event):
        return False
    if kind == "message_created":
        remote = _number(_part(event, "conversation").get("id"))
        try:
            message = RemoteMessage.model_validate(event)
        except ValidationError:
            return False
        return remote is not None and await desk.inbox.said(remote, message)
    if kind in _CONVERSATION_EVENTS:
        remote, status = _number(event.get("id")), event.get("status")
        assignee = _part(_part(event, "meta"), "assignee").get("name")
        name = assignee if isinstance(assignee, str) and assignee else None
        return remote is not None and isinstance(status, str) and await desk.inbox.changed(remote, status, name)
    return False


def _is_ours(desk: ChatwootDesk, event: Mapping[str, Any]) -> bool:
    """Tell whether account and inbox, where an event names them, are those of the settings."""
    account = _number(_part(event, "account").get("id"))
    inbox = _number(_part(event, "inbox").get("id", event.get("inbox_id")))
    return account in (None, desk.account) and inbox in (None, desk.inbox_id)


def _known(session: Session, delivery: str) -> bool:
    query = select(OutboxItem.id).where(OutboxItem.kind == DELIVERY, OutboxItem.key == delivery)
    return session.scalar(query) is not None


def _part(event: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = event.get(key)
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
