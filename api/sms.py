"""The gateway for short messages: one HTTP POST for each one-time code.

What a gateway has to take is in docs/api.md; an adapter for another one replaces this file alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import structlog

from api import dead_letters
from api.deps import Parts
from api.settings import ApiSettings
from core import outbox
from core.code_sender import SMS, unseal
from core.fields import UnreadableField

log = structlog.get_logger("api.sms")
TEMPLATE = "one_time_code"
TIMEOUT = httpx.Timeout(5, connect=2)


class SmsFailed(Exception):
    """The gateway did not take the message, or there is none; worth trying again until the code has ended."""


def deliver_codes(parts: Parts) -> int:
    """Send the codes that are due and return how many were taken; nothing else waits behind a slow gateway."""
    with parts.bridge.reading() as session:
        items = [(item.id, item.key, item.payload) for item in outbox.due(session, now=parts.clock(), kind=SMS)]
    return sum(_deliver(parts, *item) for item in items)


def _deliver(parts: Parts, item_id: int, key: str, payload: dict[str, Any]) -> bool:
    wrong = None
    try:
        send_code(parts.settings, key, payload, now=parts.clock())
    except SmsFailed as error:
        wrong = str(error)
        log.error("delivery_failed", kind=SMS, key=key, error=wrong)
    return dead_letters.settle(parts, item_id, SMS, key, wrong)


def send_code(settings: ApiSettings, key: str, payload: dict[str, Any], *, now: datetime) -> None:
    """Send the code of an outbox item; the gateway knows a repetition by its `Idempotency-Key`.

    Raises:
        SmsFailed: if it was not sent and could still be of use.
    """
    try:
        sealed = unseal(key, payload, settings.keyring())
    except UnreadableField:
        log.error("code_unreadable", key=key)
        return
    if sealed.phone is None:
        return  # nobody to send it to, and nobody is to notice
    if sealed.expires_at <= now:
        log.error("code_not_sent_in_time", key=key)
        return
    if not settings.sms_url:
        raise SmsFailed("no gateway is set")
    token = settings.sms_token.get_secret_value()
    minutes = round((sealed.expires_at - sealed.sent_at).total_seconds() / 60)
    body = {"phone": sealed.phone, "template": TEMPLATE, "values": {"code": sealed.digits, "minutes": minutes}}
    headers = {"Idempotency-Key": key} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        with httpx.Client(timeout=TIMEOUT, trust_env=False) as client:
            client.post(settings.sms_url, json=body, headers=headers).raise_for_status()
    except httpx.HTTPError as error:
        raise SmsFailed(type(error).__name__) from None  # the error itself may name what was sent
