"""The masked names of customers, as lists show them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from api.deps import Parts
from api.desk.options import options_of
from core.account import Customer, name_context
from core.db import Database
from core.fields import UnreadableField
from core.masking import mask_name

log = structlog.get_logger("api.desk")
MOST = 5000  # names kept
_known: WeakKeyDictionary[Database, dict[str, str]] = WeakKeyDictionary()


async def labels_of(parts: Parts, customer_nos: Iterable[str | None]) -> dict[str, str]:
    """Return the masked name by customer number; where the billing system is away, words that say so."""
    names = _known.setdefault(parts.billing, {})
    wanted = {one for one in customer_nos if one}
    missing = sorted(wanted - set(names))
    if missing:
        found = await asyncio.to_thread(_read, parts, missing)
        if len(names) + len(found) > MOST:
            names.clear()
        names.update(found)
    unknown = options_of(parts.settings.data_dir).unknown_customer
    return {one: names.get(one, unknown) for one in wanted}


def _read(parts: Parts, customer_nos: list[str]) -> dict[str, str]:
    keyring = parts.settings.keyring()
    try:
        with parts.billing.reading() as session:
            rows = session.scalars(select(Customer).where(Customer.customer_no.in_(customer_nos))).all()
            return {
                row.customer_no: mask_name(keyring.decrypt(row.name_cipher, name_context(row.customer_no)))
                for row in rows
            }
    except (SQLAlchemyError, UnreadableField) as error:
        log.error("names_unavailable", error=type(error).__name__)
        return {}
