"""The card as a whole: identity, accounts, orders, promises, earlier contacts, channel and flags as plain JSON.

Energy is in kWh and money in yuan, both as decimal strings; instants are ISO with the offset of Shanghai, days and
months ISO dates. Nothing on the card is personal data in clear; what may be shown on request is named by `core.reveal`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.channel.join import talks_of
from core.channel.quota import quota_of
from core.clock import SHANGHAI
from core.conversation import Conversation
from core.customer_card import billing, contacts, orders
from core.customer_card.portrait import catalogue, manager_on_card, portrait_of
from core.db import Database
from core.fields import Keyring, UnreadableField
from core.fitting import fitting

log = structlog.get_logger("core.customer_card")
UNAVAILABLE: Mapping[str, bool] = {"unavailable": True}
ARREARS = "arrears"


@dataclass(frozen=True)
class Sources:
    """Where the card is read from."""

    billing: Database
    workorder: Database
    bridge: Database
    keyring: Keyring


def customer_card(sources: Sources, conversation: Conversation, *, now: datetime) -> dict[str, Any]:
    """Return the card; a part whose database does not answer is `{"unavailable": true}`, the rest is there."""
    talks = _part(lambda: _talks(sources, conversation))
    if not isinstance(talks, tuple):
        talks = ()
    found: dict[str, Any] = {
        "customer": _part(lambda: _customer(sources, conversation, now)),
        "accounts": _part(lambda: _accounts(sources, conversation, now)),
        "orders": _part(lambda: _orders(sources, conversation, talks, now)),
        "promises": _part(lambda: _promises(sources, conversation, talks, now)),
        "contacts": _part(lambda: _contacts(sources, conversation, now)),
        "channel": _part(lambda: _channel(sources, conversation, now)),
        "portrait": _part(lambda: _portrait(sources, conversation)),
        "manager": _part(lambda: _manager(sources, conversation)),
    }
    flags = _part(lambda: _flags(sources, conversation, talks))
    owes = isinstance(found["accounts"], list) and any(one["overdue"] for one in found["accounts"])
    found["flags"] = [*flags, *([ARREARS] if owes else [])] if isinstance(flags, list) else flags
    return found


def _part(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (SQLAlchemyError, UnreadableField) as error:
        log.error("card_part_unavailable", error=type(error).__name__)
        return dict(UNAVAILABLE)


def _customer(sources: Sources, conversation: Conversation, now: datetime) -> dict[str, Any]:
    identity = {
        "identified": conversation.customer_no is not None or bool(conversation.accounts),
        "assurance": conversation.assurance_at(now),
    }
    if conversation.customer_no is None:
        return {**identity, "name": None, "phone": None, "kind": None}
    with sources.billing.reading() as session:
        return {**identity, **billing.person(session, conversation.customer_no, sources.keyring)}


def _accounts(sources: Sources, conversation: Conversation, now: datetime) -> list[dict[str, Any]]:
    if not conversation.accounts:
        return []
    today = now.astimezone(SHANGHAI).date()
    with sources.billing.reading() as session:
        return billing.accounts(session, conversation.accounts, keyring=sources.keyring, today=today)


def _portrait(sources: Sources, conversation: Conversation) -> dict[str, Any] | None:
    """Return the segment and what it means, for staff alone; None of somebody whom nobody knows."""
    with sources.bridge.reading() as session:
        return portrait_of(session, conversation, fitting=fitting(), catalogue=catalogue())


def _manager(sources: Sources, conversation: Conversation) -> dict[str, Any] | None:
    with sources.bridge.reading() as session:
        return manager_on_card(session, conversation, fitting=fitting())


def _talks(sources: Sources, conversation: Conversation) -> tuple[str, ...]:
    """Return the conversations that were joined to this one: what was filed there is the customer's too."""
    with sources.bridge.reading() as session:
        return talks_of(session, conversation.id)


def _orders(
    sources: Sources, conversation: Conversation, talks: tuple[str, ...], now: datetime
) -> list[dict[str, Any]]:
    with sources.workorder.reading() as session:
        found = orders.orders_for(session, conversation, talks=talks)
        return [orders.order_line(session, order, now=now) for order in found]


def _promises(
    sources: Sources, conversation: Conversation, talks: tuple[str, ...], now: datetime
) -> list[dict[str, Any]]:
    with sources.workorder.reading() as session:
        return orders.promises_told(session, conversation.id, talks=talks, now=now)


def _flags(sources: Sources, conversation: Conversation, talks: tuple[str, ...]) -> list[str]:
    with sources.workorder.reading() as session:
        return orders.flags_of(session, conversation, talks=talks)


def _contacts(sources: Sources, conversation: Conversation, now: datetime) -> dict[str, Any]:
    with sources.bridge.reading() as session:
        return contacts.contacts_of(session, conversation, now=now)


def _channel(sources: Sources, conversation: Conversation, now: datetime) -> dict[str, Any]:
    """Return where the customer writes, and how many messages may still be sent there (None: any number)."""
    with sources.bridge.reading() as session:
        found = quota_of(session, conversation, now=now)
    if found is None:
        return {"name": conversation.channel, "wechat_quota": None}
    until = found.until.astimezone(SHANGHAI).isoformat() if found.until else None
    return {"name": conversation.channel, "wechat_quota": asdict(found) | {"until": until}}
