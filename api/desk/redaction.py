"""The redactor of a conversation: what is known of its customer, read once and kept for a short while.

Whatever leaves the server for the desk goes through it. Where a database is away, what looks like personal data is
still hidden by its form; such a redactor is made anew for the next call.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.deps import Parts
from core import work_order
from core.channel.join import talks_of
from core.conversation import Conversation
from core.db import Database
from core.fields import Keyring, UnreadableField
from core.redact import Known, Redactor, known_of_customer, known_of_orders

log = structlog.get_logger("api.desk")
KEPT = timedelta(minutes=5)
MOST_KEPT, MOST_ORDERS = 2000, 20
_Key = tuple[str, str | None, tuple[str, ...]]
_kept: WeakKeyDictionary[Database, OrderedDict[_Key, tuple[datetime, Redactor]]] = WeakKeyDictionary()


async def redactor_for(parts: Parts, conversation: Conversation) -> Redactor:
    """Return the redactor of a conversation; another binding of accounts makes another one at once."""
    key = (conversation.id, conversation.customer_no, tuple(conversation.accounts))
    kept, now = _kept.setdefault(parts.bridge, OrderedDict()), parts.clock()
    found = kept.get(key)
    if found is not None and now < found[0]:
        return found[1]
    known, whole = await asyncio.to_thread(_known, parts, key)
    redactor = Redactor(known)
    if whole:
        kept[key] = (now + KEPT, redactor)
        kept.move_to_end(key)
        while len(kept) > MOST_KEPT:
            kept.popitem(last=False)
    return redactor


def forget(parts: Parts, conversation_id: str) -> None:
    """Let the redactor of a conversation be made anew, after something was written that it should know of."""
    kept = _kept.get(parts.bridge, OrderedDict())
    for key in [key for key in kept if key[0] == conversation_id]:
        del kept[key]


def _known(parts: Parts, key: _Key) -> tuple[Known, bool]:
    """Return what is known, and whether all of it could be read."""
    keyring = parts.settings.keyring()
    known, whole = Known(account_nos=key[2]), True
    for read in (_of_customer, _of_orders):
        try:
            known += read(parts, key, keyring)
        except (SQLAlchemyError, UnreadableField) as error:
            log.error("known_values_unavailable", what=read.__name__, error=type(error).__name__)
            whole = False
    return known, whole


def _of_customer(parts: Parts, key: _Key, keyring: Keyring) -> Known:
    _, customer_no, accounts = key
    if customer_no is None and not accounts:
        return Known()
    with parts.billing.reading() as session:
        return known_of_customer(session, customer_no=customer_no, accounts=accounts, keyring=keyring)


def _of_orders(parts: Parts, key: _Key, keyring: Keyring) -> Known:
    conversation_id, customer_no, accounts = key
    with parts.bridge.reading() as log_session:
        talks = talks_of(log_session, conversation_id)
    with parts.workorder.reading() as session:
        orders = work_order.orders_of(
            session, conversation_id=conversation_id, conversations=talks, customer_no=customer_no, accounts=accounts,
            limit=MOST_ORDERS,
        )  # fmt: skip
        return known_of_orders(orders, keyring=keyring)
