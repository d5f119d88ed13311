"""How one-time codes reach a telephone: sealed in the outbox for the gateway, or kept for the demonstration page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.fields import Keyring
from core.one_time_code import CodeSender, Parcel
from core.outbox import OutboxItem, put, put_done

SMS, SHOWN = "sms", "shown_code"  # kinds of outbox items


def code_sender(keyring: Keyring, *, development: bool, sms_url: str) -> CodeSender | None:
    """Return the way that this installation has; None: it has none, and what needs a code has to be declined."""
    if sms_url:
        return OutboxSender(keyring)
    return DevelopmentSender(keyring) if development else None


class OutboxSender:
    """Leaves the code in the outbox, sealed; the bridge hands it to the gateway for short messages."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def send(self, session: Session, parcel: Parcel) -> None:
        """See `CodeSender.send`."""
        put(session, kind=SMS, key=parcel.key, payload=_sealed(parcel, self._keyring), now=parcel.now)


class DevelopmentSender:
    """Keeps the code, sealed, for the demonstration page; nothing leaves the machine."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def send(self, session: Session, parcel: Parcel) -> None:
        """See `CodeSender.send`."""
        # The page reads it; there is nothing to deliver.
        put_done(session, kind=SHOWN, key=parcel.key, payload=_sealed(parcel, self._keyring), now=parcel.now)


@dataclass(frozen=True)
class Sealed:
    """A code as it was left in the outbox; `phone` None: it goes nowhere."""

    purpose: str
    phone: str | None
    digits: str
    sent_at: datetime
    expires_at: datetime


def unseal(item_key: str, payload: dict[str, Any], keyring: Keyring) -> Sealed:
    """Return what a sender left under this key.

    Raises:
        UnreadableField: if it was altered.
    """
    inner = json.loads(keyring.decrypt(payload["sealed"], _context(item_key)))
    return Sealed(
        purpose=payload["purpose"], phone=inner["phone"], digits=inner["digits"],
        sent_at=datetime.fromisoformat(payload["sent_at"]), expires_at=datetime.fromisoformat(payload["expires_at"]),
    )  # fmt: skip


def shown_codes(session: Session, *, conversation_id: str, keyring: Keyring, now: datetime) -> list[Sealed]:
    """Return the codes of a conversation that the demonstration may show, the newest first."""
    query = select(OutboxItem).where(OutboxItem.kind == SHOWN, OutboxItem.key.startswith(f"{conversation_id}:"))
    found = [unseal(item.key, item.payload, keyring) for item in session.scalars(query.order_by(OutboxItem.id.desc()))]
    return [one for one in found if one.phone and one.expires_at > now]


def _sealed(parcel: Parcel, keyring: Keyring) -> dict[str, Any]:
    inner = json.dumps({"phone": parcel.phone, "digits": parcel.digits})
    return {
        "purpose": parcel.purpose, "sent_at": parcel.now.isoformat(), "expires_at": parcel.expires_at.isoformat(),
        "sealed": keyring.encrypt(inner, _context(parcel.key)),
    }  # fmt: skip


def _context(key: str) -> str:
    return f"outbox.code:{key}"
